"""Plain words about what is wrong with a mail, and where. Pure: text and definitions in, findings out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from content import tags
from content.errors import TemplateBroken
from content.html import TAG
from content.markup import Markup
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity

HEAVY_WARNING, HEAVY_ERROR = 90_000, 200_000  # bytes; Gmail cuts a mail at 102 kB
DECEPTIVE = re.compile(r"^\s*(re|fwd?|aw|wg)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """`level`: "error" stops the mail, "warning" does not. `part`: subject, preheader, html, text, template."""

    level: str
    part: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What the lint looks at."""

    subject: str
    preheader: str
    html: str
    text: str
    purpose: str
    message_class: str


@dataclass(frozen=True, slots=True)
class Known:
    """An attribute as the lint needs it."""

    label: str
    sensitivity: str
    removed: bool = False


def lint(draft: Draft, attributes: Mapping[str, Known], *, own_host: str, has_address: bool) -> list[Finding]:
    """All findings, errors first.

    `own_host`: scheme and host of this deployment, the only place images may come from (TRK-01).
    `has_address`: the organization has a postal address (CAN-06).
    """
    findings = [
        *_empty(draft),
        *_tags(draft, attributes),
        *_sensitive_places(draft, attributes),
        *_markup(draft, attributes, own_host),
        *_subject(draft.subject),
        *_commercial(draft, has_address),
        *_weight(draft.html),
    ]
    return sorted(findings, key=lambda finding: finding.level != "error")


def fields_used(draft: Draft) -> list[str]:
    """Attribute keys used anywhere, sorted. Raises TemplateBroken."""
    keys: set[str] = set()
    for source in (draft.subject, draft.preheader, draft.html, draft.text):
        keys |= set(tags.uses(source))
    return sorted(keys - set(tags.PROVIDED))


def _parts(draft: Draft) -> Iterable[tuple[str, str]]:
    return (
        ("subject", draft.subject),
        ("preheader", draft.preheader),
        ("html", draft.html),
        ("text", draft.text),
    )


def _empty(draft: Draft) -> Iterable[Finding]:
    if not draft.subject.strip():
        yield Finding("error", "subject", "The mail has no subject yet.")
    if not re.sub(r"<[^>]*>", "", draft.html).strip():
        yield Finding("error", "html", "The mail says nothing yet.")


def _tags(draft: Draft, attributes: Mapping[str, Known]) -> Iterable[Finding]:
    for part, source in _parts(draft):
        try:
            found = tags.uses(source)
        except TemplateBroken as broken:
            yield Finding("error", part, str(broken), broken.line)
            continue
        for use in found.values():
            known = attributes.get(use.key)
            if use.key in tags.PROVIDED:
                continue
            if known is None:
                yield Finding("error", part, f"There is no merge tag called “{use.key}”.", use.line)
            elif known.removed:
                yield Finding("error", part, f"The attribute “{known.label}” was removed; take its tag out.", use.line)
            elif not use.has_fallback and use.key != "email":
                yield Finding(
                    "warning",
                    part,
                    f"People without “{known.label}” will not get this mail. "
                    f"Give a fallback: {{{{ {use.key}|default('…') }}}}.",
                    use.line,
                )


def _sensitive_places(draft: Draft, attributes: Mapping[str, Known]) -> Iterable[Finding]:
    for part, source in (("subject", draft.subject), ("preheader", draft.preheader)):
        for name in sorted(tags.tag_names(source) if TAG.search(source) else ()):
            if _is_health(attributes, name):
                yield Finding(
                    "error",
                    part,
                    f"“{attributes[name].label}” is health information; it would be readable on a locked phone. "
                    "Say it in the body.",
                )


def _markup(draft: Draft, attributes: Mapping[str, Known], own_host: str) -> Iterable[Finding]:
    markup = Markup(draft.html, own_host)
    for fault in markup.faults():
        yield Finding(fault.level, "html", fault.message, fault.line)
    for text in markup.shown():
        if any(_is_health(attributes, name) for name in text.names):
            message = f"Health information may not stand in the {text.attribute} text of an element."
            yield Finding("error", "html", message, text.line)


def _is_health(attributes: Mapping[str, Known], name: str) -> bool:
    return name in attributes and Sensitivity(attributes[name].sensitivity).rank >= Sensitivity.PHI.rank


def _subject(subject: str) -> Iterable[Finding]:
    if DECEPTIVE.match(subject):
        yield Finding("error", "subject", "A subject that pretends to be a reply or a forward is deceptive (CAN-SPAM).")
    if "\n" in subject or "\r" in subject:
        yield Finding("error", "subject", "A subject is one line.")
    if len(TAG.sub("", subject)) > 70:
        yield Finding("warning", "subject", "Phones show about 40 characters of a subject; this one has more than 70.")
    if len(subject) > 12 and subject.upper() == subject and re.search("[A-Z]", subject):
        yield Finding("warning", "subject", "A subject in capitals reads as shouting and is often filtered.")


def _commercial(draft: Draft, has_address: bool) -> Iterable[Finding]:
    if draft.purpose == Purpose.MARKETING and draft.message_class != MessageClass.COMMERCIAL:
        yield Finding("error", "template", "Marketing under HIPAA is commercial mail under CAN-SPAM; set the class so.")
    if draft.message_class != MessageClass.COMMERCIAL:
        return
    if not has_address:
        yield Finding(
            "error", "template", "Your organization has no postal address yet; add it in Settings (CAN-SPAM)."
        )
    for part, source in (("html", draft.html), ("text", draft.text)):
        if not source and part == "text":
            continue  # made from the HTML
        if "organization.postal_address" not in source:
            yield Finding(
                "error", part, "Commercial mail shows your postal address: {{ organization.postal_address }}."
            )
        if "unsubscribe_url" not in source:
            yield Finding("error", part, "Commercial mail has a way out: link to {{ unsubscribe_url }}.")


def _weight(html: str) -> Iterable[Finding]:
    size = len(html.encode())
    if size > HEAVY_ERROR:
        yield Finding("error", "html", f"The mail weighs {size // 1000} kB; at most {HEAVY_ERROR // 1000} kB are sent.")
    elif size > HEAVY_WARNING:
        yield Finding("warning", "html", f"The mail weighs {size // 1000} kB; Gmail cuts it at 102 kB.")
