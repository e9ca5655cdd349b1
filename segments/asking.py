"""What a person may be told when they ask how many people match (IDX-09, PRV-14). The decisions are pure.

Whoever may see small cells is told the exact count. Everybody else is told counts that cannot be played against each
other (docs/segments.md, "Small counts"):

- a part of the question that is about fewer than 11 people is refused, whatever the whole is about;
- fewer than 11 people are "fewer than 11", and all but fewer than 11 are everybody;
- people who differ by fewer than 11 from those of an earlier answer, or from what two earlier answers add up to, get
  what those say. A refusal, or a number that moved, would say that somebody was added or taken away;
- counts are told to the nearest ten, as everywhere for people who see aggregates only (core.cells).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

#: PRV-14: the smallest group that is told apart.
CELL = 11
#: A crowd in short: how many of its people fall into each of so many lots. What two crowds differ by in the lots
#: together, they differ by at least as people, so that nearly all pairs need not be compared person by person.
LOTS = 64
Lots = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answer:
    """`count` None: fewer than CELL. `exact` False: told to the nearest ten, and true to within 25 people."""

    count: int | None
    exact: bool

    def __str__(self) -> str:
        if self.count is None:
            return f"Fewer than {CELL} people match."
        about = "" if self.exact else "About "
        people = "1 person matches" if self.count == 1 else f"{self.count:,} people match"
        return f"{about}{people}."


@dataclass(frozen=True, slots=True)
class Told:
    """An answer given before: the number, its people in short, and how to get at them."""

    count: int
    lots: Lots
    members: Callable[[], BitMap]


def told(members: BitMap) -> Told:
    """What is told and remembered of these people when they are news."""
    return Told(coarse(len(members)), lots_of(members), lambda: members)


def coarse(count: int) -> int:
    """To the nearest ten, halves up; never 0."""
    return max(10, (count + 5) // 10 * 10)


def lots_of(members: BitMap) -> Lots:
    """How many of these contact numbers fall into each lot; neighbours never share one."""
    return np.bincount(np.asarray(members.to_array()) & (LOTS - 1), minlength=LOTS)


def small_part(counts: Sequence[int], apart: int = CELL) -> int | None:
    """The place of the first part that is about fewer people than are told apart, if there is one."""
    return next((place for place, count in enumerate(counts) if count < apart), None)


def answer(members: BitMap, everybody: BitMap, before: Sequence[Told], apart: int = CELL) -> tuple[Answer, Told | None]:
    """What to say of these people, and what of it is news that later answers must be held against.

    `apart`, at least CELL: who differs by fewer from what was told before is told that. Chance decides it for each
    question as it is worded (counting.SPREAD): were it one number, the step at which an answer moves would be a person.
    """
    if len(members) < apart:
        return Answer(None, exact=False), None
    new = told(members)
    known = [told(everybody), *before]
    repeated = _known(members, new.lots, known, apart)
    if repeated is not None:
        return Answer(repeated if repeated >= 10 else None, exact=False), None
    return Answer(new.count, exact=False), new


def _known(members: BitMap, lots: Lots, known: Sequence[Told], apart: int) -> int | None:
    """What the earliest answer about nearly these people said, or two of them together."""
    table = np.stack([t.lots for t in known])
    for i in np.flatnonzero(np.abs(table - lots).sum(axis=1) < apart).tolist():
        if members.symmetric_difference_cardinality(known[i].members()) < apart:
            return known[i].count
    for first, second, sign in _pairs(table, lots, apart):
        one, other = known[first].members(), known[second].members()
        # As sums of people: who is in both counts twice.
        odd = (members ^ (one | other), one & other) if sign > 0 else (one ^ (members | other), members & other)
        if sum(map(len, odd)) < apart:
            return known[first].count + sign * known[second].count
    return None


def _pairs(table: Lots, lots: Lots, apart: int) -> Iterator[tuple[int, int, int]]:
    """Pairs of known crowds whose sum (1) or difference (-1) may be nearly the crowd of these lots."""
    sizes = table.sum(axis=1)
    order = np.argsort(sizes, kind="stable")
    ordered, size = sizes[order], int(lots.sum())
    for sign in (1, -1):
        # one + other = size, or one - other = size: the other is this large, give or take.
        wanted = sign * (size - sizes)
        first = np.searchsorted(ordered, wanted - apart + 1, "left")
        last = np.searchsorted(ordered, wanted + apart - 1, "right")
        for i in np.flatnonzero(last > first).tolist():
            others = order[first[i] : last[i]]
            odd = np.abs(table[i] + sign * table[others] - lots).sum(axis=1)
            for j in others[odd < apart].tolist():
                if sign < 0 or i <= j:
                    yield i, j, sign
