"""Who changed since their partition was written: read before the partitions, and opened once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from contacts import opening
from segments.columns import Int, Person
from segments.store import rows, writing
from segments.store.memory import memory
from segments.store.part import SIZE

#: A partition with more changes is written before it is read: to open their people costs as much each time.
LAY_OVER = 10_000
_RECORD = 4_096  # bytes of an opened record in memory, about


@dataclass(frozen=True, slots=True)
class Changed:
    """Numbers of contacts in order, and whoever is left of them; `state` is another one after any further change."""

    numbers: Int
    people: list[Person]
    state: int


def _bounds(only: range | None) -> tuple[int, int]:
    return (only.start * SIZE, only.stop * SIZE) if only is not None else (0, 2**62)


def changed_people(only: range | None = None) -> Changed:
    """Contacts that changed since their partition was written."""
    ids, numbers = rows.changes(*_bounds(only))
    crowded = [number for number, count in _by_partition(numbers) if count > LAY_OVER]
    if crowded:
        for number in crowded:
            writing.write(number)
        ids, numbers = rows.changes(*_bounds(only))
    latest: dict[int, int] = {}
    for change, number in zip(ids, numbers, strict=True):
        latest[number] = max(change, latest.get(number, 0))
    kept: dict[int, tuple[int, Person | None]] = memory.peek(("changed", only)) or {}
    # A later change of a contact has a greater id, and no id is ever given twice: what is under the same is the same.
    known = {number: kept[number] for number, change in latest.items() if number in kept and kept[number][0] == change}
    if len(known) < len(latest):
        asked = [number for number in latest if number not in known]
        found = {person[0]: person for person in opening.readable(asked)}
        known |= {number: (latest[number], found.get(number)) for number in asked}
    # Nobody, too: whoever was deleted, and is out of their partition since, is not kept any longer.
    memory.put(("changed", only), known, _RECORD * len(known))
    people = [person for _, (_, person) in sorted(known.items()) if person is not None]
    return Changed(np.array(sorted(latest), dtype=np.int64), people, hash(frozenset(latest.items())))


def _by_partition(numbers: list[int]) -> Iterable[tuple[int, int]]:
    found, counts = np.unique(np.array(numbers, dtype=np.int64) // SIZE, return_counts=True)
    return zip(found.tolist(), counts.tolist(), strict=True)
