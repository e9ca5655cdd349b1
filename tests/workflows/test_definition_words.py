"""How journeys read, the example of the document, and the graph under them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from contacts.models import Kind
from core.sensitivity import Sensitivity
from tests.segments.factories import SegmentFactory, attribute, is_, rule
from tests.workflows.factories import graph as drawn
from tests.workflows.factories import linear, mail, make_workflow, wait
from tests.workflows.test_checks import event_type
from workflows.language import checks, graph, parsing, words
from workflows.language.definition import Reentry, Span, to_json, ways_out
from workflows.language.names import Names
from workflows.step import Left, Note

pytestmark = pytest.mark.django_db
Json = dict[str, Any]


def read(step: Json, **more: Any) -> tuple[str, str]:
    definition = parsing.parse(drawn("a", {"a": step}, **more))
    return words.step_title(definition.steps["a"]), words.step_summary(definition.steps["a"], Names.load(definition))


def test_the_example_of_the_document_is_a_journey_nothing_is_wrong_with() -> None:
    text = (Path(settings.BASE_DIR) / "docs" / "workflows.md").read_text()
    found = re.search(r"```json\n(.+?)```", text, re.DOTALL)
    assert found
    definition = json.loads(found[1])
    event_type("appointment_booked", Sensitivity.PHI, day="date")
    event_type("appointment_cancelled")
    event_type("appointment_confirmed")
    made = mail()
    for step in definition["steps"].values():
        if step["kind"] == "mail":
            step |= {key: made[key] for key in ("template", "sender", "topic")}
    parsed = parsing.parse(definition)
    assert checks.check(parsed) == []
    assert graph.order(parsed) == ["until", "remind", "answer", "again"]
    assert parsing.parse(to_json(parsed)) == parsed


def test_every_kind_of_step_says_in_one_line_what_it_does() -> None:
    attribute("visit", Kind.DATETIME)
    attribute("plan", Kind.TEXT)
    event_type(when="date")
    segment, other = SegmentFactory(name="Diabetes"), make_workflow(name="Welcome")
    ma = rule(is_("state", "MA"))
    by_event = {"kind": "event", "event": "booked"}
    assert read(wait(weeks=1, days=2, minutes=5)) == ("Wait", "1 week, 2 days and 5 minutes")
    assert read({**wait(days=1), "name": "Let them rest"}) == ("Let them rest", "1 day")
    until = {"kind": "wait_until", "moment": {"attribute": "visit", "days": -3, "at": "10:00"}}
    assert read(until) == ("Wait for a date", "3 days before Visit at 10:00")
    until = {"kind": "wait_until", "moment": {"property": "when", "days": 1, "at": "09:00"}}
    assert read(until, trigger=by_event)[1] == "1 day after “when” of the event at 09:00"
    until = {"kind": "wait_until", "moment": {"attribute": "visit", "minutes": -90}}
    assert read(until)[1] == "1 hour and 30 minutes before Visit"
    weekday = {"kind": "wait_weekday", "weekdays": [0, 1, 2, 3, 4], "at": "10:00"}
    assert read(weekday) == ("Wait for a weekday", "Monday to Friday at 10:00")
    assert read({**weekday, "weekdays": [5, 0]})[1] == "Monday or Saturday at 10:00"
    assert read({"kind": "wait_event", "event": "BOOKED"}) == ("Wait for an event", "Booked, at most 1 day")
    change = {"kind": "wait_event", "attribute": "plan", "becomes": ["gold", None]}
    assert read(change) == ("Wait for a change", "Plan changes to “gold” or empty, at most 1 day")
    assert read({"kind": "branch", "cases": [{"rule": ma}]})[1] == "People where State is “MA”."
    assert read({"kind": "branch", "cases": [{"rule": ma, "name": "In Massachusetts"}]})[1] == "In Massachusetts"
    assert read({"kind": "split", "shares": [{"percent": 33.5}, {"percent": 66.5}]})[1] == "33.5 % / 66.5 %"
    assert read({"kind": "set_attribute", "attribute": "plan", "value": "gold"})[1] == "Plan to “gold”"
    assert read({"kind": "set_attribute", "attribute": "plan"}) == ("Clear an attribute", "Plan")
    assert read({"kind": "set_attribute"}) == ("Set an attribute", "no attribute chosen yet")
    assert read({"kind": "branch", "cases": [{"rule": None}]})[1] == "No rule yet"
    undated = {"kind": "wait_until", "moment": {"days": -1, "at": "10:00"}}
    assert read(undated)[1] == "1 day before a date not chosen yet at 10:00"
    assert read({"kind": "list", "segment": str(segment.pk), "change": "remove"}) == ("Take off a list", "“Diabetes”")
    assert read({"kind": "enter", "workflow": str(other.pk)}) == ("Enter another journey", "“Welcome”")
    assert read({"kind": "tell", "role": "marketer", "text": "Call"})[1] == "Everybody of role marketer: Call"
    assert read({"kind": "mail"}) == ("Send a mail", "No template chosen yet")
    assert read({"kind": "goal", "rule": ma})[1] == "People where State is “MA”."
    assert read({"kind": "end"}) == ("End", "They leave the journey")
    gone = {"kind": "wait_until", "moment": {"attribute": "shoe"}}
    assert read(gone)[1] == "On shoe"


def test_every_way_out_and_every_note_has_a_word() -> None:
    steps = [
        {"kind": "mail"}, {"kind": "wait_until"}, {"kind": "wait_event"}, {"kind": "webhook"}, {"kind": "goal"},
        {"kind": "branch", "cases": [{"rule": None, "name": "Young"}, {"rule": None}]},
        {"kind": "branch_mail", "cases": ["clicked", "failed"]},
        {"kind": "split", "shares": [{"percent": 50, "name": "A"}, {"percent": 50}]},
    ]  # fmt: skip
    found = parsing.parse({"steps": {str(n): step for n, step in enumerate(steps)}}).steps.values()
    said = [[words.way_label(step, way) for way in ways_out(step)] for step in found]
    assert said == [
        ["Sent", "Not sent"],
        ["At that time", "No date, or past"],
        ["Happened", "Not within 1 day"],
        ["Done", "Failed"],
        ["Not reached"],
        ["Young", "Rule 2", "Everybody else"],
        ["Clicked", "Failed", "Everybody else"],
        ["50 % A", "50 %"],
    ]
    assert all(words.note_label(note) for note in Note if note != Note.CHOSEN)
    assert all(words.left_label(left) and words.note_label(left) for left in Left)
    assert words.note_label("no such note") == words.left_label("") == ""


def test_why_somebody_took_a_way_is_the_clause_that_held() -> None:
    definition = parsing.parse({"steps": {"b": {"kind": "branch", "cases": [{"rule": rule(is_("state", "MA"))}]}}})
    names = Names.load(definition)
    assert words.way_reason(definition.steps["b"], "1", names) == "People where State is “MA”."
    assert words.way_reason(definition.steps["b"], "else", names) == "None of the rules held."


def test_triggers_exits_and_entering_again_read() -> None:
    event_type(place="text")
    topic = mail()["topic"]
    definition = parsing.parse(
        linear(
            wait(),
            trigger={"kind": "event", "event": "booked", "where": [{"property": "place", "values": ["A", True, 2]}]},
            exits=[{"kind": "unsubscribed"}, {"kind": "event", "event": "booked"}],
        )
    )
    names = Names.load(definition)
    assert words.trigger_title(definition.trigger) == "An event happens"
    assert words.trigger_summary(definition.trigger, names) == "Booked, place is “A”, yes or 2"
    assert words.exit_label(definition.exits[1], names) == "Booked happens, about the one they entered for"
    consent = parsing.parse({"trigger": {"kind": "consent", "topic": topic, "change": "withdrawn"}}).trigger
    assert words.trigger_title(consent) == "Consent withdrawn"
    assert words.trigger_summary(consent, names).startswith("Diabetes programme")
    assert words.reentry_label(Reentry("after_days", 1)).startswith("Again 1 day after")
    assert words.span(Span()) == "no time"
    every = ["segment", "attribute", "date", "event", "consent", "engaged", "sent", "manual"]
    parts: Json = {
        "segment": {"segment": topic}, "attribute": {"attribute": "x"}, "date": {"moment": {"attribute": "x"}},
        "event": {"event": "x"}, "consent": {"topic": topic}, "engaged": {"event": "opened"},
        "sent": {"mailing": topic}, "manual": {},
    }  # fmt: skip
    for kind in every:
        trigger = parsing.parse({"trigger": {"kind": kind, **parts[kind]}}).trigger
        assert words.trigger_title(trigger)
        assert words.trigger_summary(trigger, names)


def test_steps_are_read_in_an_order_that_follows_the_ways() -> None:
    steps = {
        "z": {"kind": "branch", "exits": {"else": "b"}, "cases": [{"rule": None}]},
        "b": {**wait(), "exits": {"next": "c"}},
        "c": {**wait(), "exits": {"next": "z"}},
        "alone": {**wait(), "exits": {"next": "c"}},
    }
    steps["z"]["exits"]["1"] = "c"
    definition = parsing.parse(drawn("z", steps))
    assert graph.order(definition) == ["z", "b", "c", "alone"]
    assert graph.drawn(definition) == [
        ("z", "1", "c"), ("z", "else", "b"), ("b", "next", "c"), ("c", "next", "z"), ("alone", "next", "c"),
    ]  # fmt: skip
    assert graph.before_step(graph.edges(definition), "b") == {"z", "c", "b", "alone"}
    assert graph.after_step(graph.edges(definition), "alone") == {"c", "z", "b"}
