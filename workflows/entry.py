"""Who may enter a journey again. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from workflows.language.definition import Reentry


class Refusal(StrEnum):
    """Why somebody did not enter."""

    BEFORE = "before"  # they were on this journey once
    INSIDE = "inside"  # they are on it
    TOO_SOON = "too_soon"
    SAME_KEY = "same_key"
    GONE = "gone"  # there is no such person
    NOT_AMONG = "not_among"  # the rule who may enter does not hold


REFUSALS: dict[str, str] = {
    Refusal.BEFORE: "was on this journey before, and people enter it only once",
    Refusal.INSIDE: "is on this journey already",
    Refusal.TOO_SOON: "entered this journey too short a time ago",
    Refusal.SAME_KEY: "entered this journey for the same event before",
    Refusal.GONE: "is not known",
    Refusal.NOT_AMONG: "does not fulfil the rule who may enter",
}


class Before(NamedTuple):
    """One time that a person was on the journey."""

    inside: bool
    entered_at: datetime
    key_index: bytes | None = None


def may_enter(reentry: Reentry, before: Sequence[Before], key_index: bytes | None, at: datetime) -> Refusal | None:
    """Whether somebody may enter (None), or why not. `before` in any order; to have no key is one key, too."""
    if not before:
        return None
    if reentry.kind == "never":
        return Refusal.BEFORE
    if reentry.kind == "per_key":
        return Refusal.SAME_KEY if any(time.key_index == key_index for time in before) else None
    if any(time.inside for time in before):
        return Refusal.INSIDE
    last = max(time.entered_at for time in before)
    if reentry.kind == "after_days" and at - last < timedelta(days=reentry.days):
        return Refusal.TOO_SOON
    return None
