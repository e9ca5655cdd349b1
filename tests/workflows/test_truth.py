"""The engine does what a slow and obvious interpreter says, whatever is drawn, done and broken."""

import random
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.workflows.ahead import compared
from tests.workflows.drawn import EVENTS, KEYS, PLANS, ZONES, Drawer, drawn_person, drawn_plan
from tests.workflows.truth import Both, Setting

pytestmark = pytest.mark.django_db(transaction=True)

MINUTES = [1, 29, 45, 300, 301, 1439, 1440, 1441, 2 * 1440, 3 * 1440, 8 * 1440]
who = st.integers(0, 3)
randoms = st.randoms(use_true_random=False)
said = st.fixed_dictionaries(
    {"place": st.sampled_from(["here", "there"]), "when": st.sampled_from(["2026-03-08", "2026-03-12"])}
)
changes = st.one_of(
    st.tuples(st.just("plan"), st.sampled_from(PLANS)),
    st.tuples(st.just("day"), st.sampled_from([None, "2026-03-07", "2026-03-09", "2026-03-14"])),
    st.tuples(st.just("moment"), st.sampled_from([None, "2026-03-08T07:30:00Z", "2026-03-10T12:00:00Z"])),
    st.tuples(st.just("time_zone"), st.sampled_from([zone or None for zone in ZONES])),
)


class Truth(RuleBasedStateMachine):
    """One journey, and another that it may have people enter; four people; and everything that may befall them."""

    setting: ClassVar[Setting]

    def __init__(self) -> None:
        super().__init__()
        self.both = Both(self.setting)
        self.ground = self.both.held()
        self.ground.__enter__()
        self.kill: int | None = None
        self.workers = 1

    @initialize(random_=randoms)
    def begin(self, random_: random.Random) -> None:
        self.random = random_
        self.drawer = Drawer(random_, self.setting)
        self.both.begin("inner", self.drawer.definition(trigger={"kind": "manual", "chosen_by": "phi"}, inner=True))
        self.setting.inner_id = str(self.both.workflows["inner"].pk)
        self.both.begin("main", self.drawer.definition())
        self.both.add_people([drawn_person(random_) for _ in range(4)])
        self.settle()
        self.both.enter("main", 0)
        self.settle()

    def settle(self) -> None:
        self.both.settle(crash=self.kill, workers=self.workers)
        self.kill, self.workers = None, 1
        self.both.agree()

    # -- people --

    @rule(who=who)
    def enter(self, who: int) -> None:
        self.both.enter("main", who)
        self.settle()

    @rule(
        who=who, event=st.sampled_from(EVENTS), key=st.sampled_from(KEYS), said=said, ago=st.sampled_from([0, 0, 0, 90])
    )
    def event(self, who: int, event: str, key: str | None, said: dict[str, Any], ago: int) -> None:
        self.both.event(who, event, key, said, ago)
        self.settle()

    @rule(who=who, change=changes)
    def change(self, who: int, change: tuple[str, Any]) -> None:
        self.both.change(who, *change)
        self.settle()

    @rule(who=who, topic=st.sampled_from([None, 0, 1]), yes=st.booleans())
    def consent(self, who: int, topic: int | None, yes: bool) -> None:
        self.both.consent(who, topic, yes)
        self.settle()

    @rule(who=who, really=st.sampled_from([False, False, False, True]))
    def delete(self, who: int, really: bool) -> None:
        if really:
            self.both.delete(who)
            self.settle()

    # -- time --

    @rule(minutes=st.sampled_from(MINUTES))
    def later(self, minutes: int) -> None:
        self.both.now += timedelta(minutes=minutes)
        self.settle()

    @rule(minutes=st.sampled_from([1, 61, 600]))
    def earlier(self, minutes: int) -> None:
        self.both.now -= timedelta(minutes=minutes)
        self.settle()

    # -- other systems --

    @rule()
    def deliver(self) -> None:
        self.both.deliver()
        self.settle()

    @rule()
    def answer(self) -> None:
        self.both.answer()
        self.settle()

    # -- staff --

    @rule()
    def pause(self) -> None:
        self.both.pause("main")
        self.settle()

    @rule(how=st.sampled_from(["catch_up", "skip"]))
    @precondition(lambda self: "main" in self.both.world.journeys and self.both.world.journeys["main"].paused)
    def resume(self, how: str) -> None:
        self.both.resume("main", how)
        self.settle()

    @rule(random_=randoms)
    def move(self, random_: random.Random) -> None:
        if len(self.both.versions["main"]) < 3:
            journey = self.both.world.journeys["main"]
            definition = Drawer(random_, self.setting).definition(trigger=journey.live["trigger"])
            self.both.move("main", definition, drawn_plan(random_, journey.versions, definition))
            self.settle()

    # -- what may break --

    @rule(after=st.integers(0, 40))
    def crash(self, after: int) -> None:
        self.kill = after

    @rule()
    def at_once(self) -> None:
        self.workers = 3

    def teardown(self) -> None:
        try:
            self.both.close()
        finally:
            self.ground.__exit__(None, None, None)


def test_the_engine_and_the_interpreter_agree() -> None:
    Truth.setting = Setting()
    few = settings(
        max_examples=12,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Truth, settings=few)


def test_the_engine_does_what_the_simulator_foretold() -> None:
    setting, passed = Setting(), 0
    for seed in range(8):
        foretold, lived, definition = compared(setting, random.Random(seed), people=6)
        for who, trace in foretold.items():
            assert lived[who] == trace, definition
        passed += sum(map(len, foretold.values()))
    assert passed > 100
