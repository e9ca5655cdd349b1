"""Worlds drawn by chance: two journeys, four people, and what befalls them, each thing looked at on both sides.

`test_truth.py` looks at a few and at what came to pass in them; `python -m bench.workflows_truth` at many.
"""

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, get_args

from tests.workflows.breaking import POINTS, drawn_break
from tests.workflows.drawn import EVENTS, HOMES, KEYS, STARTS, Drawer, drawn_person, drawn_plan
from tests.workflows.interpreter import Json, Stay
from tests.workflows.rest import the_rest_agrees
from tests.workflows.setting import Setting
from tests.workflows.truth import Both
from workflows.language import definition
from workflows.models import Enrolment
from workflows.step import Left

#: What has to come to pass somewhere, or it is not proved: by kind of step, the ways out and why.
WAYS: dict[str, list[str]] = {
    "mail": ["next, sent", "next, unknown", "next, skipped", "refused, refused", "refused, failed"],
    "wait": ["next, waited"],
    "wait_until": ["next, waited", "past, past", "past, no_date"],
    "wait_weekday": ["next, waited"],
    "wait_event": ["happened, happened", "timeout, timeout"],
    "branch": ["1, chosen", "else, chosen"],
    "branch_mail": ["sent, chosen", "opened, chosen", "clicked, chosen", "else, chosen"],
    "split": ["1, chosen", "2, chosen"],
    "set_attribute": ["next, done"],
    "list": ["next, done"],
    "webhook": ["next, done", "failed, failed"],
    "tell": ["next, done"],
    "enter": ["next, done"],
    "goal": ["next, chosen", "left, goal"],
    "end": ["left, end"],
}
LEFT = ["end", "goal", "unsubscribed", "segment_left", "event", "removed", "moved", "deleted", "stopped"]


def kinds(union: Any) -> set[str]:
    """What a trigger, an exit or a step may be."""
    return {str(one.__struct_config__.tag) for one in get_args(union)}


def wanted() -> set[str]:
    """Everything that journeys, people, staff and workers can come to."""
    assert set(WAYS) == kinds(definition.AnyStep)
    assert set(LEFT) == set(Left)
    triggers = {f"in by: {kind}" for kind in kinds(definition.AnyTrigger) - {"manual"} | {"hand"}}
    again = [f"{may}: {kind}" for may in ("again", "not again") for kind in ("after_leaving", "after_days", "per_key")]
    ways = {f"{kind}: {way}" for kind, found in WAYS.items() for way in found}
    breaks = {f"{how}: {work}" for how in ("killed", "another") for work in POINTS}
    return {*triggers, *again, "not again: never", "kept out: only", *ways, *breaks, *(f"left: {why}" for why in LEFT)}


PEOPLE = 4
VERSIONS = 4
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Drawn:
    """One world. A seed is the same world always; whose turn it is lets people in."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.random = random.Random(seed)
        self.start: datetime = self.random.choice(STARTS)
        self.both = Both(setting, start=self.start, home=self.random.choice(HOMES))
        self.drawer = Drawer(self.random, setting)
        self.setting, self.seed = setting, seed
        self.deeds: Counter[str] = Counter()
        self.befell: list[object] = []

    def pass_by(self, deeds: int) -> Counter[str]:
        """So many things befall it; what came to pass, and how often."""
        both = self.both
        with both.held():
            try:
                self._begin()
                for _ in range(deeds):
                    self._befall()
                both.stop("main")
                both.agree()
                the_rest_agrees(both)
            except AssertionError as difference:
                raise AssertionError(f"{difference}\nof world {self.seed}, after {self.befell}") from difference
            finally:
                both.close()
        inside = Counter(f"left: {stay.left}" if stay.left else "inside" for stay in both.stays())
        return both.world.seen + self.deeds + inside

    def _begin(self) -> None:
        both, pick = self.both, self.drawer
        inner = pick.inner_trigger()
        self.setting.inner_listens = inner["kind"] != "manual"
        pick.beside = True
        within = pick.definition(trigger=inner, inner=True)
        pick.beside = False
        if not self.setting.inner_listens:  # else whether they are out when the other one is there goes by who is first
            within["reentry"] = {"kind": "never"}
        both.begin("inner", within)
        self.setting.inner_id = str(both.workflows["inner"].pk)
        both.begin("main", pick.definition(trigger=pick.trigger(self.seed)))
        both.add_people([drawn_person(self.random, self.start) for _ in range(PEOPLE)], f"world {self.seed}")
        both.settle()
        for who in range(PEOPLE):
            self._let_in(who)
        both.settle()
        both.agree()

    def _befall(self) -> None:
        likely: list[tuple[int, Any]] = [
            (2, self.enter), (10, self.let_in), (1, self.event), (8, self.awaited_event), (2, self.change),
            (1, self.consent), (1, self.send), (1, self.read), (1, self.look), (1, self.later), (24, self.due),
            (1, self.earlier), (6, self.deliver), (4, self.answer), (3, self.pause), (12, self.resume), (3, self.move),
            (3, self.delete), (1, self.remove), (6, self.see_to), (1, self.moves_home),
        ]  # fmt: skip
        for other in (self.both.deliver, self.both.answer):  # what would hold people up
            if self.random.random() < 0.5 and other():
                self.deeds[f"deed: {other.__name__}"] += 1
        weights, deeds = zip(*likely, strict=True)
        deed = self.random.choices(deeds, weights)[0]
        while deed() is False:  # there is nothing to it just now
            deed = self.random.choices(deeds, weights)[0]
        self.deeds[f"deed: {deed.__name__}"] += 1
        breaks = drawn_break(self.random) if self.random.random() < 0.25 else None
        self.befell.append((deed.__name__, f"{self.both.now:%d %H:%M:%S}", breaks))
        self.both.settle(breaks)
        self.both.agree()

    @property
    def who(self) -> int:
        return self.random.randrange(PEOPLE)

    # -- people --

    def enter(self) -> None:
        self.both.enter(self.random.choice(["main", "main", "inner"]), self.who)

    def let_in(self) -> None:
        """Whatever lets people in, or takes a step towards it."""
        self._let_in(self.who)

    def _let_in(self, who: int) -> None:
        trigger = self.both.world.journeys["main"].live["trigger"]
        fresh, pick = drawn_person(self.random, self.start), self.random.choice
        match trigger["kind"]:
            case "event":
                self._event(who, trigger["event"], pick(KEYS))
            case "attribute" | "segment":
                self.both.change(who, "plan", pick(["gold", "gold", "silver"]))
                self.both.look_at_segment()
            case "date":
                self.both.change(who, trigger["moment"]["attribute"], fresh[trigger["moment"]["attribute"]])
            case "consent":
                topic = self.setting.topic_ids.index(trigger["topic"])
                self.both.consent(who, pick([topic, topic, None]), self.random.random() < 0.5)
            case "engaged":
                self._read(who)
                self.both.now += 4 * SECOND
            case "sent":
                self.both.send(who, self.setting.mailing_ids.index(trigger["mailing"]))
            case "manual":
                self.both.enter("main", who)

    def event(self) -> None:
        self._event(self.who, self.random.choice(EVENTS), self.random.choice(KEYS))

    def awaited_event(self) -> bool | None:
        """What somebody waits for, or leaves by: for the key they are here for, or for another one."""
        asked = [(stay, name) for stay in self.both.stays() if not stay.left for name in _awaited(self.both, stay)]
        if not asked:
            return False
        stay, name = self.random.choice(asked)
        other = self.random.choice([key for key in KEYS if key != stay.key])
        self._event(self.both.people.index(stay.person), name, self.random.choice([stay.key, other]))
        return None

    def _event(self, who: int, name: str, key: str | None) -> None:
        if key is not None and "=" in key:  # of a date: no event has it
            key = None
        pick = self.random.choice
        day = self.start.date() + timedelta(days=pick([2, 6]))
        said = {"place": pick(["here", "there"]), "when": day.isoformat()}
        self.both.event(who, name, key, said, pick([0, 0, 0, 90]))

    def change(self) -> None:
        fresh = drawn_person(self.random, self.start)
        name = self.random.choice([*fresh, "plan", "time_zone"])
        self.both.change(self.who, name, fresh[name])

    def consent(self) -> None:
        self.both.consent(self.who, self.random.choice([None, 0, 0, 1, 1]), self.random.random() < 0.5)

    def send(self) -> None:
        self.both.send(self.who, self.random.choice([0, 1]))

    def read(self) -> None:
        self._read(self.who)

    def _read(self, who: int) -> None:
        links = self.random.choice([[None], [0], [1], [0, None], [0, 1], [0, 1, 0]])
        by = self.random.choice(["human", "human", "human", "machine", "unknown"])
        self.both.read(who, self.random.choice([0, 1]), links, by)

    def delete(self) -> bool:
        """Late, for there are few."""
        return self.both.delete(self.who) if len(self.befell) > 20 else False

    # -- time --

    def later(self) -> None:
        self.both.now += self.random.choice([1, 29, 300, 1439, 1440, 1441, 2880, 4320, 11520]) * MINUTE

    def due(self) -> bool | None:
        """To when somebody is due, or their date lets them in, or a moment before or after."""
        asked = Enrolment.objects.filter(workflow__in=self.both.workflows.values(), wake_at__gt=self.both.now)
        times = sorted({*asked.values_list("wake_at", flat=True), *self._dates()})
        if not times:
            return False
        moment = self.random.choice(times) + self.random.choice([-SECOND, 0 * SECOND, 0 * SECOND, SECOND])
        self.both.now = max(self.both.now, moment)
        return None

    def _dates(self) -> list[datetime]:
        world, now = self.both.world, self.both.now
        trigger = world.journeys["main"].live["trigger"]
        people = self.both.people if trigger["kind"] == "date" else []
        comings = [coming.moment for person in people for coming in world.comings(trigger, person, now)]
        return [moment for moment in comings if now < moment < now + timedelta(days=9)]

    def earlier(self) -> None:
        """A clock is set back, never to before the journeys were published."""
        self.both.settle()  # what ended a moment ago is seen first: else not before the clock is there again
        self.both.now = max(self.start, self.both.now - self.random.choice([1, 61, 600]) * MINUTE)

    # -- others --

    def look(self) -> None:
        self.both.look_at_segment()

    def deliver(self) -> bool:
        return self.both.deliver() > 0

    def answer(self) -> bool:
        return self.both.answer() > 0

    def moves_home(self) -> bool | None:
        if any(journey.looked > self.both.now for journey in self.both.world.journeys.values()):
            return False  # not while a clock is set back
        self.both.move_home(self.random.choice(HOMES))
        return None

    def pause(self) -> bool:
        return self.both.pause("main")

    def resume(self) -> bool:
        return self.both.resume("main", self.random.choice(["catch_up", "skip"]))

    def remove(self) -> None:
        self.both.remove("main", self.who)

    def see_to(self) -> bool | None:
        journey = self.random.choice(list(self.both.world.journeys.values()))
        if not any(stay.attention for stay in journey.stays):
            return False
        self.both.see_to(journey.name, self.random.choice(["retry", "skip"]))
        return None

    def move(self) -> bool | None:
        journey = self.both.world.journeys["main"]
        if len(journey.versions) >= VERSIONS:
            return False
        new = self.drawer.definition(trigger=journey.live["trigger"])
        self.both.move("main", new, drawn_plan(self.random, journey.versions, new))
        return None


def _awaited(both: Both, stay: Stay) -> list[str]:
    here = both.world.definition(stay)
    node: Json = here["steps"][stay.step]
    waits = [node["event"]] * 2 if node["kind"] == "wait_event" and node.get("event") else []
    return waits + [one["event"] for one in here["exits"] if one["kind"] == "event"]
