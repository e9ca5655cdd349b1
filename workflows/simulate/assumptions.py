"""What nobody can know beforehand, as shares; who it befalls follows from who they are, so a run can be repeated. Pure.

With `replay` people open and click as they did in the year before, and what happened in the span before the start
happens again, as many whole weeks later as bring it behind the start.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

#: The longest span, the most people, and the most steps they take together in one simulation.
MAX_DAYS, MAX_PEOPLE, MAX_VISITS = 366, 100_000, 10_000_000
#: Opens and clicks come within this after a mail, most of them early.
READ_WITHIN = timedelta(hours=72)


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An awaited event or change: of 100 people it befalls `percent`, within so many days of their entering."""

    percent: float = 0.0
    days: float = 7.0


class Assumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates are percent. `events`: by the event's name, or by "attribute:" and the key of what changes."""

    #: Of mails that are counted: of mails without counting nothing is known, here as there.
    opens: float = 40.0
    clicks: float = 5.0
    #: Of mails on a topic; as soon as they read it.
    unsubscribes: float = 0.0
    events: dict[str, Expected] = {}
    #: Of 100 people the trigger's event befalls so many a day, where nothing else says whom and when.
    entering: float = 1.0
    #: Moments that the trigger's event carries lie so many days after it.
    ahead_days: float = 14.0
    #: Webhook calls that fail for good.
    calls_failed: float = 0.0
    replay: bool = False
    #: As if nobody had been on this journey yet.
    afresh: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulation: whom, from when, how long. `entering` "all": everybody of the segment, at the start."""

    start: datetime
    days: int
    segment: UUID | None = None
    entering: Literal["trigger", "all"] = "trigger"
    #: The published version; None: the draft.
    version: UUID | None = None
    #: Who is inside now: is left out, finishes on their version, or moves here step by step as at publishing.
    inside: Literal["", "finish", "move"] = ""
    assumptions: Assumptions = Assumptions()

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=self.days)


def drawn(contact: UUID, *about: object) -> float:
    """A number from 0 on and below 1, always the same for one person and matter."""
    label = ":".join(map(str, about)).encode()
    return int.from_bytes(hashlib.blake2b(contact.bytes + label, digest_size=8).digest(), "big") / 2**64


def befalls(contact: UUID, percent: float, *about: object) -> bool:
    return drawn(contact, *about) * 100 < percent


def read_after(contact: UUID, *about: object) -> timedelta:
    """How long after a mail somebody reads it, to the minute."""
    return timedelta(minutes=int(drawn(contact, "when", *about) ** 3 * (READ_WITHIN / timedelta(minutes=1))))
