"""What a simulation leaves: every visit, every mail and where everybody is at the end, as columns. Pure."""

from datetime import datetime
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workflows.step import Passed

Array = npt.NDArray[Any]
TYPES = {"I": "<u4", "H": "<u2", "d": "<f8"}


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


class Rows:
    """Rows of numbers, a few bytes each: codes as of the struct module. Moments are seconds since 1970."""

    def __init__(self, codes: str) -> None:
        self._pack = Struct(f"<{codes}").pack
        self.dtype = np.dtype([(str(n), TYPES[code]) for n, code in enumerate(codes)])
        self.held = bytearray()

    def __len__(self) -> int:
        return len(self.held) // self.dtype.itemsize

    def append(self, *values: float) -> None:
        self.held += self._pack(*values)

    def table(self) -> Array:
        """All rows, in place: once asked for, none can be added."""
        return np.frombuffer(self.held, dtype=self.dtype)

    def columns(self) -> list[Array]:
        table = self.table()
        return [np.ascontiguousarray(table[name]) for name in self.dtype.names or ()]


class Trace:
    """People are rows of the world that was simulated, in order of their contact numbers."""

    def __init__(self) -> None:
        self.words = Words()
        #: person, sequence, visit, step, arrived_at, at, way, note, left
        self.visits = Rows("IIIHddHHH")
        #: person, step, at, outcome, reason
        self.mails = Rows("IHdHH")
        #: step, at, what came of it: telling staff, calls, entering another journey
        self.acts = Rows("HdH")
        self.there: list[There] = []
        #: Values the journey set, as they are at the end, by person.
        self.given: dict[int, dict[str, Any]] = {}
        #: person and when they entered, as often as they did
        self.entered = Rows("Id")
        #: Who did not enter, by entry.Refusal; mails put off, by reason.
        self.refused: dict[str, int] = {}
        self.put_off: dict[str, int] = {}

    def visit(self, person: int, sequence: int, passed: Passed, left: str, prefix: str = "") -> None:
        """That a stay ended. `left`: why they left the journey with it, "" where they went on; `prefix`: the step's."""
        place = self.words.place
        self.visits.append(
            person,
            sequence,
            passed.visit,
            place(prefix + passed.step),
            passed.arrived_at.timestamp(),
            passed.at.timestamp(),
            place(passed.way),
            place(passed.note),
            place(left),
        )

    def act(self, step: str, at: datetime, outcome: str) -> None:
        self.acts.append(self.words.place(step), at.timestamp(), self.words.place(outcome))

    def mail(self, one: Mailing) -> None:
        place = self.words.place
        self.mails.append(one.person, place(one.step), one.at.timestamp(), place(one.outcome), place(one.reason))
