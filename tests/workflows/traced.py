"""The trace of a simulation as rows one can read and compare."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from workflows.simulate.trace import Mailing, Trace


class Visit(NamedTuple):
    """One stay that ended. `left`: why they left the journey with it, "" where they went on."""

    person: int
    sequence: int
    visit: int
    step: str
    arrived_at: datetime
    at: datetime
    way: str
    note: str
    left: str


def all_visits(trace: Trace) -> Iterator[Visit]:
    """In the order they ended."""
    text = trace.words.texts
    for person, sequence, visit, step, arrived, at, way, note, left in trace.visits.table().tolist():
        yield Visit(
            person, sequence, visit, text[step], _moment(arrived), _moment(at), text[way], text[note], text[left]
        )


def all_mails(trace: Trace) -> Iterator[Mailing]:
    text = trace.words.texts
    for person, step, at, outcome, reason in trace.mails.table().tolist():
        yield Mailing(person, text[step], _moment(at), text[outcome], text[reason])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
