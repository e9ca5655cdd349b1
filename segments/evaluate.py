"""Whom a rule matches: one pure function over a frame. No I/O, no clock, no settings.

The frame has a column `id` (16 bytes a person) and one column per attribute the rule names, typed as segments.frames
says. Whoever fills the frame (opened records today) may change without this module knowing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import reduce
from operator import and_, or_
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl

from segments.tree import (
    Ago,
    DateIs,
    Day,
    Empty,
    Engaged,
    Group,
    HasCode,
    Node,
    NumberIs,
    Rule,
    TextIs,
    TopicIs,
    YesNoIs,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule needs beside people's values: the moment, the place, and who is known to have done what."""

    now: datetime
    zone: ZoneInfo
    #: Ids (16 bytes each) of people in that state, for each topic clause of the rule.
    topics: Mapping[TopicIs, frozenset[bytes]] = field(default_factory=dict)
    #: Ids of people who did it, for each engagement clause with `did=True`.
    engaged: Mapping[Engaged, frozenset[bytes]] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day it is where the organization is."""
        return self.now.astimezone(self.zone).date()

    def day(self, day: Day | None) -> date:
        assert day is not None
        return self.today + timedelta(days=day.days) if isinstance(day, Ago) else day


def matches(rule: Rule, frame: pl.DataFrame, context: Context) -> pl.Series:
    """True for each row of the frame that the rule matches; never null."""
    return frame.select(expression(rule.root, context).alias("match")).to_series()


def every(nodes: Iterable[Node], frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """How many rows each node by itself matches, as columns "0", "1", … of one row."""
    return frame.select(expression(node, context).sum().alias(str(n)) for n, node in enumerate(nodes))


def expression(node: Node, context: Context) -> pl.Expr:  # noqa: PLR0911  one case per kind of clause
    """The node as a Polars expression that is never null: a condition on a missing value is false."""
    match node:
        case Group():
            parts = [expression(item, context) for item in node.items]
            if node.match == "all":
                return pl.all_horizontal(parts)
            found = pl.any_horizontal(parts)
            return found if node.match == "any" else ~found
        case TextIs():
            return _text(node).fill_null(value=False)
        case NumberIs():
            return _number(node).fill_null(value=False)
        case DateIs():
            return _date(node, context).fill_null(value=False)
        case YesNoIs():
            return (pl.col(node.attribute) == node.value).fill_null(value=False)
        case Empty():
            return _empty(node)
        case HasCode():
            return _has_code(node, context)
        case TopicIs():
            return _among(context.topics[node])
        case Engaged():
            did = _among(context.engaged[Engaged(node.event, True, node.mailing, node.days)])
            return did if node.did else ~did


def _among(ids: frozenset[bytes]) -> pl.Expr:
    return pl.col("id").is_in(pl.Series(sorted(ids), dtype=pl.Binary).implode())


def folded(text: pl.Expr) -> pl.Expr:
    """Text as it is compared: compatibility forms made one (NFKC), letters small."""
    return text.str.normalize("NFKC").str.to_lowercase()


def _text(node: TextIs) -> pl.Expr:
    column, given = pl.col(node.attribute), pl.lit(pl.Series(node.values, dtype=pl.String))
    present = column != ""
    if not node.exact:
        column, given = folded(column), folded(given)
    found: pl.Expr
    match node.op:
        case "is" | "one_of" | "is_not" | "not_one_of":
            found = column.is_in(given.implode())
        case "contains" | "does_not_contain":
            found = column.str.contains(given.first(), literal=True)
        case "starts_with":
            found = column.str.starts_with(given.first())
        case "ends_with":
            found = column.str.ends_with(given.first())
        case _:
            raise AssertionError(node.op)
    return present & (~found if node.op in ("is_not", "not_one_of", "does_not_contain") else found)


def _number(node: NumberIs) -> pl.Expr:  # noqa: PLR0911  one case per operator
    column = pl.col(node.attribute)
    match node.op:
        case "is":
            return column == node.low
        case "is_not":
            return column != node.low
        case "less_than":
            return column < node.low
        case "at_most":
            return column <= node.low
        case "more_than":
            return column > node.low
        case "at_least":
            return column >= node.low
        case "between":
            assert node.high is not None
            return column.is_between(node.low, node.high)
        case _:
            raise AssertionError(node.op)


def _date(node: DateIs, context: Context) -> pl.Expr:  # noqa: PLR0911, PLR0912  one case per operator
    column, today = pl.col(node.attribute), context.today
    if node.moment:
        column = column.dt.convert_time_zone(context.zone.key).dt.date()
    span = timedelta(days=node.count)
    match node.op:
        case "is":
            return column == context.day(node.first)
        case "before":
            return column < context.day(node.first)
        case "after":
            return column > context.day(node.first)
        case "between":
            return column.is_between(context.day(node.first), context.day(node.second))
        case "in_last":
            return column.is_between(today - span, today)
        case "in_next":
            return column.is_between(today, today + span)
        case "days_ago":
            return column == today - span
        case "days_ahead":
            return column == today + span
        case "more_than_ago":
            return column < today - span
        case "anniversary_in_next":
            days = {_key(today + timedelta(days=n)) for n in range(min(node.count, 366) + 1)}
            if any(_common_28_february(today + timedelta(days=n)) for n in range(min(node.count, 366) + 1)):
                days.add(229)
            return (column <= today) & _key_of(column).is_in(sorted(days))
        case "age_between":
            key = 229 if _common_28_february(today) else _key(today)
            years = today.year - column.dt.year() - (_key_of(column) > key).cast(pl.Int32)
            return years.is_between(node.count, node.upto)
        case _:
            raise AssertionError(node.op)


def _key(day: date) -> int:
    """Month and day as one number: 2 March is 302."""
    return day.month * 100 + day.day


def _key_of(column: pl.Expr) -> pl.Expr:
    return column.dt.month().cast(pl.Int32) * 100 + column.dt.day().cast(pl.Int32)


def _common_28_february(day: date) -> bool:
    """In a common year people born on 29 February have their birthday on the 28th."""
    return _key(day) == 228 and (day + timedelta(days=1)).day == 1


def _empty(node: Empty) -> pl.Expr:
    column = pl.col(node.attribute)
    if node.coded:
        empty = column.list.len().fill_null(0) == 0
    elif node.text:
        empty = column.fill_null("") == ""
    else:
        empty = column.is_null()
    return empty if node.empty else ~empty


def _has_code(node: HasCode, context: Context) -> pl.Expr:
    entry = pl.element()
    found = reduce(and_, [_of_family(entry.struct.field("code"), node.codes), *_at_that_time(entry, node, context)])
    has = pl.col(node.attribute).list.eval(found.fill_null(value=False)).list.any().fill_null(value=False)
    return has if node.has else ~has


def _of_family(code: pl.Expr, codes: tuple[str, ...]) -> pl.Expr:
    """E11.9 is itself; E11.* is E11 and all below it; E11* is all that begins with E11."""
    code = code.str.to_uppercase()
    families = [c.removesuffix("*") for c in codes if c.endswith("*")]
    singles = [c for c in codes if not c.endswith("*")] + [stem[:-1] for stem in families if stem.endswith(".")]
    tests = [code.is_in(singles)] if singles else []
    return reduce(or_, [*tests, *(code.str.starts_with(stem) for stem in families)])


def _at_that_time(entry: pl.Expr, node: HasCode, context: Context) -> list[pl.Expr]:
    """An entry lasts from its start (or always) to its stop (or still), both days included."""
    today, start, stop = context.today, entry.struct.field("start"), entry.struct.field("stop")

    def overlaps(first: date, last: date) -> list[pl.Expr]:
        if first > last:
            return [pl.lit(value=False)]
        in_order = (start <= stop).fill_null(value=True)
        return [in_order, (start <= last).fill_null(value=True), (stop >= first).fill_null(value=True)]

    match node.when:
        case "ever":
            return []
        case "active":
            return overlaps(today, today)
        case "in_last":
            return overlaps(today - timedelta(days=node.count), today)
        case "started_in_last":
            return [start.is_between(today - timedelta(days=node.count), today)]
        case "between":
            return overlaps(context.day(node.first), context.day(node.second))
        case _:
            raise AssertionError(node.when)


def id_bytes(ids: Iterable[UUID]) -> frozenset[bytes]:
    return frozenset(i.bytes for i in ids)
