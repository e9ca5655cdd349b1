"""From a version and one person's values to what that person reads. Compiled once per process, then only filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup

from contacts.models import Attribute
from content import sandbox
from content.merge import context_for
from content.models import TemplateVersion
from tracking import links as tracked


@dataclass(frozen=True, slots=True)
class MessageLinks:
    """The one token of a message, and what of it may be tracked."""

    token: str
    track_opens: bool = False
    track_clicks: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one contact gets; bound to that contact, and the door refuses it for any other (SND-03)."""

    contact_id: UUID
    subject: str
    html: str
    text: str


class Compiled:
    """A version ready to be filled. 11 µs a message for the HTML, so keep it and call `render` often."""

    def __init__(self, version: TemplateVersion, attributes: Mapping[str, Attribute]) -> None:
        self.id = version.pk
        self.fields_used: tuple[str, ...] = tuple(version.fields_used)
        self.links: tuple[str, ...] = tuple(version.links)
        self.tier = version.tier
        self.digest = bytes(version.digest)
        self._attributes = {key: attributes[key] for key in self.fields_used if key in attributes}
        self._organization: dict[str, str] = version.organization
        self._zone = ZoneInfo(version.organization.get("time_zone") or "UTC")
        self._subject = sandbox.compile_source(version.subject, sandbox.TEXT)
        self._html = sandbox.compile_source(version.compiled_html, sandbox.HTML)
        self._text = sandbox.compile_source(version.text, sandbox.TEXT)

    def render(self, contact_id: UUID, values: Mapping[str, Any], links: MessageLinks) -> Rendered:
        """Fill in one person's values.

        `values`: by attribute key, in stored form; only `fields_used` are looked at.
        Raises MissingValue where a tag without fallback meets a missing value, TemplateBroken where a tag cannot
        take the value it got.
        """
        used = {key: values[key] for key in self._attributes if key in values}
        context = context_for(used, self._attributes, self._zone)
        context |= {
            "organization": self._organization,
            "unsubscribe_url": tracked.unsubscribe_url(links.token),
            "preferences_url": tracked.preferences_url(links.token),
            "_links": self._destinations(links),
            "_pixel": _pixel(links),
        }
        return Rendered(
            contact_id,
            " ".join(self._subject(context).split()),
            self._html(context),
            self._text(context),
        )

    def _destinations(self, links: MessageLinks) -> tuple[str, ...]:
        if not links.track_clicks:
            return self.links
        return tuple(tracked.click_url(links.token, number) for number in range(len(self.links)))


def _pixel(links: MessageLinks) -> str:
    if not links.track_opens:
        return ""
    return Markup('<img src="{}" width="1" height="1" alt="">').format(tracked.pixel_url(links.token))


def _all_attributes() -> dict[str, Attribute]:
    """Removed attributes too: an approved version may still name one."""
    return {attribute.key: attribute for attribute in Attribute.objects.all()}


@lru_cache(maxsize=64)
def compiled(version_id: UUID) -> Compiled:
    """The version, ready to render; versions never change, so neither does what is kept here."""
    return Compiled(TemplateVersion.objects.get(pk=version_id), _all_attributes())


def compiled_draft(version: TemplateVersion) -> Compiled:
    """The same for a version that is not saved: previews of drafts."""
    return Compiled(version, _all_attributes())
