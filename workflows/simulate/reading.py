"""A simulation's result as pages say it: with the words of the journey it was run with."""

from collections.abc import Iterator
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
from workflows.language.definition import AnyStep, Branch, BySegment, Definition, Mail, from_json
from workflows.language.names import Names
from workflows.models import Simulation, WorkflowVersion
from workflows.moments import local
from workflows.simulate import telling
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
    #: The number of the older version it is of, or "".
    version: str = ""
    #: What came of trying to make the mail.
    tried: tuple[str, ...] = ()


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

    @cached_property
    def versions(self) -> dict[str, Definition]:
        """What was simulated (""), and by their numbers the older versions that people finish on."""
        numbers = {step.partition("/")[0] for step in self.result.get("steps", {}) if "/" in step}
        found = WorkflowVersion.objects.filter(workflow=self.simulation.workflow_id, number__in=sorted(numbers))
        olds = {str(version.number): from_json(version.definition) for version in found.order_by("-number")}
        return {"": self.definition, **olds}

    def node(self, step: str) -> AnyStep | None:
        """A step by its name in the trace."""
        version, _, key = step.rpartition("/")
        definition = self.versions.get(version)
        return definition.steps.get(key) if definition else None

    def title(self, step: str) -> str:
        node, version = self.node(step), step.rpartition("/")[0]
        return (words.step_title(node) if node else step) + (f" (version {version})" if version else "")

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

    @property
    def of(self) -> str:
        """What was simulated."""
        if self.settings.version is None:
            return "the draft as it stood then"
        number = WorkflowVersion.objects.filter(pk=self.settings.version).values_list("number", flat=True).first()
        return f"version {number}"

    @property
    def assumed(self) -> list[str]:
        return list(telling.assumed(self.settings, self.definition, self.names))

    def against(self, before: "Told") -> dict[str, Any]:
        """How much more of what than an earlier one foresaw: "+120 mails sent", where it differs."""
        pairs = [
            ("people entering", self.result["people"] - before.result["people"]),
            ("mails sent", self.result["sent"] - before.result["sent"]),
            ("refused", self.result["refused"] - before.result["refused"]),
            ("stuck", self.stuck_people - before.stuck_people),
        ]
        changes = [f"{by:+,} {what}".replace("-", "−") for what, by in pairs if by]
        now, then = (msgspec.structs.replace(one.settings, start=self.settings.start) for one in (self, before))
        then = msgspec.structs.replace(then, version=now.version)
        return {"simulation": before.simulation, "changes": changes, "like": now == then}

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
        for version, number, key in self._order():
            step = f"{version}/{key}" if version else key
            node, counts = self.versions[version].steps[key], self.result["steps"].get(step)
            if counts is None or (version and not counts["arrived"]):
                continue
            ways = tuple((words.way_label(node, way) or "On", n) for way, n in counts["ways"].items())
            left = tuple((words.left_label(why), n) for why, n in counts["left"].items())
            mails = counts["mails"]
            found.append(
                StepLine(
                    number,
                    words.step_title(node),
                    words.step_summary(node, self._names(version)),
                    counts["arrived"],
                    counts["there"],
                    ways,
                    left,
                    mails.get("sent", 0),
                    mails.get("refused", 0),
                    isinstance(node, Mail),
                    version,
                    tuple(self._tried(step)),
                )
            )
        return found

    def _order(self) -> Iterator[tuple[str, int, str]]:
        for version, definition in self.versions.items():
            yield from ((version, number, key) for number, key in enumerate(graph.order(definition), 1))

    def _names(self, version: str) -> Names:
        return Names.load(self.versions[version]) if version else self.names

    @cached_property
    def unmade(self) -> list[Line]:
        """Mails that could not be made for everybody they were tried for: the step, how many failed, and why."""
        return [
            Line(self.title(step), sum(found["why"].values()), " ".join(self._tried(step)), (found["tried"],))
            for step, found in self.result.get("tried", {}).items()
            if found["why"] or found["lacking"]
        ]

    @property
    def tried(self) -> int:
        """How many mails were tried."""
        return sum(found["tried"] for found in self.result.get("tried", {}).values())

    def _tried(self, step: str) -> list[str]:
        found = self.result.get("tried", {}).get(step)
        return list(telling.tried(found, self.names)) if found else []

    @property
    def acts(self) -> list[telling.Acting]:
        """Notices to staff, calls, and people entering other journeys, in the order of the steps."""
        said, days = self.result.get("acts", {}), [date.fromisoformat(row[0]) for row in self.result["days"]]
        names = [f"{version}/{key}" if version else key for version, _, key in self._order()]
        return [
            telling.acting(node, self.title(step), self._names(step.rpartition("/")[0]), said[step], days)
            for step in names
            if step in said and (node := self.node(step))
        ]

    @property
    def finishing(self) -> list[Line]:
        """Who finishes on older versions."""
        return [Line(f"version {n}", count) for n, count in self.result.get("finishing", {}).items()]

    @property
    def left_out(self) -> list[Line]:
        """Who is inside and could not be simulated: their version names what is gone."""
        return [Line(f"version {n}", count) for n, count in self.result.get("left_out", {}).items()]

    @property
    def inside(self) -> int:
        return int(self.result.get("inside", 0))

    @property
    def anybody(self) -> bool:
        return bool(self.result["people"] or self.inside)

    @property
    def by_segment(self) -> bool:
        """Whether a segment lets people in, by moving into it or out."""
        return isinstance(self.definition.trigger, BySegment) and self.settings.entering == "trigger"

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
        node = self.node(stop.step)
        if stop.trouble:
            return _STUCK.get(stop.trouble) or troubles.said(stop.trouble)
        if stop.at is None or node is None:
            return "Still here when the simulation ends"
        if not stop.way:
            return words.left_label(stop.left)
        return words.note_label(stop.note) or words.way_label(node, stop.way)

    def _clause(self, stop: Stop) -> str:
        """Of a branch the rule that held."""
        node = self.node(stop.step)
        return words.way_reason(node, stop.way, self.names) if isinstance(node, Branch) and stop.way else ""
