"""A draft or a version as a synthetic person would read it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contacts import queries as contacts
from content import personas, queries
from content.errors import MissingValue, TemplateBroken
from content.models import Template, TemplateVersion
from content.rendering import MessageLinks, Rendered, compiled_draft

NOBODY = UUID(int=0)
#: Leads nowhere: previews carry no working token.
PREVIEW_LINKS = MessageLinks(token="preview")  # noqa: S106


@dataclass(frozen=True, slots=True)
class Preview:
    """Either `rendered`, or `problem` in words for the author."""

    persona: personas.Persona
    rendered: Rendered | None
    problem: str = ""


def all_personas() -> list[personas.Persona]:
    return personas.personas(contacts.attributes().values())


def persona_called(key: str) -> personas.Persona:
    """The persona with that key, else the typical one."""
    people = all_personas()
    return next((person for person in people if person.key == key), people[0])


def preview(what: Template | TemplateVersion, persona: personas.Persona) -> Preview:
    try:
        version = queries.build_version(what) if isinstance(what, Template) else what
        return Preview(persona, render_for(version, persona.values))
    except MissingValue as missing:
        return Preview(
            persona,
            None,
            f"This person has no “{missing.key}” and the tag has no fallback: the mail would not be sent.",
        )
    except TemplateBroken as broken:
        place = f" (line {broken.line})" if broken.line else ""
        return Preview(persona, None, f"{broken}{place}")


def render_for(version: TemplateVersion, values: dict[str, Any]) -> Rendered:
    return compiled_draft(version).render(NOBODY, values, PREVIEW_LINKS)
