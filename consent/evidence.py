"""What a yes rests on. Pure: which keys there are, what may not be missing, and how a shown text is versioned."""

import hashlib
from collections.abc import Mapping
from typing import Any

from consent.errors import EvidenceMissing
from consent.models import Act

#: text: what the person was shown · text_version · origin: where it came from, in words · given_on: day it was given ·
#: address, agent: of the person's network and browser · note: of who recorded it · request: the ledger row confirmed ·
#: delivery_id: the mail whose link was used · reason: why an authorization ended
KEYS = frozenset(
    {"text", "text_version", "origin", "given_on", "address", "agent", "note", "request", "delivery_id", "reason"}
)
LONGEST = 10_000
_YES = frozenset({Act.OPT_IN, Act.OPT_IN_REQUESTED, Act.SPECIAL_CONSENT})


def checked(act: str, evidence: Mapping[str, Any] | None) -> dict[str, str]:
    """The evidence as it is kept. Raises EvidenceMissing where a yes says neither what was shown nor where it is."""
    given = {key: str(value).strip()[:LONGEST] for key, value in (evidence or {}).items() if value not in (None, "")}
    if unknown := given.keys() - KEYS:
        raise EvidenceMissing(f"Evidence has no field {min(unknown)!r}. It may have: {', '.join(sorted(KEYS))}.")
    if act in _YES and not (given.get("text") or given.get("origin")):
        raise EvidenceMissing(
            "Say what the person agreed to: the text they were shown, or where the signed form can be found."
        )
    if given.get("text") and not given.get("text_version"):
        given["text_version"] = version_of(given["text"])
    return given


def version_of(text: str) -> str:
    """A short name for exactly this text, where nobody gave it one."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
