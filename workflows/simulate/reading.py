"""A simulation's result as pages say it: with the words of the journey it was run with."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

import msgspec

from core.purposes import MessageClass, Purpose
from delivery.reasons import Words
from delivery.reasons import words as reason_words
from workflows import troubles
from workflows.entry import REFUSALS
from workflows.language import graph, words
from workflows.language.definition import Branch, Definition, Mail, from_json
from workflows.language.names import Names
from workflows.models import Simulation
from workflows.moments import local
from workflows.simulate.assumptions import Settings
from workflows.simulate.paths import Stop
from workflows.simulate.world import zone

_STUCK = {
    "nothing": "waits for something that did not come, and nothing ends the wait",
    "far": "waits for a date more than a year away",
    "circle": "goes round in a circle without waiting",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table."""

    label: str
    count: int
    note: str = ""
    more: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step in numbers. `ways`: each way out in words, and how many took it."""

    number: int
    title: str
    summary: str
    arrived: int
    there: int
    ways: tuple[tuple[str, int], ...]
    left: tuple[tuple[str, int], ...]
    sent: int
    refused: int
    mails: bool


class Told:
    """What a finished simulation says."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.result: dict[str, Any] = simulation.result
        self.settings = msgspec.convert(simulation.settings, Settings)
        self.definition: Definition = from_json(simulation.definition)

    @cached_property
    def names(self) -> Names:
        return Names.load(self.definition)

    def title(self, step: str) -> str:
        node = self.definition.steps.get(step)
        return words.step_title(node) if node else step

    @property
    def segment(self) -> str:
        """The name of the segment that was chosen."""
        return words.segment(self.settings.segment, self.names).strip("“”") if self.settings.segment else ""

    @property
    def busiest(self) -> tuple[datetime, int] | None:
        found = self.result["busiest"]
        return (datetime.fromtimestamp(found[0], UTC), found[1]) if found else None

    @property
    def asked(self) -> int:
        """Mails the gate was asked about."""
        return int(self.result["sent"] + self.result["refused"])

    def more_than(self, most: int) -> int:
        """How many people would get more than so many mails in some seven days."""
        return sum(self.result["in_a_week"][most + 1 :])

    @property
    def most_in_a_week(self) -> int:
        return max(len(self.result["in_a_week"]) - 1, 0)

    @property
    def stuck(self) -> list[Line]:
        return [
            Line(self.title(step), count, _STUCK.get(why) or troubles.said(why))
            for step, why, count in self.result["stuck"]
        ]

    @property
    def stuck_people(self) -> int:
        return sum(line.count for line in self.stuck)

    @property
    def days(self) -> dict[str, Any]:
        """The chart of mails a day, each at its beginning where the organization is."""
        rows, there = self.result["days"], zone()
        return {
            "x": [local(date.fromisoformat(row[0]), time(), there) for row in rows],
            "series": [
                {"label": "Sent", "values": [row[2] for row in rows]},
                {"label": "Refused", "values": [row[3] for row in rows]},
                {"label": "People entering", "values": [row[1] for row in rows]},
            ],
        }

    @property
    def hours(self) -> dict[str, Any]:
        """The chart of mails by hour of the day, from the first hour that has any to the last."""
        counts = self.result["hours"]
        used = [hour for hour, count in enumerate(counts) if count]
        hours = range(used[0], used[-1] + 1) if used else range(0)
        return {
            "x": [str(hour) for hour in hours],
            "series": [{"label": "Mails", "values": [counts[h] for h in hours]}],
        }

    @property
    def steps(self) -> list[StepLine]:
        found = []
        for number, step in enumerate(graph.order(self.definition), 1):
            node, counts = self.definition.steps[step], self.result["steps"][step]
            ways = tuple((words.way_label(node, way) or "On", n) for way, n in counts["ways"].items())
            left = tuple((words.left_label(why), n) for why, n in counts["left"].items())
            mails = counts["mails"]
            found.append(
                StepLine(
                    number,
                    words.step_title(node),
                    words.step_summary(node, self.names),
                    counts["arrived"],
                    counts["there"],
                    ways,
                    left,
                    mails.get("sent", 0),
                    mails.get("refused", 0),
                    isinstance(node, Mail),
                )
            )
        return found

    @property
    def purposes(self) -> list[Line]:
        return [
            Line(str(Purpose(purpose).label), sent, str(MessageClass(kind).label), (refused,))
            for purpose, kind, _, sent, refused in self.result["purposes"]
        ]

    @property
    def refusals(self) -> list[tuple[Words, int]]:
        return [(reason_words(code), count) for code, count in self.result["reasons"].items()]

    @property
    def put_off(self) -> list[tuple[Words, int]]:
        return [(reason_words(code), count) for code, count in self.result["put_off"].items()]

    @property
    def not_entered(self) -> list[Line]:
        """Who would have entered, but for the journey's own rules."""
        return [Line(REFUSALS[why], count) for why, count in self.result["refused_entry"].items()]

    @property
    def ends(self) -> list[Line]:
        left = [Line(words.left_label(why), count) for why, count in self.result["ends"].items()]
        there = sorted(self.result["there"].items(), key=lambda pair: -pair[1])
        return [*left, *(Line(f"Still at “{self.title(step)}”", count) for step, count in there)]

    def path(self, stops: list[Stop]) -> list[dict[str, Any]]:
        """One person's stays in words."""
        return [
            {
                "stop": stop,
                "title": self.title(stop.step),
                "why": self._why(stop),
                "clause": self._clause(stop),
                "mail": reason_words(stop.reason) if stop.reason else None,
            }
            for stop in stops
        ]

    def _why(self, stop: Stop) -> str:
        node = self.definition.steps.get(stop.step)
        if stop.trouble:
            return _STUCK.get(stop.trouble) or troubles.said(stop.trouble)
        if stop.at is None or node is None:
            return "Still here when the simulation ends"
        if not stop.way:
            return words.left_label(stop.left)
        return words.note_label(stop.note) or words.way_label(node, stop.way)

    def _clause(self, stop: Stop) -> str:
        """Of a branch the rule that held."""
        node = self.definition.steps.get(stop.step)
        return words.way_reason(node, stop.way, self.names) if isinstance(node, Branch) and stop.way else ""
