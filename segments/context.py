"""What a rule needs beside people's values: the moment, the place, and who is known to have done what. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from segments import calendar
from segments.columns import Numbers
from segments.tree import Ago, Clause, Day


@dataclass(frozen=True, slots=True)
class Context:
    """`sets`: who it holds for, for each clause of tree.asked_of_facts."""

    now: datetime
    zone: ZoneInfo
    sets: Mapping[Clause, Numbers] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day it is where the organization is."""
        return self.today_in(self.zone)

    def today_in(self, zone: ZoneInfo) -> date:
        return self.now.astimezone(zone).date()

    def day(self, day: Day | None, today: date | None = None) -> date:
        assert day is not None
        return calendar.moved(today or self.today, day) if isinstance(day, Ago) else day
