"""What one step does with one person: the one decision that engine, simulator, forecast and tests share.

Pure: data in, effect out; no I/O, no clock, no settings. It answers from what is so now, never from what it was woken
by, so a wake-up too many changes nothing and one that was lost is made good by any later one.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from workflows import moments
from workflows.language.definition import (
    AnyExit,
    AnyStep,
    Branch,
    BranchMail,
    ChangeList,
    Definition,
    End,
    Enter,
    EventExit,
    Goal,
    GoalExit,
    Mail,
    SegmentLeft,
    SetAttribute,
    Split,
    Tell,
    Unsubscribed,
    Value,
    Wait,
    WaitEvent,
    WaitUntil,
    WaitWeekday,
    Webhook,
    after,
)


class Note(StrEnum):
    """What stands in Transition.note."""

    SENT = "sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # overdue when the journey was resumed, or passed over by staff
    WAITED = "waited"
    PAST = "past"
    NO_DATE = "no_date"
    HAPPENED = "happened"
    TIMEOUT = "timeout"
    CHOSEN = "chosen"
    DONE = "done"


class Left(StrEnum):
    """What stands in Enrolment.left_because (and, where they left at a step, in Transition.note)."""

    END = "end"
    GOAL = "goal"
    UNSUBSCRIBED = "unsubscribed"
    SEGMENT_LEFT = "segment_left"
    EVENT = "event"
    REMOVED = "removed"
    MOVED = "moved"
    DELETED = "deleted"
    STOPPED = "stopped"


class Mailing(msgspec.Struct, frozen=True):
    """What became of one mail. `outcome`: of delivery.models.Delivery.Outcome; opens and clicks by a person only."""

    outcome: str
    opened: bool = False
    clicked: bool = False


class Facts(msgspec.Struct, frozen=True):
    """What a step is told about one person; what it does not ask about stays at its default. PHI, in memory only."""

    zone: tzinfo
    #: False: the contact was deleted.
    exists: bool = True
    #: Values of attributes, as stored, that moments are counted from.
    values: Mapping[str, Any] = {}
    #: Of the event that let them in.
    properties: Mapping[str, Any] = {}
    #: For each of the definition's exits whether it holds.
    exits: tuple[bool, ...] = ()
    #: For each case of a Branch (for the one rule of a Goal) whether it holds.
    cases: tuple[bool, ...] = ()
    #: Of this step's mail (Mail), or of the latest of the step that BranchMail names; None: no outcome yet, or no mail.
    mail: Mailing | None = None
    #: WaitEvent: it happened, counted as the step says.
    happened: bool = False
    #: Webhook: "", "done" or "failed".
    call: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where somebody is: what of an Enrolment decides, and what a step changes."""

    contact: UUID
    step: str | None  # None: has left
    visit: int
    entered_at: datetime
    since: datetime
    wake_at: datetime | None = None
    #: A mail or a call was made at this visit and its end is waited for.
    awaits: bool = False
    overdue: bool = False
    left: Left | None = None


class Effect(msgspec.Struct, frozen=True):
    """One of: goes on by `way` · leaves, `left` · stays until `until` (None: until news) · is in `trouble`.

    `act`: the step's own act is to be carried out (the mail handed over, the value set …), once a visit.
    """

    way: str | None = None
    note: Note | None = None
    left: Left | None = None
    until: datetime | None = None
    act: bool = False
    #: SetAttribute: what to set.
    value: Value = None
    trouble: str = ""


class Passed(msgspec.Struct, frozen=True):
    """What becomes a Transition: a visit that ended."""

    step: str
    visit: int
    arrived_at: datetime
    at: datetime
    way: str
    note: str


def exit_of(exits: tuple[AnyExit, ...], hold: tuple[bool, ...]) -> Left | None:
    """Why somebody leaves, by the first exit that holds."""
    for rule, holds in zip(exits, hold, strict=False):
        if holds:
            match rule:
                case Unsubscribed():
                    return Left.UNSUBSCRIBED
                case SegmentLeft():
                    return Left.SEGMENT_LEFT
                case EventExit():
                    return Left.EVENT
                case GoalExit():
                    return Left.GOAL
    return None


def step(node: AnyStep, place: Place, facts: Facts, now: datetime) -> Effect:  # noqa: PLR0911, PLR0912  one case a kind
    """What happens to this person at this step, now."""
    match node:
        case Mail():
            return _mail(place, facts)
        case Wait():
            return _until(moments.later(place.since, node.span, facts.zone), now)
        case WaitUntil():
            return _wait_until(node, place, facts, now)
        case WaitWeekday():
            return _until(moments.next_weekday(place.since, node.weekdays, node.at, facts.zone), now)
        case WaitEvent():
            if facts.happened:
                return Effect("happened", Note.HAPPENED)
            end = moments.later(place.since, node.timeout, facts.zone)
            return Effect("timeout", Note.TIMEOUT) if end <= now else Effect(until=end)
        case Branch():
            return Effect(next((str(n) for n, holds in enumerate(facts.cases, 1) if holds), "else"), Note.CHOSEN)
        case BranchMail():
            return Effect(next((case for case in node.cases if _was(facts.mail, case)), "else"), Note.CHOSEN)
        case Split():
            return Effect(_drawn(node, place), Note.CHOSEN)
        case SetAttribute():
            value = facts.properties.get(node.property) if node.property else node.value
            return Effect("next", Note.DONE, act=True, value=value)
        case Webhook():
            return _webhook(node, place, facts)
        case ChangeList() | Tell() | Enter():
            return Effect("next", Note.DONE, act=True)
        case Goal():
            return Effect(left=Left.GOAL) if any(facts.cases) else Effect("next", Note.CHOSEN)
        case End():
            return Effect(left=Left.END)


def _until(moment: datetime, now: datetime) -> Effect:
    return Effect("next", Note.WAITED) if moment <= now else Effect(until=moment)


def _mail(place: Place, facts: Facts) -> Effect:
    if not place.awaits:
        return Effect("next", Note.SKIPPED) if place.overdue else Effect(act=True)
    if facts.mail is None:
        return Effect()
    note = Note(facts.mail.outcome)
    return Effect("next" if note in (Note.SENT, Note.UNKNOWN) else "refused", note)


def _wait_until(node: WaitUntil, place: Place, facts: Facts, now: datetime) -> Effect:
    source = facts.properties.get(node.moment.property) if node.moment.property else None
    value = moments.parsed(source if node.moment.property else facts.values.get(node.moment.attribute))
    moment = moments.around(value, node.moment, facts.zone)
    if moment is None:
        return Effect("past", Note.NO_DATE)
    if moment <= place.since:
        return Effect("past", Note.PAST)
    return _until(moment, now)


def _webhook(node: Webhook, place: Place, facts: Facts) -> Effect:
    if not place.awaits:
        return Effect(act=True)
    match facts.call:
        case "done":
            return Effect("next", Note.DONE)
        case "failed":
            return Effect("failed", Note.FAILED) if node.exits.get("failed") else Effect(trouble="call_failed")
    return Effect()


def _was(mail: Mailing | None, case: str) -> bool:
    if mail is None:
        return False
    match case:
        case "opened":
            return mail.opened or mail.clicked
        case "clicked":
            return mail.clicked
        case "sent":
            return mail.outcome in ("sent", "unknown")
    return mail.outcome == case


def _drawn(node: Split, place: Place) -> str:
    raw = hashlib.blake2b(place.contact.bytes + f"{place.step}:{node.seed}".encode(), digest_size=8).digest()
    drawn, reached = int.from_bytes(raw, "big") / 2**64 * 100, 0.0
    for n, share in enumerate(node.shares, 1):
        reached += share.percent
        if drawn < reached:
            return str(n)
    return str(len(node.shares))


def leaves(definition: Definition, facts: Facts) -> Left | None:
    """Why somebody leaves wherever they are, also who needs attention: deleted, or by an exit; None: they do not."""
    return exit_of(definition.exits, facts.exits) if facts.exists else Left.DELETED


def decide(definition: Definition, place: Place, facts: Facts, now: datetime) -> Effect:
    """What happens to somebody where they are: what has them leave comes first."""
    left = leaves(definition, facts)
    if left is not None:
        return Effect(left=left)
    assert place.step is not None
    return step(definition.steps[place.step], place, facts, now)


def moved(definition: Definition, place: Place, effect: Effect, now: datetime) -> tuple[Place, Passed | None]:
    """Where they are after it, and the visit that ended by it, if one did. Trouble changes nothing here."""
    assert place.step is not None
    change = msgspec.structs.replace
    if effect.left is not None:
        gone = change(place, step=None, wake_at=None, awaits=False, left=effect.left)
        return gone, Passed(place.step, place.visit, place.since, now, "", effect.left)
    if effect.way is not None:
        passed = Passed(place.step, place.visit, place.since, now, effect.way, effect.note or "")
        target = after(definition.steps[place.step], effect.way)
        if target is None:
            return change(place, step=None, wake_at=None, awaits=False, left=Left.END), passed
        there = change(place, step=target, visit=place.visit + 1, since=now, wake_at=now, awaits=False)
        return there, passed
    if effect.trouble:
        return place, None
    waits = effect.until is not None
    return change(
        place, wake_at=effect.until, awaits=place.awaits or effect.act, overdue=place.overdue and not waits
    ), None
