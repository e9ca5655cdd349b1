"""A journey, or a circle of them, that would let the same person in again and again at one moment is refused."""

from typing import Any

import pytest

import segments.commands as segments
from contacts.models import Kind
from core.sensitivity import Sensitivity
from segments.models import Segment
from tests.segments.factories import attribute
from tests.workflows.factories import (
    SegmentFactory,
    branch,
    end,
    graph,
    linear,
    make_draft,
    make_people,
    make_workflow,
    marketer,
    place,
    publish,
    rule,
    wait,
)
from workflows import event_types, steering
from workflows.language import checks, parsing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
Json = dict[str, Any]
AGAIN = {"reentry": {"kind": "after_leaving"}, "exits": []}
ROUND = "round and round"


@pytest.fixture(autouse=True)
def _values() -> None:
    for key in ("keen", "mood"):
        attribute(key, Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    attribute("visit", Kind.DATE)
    event_types.declare(name="booked", by=marketer())


def sets(value: object, key: str = "keen") -> Json:
    return {"kind": "set_attribute", "attribute": key, "value": value}


def changes(*becomes: object, key: str = "keen", was: tuple[object, ...] = ()) -> Json:
    return {"kind": "attribute", "attribute": key, "was": list(was), "becomes": list(becomes)}


def refused(definition: Json, workflow: Workflow | None = None) -> list[str]:
    found = checks.errors(parsing.parse(definition), workflow=workflow)
    assert all(ROUND in problem.text for problem in found), found
    return [problem.step for problem in found]


TO_AND_FRO = (sets("no"), sets("yes"))


@pytest.mark.parametrize(
    ("trigger", "steps", "steps_refused"),
    [
        (changes(), TO_AND_FRO, ["s1", "s2"]),
        (changes("yes"), TO_AND_FRO, ["s2"]),
        (changes("YES"), TO_AND_FRO, ["s2"]),  # as people see it
        (changes("yes", was=("no",)), TO_AND_FRO, ["s2"]),
        (changes("yes", was=("maybe",)), TO_AND_FRO, []),
        (changes("maybe"), TO_AND_FRO, []),
        (changes(key="mood"), TO_AND_FRO, []),
        (changes(), (sets("no"),), []),  # a second time it is no change
        (changes("yes"), (sets("yes"),), []),
        (changes(None), (sets("no"), sets(None)), ["s2"]),
        (changes(), (wait(minutes=1), *TO_AND_FRO), []),
        (changes(), (sets("no"), wait(minutes=1), sets("yes")), []),
        (changes(), (*TO_AND_FRO, wait(minutes=1)), []),  # whoever is on it does not enter
        (changes(), (*TO_AND_FRO, {"kind": "wait_event", "event": "booked"}), []),
        (changes(), (*TO_AND_FRO, {"kind": "wait_event", "attribute": "keen"}), ["s1", "s2"]),
        ({"kind": "date", "moment": {"attribute": "visit", "at": "10:00"}, "late": "enter"}, (
            sets("2030-01-01", "visit"), sets(None, "visit")), ["s1"]),
        ({"kind": "date", "moment": {"attribute": "visit", "at": "10:00"}}, (
            sets("2030-01-01", "visit"), sets(None, "visit")), []),
        ({"kind": "manual"}, TO_AND_FRO, []),
    ],
)  # fmt: skip
def test_what_a_journey_sets_itself(trigger: Json, steps: tuple[Json, ...], steps_refused: list[str]) -> None:
    made = linear(*steps, trigger=trigger, **AGAIN)
    assert refused(made) == steps_refused
    assert refused({**made, "reentry": {"kind": "never"}}) == []
    assert refused({**made, "reentry": {"kind": "after_days", "days": 1}}) == []


def test_ways_that_wait_are_told_from_those_that_do_not() -> None:
    """Whoever is keen waits before they leave; the others go round."""
    steps = {
        "a": {**branch(rule({"attribute": "mood", "op": "is", "value": "good"})), "exits": {"1": "b", "else": "c"}},
        "b": {**sets("yes"), "exits": {"next": "w"}},
        "w": {**wait(days=1), "exits": {"next": "z"}},
        "c": {**sets("no"), "exits": {"next": "d"}},
        "d": {**sets("perhaps"), "exits": {"next": "z"}},
        "z": end(),
    }
    whole = graph("a", steps, trigger=changes(), **AGAIN)
    assert refused(whole) == ["c", "d"]
    goal = {"kind": "goal", "rule": rule({"attribute": "keen", "op": "is", "value": "yes"})}
    assert refused({**whole, "exits": [goal]}) == ["b", "c", "d"]  # the goal takes them out at the wait


def test_a_list_that_a_journey_changes_itself() -> None:
    kept, other = (segments.start_list(name=name, by=marketer()) for name in ("Keen", "Other"))

    def puts(how: str, on: Any = kept) -> Json:
        return {"kind": "list", "segment": str(on.pk), "change": how}

    def of(change: str, *steps: Json) -> list[str]:
        return refused(linear(*steps, trigger={"kind": "segment", "segment": str(kept.pk), "change": change}, **AGAIN))

    assert of("enters", puts("remove"), puts("add")) == ["s2"]
    assert of("leaves", puts("remove"), puts("add")) == ["s1"]
    assert of("enters", puts("remove")) == of("enters", puts("add")) == []
    assert of("enters", puts("remove"), puts("add", other)) == []


def test_a_segment_by_a_rule_lets_in_where_it_answers_otherwise_by_what_is_set() -> None:
    kept = segments.start_list(name="Kept", by=marketer())
    keen = SegmentFactory(rule=rule({"attribute": "keen", "op": "is", "value": "yes"}))
    within = SegmentFactory(rule=rule({"segment": str(keen.pk), "op": "in"}, {"segment": str(kept.pk), "op": "in"}))

    def by(segment: Segment, change: str, *steps: Json) -> Json:
        return linear(*steps, trigger={"kind": "segment", "segment": str(segment.pk), "change": change}, **AGAIN)

    assert refused(by(within, "enters", sets("no"))) == []
    assert refused(by(within, "enters", sets("no"), sets("perhaps"))) == []
    assert refused(by(within, "enters", sets("no", "mood"), sets("yes", "mood"))) == []
    puts = [{"kind": "list", "segment": str(kept.pk), "change": change} for change in ("remove", "add")]
    assert refused(by(within, "enters", puts[0])) == []
    make_workflow(by(within, "leaves", sets("yes"), puts[1]))
    assert refused(by(keen, "enters", sets("no"))) == ["s1"]
    assert refused(by(within, "enters", sets(None))) == ["s1"]
    assert refused(by(within, "enters", puts[0])) == ["s1"]
    assert refused(by(keen, "enters", sets("no", "mood"))) == []
    assert refused(by(keen, "enters", wait(minutes=1), sets("no"))) == []


@pytest.mark.parametrize(
    ("kind", "values", "clause", "steps_refused"),
    [
        (Kind.DATE, ("2026-01-01", "2030-01-01"), {"op": "before", "value": "2028-01-01"}, ["s1", "s2"]),
        (Kind.DATE, ("2026-01-01", "2026-01-02"), {"op": "before", "value": "2028-01-01"}, []),
        (Kind.DATETIME, ("2026-01-01T10:00:00Z", None), {"op": "before", "value": "2028-01-01"}, ["s1", "s2"]),
        (Kind.NUMBER, (1, 5), {"op": "at_least", "value": 3}, ["s1", "s2"]),
        (Kind.NUMBER, (4, 5), {"op": "at_least", "value": 3}, []),
        (Kind.BOOLEAN, (True, False), {"op": "is", "value": True}, ["s1", "s2"]),
        (Kind.TEXT, ("a", None), {"op": "is_empty"}, ["s1", "s2"]),
        (Kind.DATE, ("never", 7), {"op": "before", "value": "2028-01-01"}, None),
        (Kind.CODED, ("a", "b"), {"op": "is_empty"}, None),
    ],
)
def test_values_of_every_kind_are_asked_of_the_rule(
    kind: Kind, values: tuple[Any, ...], clause: Json, steps_refused: list[str] | None
) -> None:
    attribute("held", kind, sensitivity=Sensitivity.IDENTITY)
    group = SegmentFactory(rule=rule({"attribute": "held", **clause}))
    trigger = {"kind": "segment", "segment": str(group.pk)}
    made = parsing.parse(linear(*(sets(value, "held") for value in values), trigger=trigger, **AGAIN))
    found = checks.errors(made)
    if steps_refused is None:  # values it cannot have are said to be such, and asked nothing
        assert {problem.field for problem in found} == {"value"}
    else:
        assert [problem.step for problem in found if ROUND in problem.text] == steps_refused
        assert len(found) == len(steps_refused), found


def test_a_circle_of_journeys_is_refused_for_whichever_is_published_last() -> None:
    back = make_workflow(linear(sets("yes"), trigger=changes("no"), **AGAIN), name="Back again")
    forth = linear(sets("no"), trigger=changes("yes"), **AGAIN)
    assert refused(forth) == ["s1"]
    (problem,) = checks.errors(parsing.parse(forth), workflow=make_draft())
    assert "“Back again”" in problem.text
    assert refused(linear(sets("no"), trigger=changes("maybe"), **AGAIN)) == []
    assert refused(linear(wait(hours=1), sets("no"), trigger=changes("yes"), **AGAIN)) == []
    assert refused({**forth, "reentry": {"kind": "never"}}) == []
    place(back, make_people(1))  # who is still on the old version enters it no more
    publish(back, linear(sets("maybe"), trigger=changes("no"), **AGAIN))
    assert refused(forth) == []
    # By way of a third one, which sets something else, and one that people enter from there.
    make_workflow(linear(sets("good", "mood"), sets("bad", "mood"), trigger=changes("maybe"), **AGAIN))
    inner = make_workflow(linear(sets("yes"), **AGAIN))
    assert refused(forth) == []
    enter = {"kind": "enter", "workflow": str(inner.pk)}
    asking = linear(enter, trigger=changes("bad", key="mood"), **AGAIN)
    assert refused(asking) == []
    last = make_workflow(asking)
    assert refused(forth) == ["s1"]
    steering.stop(last, by=marketer())
    assert refused(forth) == []


def test_what_a_journey_was_before_is_in_no_circle_with_what_it_is_to_be() -> None:
    journey = make_workflow(linear(sets("no"), trigger=changes("yes"), **AGAIN))
    assert refused(linear(sets("yes"), trigger=changes("no"), **AGAIN), journey) == []
    assert refused(linear(sets("yes"), trigger=changes("no"), **AGAIN)) == ["s1"]
