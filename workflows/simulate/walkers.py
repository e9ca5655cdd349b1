"""Who walks through a simulated journey, and the mails they get on it. In memory only."""

from datetime import datetime

from workflows.simulate.courses import Course
from workflows.simulate.entries import Entering
from workflows.simulate.history import Occurred
from workflows.step import Mailing as Fate
from workflows.step import Place


class Letter:
    """A mail of one visit. `outcome` "": the gate has yet to answer, at `again`."""

    __slots__ = ("again", "clicked_at", "opened_at", "outcome", "put_off", "visit")

    def __init__(self, visit: int, at: datetime) -> None:
        self.visit, self.again = visit, at
        self.outcome = self.put_off = ""
        self.opened_at: datetime | None = None
        self.clicked_at: datetime | None = None

    def fate(self, now: datetime) -> Fate | None:
        if not self.outcome:
            return None
        opened = self.opened_at is not None and self.opened_at <= now
        return Fate(self.outcome, opened, self.clicked_at is not None and self.clicked_at <= now)


class Walker:
    """One person once on the journey, by the version they are on. `brought`: the rank of what sorted them on versions
    they were moved from, where that is asked."""

    __slots__ = (
        "brought",
        "call",
        "course",
        "due",
        "entered_by",
        "key",
        "letters",
        "occurs",
        "place",
        "properties",
        "row",
        "sequence",
        "trouble",
    )

    def __init__(self, course: Course, row: int, sequence: int, entering: Entering, place: Place) -> None:
        self.course, self.row, self.sequence, self.place = course, row, sequence, place
        self.key, self.entered_by, self.properties = entering.key, entering.happening, entering.properties
        self.due: datetime | None = None
        self.letters: dict[str, Letter] = {}
        self.occurs: list[Occurred] = []
        self.call = self.trouble = ""
        self.brought = 0
