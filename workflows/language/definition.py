"""What a journey is: one typed tree, the form in which drafts, versions, the API and the engine know it. Pure.

Steps are known by short ids ("a1"); `exits` of a step says which step follows by which way out. A way out that leads
nowhere (absent, or null) ends the journey. Names, rules and texts may say a diagnosis: kept encrypted.
"""

from typing import Any, Literal
from uuid import UUID

import msgspec

VERSION = 1
MAX_STEPS = 200

Days = tuple[int, ...]  # weekdays, Monday 0
Value = str | float | bool | None


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A length of time. Weeks and days go by the calendar where the person is; hours and minutes by the clock."""

    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A moment before (negative) or after a date: of the person's attribute, or of the event that let them in.

    With `at` ("10:00") it is that time, where the person is, on the day `days` away from the day of the date;
    without, it is the date's own time moved by days (on the calendar) and `minutes`.
    """

    attribute: str = ""
    property: str = ""
    days: int = 0
    minutes: int = 0
    at: str = ""


class PropertyIs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event's property is one of these values."""

    property: str
    values: tuple[Value, ...]


# -- what lets people in ------------------------------------------------------------------------------------------


class Trigger(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True):
    pass


class BySegment(Trigger, frozen=True, tag="segment"):
    segment: UUID
    change: Literal["enters", "leaves"] = "enters"


class ByAttribute(Trigger, frozen=True, tag="attribute"):
    """A value changes; `was` and `becomes` empty: from and to whatever."""

    attribute: str
    was: tuple[Value, ...] = ()
    becomes: tuple[Value, ...] = ()


class ByDate(Trigger, frozen=True, tag="date"):
    """A moment around a date of the person comes; `yearly`: every year (29 February: the 28th where there is none).

    `late`: what becomes of those whose date was only entered when the moment had passed but the date had not.
    """

    moment: Moment
    yearly: bool = False
    late: Literal["skip", "enter"] = "skip"


class ByEvent(Trigger, frozen=True, tag="event"):
    """An event from the API, by its type's name."""

    event: str
    where: tuple[PropertyIs, ...] = ()


class ByConsent(Trigger, frozen=True, tag="consent"):
    topic: UUID
    change: Literal["given", "withdrawn"] = "given"


class ByEngagement(Trigger, frozen=True, tag="engaged"):
    """A person (never a scanner) opened or clicked in a mailing; None: in any campaign."""

    event: Literal["opened", "clicked"]
    mailing: UUID | None = None


class BySent(Trigger, frozen=True, tag="sent"):
    """A mail of this campaign was sent to them."""

    mailing: UUID


class ByHand(Trigger, frozen=True, tag="manual"):
    """By staff, by a list, by the API or from another journey: which all triggers allow besides.

    `chosen_by`: how sensitive what they go by is, who choose the people. Nobody may enter from elsewhere by more.
    """

    chosen_by: Literal["identity", "phi", "special"] = "identity"


AnyTrigger = BySegment | ByAttribute | ByDate | ByEvent | ByConsent | ByEngagement | BySent | ByHand


class Reentry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often one person may enter. `after_days`: so long since they last entered, and they are out.

    `per_key`: once for each key of an event (each value of a date), also while they are in for another one.
    """

    kind: Literal["never", "after_leaving", "after_days", "per_key"] = "never"
    days: int = 0


# -- what takes people out ----------------------------------------------------------------------------------------


class Exit(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True):
    pass


class Unsubscribed(Exit, frozen=True, tag="unsubscribed"):
    """Out of everything, or of a topic of one of the journey's mails."""


class SegmentLeft(Exit, frozen=True, tag="segment_left"):
    segment: UUID


class EventExit(Exit, frozen=True, tag="event"):
    """An event of this type since they entered; `same_key`: only one with the key of the event that let them in.

    The key of who was let in by a date is none that an event could have: the checks ask for `same_key` false there.
    """

    event: str
    same_key: bool = True


class GoalExit(Exit, frozen=True, tag="goal"):
    """The goal: leaves early as soon as the rule holds, and counts as conversion."""

    rule: Any
    name: str = ""


AnyExit = Unsubscribed | SegmentLeft | EventExit | GoalExit


# -- steps --------------------------------------------------------------------------------------------------------


class Step(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    name: str = ""
    exits: dict[str, str | None] = {}


class Mail(Step, frozen=True, tag="mail"):
    """Ways out: next, refused (absent: as next; failed counts as refused). The template says purpose and class."""

    template: UUID | None = None
    sender: UUID | None = None
    topic: UUID | None = None
    stream: Literal["marketing", "transactional"] = "marketing"
    track_opens: bool = False
    track_clicks: bool = False


class Wait(Step, frozen=True, tag="wait"):
    """For a span from arrival. Way out: next."""

    span: Span = Span()


class WaitUntil(Step, frozen=True, tag="wait_until"):
    """Until a moment around a date, moving with it. Ways out: next, past (there is no date, or it had passed on
    arrival; absent: as next)."""

    moment: Moment = Moment()


class WaitWeekday(Step, frozen=True, tag="wait_weekday"):
    """Until the next of these weekdays (Monday 0; empty: any day) at this time where the person is. Way out: next."""

    weekdays: Days = ()
    at: str = "10:00"


class WaitEvent(Step, frozen=True, tag="wait_event"):
    """For an event by type name, or for a change of an attribute; at most `timeout`. Ways out: happened, timeout.

    `since`: what happened since they entered the journey counts, or only since they arrived here. `same_key`: as in
    EventExit. The event that let them in never counts.
    """

    event: str = ""
    attribute: str = ""
    was: tuple[Value, ...] = ()
    becomes: tuple[Value, ...] = ()
    same_key: bool = True
    since: Literal["entered", "here"] = "entered"
    timeout: Span = Span(days=1)


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    rule: Any
    name: str = ""


class Branch(Step, frozen=True, tag="branch"):
    """By rules of the segment language; the first that holds. Ways out: "1", "2", … by place, and else."""

    cases: tuple[Case, ...] = ()


Happened = Literal["clicked", "opened", "sent", "refused", "failed"]


class BranchMail(Step, frozen=True, tag="branch_mail"):
    """By what happened to an earlier mail step; the first of `cases` that holds. Ways out: these, and else.

    Only opens and clicks that a person probably made count (TRK-06). `mail`: id of the step.
    """

    mail: str = ""
    cases: tuple[Happened, ...] = ("clicked",)


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    percent: float
    name: str = ""


class Split(Step, frozen=True, tag="split"):
    """By chance, for one person and step always the same. Ways out: "1", "2", …; shares come to 100."""

    shares: tuple[Share, ...] = ()
    seed: int = 0


class SetAttribute(Step, frozen=True, tag="set_attribute"):
    """To a value, or to a property of the event that let them in; null: clears it. Way out: next."""

    attribute: str = ""
    value: Value = None
    property: str = ""


class ChangeList(Step, frozen=True, tag="list"):
    """Put into, or take out of, a list of people (a static segment). Way out: next."""

    segment: UUID | None = None
    change: Literal["add", "remove"] = "add"


class Webhook(Step, frozen=True, tag="webhook"):
    """Tell another system. Ways out: next; failed (absent: whoever's call failed for good needs attention)."""

    endpoint: UUID | None = None
    attributes: tuple[str, ...] = ()


class Tell(Step, frozen=True, tag="tell"):
    """Tell somebody on staff; `user` None: everybody of `role`. Way out: next."""

    user: UUID | None = None
    role: str = ""
    text: str = ""


class Enter(Step, frozen=True, tag="enter"):
    """Have them enter another journey as well (its re-entry rule decides). Way out: next."""

    workflow: UUID | None = None


class Goal(Step, frozen=True, tag="goal"):
    """Who fulfils the rule when they come here leaves, having reached the goal. Way out of the others: next."""

    rule: Any = None


class End(Step, frozen=True, tag="end"):
    pass


AnyStep = (
    Mail
    | Wait
    | WaitUntil
    | WaitWeekday
    | WaitEvent
    | Branch
    | BranchMail
    | Split
    | SetAttribute
    | ChangeList
    | Webhook
    | Tell
    | Enter
    | Goal
    | End
)
#: Steps at which people stay. A loop needs one of them, with a length above nothing.
WAITS = (Wait, WaitUntil, WaitWeekday, WaitEvent)


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`only`: who may enter (a rule of the segment language), besides what lets them in. `start` None: no step yet."""

    version: Literal[1] = 1
    trigger: AnyTrigger = ByHand()
    only: Any = None
    reentry: Reentry = Reentry()
    exits: tuple[AnyExit, ...] = (Unsubscribed(),)
    start: str | None = None
    steps: dict[str, AnyStep] = {}


def ways_out(step: AnyStep) -> tuple[str, ...]:  # noqa: PLR0911  one case a kind
    """The ways out a step has, in the order they are drawn."""
    match step:
        case Mail():
            return ("next", "refused")
        case WaitUntil():
            return ("next", "past")
        case WaitEvent():
            return ("happened", "timeout")
        case Branch():
            return (*(str(n) for n in range(1, len(step.cases) + 1)), "else")
        case BranchMail():
            return (*step.cases, "else")
        case Split():
            return tuple(str(n) for n in range(1, len(step.shares) + 1))
        case Webhook():
            return ("next", "failed")
        case End():
            return ()
    return ("next",)


#: A way out that is not drawn is as this one.
SAME_AS = {"refused": "next", "past": "next"}


def after(step: AnyStep, way: str) -> str | None:
    """The step that follows by this way out; None: the journey ends."""
    if way not in step.exits and way in SAME_AS:
        way = SAME_AS[way]
    return step.exits.get(way)


def to_json(definition: Definition) -> dict[str, Any]:
    """The form that is stored and sent: plain JSON types, equal to what comes back from the database."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(definition))
    return {"version": VERSION, **plain}


def from_json(raw: object) -> Definition:
    """Raises msgspec.ValidationError; workflows.language.parsing says it in words."""
    return msgspec.convert(raw, Definition)
