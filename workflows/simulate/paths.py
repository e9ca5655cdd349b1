"""Where each person went, kept a few hundred people to a row: opaque numbers, sealed, read back for one person."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from django.db import transaction

from phi import seal
from segments.columns import Int
from workflows.models import SimulatedPaths, Simulation
from workflows.simulate.trace import Columns, Trace

#: People of a row, and the most visits that are kept at all.
PEOPLE, MAX_VISITS = 500, 10_000_000
_TYPES = {"I": "<u4", "H": "<u2", "d": "<f8"}


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
    """Columns as bytes; people are places in `numbers`."""

    numbers: bytes
    visits: list[bytes]
    mails: list[bytes]
    #: [person, sequence, visit, step, since, trouble]
    there: list[tuple[int, int, int, str, float, str]]


def keep(simulation: Simulation, trace: Trace, numbers: Int) -> bool:
    """Write them in place of earlier ones; False where there are too many visits to keep."""
    SimulatedPaths.objects.filter(simulation=simulation).delete()
    if len(trace.visits) > MAX_VISITS:
        return False
    with transaction.atomic():
        rows = []
        for first, packed in _packed(trace, numbers):
            key, wrapped = seal.new_data_key()
            row = SimulatedPaths(simulation=simulation, first=first, kek_id=wrapped.kek_id, data_key=wrapped.wrapped)
            plain = msgspec.msgpack.encode(packed)
            row.sealed = seal.seal(plain, key=key, aad=_aad(row))
            rows.append(row)
        SimulatedPaths.objects.bulk_create(rows, batch_size=100)
    return True


def _aad(row: SimulatedPaths) -> bytes:
    return seal.aad("workflows_simulatedpaths", row.simulation_id.bytes + int(row.first).to_bytes(8, "big"))


def _packed(trace: Trace, numbers: Int) -> Iterator[tuple[int, _Packed]]:
    visits, mails = _by_person(trace.visits), _by_person(trace.mails)
    there = sorted(trace.there, key=lambda one: one.person)
    people = np.array([one.person for one in there], dtype=np.int64)
    for start in range(0, len(numbers), PEOPLE):
        stop = start + PEOPLE
        begin, end = np.searchsorted(people, [start, stop])
        some = [
            (one.person - start, one.sequence, one.visit, one.step, one.since.timestamp(), one.trouble)
            for one in there[begin:end]
        ]
        packed = _Packed(
            np.asarray(numbers[start:stop], dtype="<i8").tobytes(),
            _slice(visits, trace.visits.codes, start, stop),
            _slice(mails, trace.mails.codes, start, stop),
            some,
        )
        yield int(numbers[start]), packed


def _by_person(columns: Columns) -> list[Any]:
    arrays = [np.frombuffer(column, dtype=_TYPES[column.typecode]) for column in columns.held]
    order = np.argsort(arrays[0], kind="stable")
    return [column[order] for column in arrays]


def _slice(columns: Sequence[Any], codes: str, start: int, stop: int) -> list[bytes]:
    begin, end = np.searchsorted(columns[0], [start, stop])
    first = (columns[0][begin:end] - start).astype("<u4")
    return [first.tobytes(), *(column[begin:end].tobytes() for column in columns[1:])]


def read(simulation: Simulation, number: int, words: Sequence[str]) -> list[Stop]:
    """Where the person of this contact number went, in order. Nothing for who never entered. Raises SealBroken."""
    row = simulation.paths.filter(first__lte=number).order_by("-first").first()
    if row is None:
        return []
    key = seal.unwrap(seal.WrappedKey(row.kek_id, bytes(row.data_key)))
    packed = msgspec.msgpack.decode(seal.open_sealed(bytes(row.sealed), key=key, aad=_aad(row)), type=_Packed)
    place = np.flatnonzero(np.frombuffer(packed.numbers, dtype="<i8") == number)
    if not len(place):
        return []
    person = int(place[0])
    # Mails are known by person, step and moment: each was answered while the person was at its step.
    mailed = [
        (words[int(step)], at, words[int(o)], words[int(r)]) for step, at, o, r in _rows(packed.mails, "IHdHH", person)
    ]
    stops = []
    for sequence, visit, step, arrived, at, way, note, left in _rows(packed.visits, "IIIHddHHH", person):
        name = words[int(step)]
        mail = next(((o, r) for s, when, o, r in mailed if s == name and arrived <= when <= at), ("", ""))
        texts = [words[int(one)] for one in (way, note, left)]
        stops.append(Stop(int(sequence), int(visit), name, _moment(arrived), _moment(at), *texts, *mail))
    stops += [
        Stop(sequence, visit, step, _moment(since), None, "", "", "", trouble=trouble)
        for who, sequence, visit, step, since, trouble in packed.there
        if who == person
    ]
    return sorted(stops, key=lambda stop: (stop.sequence, stop.visit))


def _rows(columns: Sequence[bytes], codes: str, person: int) -> Iterator[tuple[Any, ...]]:
    arrays = [np.frombuffer(column, dtype=_TYPES[code]) for column, code in zip(columns, codes, strict=True)]
    mine = np.flatnonzero(arrays[0] == person)
    return zip(*(column[mine].tolist() for column in arrays[1:]), strict=True)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
