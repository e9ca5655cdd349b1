"""What makes a HIPAA authorization valid (45 CFR 164.508(b)(2), (c)). Pure: no clock, no settings, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from consent.state import AuthorizationFacts


@dataclass(frozen=True, slots=True)
class Element:
    """A text without which the document authorizes nothing."""

    key: str
    rule: str
    label: str
    example: str


CORE = (
    Element(
        "information",
        "164.508(c)(1)(i)",
        "Which information may be used",
        "My name, my email address and the fact that I take part in the diabetes programme",
    ),
    Element("discloser", "164.508(c)(1)(ii)", "Who may use or disclose it", "Lakeside Clinic"),
    Element("recipient", "164.508(c)(1)(iii)", "To whom", "Lakeside Clinic's mail service"),
    Element("purpose", "164.508(c)(1)(iv)", "For which purposes, each of them", "To tell me about products and offers"),
    Element("signature", "164.508(c)(1)(vi)", "Signature, as it stands on the form", "Signed on paper, scan 4711"),
    Element("signed_on", "164.508(c)(1)(vi)", "Day of the signature", "2026-05-04"),
)
STATEMENTS = (
    Element(
        "right_to_revoke",
        "164.508(c)(2)(i)",
        "The right to revoke it in writing, how, and the exceptions",
        "I may revoke this at any time in writing, except where it has been relied on",
    ),
    Element(
        "conditioning",
        "164.508(c)(2)(ii)",
        "That treatment, payment, enrollment or benefits do not depend on signing",
        "My treatment does not depend on signing this",
    ),
    Element(
        "redisclosure",
        "164.508(c)(2)(iii)",
        "That what is disclosed may be passed on and no longer be protected",
        "What is disclosed may be disclosed again by the recipient",
    ),
)
ELEMENTS = CORE + STATEMENTS
#: One of the two: the last day it holds, or the event that ends it (164.508(c)(1)(v)).
EXPIRY = ("expires_on", "expires_when")
OPTIONAL = ("remuneration", "representative", "representative_authority", "copy_given", "text", "text_version")
FLAGS = ("combined", "conditioned")
KEYS = frozenset({*(e.key for e in ELEMENTS), *EXPIRY, *OPTIONAL, *FLAGS})
#: "None" is an expiration for research only (164.508(c)(1)(v)), and nothing says nothing.
_EMPTY = frozenset({"", "-", "--", "none", "n/a", "na", "not applicable", "never", "tbd", "?"})


def _said(document: Mapping[str, Any], key: str) -> bool:
    return str(document.get(key) or "").strip().strip(".").lower() not in _EMPTY


def _day(document: Mapping[str, Any], key: str) -> date | None:
    try:
        return date.fromisoformat(str(document.get(key) or "").strip())
    except ValueError:
        return None


def defects(document: Mapping[str, Any]) -> list[str]:
    """Everything that keeps this document from being an authorization, each with its rule; empty: it is one."""
    found = [f"{e.label} ({e.rule})" for e in ELEMENTS if not _said(document, e.key)]
    if _said(document, "signed_on") and _day(document, "signed_on") is None:
        found.append("Day of the signature, as a date (164.508(c)(1)(vi))")
    if _said(document, "expires_on"):
        expires, signed = _day(document, "expires_on"), _day(document, "signed_on")
        if expires is None:
            found.append("Last day it holds, as a date (164.508(c)(1)(v))")
        elif signed and expires < signed:
            found.append("A last day that is not before the signature (164.508(c)(1)(v))")
    elif not _said(document, "expires_when"):
        found.append("When it ends: a day or an event (164.508(c)(1)(v))")
    if _said(document, "representative") and not _said(document, "representative_authority"):
        found.append("What entitles the representative to sign (164.508(c)(1)(vi))")
    if document.get("combined"):
        found.append("A document of its own, not combined with another permission (164.508(b)(3))")
    if document.get("conditioned"):
        found.append("A signature that nothing was made to depend on (164.508(b)(4))")
    return found


def complete(document: Mapping[str, Any]) -> bool:
    """Whether it has every core element and statement and none of the defects that can be seen in it."""
    return not defects(document)


def states_remuneration(document: Mapping[str, Any]) -> bool:
    """Whether it says that a third party pays (164.508(a)(3)(ii))."""
    return _said(document, "remuneration")


def expiry(document: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """The instant it stops holding: midnight after its last day, where the clinic is. None: at an event."""
    last = _day(document, "expires_on")
    if last is None or last == date.max:
        return None
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


def in_force(authorization: AuthorizationFacts, now: datetime) -> bool:
    """Whether it permits anything at this instant; it expires at the instant itself, not after it."""
    return authorization.complete and (authorization.expires_at is None or now < authorization.expires_at)
