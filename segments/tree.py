"""The rule as a typed tree. The language is described in docs/segments.md; segments.rules parses it."""

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

VERSION = 1
MAX_CLAUSES = 1_000
MAX_DEPTH = 8
MAX_VALUES = 1_000
MAX_TEXT = 500
MAX_DAYS = 36_500

Match = Literal["all", "any", "none"]
MATCHES: tuple[Match, ...] = ("all", "any", "none")


class Ago(msgspec.Struct, frozen=True):
    """A day counted from today: negative before, positive after."""

    days: int


Day = date | Ago


class TextIs(msgspec.Struct, frozen=True):
    """A question about a text or choice. `values` are as typed; texts compare folded, choices exactly."""

    attribute: str
    op: str
    values: tuple[str, ...]
    exact: bool = False


class NumberIs(msgspec.Struct, frozen=True):
    """`high` is given for `between` only; both ends are included."""

    attribute: str
    op: str
    low: float
    high: float | None = None


class DateIs(msgspec.Struct, frozen=True):
    """A question about a calendar day; moments are first turned into the organization's local day (`moment`)."""

    attribute: str
    op: str
    first: Day | None = None
    second: Day | None = None
    count: int = 0
    upto: int = 0
    moment: bool = False


class YesNoIs(msgspec.Struct, frozen=True):
    attribute: str
    value: bool


class Empty(msgspec.Struct, frozen=True):
    """Whether there is a value (or an entry) at all."""

    attribute: str
    empty: bool
    text: bool = False
    coded: bool = False


class HasCode(msgspec.Struct, frozen=True):
    """Whether any entry has one of `codes` at that time; `has` False: none has."""

    attribute: str
    has: bool
    codes: tuple[str, ...]
    when: str = "ever"
    count: int = 0
    first: Day | None = None
    second: Day | None = None


class TopicIs(msgspec.Struct, frozen=True):
    topic: UUID
    state: str


class Engaged(msgspec.Struct, frozen=True):
    """Whether the person received, opened or clicked; `mailing` None: any, `days` None: ever."""

    event: str
    did: bool
    mailing: UUID | None = None
    days: int | None = None


Clause = TextIs | NumberIs | DateIs | YesNoIs | Empty | HasCode | TopicIs | Engaged


class Group(msgspec.Struct, frozen=True):
    match: Match
    items: "tuple[Node, ...]"


Node = Group | Clause


class Rule(msgspec.Struct, frozen=True):
    root: Group


def clauses_of(node: Node) -> list[Clause]:
    """Every clause below a node, in order."""
    if isinstance(node, Group):
        return [clause for item in node.items for clause in clauses_of(item)]
    return [node]


def nodes_of(node: Node) -> list[Node]:
    """The node and everything below it, parents first."""
    below = [n for item in node.items for n in nodes_of(item)] if isinstance(node, Group) else []
    return [node, *below]


def attributes_of(rule: Rule) -> frozenset[str]:
    """The attribute keys the rule names."""
    return frozenset(c.attribute for c in clauses_of(rule.root) if not isinstance(c, TopicIs | Engaged))
