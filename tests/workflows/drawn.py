"""Draws journeys that the checks let through, people, and what may befall them."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tests.workflows.interpreter import Json
from workflows.language import graph, parsing

HOME = "America/Chicago"
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", HOME, ""]
#: Two nights before the clocks go forward in America, so that the days that are drawn lie around it.
START = datetime(2026, 3, 6, 11, tzinfo=UTC)
PLANS = ["gold", "silver", "bronze", None]
KEYS = ["k1", "k2", None]
EVENTS = ["ordered", "cancelled"]


class Setting(Protocol):
    """What journeys name."""

    @property
    def list_id(self) -> str: ...
    @property
    def endpoint_id(self) -> str: ...

    #: The journey that others have people enter.
    inner_id: str

    def mail(self, topic: int) -> Json: ...


class Drawer:
    """Draws journeys that the checks let through; `random` is Hypothesis's, so that they shrink."""

    def __init__(self, random_: random.Random, setting: Setting) -> None:
        self.random, self.setting = random_, setting

    def rule(self) -> Json:
        clauses: list[Json] = [
            {"attribute": "plan", "op": "is", "value": self.random.choice(PLANS[:3])},
            {"attribute": "plan", "op": self.random.choice(["is_empty", "is_not_empty"])},
            {"segment": self.setting.list_id, "op": self.random.choice(["in", "not_in"])},
            {"none": [{"attribute": "plan", "op": "is", "value": self.random.choice(PLANS[:3])}]},
        ]
        some = self.random.sample(clauses, self.random.randint(1, 2))
        return {"version": 2, "root": {self.random.choice(["all", "any"]): some}}

    def span(self) -> Json:
        return self.random.choice(
            [
                {"days": 1},
                {"hours": 5},
                {"days": 1, "hours": 2},
                {"minutes": 45},
                {"weeks": 1},
                {"days": 2, "minutes": 1},
            ]
        )

    def moment(self, *, by_event: bool) -> Json:
        days = self.random.choice([-3, -1, 0, 1])
        kinds: list[Json] = [
            {"attribute": "day", "days": days, "at": self.random.choice(["10:00", "02:30", "00:00"])},
            {"attribute": "moment", "days": days, "minutes": self.random.choice([0, -90, 30])},
            {"attribute": "moment", "days": days, "at": "10:00"},
        ]
        if by_event:
            kinds.append({"property": "when", "days": days, "at": "09:15"})
        return self.random.choice(kinds)

    def step(self, *, by_event: bool, keyed: bool, inner: bool) -> Json:
        pick = self.random.choice
        kinds: list[Callable[[], Json]] = [
            lambda: self.setting.mail(pick([0, 1])),
            lambda: {"kind": "wait", "span": self.span()},
            lambda: {"kind": "wait_until", "moment": self.moment(by_event=by_event)},
            lambda: {"kind": "wait_weekday", "weekdays": pick([[], [0], [5, 6]]), "at": pick(["10:00", "02:30"])},
            self.wait_event,
            lambda: {"kind": "branch", "cases": [{"rule": self.rule()} for _ in range(pick([1, 2]))]},
            lambda: {"kind": "branch_mail", "mail": "", "cases": self.cases()},
            lambda: {"kind": "split", "shares": [{"percent": 25}, {"percent": 75}], "seed": pick([0, 1])},
            lambda: {"kind": "webhook", "endpoint": self.setting.endpoint_id},
            lambda: {"kind": "tell", "role": "marketer", "text": "Call them"},
            lambda: {"kind": "goal", "rule": self.rule()},
        ]
        if not keyed:  # of two stays of one person at once, which of them acts first is nobody's business
            kinds += [
                lambda: {"kind": "set_attribute", "attribute": "mark", "value": pick(["x", "y", None])},
                lambda: {"kind": "list", "segment": self.setting.list_id, "change": pick(["add", "remove"])},
            ]
            if by_event:
                kinds.append(lambda: {"kind": "set_attribute", "attribute": "mark", "property": "place"})
        if not inner:
            kinds.append(lambda: {"kind": "enter", "workflow": self.setting.inner_id})
        return pick(kinds)()

    def cases(self) -> list[str]:
        return self.random.sample(["clicked", "opened", "sent", "refused", "failed"], self.random.randint(1, 3))

    def wait_event(self) -> Json:
        pick = self.random.choice
        common = {"kind": "wait_event", "timeout": self.span(), "since": pick(["entered", "here"])}
        if pick([True, False]):
            return {**common, "event": pick(EVENTS), "same_key": pick([True, False])}
        change = {"was": pick([[], ["gold"], [None]]), "becomes": pick([[], ["silver", "bronze"]])}
        return {**common, "attribute": "plan", **change} if pick([True, False]) else {**common, "attribute": "mark"}

    def definition(self, *, trigger: Json | None = None, inner: bool = False) -> Json:
        pick = self.random.choice
        trigger = trigger or self.trigger()
        by_event = trigger["kind"] == "event"
        reentries: list[Json] = [{"kind": "never"}, {"kind": "after_days", "days": 2}]
        by_date = trigger["kind"] == "date"
        reentries += [
            {"kind": "per_key"} if by_event or by_date else {"kind": "after_leaving"},
            {"kind": "after_leaving"},
        ]
        reentry = pick(reentries)
        keyed = reentry["kind"] == "per_key"
        names = [f"s{n}" for n in range(self.random.randint(3, 12))]
        steps = {name: self.step(by_event=by_event, keyed=keyed, inner=inner) for name in names}
        steps[names[-1]] = pick([steps[names[-1]], {"kind": "end"}])
        for place, name in enumerate(names):
            self._connect(names, place, steps[name])
        exits: list[Json] = []
        if self.random.random() < 0.5:
            exits.append({"kind": "unsubscribed"})
        if self.random.random() < 0.4:
            exits.append({"kind": "event", "event": "cancelled", "same_key": pick([True, False])})
        if self.random.random() < 0.15:
            exits.append({"kind": "goal", "rule": self.rule()})
        only = self.rule() if self.random.random() < 0.1 else None
        for part in (*exits, *steps.values()) if by_date else ():
            if "same_key" in part:  # no event has the key of a date
                part["same_key"] = False
        whole = {"trigger": trigger, "reentry": reentry, "exits": exits, "only": only, "start": "s0", "steps": steps}
        return self._mended(whole)

    def trigger(self) -> Json:
        where = [{"property": "place", "values": ["here"]}]
        return self.random.choice(
            [
                {"kind": "manual"},
                {"kind": "event", "event": "ordered"},
                {"kind": "event", "event": "ordered", "where": where},
                {"kind": "attribute", "attribute": "plan", "becomes": ["gold"]},
                {"kind": "date", "moment": self.moment(by_event=False), "late": self.random.choice(["skip", "enter"])},
            ]
        )

    def _connect(self, names: list[str], place: int, step: Json) -> None:
        """Ways out lead onward; back only from where one has stayed."""
        node = parsing.msgspec.convert(step, parsing.AnyStep)
        exits: dict[str, str | None] = {}
        for way in graph.ways_out(node):
            drawn = self.random.random()
            if drawn < 0.1 and way in ("refused", "failed"):
                continue  # as next, or for staff to see to
            if drawn < 0.1 and way == "past" and exits["next"] not in names[: place + 1]:
                continue
            if drawn < 0.15 or (place + 1 == len(names) and drawn < 0.8):
                exits[way] = None
            elif drawn < 0.4 and graph.takes_time(node, way):
                exits[way] = self.random.choice(names[: place + 1])
            elif place + 1 < len(names):
                exits[way] = self.random.choice(names[place + 1 :])
        step["exits"] = exits

    def _mended(self, definition: Json) -> Json:
        """Without what nothing leads to, and with branches on mails that come before them."""
        while True:
            parsed = parsing.parse(definition)
            reached = graph.reachable(parsed)
            found = graph.edges(parsed)
            steps = definition["steps"]
            gone = [name for name in steps if name not in reached]
            wrong = [
                name for name in steps
                if steps[name]["kind"] == "branch_mail"
                and not self._asks(steps, name, sorted(graph.before_step(found, name)))
            ]  # fmt: skip
            for name in gone:
                del steps[name]
            for name in set(wrong) - set(gone):
                next_ = next((to for to in steps[name]["exits"].values() if to), None)
                steps[name] = {"kind": "tell", "role": "marketer", "text": "Call", "exits": {"next": next_}}
            if not gone and not wrong:
                return definition

    def _asks(self, steps: Json, name: str, before: list[str]) -> bool:
        mails = [one for one in before if steps[one]["kind"] == "mail"]
        if steps[name]["mail"] not in mails:
            steps[name]["mail"] = self.random.choice(mails) if mails else ""
        return bool(mails)


def drawn_person(random_: random.Random) -> Json:
    day = START.date() + timedelta(days=random_.randint(-3, 12))
    moment = START + timedelta(minutes=random_.randint(-3 * 1440, 9 * 1440))
    return {
        "time_zone": random_.choice(ZONES) or None,
        "plan": random_.choice(PLANS),
        "day": random_.choice([None, day.isoformat()]),
        "moment": random_.choice([None, moment.isoformat().replace("+00:00", "Z")]),
    }


def drawn_plan(random_: random.Random, versions: list[Json], definition: Json) -> dict[int, dict[str, str | None]]:
    """Of each older version every step to some new one, to leaving, or to staying where it is."""
    to = [*definition["steps"], *definition["steps"], None, ""]
    return {place: {step: random_.choice(to) for step in old["steps"]} for place, old in enumerate(versions)}
