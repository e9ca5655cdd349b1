"""The rule as a typed tree. The language is described in docs/segments.md; segments.rules parses it."""

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from core.sensitivity import Sensitivity

VERSION = 2
MAX_CLAUSES = 1_000
MAX_DEPTH = 8
#: Segments within segments within segments.
MAX_NESTED = 8
MAX_VALUES = 1_000
#: Values of a list pasted into a question about a text.
MAX_PASTED = 50_000
MAX_TEXT = 500
MAX_DAYS = 36_500
#: All texts of a rule together, in bytes of UTF-8.
MAX_BYTES = 4 * 1024 * 1024
MAX_TIMES = 10_000

Match = Literal["all", "any", "none"]
MATCHES: tuple[Match, ...] = ("all", "any", "none")
Unit = Literal["days", "weeks", "months", "years"]
#: The most of each unit, about a hundred years.
UNITS: dict[Unit, int] = {"days": MAX_DAYS, "weeks": 5_200, "months": 1_200, "years": 100}


class Span(msgspec.Struct, frozen=True):
    """A length of time by the calendar. Months and years keep the day of the month, or take the month's last."""

    count: int
    unit: Unit = "days"


class Ago(msgspec.Struct, frozen=True):
    """A day counted from today: negative before, positive after."""

    count: int
    unit: Unit = "days"


Day = date | Ago


class TextIs(msgspec.Struct, frozen=True):
    """A question about a text or choice. `values` are as typed; texts compare folded, choices exactly."""

    attribute: str
    op: str
    values: tuple[str, ...]
    exact: bool = False


class NumberIs(msgspec.Struct, frozen=True):
    """`high` is given for `between` and `not_between` only; both ends belong to what is between."""

    attribute: str
    op: str
    low: float
    high: float | None = None


class DateIs(msgspec.Struct, frozen=True):
    """A question about a calendar day; moments are first turned into a local day (`moment`).

    `contact`: today and the local day are those where the person is. `low` and `high` are ages in years (high None: no
    end) as of `first` (None: today). `weekdays` count from Monday, 0.
    """

    attribute: str
    op: str
    first: Day | None = None
    second: Day | None = None
    span: Span | None = None
    low: int = 0
    high: int | None = None
    weekdays: tuple[int, ...] = ()
    moment: bool = False
    contact: bool = False


class YesNoIs(msgspec.Struct, frozen=True):
    attribute: str
    value: bool


class Empty(msgspec.Struct, frozen=True):
    """Whether there is a value (or an entry) at all."""

    attribute: str
    empty: bool
    coded: bool = False


class Times(msgspec.Struct, frozen=True):
    """How often: `op` is at_least, more_than or at_most."""

    op: str = "at_least"
    count: int = 1

    @property
    def least(self) -> int:
        """So many entries or events and it holds; for at_most: and it no longer holds."""
        return self.count if self.op == "at_least" else self.count + 1

    @property
    def negative(self) -> bool:
        return self.op == "at_most"


class HasCode(msgspec.Struct, frozen=True):
    """Whether so many entries have one of `codes` at that time; `has` False: none has."""

    attribute: str
    has: bool
    codes: tuple[str, ...]
    when: str = "ever"
    span: Span | None = None
    first: Day | None = None
    second: Day | None = None
    times: Times = Times()


class TopicIs(msgspec.Struct, frozen=True):
    topic: UUID
    state: str


class Engaged(msgspec.Struct, frozen=True):
    """Whether the person received, opened or clicked, so many times.

    Of the campaign `mailing`; or of the latest one (`last`), or of any; `topic`: only campaigns on that topic.
    `span`: since the start of the day so long ago; `first` and `second`: on those days or between. Neither: ever.
    `link`: the place of the link that was clicked among those of `mailing`, from 0 on.
    """

    event: str
    did: bool
    mailing: UUID | None = None
    topic: UUID | None = None
    last: bool = False
    times: Times = Times()
    span: Span | None = None
    first: Day | None = None
    second: Day | None = None
    link: int | None = None


class Sample(msgspec.Struct, frozen=True):
    """So many of a hundred people by chance, the same ones each time; `seed` draws another lot."""

    percent: float
    seed: int = 0


class InSegment(msgspec.Struct, frozen=True):
    """Whether another segment has the person. `root` is its rule, put in its place by the parser.

    A snapshot's people are in Context.sets; `root` is what matched them, as far as that still makes sense, and
    `tier` what being in it says of somebody at least, whatever `root` says.
    """

    segment: UUID
    inside: bool
    snapshot: bool = False
    root: "Group | None" = None
    tier: Sensitivity = Sensitivity.IDENTITY


Clause = TextIs | NumberIs | DateIs | YesNoIs | Empty | HasCode | TopicIs | Engaged | Sample | InSegment
#: Clauses about an attribute.
About = TextIs | NumberIs | DateIs | YesNoIs | Empty | HasCode


class Group(msgspec.Struct, frozen=True):
    match: Match
    items: "tuple[Node, ...]"


Node = Group | Clause


class Rule(msgspec.Struct, frozen=True):
    root: Group


def below(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node: of a group its items, of a segment its rule. A snapshot has none."""
    if isinstance(node, Group):
        return node.items
    return (node.root,) if isinstance(node, InSegment) and not node.snapshot and node.root is not None else ()


def nodes_of(node: Node) -> list[Node]:
    """The node and everything below it, parents first."""
    return [node, *(n for item in below(node) for n in nodes_of(item))]


def evaluated_clauses(node: Node) -> list[Clause]:
    """The clauses asked of people one by one, in order; of a snapshot only whether they are in it."""
    return [n for n in nodes_of(node) if not isinstance(n, Group) and not below(n)]


def clauses_of(node: Node) -> list[Clause]:
    """Every clause that had a say: with those of segments, and those a snapshot was taken by."""
    found: list[Clause] = []
    for n in nodes_of(node):
        if not isinstance(n, Group):
            found.append(n)
        if isinstance(n, InSegment) and n.snapshot and n.root is not None:
            found += clauses_of(n.root)
    return found


def attributes_of(rule: Rule) -> frozenset[str]:
    """The attribute keys the rule names, also by way of segments."""
    return frozenset(c.attribute for c in clauses_of(rule.root) if isinstance(c, About))


def asked_of_facts(rule: Rule) -> frozenset[Clause]:
    """The clauses whose people somebody must look up: the keys Context.sets must have. All are positive."""
    facts = TopicIs | Engaged | InSegment
    return frozenset(positive(c)[0] for c in evaluated_clauses(rule.root) if isinstance(c, facts))


def positive(clause: Clause) -> tuple[Clause, bool]:
    """The clause as a set of people can answer it, and whether it holds for those in the set (or for those not).

    Engagement becomes "did, at least so many times"; a snapshot "is in it", by its id alone.
    """
    if isinstance(clause, Engaged):
        asked = msgspec.structs.replace(clause, did=True, times=Times("at_least", clause.times.least))
        return asked, clause.did != clause.times.negative
    if isinstance(clause, InSegment):
        return InSegment(clause.segment, inside=True, snapshot=True), clause.inside
    return clause, True
