"""What a simulation leaves: every visit, every mail and where everybody is at the end, as columns. Pure."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple


class Visit(NamedTuple):
    """One stay that ended, as a row. `left`: why they left the journey with it, "" where they went on."""

    person: int
    sequence: int
    visit: int
    step: str
    arrived_at: datetime
    at: datetime
    way: str
    note: str
    left: str


class Mailing(NamedTuple):
    """One mail with the gate's answer. `reason`: the first of a refusal's, or of what put a sent one off."""

    person: int
    step: str
    at: datetime
    outcome: str
    reason: str


class There(NamedTuple):
    """Somebody still on the journey. `due`: when something happens to them next, None: nothing will by itself."""

    person: int
    sequence: int
    visit: int
    step: str
    since: datetime
    due: datetime | None
    trouble: str


class Words:
    """Texts as small numbers."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        found = self._places.get(text)
        if found is None:
            found = self._places[text] = len(self.texts)
            self.texts.append(text)
        return found


@dataclass(slots=True)
class Columns:
    """Rows of numbers, a few bytes each; moments are seconds since 1970."""

    codes: str
    held: list["array[float]"] = field(init=False)

    def __post_init__(self) -> None:
        self.held = [array(code) for code in self.codes]

    def __len__(self) -> int:
        return len(self.held[0])

    def append(self, *values: float) -> None:
        for column, value in zip(self.held, values, strict=True):
            column.append(value)


class Trace:
    """People are rows of the world that was simulated, in order of their contact numbers."""

    def __init__(self) -> None:
        self.words = Words()
        #: person, sequence, visit, step, arrived_at, at, way, note, left
        self.visits = Columns("IIIHddHHH")
        #: person, step, at, outcome, reason
        self.mails = Columns("IHdHH")
        self.there: list[There] = []
        #: person and when they entered, as often as they did
        self.entered = Columns("Id")
        self.refused: dict[str, int] = {}
        #: Left for a reason, where no visit says so.
        self.put_off: dict[str, int] = {}

    def visit(self, one: Visit) -> None:
        place = self.words.place
        self.visits.append(
            one.person,
            one.sequence,
            one.visit,
            place(one.step),
            one.arrived_at.timestamp(),
            one.at.timestamp(),
            place(one.way),
            place(one.note),
            place(one.left),
        )

    def mail(self, one: Mailing) -> None:
        place = self.words.place
        self.mails.append(one.person, place(one.step), one.at.timestamp(), place(one.outcome), place(one.reason))

    def all_visits(self) -> Iterator[Visit]:
        """In the order they ended."""
        text = self.words.texts
        for person, sequence, visit, step, arrived, at, way, note, left in zip(*self.visits.held, strict=True):
            yield Visit(
                int(person),
                int(sequence),
                int(visit),
                text[int(step)],
                _moment(arrived),
                _moment(at),
                text[int(way)],
                text[int(note)],
                text[int(left)],
            )

    def all_mails(self) -> Iterator[Mailing]:
        text = self.words.texts
        for person, step, at, outcome, reason in zip(*self.mails.held, strict=True):
            yield Mailing(int(person), text[int(step)], _moment(at), text[int(outcome)], text[int(reason)])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


__all__: Sequence[str] = ["Columns", "Iterable", "Mailing", "There", "Trace", "Visit"]
