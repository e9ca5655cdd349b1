"""Rules of the segment language asked of simulated people: of all at once, or of one whom the journey changed.

A clause is answered for everybody at once and kept as long as the answer can hold: for ever, or until the day changes
somewhere. Whoever was changed by the journey itself (a value set, a list, mails received and read, an opt-out) is
answered clause by clause, with what changed laid over what is known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from segments import calendar
from segments.columns import Mask
from segments.context import Context
from segments.tree import (
    About,
    Clause,
    DateIs,
    Engaged,
    Group,
    HasCode,
    InSegment,
    Node,
    Rule,
    Times,
    TopicIs,
    evaluated_clauses,
    positive,
)

_QUARTER = 900


class Source(Protocol):
    """Who answers clauses about people as they are."""

    zone: ZoneInfo
    #: Every zone that people are in.
    everywhere: Sequence[ZoneInfo]

    def mask(self, clause: Clause, now: datetime) -> Mask:
        """For each person whether it holds, at the (virtual) moment."""

    def of_value(self, clause: Clause, row: int, value: Any, now: datetime) -> bool:
        """Whether it would hold for this person with this value of the attribute it is about."""


@dataclass(slots=True)
class Changed:
    """What the simulation did to one person. Moments in order."""

    values: dict[str, Any] = field(default_factory=dict)
    lists: dict[UUID, bool] = field(default_factory=dict)
    received: list[datetime] = field(default_factory=list)
    opened: list[datetime] = field(default_factory=list)
    clicked: list[datetime] = field(default_factory=list)
    #: Topics they opted out of, or into, and since when: a later word lifts an earlier one.
    out: dict[UUID, datetime] = field(default_factory=dict)
    into: dict[UUID, datetime] = field(default_factory=dict)

    def said(self, topic: UUID | None, now: datetime) -> str:
        """Their last word on a topic: "in", "out", or "" where the simulation has none."""
        if topic is None:
            return ""
        words = [(at, word) for word, when in (("in", self.into), ("out", self.out)) if (at := when.get(topic))]
        return max((w for w in words if w[0] <= now), default=(now, ""))[1]


@dataclass(frozen=True)
class Asked:
    """A rule of the journey. Compared by identity."""

    root: Group

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        return tuple(evaluated_clauses(self.root))

    @cached_property
    def by_day(self) -> bool:
        """Whether passing days change the answer."""
        return any(_by_day(clause) for clause in self.clauses)

    @cached_property
    def by_zone(self) -> bool:
        return any(isinstance(clause, DateIs) and clause.contact for clause in self.clauses)

    def moves(self, attributes: Iterable[str], lists: Iterable[UUID], *, mailed: bool, speaks: bool) -> bool:
        """Whether what the journey does can change the answer."""
        keys, changed = frozenset(attributes), frozenset(lists)
        return any(
            (isinstance(c, About) and c.attribute in keys)
            or (isinstance(c, InSegment) and c.segment in changed)
            or (mailed and isinstance(c, Engaged) and _any_mail(c))
            or (speaks and isinstance(c, TopicIs))
            for c in self.clauses
        )

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def asked(rule: Rule) -> Asked:
    return Asked(rule.root)


def _by_day(clause: Clause) -> bool:
    match clause:
        case DateIs():
            return True
        case HasCode():
            return clause.when != "ever"
        case Engaged():
            return clause.span is not None or clause.first is not None
    return False


def _any_mail(clause: Engaged) -> bool:
    """Whether mails of journeys count: they do not for a campaign, the last one, or campaigns on a topic."""
    return clause.mailing is None and clause.topic is None and not clause.last


class Rules:
    """Answers, kept as long as they hold. Moments asked about only go forward."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._clauses: dict[Clause, tuple[object, Mask]] = {}
        self._wholes: dict[Asked, tuple[object, Mask, bytes]] = {}
        self._values: dict[tuple[object, ...], bool] = {}
        self._days: tuple[int, object] = (-1, None)

    def holds(self, rule: Asked, row: int, now: datetime, changed: Changed | None = None) -> bool:
        """`changed`: where the journey can have changed this person's answer."""
        if changed is None:
            return bool(self._whole(rule, now)[2][row])
        return self._of_one(rule.root, row, now, changed)

    def of_all(self, rule: Asked, now: datetime) -> Mask:
        """For everybody as they are; whoever gets it leaves it as it is."""
        return self._whole(rule, now)[1]

    def _whole(self, rule: Asked, now: datetime) -> tuple[object, Mask, bytes]:
        key = self._key(rule.by_day, rule.by_zone, now)
        found = self._wholes.get(rule)
        if found is None or found[0] != key:
            mask = self._of_everybody(rule.root, now)
            found = self._wholes[rule] = (key, mask, mask.tobytes())
        return found

    def _key(self, by_day: bool, by_zone: bool, now: datetime) -> object:
        """What an answer holds for: the day where the organization is, or the days everywhere."""
        if not by_day:
            return None
        if not by_zone:
            return now.astimezone(self.source.zone).date()
        quarter = int(now.timestamp()) // _QUARTER
        if self._days[0] != quarter:
            self._days = quarter, tuple(now.astimezone(zone).date() for zone in self.source.everywhere)
        return self._days[1]

    def _clause(self, clause: Clause, now: datetime) -> Mask:
        by_zone = isinstance(clause, DateIs) and clause.contact
        key = self._key(_by_day(clause), by_zone, now)
        found = self._clauses.get(clause)
        if found is None or found[0] != key:
            found = self._clauses[clause] = (key, self.source.mask(clause, now))
        return found[1]

    def _of_everybody(self, node: Node, now: datetime) -> Mask:
        if isinstance(node, Group):
            join = np.logical_and if node.match == "all" else np.logical_or
            found: Mask = join.reduce([self._of_everybody(item, now) for item in node.items])
            return found ^ (node.match == "none")
        if isinstance(node, InSegment) and not node.snapshot:
            assert node.root is not None
            return self._of_everybody(node.root, now) ^ (not node.inside)
        return self._clause(node, now)

    def _of_one(self, node: Node, row: int, now: datetime, changed: Changed) -> bool:
        if isinstance(node, Group):
            if node.match == "all":
                return all(self._of_one(item, row, now, changed) for item in node.items)
            return any(self._of_one(item, row, now, changed) for item in node.items) != (node.match == "none")
        if isinstance(node, InSegment) and not node.snapshot:
            assert node.root is not None
            return self._of_one(node.root, row, now, changed) == node.inside
        return self._leaf(node, row, now, changed)

    def _leaf(self, node: Clause, row: int, now: datetime, changed: Changed) -> bool:
        match node:
            case InSegment() if node.segment in changed.lists:
                return changed.lists[node.segment] == node.inside
            case TopicIs() if word := changed.said(node.topic, now):
                return node.state == f"opted_{word}"
            case Engaged() if _any_mail(node):
                return self._engaged(node, row, now, changed)
        if isinstance(node, About) and node.attribute in changed.values:
            return self._of_value(node, row, changed.values[node.attribute], now)
        return bool(self._clause(node, now)[row])

    def _of_value(self, clause: Clause, row: int, value: Any, now: datetime) -> bool:
        by_zone = isinstance(clause, DateIs) and clause.contact
        key = (clause, value, row if by_zone else None, self._key(_by_day(clause), by_zone, now))
        if key not in self._values:
            self._values[key] = self.source.of_value(clause, row, value, now)
        return self._values[key]

    def _engaged(self, node: Engaged, row: int, now: datetime, changed: Changed) -> bool:
        """Real ones and simulated ones together, so many times."""
        asked, held = positive(node)
        assert isinstance(asked, Engaged)
        moments = {"received": changed.received, "opened": changed.opened, "clicked": changed.clicked}[node.event]
        since, until = self._window(node, now)
        count = sum(
            1 for at in moments if at <= now and (since is None or since <= at) and (until is None or at < until)
        )
        least = asked.times.least
        for more in range(1, max(least - count, 0) + 1):
            step = msgspec.structs.replace(asked, times=Times("at_least", more))
            if not self._clause(step, now)[row]:
                break
            count += 1
        return (count >= least) == held

    def _window(self, node: Engaged, now: datetime) -> tuple[datetime | None, datetime | None]:
        """From the start of the first day to the end of the last, where the organization is."""
        context = Context(now, self.source.zone)
        since = until = None
        if node.span is not None:
            since = self._start(calendar.moved(context.today, node.span, -1))
        if node.first is not None:
            since = self._start(context.day(node.first))
        if node.second is not None:
            until = self._start(context.day(node.second) + timedelta(days=1))
        return since, until

    def _start(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.source.zone)
