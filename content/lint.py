"""Plain words about what is wrong with a mail, and where. Pure: text and definitions in, findings out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from content import tags
from content.errors import TemplateBroken
from content.html import ANCHOR, TAG
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity

HEAVY_WARNING, HEAVY_ERROR = 90_000, 200_000  # bytes; Gmail cuts a mail at 102 kB
DECEPTIVE = re.compile(r"^\s*(re|fwd?|aw|wg)\s*:", re.IGNORECASE)
ELEMENTS = {
    "script": "Scripts never run in mail and are not sent.",
    "iframe": "Frames do not work in mail; link to the page instead.",
    "form": "Forms do not work in mail; link to a page instead.",
    "object": "Embedded objects do not work in mail.",
    "embed": "Embedded objects do not work in mail.",
    "video": "Videos do not play in mail; link to the page instead.",
    "audio": "Audio does not play in mail; link to the page instead.",
    "link": "Style sheets and fonts of other hosts are not loaded; put the styles into a <style> element.",
    "base": "A <base> element changes where links lead and is not sent.",
}
ATTRIBUTE = re.compile(r"""\s(alt|title|src|href|action|background|srcset)\s*=\s*(["'])(.*?)\2""", re.I | re.S)


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
        *_markup(draft.html, own_host),
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
            if name in attributes and Sensitivity(attributes[name].sensitivity).rank >= Sensitivity.PHI.rank:
                yield Finding(
                    "error",
                    part,
                    f"“{attributes[name].label}” is health information; it would be readable on a locked phone. "
                    "Say it in the body.",
                )
    for match in ATTRIBUTE.finditer(draft.html):
        name, value = match[1].lower(), match[3]
        if not TAG.search(value):
            continue
        line = tags.line_of(draft.html, match.start())
        used = tags.tag_names(value)
        if name in ("href", "src", "action", "background", "srcset"):
            if used - set(tags.PROVIDED) or not TAG.fullmatch(value.strip()):
                yield Finding(
                    "error", "html", "A web address may not hold a merge tag: addresses end up in logs.", line
                )
        elif any(
            key in attributes and Sensitivity(attributes[key].sensitivity).rank >= Sensitivity.PHI.rank for key in used
        ):
            yield Finding("error", "html", f"Health information may not stand in the {name} text of an image.", line)


def _markup(html: str, own_host: str) -> Iterable[Finding]:
    for element, why in ELEMENTS.items():
        for match in re.finditer(rf"<{element}\b", html, re.IGNORECASE):
            yield Finding("error", "html", why, tags.line_of(html, match.start()))
    for match in re.finditer(r"<[^>]*\son\w+\s*=", html, re.IGNORECASE):
        yield Finding(
            "error", "html", "Event handlers are scripts and are not sent.", tags.line_of(html, match.start())
        )
    for match in re.finditer(r"javascript\s*:", html, re.IGNORECASE):
        yield Finding("error", "html", "A script address is not sent.", tags.line_of(html, match.start()))
    for match in re.finditer(r"@import|@font-face", html, re.IGNORECASE):
        yield Finding(
            "error", "html", "Fonts and styles of other hosts are not loaded.", tags.line_of(html, match.start())
        )
    for match in re.finditer(r"""(?:src|background|srcset)\s*=\s*["']([^"']*)|url\(\s*["']?([^"')]+)""", html, re.I):
        source = (match[1] or match[2] or "").strip()
        if source and not source.startswith((own_host + "/", "data:image/")) and not TAG.search(source):
            yield Finding(
                "error",
                "html",
                "Images come from your own host only: another host would learn who reads this mail.",
                tags.line_of(html, match.start()),
            )
    for match in re.finditer(r"<img\b[^>]*>", html, re.IGNORECASE):
        if not re.search(r"\salt\s*=", match[0], re.IGNORECASE):
            yield Finding(
                "warning",
                "html",
                "An image has no alt text; people who cannot see it get nothing.",
                tags.line_of(html, match.start()),
            )
    for match in ANCHOR.finditer(html):
        target = match[3].strip()
        if not target.lower().startswith(("http://", "https://", "mailto:", "tel:", "#")) and not TAG.search(target):
            yield Finding(
                "error",
                "html",
                "A link needs a whole address, starting with https://.",
                tags.line_of(html, match.start()),
            )
        elif target.lower().startswith("http://") and not target.startswith(own_host):
            yield Finding(
                "warning", "html", "A link is not encrypted; use https://.", tags.line_of(html, match.start())
            )


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
