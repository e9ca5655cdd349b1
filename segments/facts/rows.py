"""What people did, as arrays ordered by contact number. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

#: Stands for "no link": a link is its place in the template version.
NO_LINK = 2**16 - 1
#: A kind of fact, and whom or what it is about.
Subject = tuple[str, UUID]
#: Seconds from 1970 to 2000, where PostgreSQL's moments begin.
_EPOCH = 946_684_800

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Events, one place each: who, when (whole seconds since 1970) and which link."""

    numbers: Ints  # uint32, ascending
    at: Ints  # uint32
    links: Ints  # uint16

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def size(self) -> int:
        return self.numbers.nbytes + self.at.nbytes + self.links.nbytes


@dataclass(frozen=True, slots=True)
class When:
    """Which events count: from `since` on and before `until` (seconds since 1970), on that link."""

    since: int | None = None
    until: int | None = None
    link: int | None = None

    def among(self, rows: Rows) -> Ints:
        """The numbers of the events that count."""
        counted: Flags | None = None
        if self.since is not None:
            counted = rows.at >= self.since
        if self.until is not None:
            counted = _both(counted, rows.at < self.until)
        if self.link is not None:
            counted = _both(counted, rows.links == self.link)
        return rows.numbers if counted is None else rows.numbers[counted]


def _both(one: Flags | None, other: Flags) -> Flags:
    return other if one is None else one & other


def unpacked(numbers: bytes, at: bytes, links: bytes) -> Rows:
    """Rows from what PostgreSQL sends: int4, timestamptz and int2 values, one after another."""
    who = np.frombuffer(numbers, dtype=">i4").astype(np.uint32)
    moments = np.frombuffer(at, dtype=">i8") // 1_000_000 + _EPOCH
    return ordered(who, moments.astype(np.uint32), np.frombuffer(links, dtype=">i2").astype(np.int16).view(np.uint16))


def people(numbers: bytes) -> Ints:
    """Contact numbers in order, from int4 values as PostgreSQL sends them."""
    return np.sort(np.frombuffer(numbers, dtype=">i4").astype(np.uint32))


def ordered(numbers: Ints, at: Ints, links: Ints) -> Rows:
    order = np.argsort(numbers, kind="stable")
    return Rows(numbers[order], at[order], links[order])


def empty() -> Rows:
    return Rows(np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint16))


def without(rows: Rows, gone: Ints) -> Rows:
    """All rows but those of these people."""
    if len(gone) == 0 or len(rows) == 0:
        return rows
    kept = ~np.isin(rows.numbers, gone)
    return Rows(rows.numbers[kept], rows.at[kept], rows.links[kept])


def only(rows: Rows, whom: Ints) -> Rows:
    """The rows of these people (in order, each once) alone."""
    starts = np.searchsorted(rows.numbers, whom, "left")
    counts = np.searchsorted(rows.numbers, whom, "right") - starts
    # Places start, start + 1, … of each person, one after another.
    places = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(counts.sum())
    return Rows(rows.numbers[places], rows.at[places], rows.links[places])


def joined(parts: Iterable[Rows]) -> Rows:
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    return ordered(
        np.concatenate([p.numbers for p in parts]),
        np.concatenate([p.at for p in parts]),
        np.concatenate([p.links for p in parts]),
    )


def counts(numbers: Iterable[Ints]) -> Ints:
    """How often each number occurs, one place a number, in as few bytes as the highest count needs."""
    found = list(numbers)
    if not found:
        return np.zeros(0, dtype=np.uint8)
    counted = np.bincount(np.concatenate(found))
    highest = int(counted.max()) if len(counted) else 0
    return counted.astype(np.min_scalar_type(highest))


def nobody() -> Ints:
    return np.empty(0, dtype=np.uint32)


@dataclass(frozen=True, slots=True)
class Later:
    """What happened since a file was written: rows to add, and people whose rows in the file no longer count
    because these rows say anew what they did."""

    rows: Rows
    instead: Ints = field(default_factory=nobody)  # ascending, each once
