"""Draws journeys that the checks let through, people, and what may befall them."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from tests.workflows.interpreter import Json
from workflows.language import graph, parsing

HOME = "America/Chicago"
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", HOME, "", "", ""]
#: Two nights before the clocks go forward in America, so that the days that are drawn lie around it.
START = datetime(2026, 3, 6, 11, tzinfo=UTC)
#: The same before they go back in Europe and America, and before 28 February without a 29th, and with one.
STARTS = [
    START,
    datetime(2026, 10, 23, 11, tzinfo=UTC),
    datetime(2026, 10, 30, 11, tzinfo=UTC),
    datetime(2027, 2, 25, 11, tzinfo=UTC),
    datetime(2028, 2, 26, 11, tzinfo=UTC),
]
HOMES = [HOME, "Europe/Berlin", "Pacific/Auckland"]
BY_HAND: Json = {"kind": "manual", "chosen_by": "phi"}
PLANS = ["gold", "silver", "bronze", None]
KEYS = ["k1", "k2", None]
EVENTS = ["ordered", "cancelled"]


class Setting(Protocol):
    """What journeys name."""

    @property
    def list_id(self) -> str: ...
    @property
    def endpoint_id(self) -> str: ...
    @property
    def mailing_ids(self) -> list[str]: ...
    @property
    def topic_ids(self) -> list[str]: ...

    #: A segment that finds its people by a rule.
    segment_id: str
    #: The journey that others have people enter, or that begins by itself with what they do.
    inner_id: str
    inner_listens: bool

    def mail(self, topic: int) -> Json: ...


class Drawer:
    """Draws journeys that the checks let through; `random` is Hypothesis's, so that they shrink."""

    def __init__(self, random_: random.Random, setting: Setting) -> None:
        self.random, self.setting = random_, setting
        #: Beside a journey that changes lists and values at the same moment: it changes none, and asks for none.
        self.beside = False

    def rule(self) -> Json:
        pick = self.random.choice
        clauses: list[Json] = [
            {"attribute": "plan", "op": "is", "value": pick(PLANS[:3])},
            {"attribute": "plan", "op": pick(["is_empty", "is_not_empty"])},
            {"segment": self.setting.segment_id, "op": pick(["in", "not_in"])},
            {"none": [{"attribute": "plan", "op": "is", "value": pick(PLANS[:3])}]},
        ]
        if not self.beside:
            clauses += [
                {"segment": self.setting.list_id, "op": pick(["in", "not_in"])},
                {"attribute": "mark", "op": "is", "value": pick(["x", "y"])},
            ]
        some = self.random.sample(clauses, self.random.randint(1, 2))
        return {"version": 2, "root": {pick(["all", "any"]): some}}

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
        days = self.random.choice([-3, -1, 0, 1, 3])
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
            *[lambda: self.setting.mail(pick([0, 1]))] * 3,
            lambda: {"kind": "wait", "span": self.span()},
            lambda: {"kind": "wait_until", "moment": self.moment(by_event=by_event)},
            lambda: {"kind": "wait_weekday", "weekdays": pick([[], [0], [5, 6]]), "at": pick(["10:00", "02:30"])},
            *[self.wait_event] * 3,
            *[lambda: {"kind": "branch", "cases": [{"rule": self.rule()} for _ in range(pick([1, 2]))]}] * 2,
            *[lambda: {"kind": "branch_mail", "mail": "", "cases": self.cases()}] * 3,
            lambda: {"kind": "split", "shares": [{"percent": 25}, {"percent": 75}], "seed": pick([0, 1])},
            *[lambda: {"kind": "webhook", "endpoint": self.setting.endpoint_id}] * 2,
            lambda: {"kind": "tell", "role": "marketer", "text": "Call them"},
            lambda: {"kind": "goal", "rule": self.rule()},
        ]
        if not keyed and not self.beside:  # which of two stays of one person acts first is nobody's business
            kinds += [
                lambda: {"kind": "set_attribute", "attribute": "mark", "value": pick(["x", "y", None])},
                lambda: {"kind": "list", "segment": self.setting.list_id, "change": pick(["add", "remove"])},
            ]
            if by_event:
                kinds.append(lambda: {"kind": "set_attribute", "attribute": "mark", "property": "place"})
        if not inner and not self.setting.inner_listens:  # else which of the two lets them in is nobody's business
            kinds += [lambda: {"kind": "enter", "workflow": self.setting.inner_id}] * 2
        return pick(kinds)()

    def cases(self) -> list[str]:
        """What comes first is found first: half of them ask for reading before anything else."""
        some = self.random.sample(["clicked", "opened", "sent", "refused", "failed"], self.random.randint(1, 3))
        return sorted(some, key=["clicked", "opened"].__contains__, reverse=self.random.random() < 0.5)

    def wait_event(self) -> Json:
        pick = self.random.choice
        common = {"kind": "wait_event", "timeout": self.span(), "since": pick(["entered", "here"])}
        if pick([True, False]):
            return {**common, "event": pick(EVENTS), "same_key": pick([True, False])}
        change = {"was": pick([[], ["gold"], [None]]), "becomes": pick([[], ["silver", "bronze"]])}
        plan = self.beside or pick([True, False])
        return {**common, "attribute": "plan", **change} if plan else {**common, "attribute": "mark"}

    def definition(self, *, trigger: Json | None = None, inner: bool = False) -> Json:
        pick = self.random.choice
        trigger = trigger or self.trigger()
        by_event = trigger["kind"] == "event"
        by_date = trigger["kind"] == "date"
        reentries: list[Json] = [{"kind": "never"}, {"kind": "after_days", "days": 2}, {"kind": "after_leaving"}]
        reentries += [{"kind": "per_key"}] * 2 if by_event or by_date else [{"kind": "after_leaving"}]
        reentry = pick(reentries)
        keyed = reentry["kind"] == "per_key"
        names = [f"s{n}" for n in range(self.random.randint(3, 12))]
        steps = {name: self.step(by_event=by_event, keyed=keyed, inner=inner) for name in names}
        steps["s0"] = pick([steps["s0"], self.setting.mail(pick([0, 1]))])
        steps[names[-1]] = pick([steps[names[-1]], {"kind": "end"}])
        for place, name in enumerate(names):
            self._connect(names, place, steps[name])
        exits: list[Json] = []
        if self.random.random() < 0.4:
            exits.append({"kind": "unsubscribed"})
        if self.random.random() < 0.3:
            exits.append({"kind": "event", "event": "cancelled", "same_key": pick([True, False])})
        if self.random.random() < 0.15:
            exits.append({"kind": "goal", "rule": self.rule()})
        if self.random.random() < 0.1:
            segment = pick([self.setting.segment_id, self.setting.segment_id if self.beside else self.setting.list_id])
            exits.append({"kind": "segment_left", "segment": segment})
        self.random.shuffle(exits)
        only = self.rule() if self.random.random() < 0.07 else None
        for part in (*exits, *steps.values()) if by_date else ():
            if "same_key" in part:  # no event has the key of a date
                part["same_key"] = False
        whole = {"trigger": trigger, "reentry": reentry, "exits": exits, "only": only, "start": "s0", "steps": steps}
        return self._mended(whole)

    def trigger(self, turn: int | None = None) -> Json:
        """By chance, or whose turn it is."""
        pick = self.random.choice
        where = [{"property": "place", "values": ["here"]}]
        days = pick([-1, 0, 1])
        yearly = pick([
            {"attribute": "day", "days": days, "at": "10:00"},
            {"attribute": "moment", "days": days, "minutes": 30},
            {"attribute": "day", "days": days, "at": "02:30"},
            {"attribute": "moment", "days": days},
        ])  # fmt: skip
        kinds: list[Json] = [
            {"kind": "event", "event": "ordered"},
            {"kind": "date", "moment": self.moment(by_event=False), "late": pick(["skip", "enter"])},
            {"kind": "engaged", "event": "opened", "mailing": pick([None, *self.setting.mailing_ids])},
            {"kind": "segment", "segment": self.setting.segment_id, "change": "enters"},
            {"kind": "consent", "topic": pick(self.setting.topic_ids), "change": "withdrawn"},
            {"kind": "attribute", "attribute": "plan", "becomes": ["gold"]},
            {"kind": "event", "event": "ordered", "where": where},
            {"kind": "date", "moment": yearly, "yearly": True, "late": pick(["skip", "enter"])},
            {"kind": "engaged", "event": "clicked", "mailing": pick([None, *self.setting.mailing_ids])},
            {"kind": "segment", "segment": self.setting.segment_id, "change": "leaves"},
            {"kind": "consent", "topic": pick(self.setting.topic_ids), "change": "given"},
            {"kind": "sent", "mailing": pick(self.setting.mailing_ids)},
            BY_HAND,
        ]
        return pick(kinds) if turn is None else kinds[turn % len(kinds)]

    def inner_trigger(self) -> Json:
        """Of the journey that another one has people enter, or that begins with what it does."""
        return self.random.choice([BY_HAND, {"kind": "attribute", "attribute": "mark", "becomes": ["x", "y"]}])

    def _connect(self, names: list[str], place: int, step: Json) -> None:
        """Ways out lead onward; back only from where one has stayed."""
        node = parsing.msgspec.convert(step, parsing.AnyStep)
        exits: dict[str, str | None] = {}
        for way in graph.ways_out(node):
            drawn = self.random.random()
            if drawn < 0.1 and way in ("refused", "failed"):
                continue  # as next, or for staff to see to
            if drawn < 0.1 and way == "past" and exits.get("next") not in names[: place + 1]:
                continue
            if drawn < 0.05 or (place + 1 == len(names) and drawn < 0.8):
                exits[way] = None
            elif drawn < 0.25 and graph.takes_time(node, way):
                exits[way] = self.random.choice(names[: place + 1])
            elif place + 1 < len(names):
                exits[way] = self.random.choice(names[place + 1 : place + 3])
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


def drawn_person(random_: random.Random, start: datetime = START) -> Json:
    day = start.date() + timedelta(days=random_.randint(-3, 12))
    born = random_.choice([day.replace(year=1980, day=min(day.day, 28)), date(1984, 2, 29)])
    moment = start + timedelta(minutes=random_.randint(-3 * 1440, 9 * 1440))
    earlier = moment.replace(year=2019, day=min(moment.day, 28)).isoformat().replace("+00:00", "Z")
    return {
        "time_zone": random_.choice(ZONES) or None,
        "plan": random_.choice(PLANS),
        "day": random_.choice([None, day.isoformat(), day.isoformat(), day.isoformat(), born.isoformat()]),
        "moment": random_.choice([None, None, *[moment.isoformat().replace("+00:00", "Z")] * 3, earlier]),
    }


def drawn_plan(random_: random.Random, versions: list[Json], definition: Json) -> dict[int, dict[str, str | None]]:
    """Of each older version every step to some new one, to leaving, or to staying where it is."""
    to = [*definition["steps"], None, None, ""]
    return {place: {step: random_.choice(to) for step in old["steps"]} for place, old in enumerate(versions)}
