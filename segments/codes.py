"""Questions about coded lists, for a whole frame at once. Pure.

Entries lie ordered by code, so a code and a whole family are each one run of them.
"""

from bisect import bisect_left

import numpy as np

from segments import calendar
from segments.columns import Entries, Frame, Int, Mask, between
from segments.context import Context
from segments.tree import HasCode

#: No character comes later.
_AFTER = "\U0010ffff"


def holds(clause: HasCode, frame: Frame, context: Context) -> Mask:
    """The rows with so many entries of these codes at that time, or (has_none) with none."""
    entries = frame.entries[clause.attribute]
    rows = [_rows(entries, first, last, clause, context) for first, last in runs(entries.codes, clause.codes)]
    least = clause.times.least
    if least == 1:
        found = np.zeros(len(frame), dtype=np.bool_)
        for some in rows:
            found[some] = True
    else:
        found = np.bincount(np.concatenate([*rows, np.empty(0, dtype=np.intp)]), minlength=len(frame)) >= least
    return found if clause.has != clause.times.negative else ~found


def runs(known: tuple[str, ...], asked: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where in the ordered codes those asked for stand, as (first, last + 1); no two overlap.

    E11.9 is itself; E11.* is E11 and all below it; E11* is all that begins with E11.
    """
    found: list[tuple[int, int]] = []
    for code in asked:
        stem = code.removesuffix("*")
        if stem == code or stem.endswith("."):
            single = stem.removesuffix(".") if stem != code else code
            place = bisect_left(known, single)
            if place < len(known) and known[place] == single:
                found.append((place, place + 1))
        if stem != code:
            first = bisect_left(known, stem)
            last = bisect_left(known, stem + _AFTER, first)
            found.append((first, last))
    merged: list[tuple[int, int]] = []
    for first, last in sorted(run for run in found if run[0] < run[1]):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _rows(entries: Entries, first: int, last: int, clause: HasCode, context: Context) -> Int:
    """The rows of the entries of these codes that are so at that time, one for each entry."""
    run = slice(int(entries.bounds[first]), int(entries.bounds[last]))
    rows: Int = entries.rows[run]
    if clause.when == "ever":
        return rows
    held = _at_that_time(entries.starts[run], entries.stops[run], clause, context)
    return rows[held]


def _at_that_time(starts: Int, stops: Int, clause: HasCode, context: Context) -> Mask:
    """An entry lasts from its start (or always) to its stop (or still), both days included."""
    number, today = calendar.number, context.today
    now = number(today)
    ago = now if clause.span is None else number(calendar.moved(today, clause.span, -1))

    def lasts(first: int, last: int) -> Mask:
        if first > last:
            return np.zeros(len(starts), dtype=np.bool_)
        found: Mask = (starts <= stops) & (starts <= last) & (stops >= first)
        return found

    match clause.when:
        case "active":
            return lasts(now, now)
        case "in_last":
            return lasts(ago, now)
        case "between":
            return lasts(number(context.day(clause.first)), number(context.day(clause.second)))
        case "started_in_last":
            return between(starts, ago, now)
        case "ended_in_last":
            return between(stops, ago, now)
        case _:
            raise AssertionError(clause.when)
