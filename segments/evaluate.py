"""Whom a rule matches: pure functions over a frame of segments.columns. No I/O, no clock, no settings.

Every clause becomes a Boolean a row; a distinct clause is looked at once. Predicates on texts run on the distinct
words, predicates on codes on the runs of their entries, and dates become one or two comparisons of whole numbers.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import polars as pl

from segments import codes, dates, patterns, sampling
from segments.columns import NO_DAY, Column, Float, Frame, Mask, Words, folded
from segments.context import Context
from segments.tree import (
    Clause,
    DateIs,
    Empty,
    Engaged,
    Group,
    HasCode,
    InSegment,
    Node,
    NumberIs,
    Rule,
    Sample,
    TextIs,
    TopicIs,
    YesNoIs,
    positive,
)

__all__ = ["Context", "masks", "matches"]

EQUAL = frozenset({"is", "is_not", "one_of", "not_one_of"})
NEGATIVE = frozenset({"is_not", "not_one_of", "does_not_contain", "does_not_match"})


def matches(rule: Rule, frame: Frame, context: Context) -> Mask:
    """True for each row of the frame that the rule matches."""
    return Evaluation(frame, context).node(rule.root) & frame.present


def masks(nodes: Iterable[Node], frame: Frame, context: Context) -> list[Mask]:
    """For each of these nodes the rows it matches by itself."""
    evaluation = Evaluation(frame, context)
    return [evaluation.node(node) & frame.present for node in nodes]


class Evaluation:
    """One frame being looked at, each distinct clause once; rows nobody lives in come out either way."""

    def __init__(self, frame: Frame, context: Context) -> None:
        self.frame = frame
        self.context = context
        self.seen: dict[Clause, Mask] = {}

    def node(self, node: Node) -> Mask:
        """Whoever gets the answer leaves it as it is."""
        if isinstance(node, Group):
            return self._group(node)
        if isinstance(node, InSegment) and not node.snapshot:
            assert node.root is not None
            found = self._group(node.root)
            return found if node.inside else ~found
        if node not in self.seen:
            self.seen[node] = self._clause(node)
        return self.seen[node]

    def _group(self, group: Group) -> Mask:
        """The answer so far is all that counts: once it is nobody (or everybody) the rest is not looked at."""
        if group.match == "all":
            found = self.frame.present.copy()
            for item in group.items:
                found &= self.node(item)
                if not found.any():
                    break
            return found
        found = ~self.frame.present
        for item in group.items:
            found |= self.node(item)
            if found.all():
                break
        return found if group.match == "any" else ~found

    def _clause(self, node: Clause) -> Mask:  # noqa: PLR0911  one case per kind of clause
        frame = self.frame
        match node:
            case TextIs():
                return _text(node, frame.columns[node.attribute])
            case NumberIs():
                return _number(node, _series(frame.columns[node.attribute]))
            case DateIs():
                return dates.holds(node, frame, self.context)
            case YesNoIs():
                return _flags(_series(frame.columns[node.attribute]) == node.value)
            case Empty():
                return _empty(node, frame)
            case HasCode():
                return codes.holds(node, frame, self.context)
            case Sample():
                return sampling.drawn(frame.numbers, node.percent, node.seed)
            case TopicIs() | Engaged() | InSegment():
                asked, held = positive(node)
                found = self.context.sets[asked].among(frame.numbers)
                return found if held else ~found


def _series(column: Column) -> pl.Series:
    assert isinstance(column, pl.Series)
    return column


def _flags(found: pl.Series) -> Mask:
    flags: Mask = found.fill_null(value=False).to_numpy()
    return flags


@lru_cache(maxsize=64)
def _asked(values: tuple[str, ...], exact: bool) -> pl.Series:
    given = pl.Series(values, dtype=pl.String)
    return given if exact else folded(given)


#: Above so many values a set made once is quicker than one made for each frame.
MANY = 500


@lru_cache(maxsize=16)
def _set_of(values: tuple[str, ...], exact: bool) -> frozenset[str]:
    return frozenset(_asked(values, exact))


def _among(held: pl.Series, node: TextIs) -> pl.Series:
    """Whether each text is one of very many; None (missing) stays so."""
    values = _set_of(node.values, node.exact)
    return pl.Series([None if text is None else text in values for text in held.to_list()], dtype=pl.Boolean)


_pattern = lru_cache(maxsize=64)(patterns.compiled)


def _text(node: TextIs, column: Column) -> Mask:
    """Asked of each distinct word where there are such, and of each row where nearly every one is its own."""
    if isinstance(column, Words):
        if node.op in EQUAL and column.few is not None:
            values, negative = _set_of(node.values, node.exact), node.op in NEGATIVE
            words = column.few[0 if node.exact else 1]
            return column.at([place for place, word in enumerate(words) if (word in values) != negative])
        held = column.words if node.exact else column.folded
    else:
        present = column.set(column == "", None)
        held = present if node.exact else folded(present)
    found = _like(node, held)
    found = (~found if node.op in NEGATIVE else found).fill_null(value=False)
    return column.where(found) if isinstance(column, Words) else _flags(found)


def _like(node: TextIs, held: pl.Series) -> pl.Series:
    given = _asked(node.values, node.exact)
    found: pl.Series
    match node.op:
        case "is" | "is_not":
            found = held == given[0]
        case "one_of" | "not_one_of":
            found = _among(held, node) if len(given) > MANY else held.is_in(given.implode())
        case "contains" | "does_not_contain":
            found = held.str.contains(given[0], literal=True)
        case "starts_with":
            found = held.str.starts_with(given[0])
        case "ends_with":
            found = held.str.ends_with(given[0])
        case "matches" | "does_not_match":
            found = held.str.contains(_pattern(node.values[0]))
        case _:
            raise AssertionError(node.op)
    return found


def _number(node: NumberIs, column: pl.Series) -> Mask:  # noqa: PLR0911  one case per operator
    """NaN stands for a missing number: nothing compares with it."""
    held: Float = (column.fill_null(float("nan")) if column.null_count() else column).to_numpy()
    match node.op:
        case "is":
            same: Mask = held == node.low
            return same
        case "is_not":
            return (held < node.low) | (held > node.low)
        case "less_than":
            return held < node.low
        case "at_most":
            return held <= node.low
        case "more_than":
            return held > node.low
        case "at_least":
            return held >= node.low
    assert node.high is not None
    match node.op:
        case "between":
            return (held >= node.low) & (held <= node.high)
        case "not_between":
            return (held < node.low) | (held > node.high)
        case _:
            raise AssertionError(node.op)


def _empty(node: Empty, frame: Frame) -> Mask:
    """Whether there is no value, no entry."""
    if node.coded:
        empty = np.ones(len(frame), dtype=np.bool_)
        empty[frame.entries[node.attribute].rows] = False
    else:
        column = frame.columns[node.attribute]
        empty = column.missing if isinstance(column, Words) else missing(column)
    return empty if node.empty else ~empty


def missing(column: pl.Series) -> Mask:
    """The rows of a column without a value, in whichever form it says so."""
    found = column.is_null()
    if column.dtype == pl.Float64:
        found |= column.is_nan().fill_null(value=False)
    elif column.dtype == pl.Int32:
        found |= (column == NO_DAY).fill_null(value=False)
    elif column.dtype == pl.String:
        found |= (column == "").fill_null(value=False)
    flags: Mask = found.to_numpy()
    return flags
