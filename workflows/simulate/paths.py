"""Where each person went, a thousand contact numbers to a row: opaque numbers, sealed, read back for one person."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from django.db import transaction

from phi import seal
from segments.columns import Int
from workflows.models import SimulatedPaths, Simulation
from workflows.simulate.trace import Array, Rows, Trace

#: Contact numbers of a row: it begins at a multiple of so many, so that it says of nobody that they are in it.
NUMBERS = 1_024


class Stop(NamedTuple):
    """One stay of a person. `at` None: they were still there. `mail`: what the gate said there, and why."""

    sequence: int
    visit: int
    step: str
    arrived_at: datetime
    at: datetime | None
    way: str
    note: str
    left: str
    mail: str = ""
    reason: str = ""
    trouble: str = ""


class _Packed(msgspec.Struct, array_like=True):
    """Rows of the trace as bytes; people are places in `numbers`."""

    numbers: bytes
    visits: bytes
    mails: bytes
    #: [person, sequence, visit, step, since, trouble]
    there: list[tuple[int, int, int, str, float, str]]


@transaction.atomic
def keep(simulation: Simulation, trace: Trace, numbers: Int) -> None:
    """Write them in place of earlier ones."""
    SimulatedPaths.objects.filter(simulation=simulation).delete()
    rows = []
    for first, packed in _packed(trace, numbers):
        key, wrapped = seal.new_data_key()
        row = SimulatedPaths(simulation=simulation, first=first, kek_id=wrapped.kek_id, data_key=wrapped.wrapped)
        row.sealed = seal.seal(msgspec.msgpack.encode(packed), key=key, aad=_aad(row))
        rows.append(row)
    SimulatedPaths.objects.bulk_create(rows, batch_size=100)


def _aad(row: SimulatedPaths) -> bytes:
    return seal.aad("workflows_simulatedpaths", row.simulation_id.bytes + int(row.first).to_bytes(8, "big"))


def _packed(trace: Trace, numbers: Int) -> Iterator[tuple[int, _Packed]]:
    visits, mails = _by_person(trace.visits), _by_person(trace.mails)
    there = sorted(trace.there, key=lambda one: one.person)
    people = np.array([one.person for one in there], dtype=np.int64)
    for first in np.unique(numbers // NUMBERS * NUMBERS).tolist():
        start, stop = np.searchsorted(numbers, [first, first + NUMBERS]).tolist()
        begin, end = np.searchsorted(people, [start, stop])
        some = [
            (one.person - start, one.sequence, one.visit, one.step, one.since.timestamp(), one.trouble)
            for one in there[begin:end]
        ]
        packed = _Packed(
            np.asarray(numbers[start:stop], dtype="<i8").tobytes(),
            _slice(visits, start, stop),
            _slice(mails, start, stop),
            some,
        )
        yield first, packed


def _by_person(rows: Rows) -> Array:
    table = rows.table()
    return table[np.argsort(table["0"], kind="stable")]


def _slice(table: Array, start: int, stop: int) -> bytes:
    begin, end = np.searchsorted(table["0"], [start, stop])
    some = table[begin:end].copy()
    some["0"] -= start
    return some.tobytes()


def read(simulation: Simulation, number: int, words: Sequence[str]) -> list[Stop]:
    """Where the person of this contact number went, in order. Nothing for who never entered. Raises SealBroken."""
    row = simulation.paths.filter(first=number // NUMBERS * NUMBERS).first()
    if row is None:
        return []
    key = seal.unwrap(seal.WrappedKey(row.kek_id, bytes(row.data_key)))
    packed = msgspec.msgpack.decode(seal.open_sealed(bytes(row.sealed), key=key, aad=_aad(row)), type=_Packed)
    place = np.flatnonzero(np.frombuffer(packed.numbers, dtype="<i8") == number)
    if not len(place):
        return []
    person = int(place[0])
    stops = []
    # Each mail was answered while the person was at its step.
    mailed = [(words[s], at, words[o], words[r]) for s, at, o, r in _rows(packed.mails, Trace().mails, person)]
    for sequence, visit, step, arrived, at, way, note, left in _rows(packed.visits, Trace().visits, person):
        outcome, reason = next(
            ((o, r) for name, when, o, r in mailed if name == words[step] and arrived <= when <= at), ("", "")
        )
        stops.append(
            Stop(
                sequence,
                visit,
                words[step],
                _moment(arrived),
                _moment(at),
                words[way],
                words[note],
                words[left],
                outcome,
                reason,
            )
        )
    stops += [
        Stop(sequence, visit, step, _moment(since), None, "", "", "", trouble=trouble)
        for who, sequence, visit, step, since, trouble in packed.there
        if who == person
    ]
    return sorted(stops, key=lambda stop: (stop.sequence, stop.visit))


def _rows(packed: bytes, form: Rows, person: int) -> list[Any]:
    """The rows of one person, without the person."""
    table = np.frombuffer(packed, dtype=form.dtype)
    return [row[1:] for row in table[table["0"] == person].tolist()]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
