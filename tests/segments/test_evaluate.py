"""The evaluator agrees with the slow one of tests/segments/reference.py on every operator and on whole rules."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.records import Coded, Record
from segments import columns
from segments.columns import Numbers
from segments.evaluate import Context, matches
from segments.operators import BY_KIND
from segments.rules import parse
from segments.schema import json_schema
from segments.sentence import sentence
from segments.tree import Clause, Engaged, InSegment, Rule, TopicIs, asked_of_facts
from tests.segments import people as make
from tests.segments import reference
from tests.segments.reference import Someone, World

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def raw_of(clause: Engaged | TopicIs) -> dict[str, Any]:
    """A clause that facts answer, as the spec writes it."""
    if isinstance(clause, TopicIs):
        return {"topic": str(clause.topic), "op": clause.state}
    raw: dict[str, Any] = {"event": clause.event, "op": "did", "times": {"at_least": clause.times.count}}
    raw["mailing"] = "last" if clause.last else clause.mailing and str(clause.mailing)
    raw["of_topic"] = clause.topic and str(clause.topic)
    raw["link"] = clause.link
    if clause.span is not None:
        raw["when"] = {"in_last": {clause.span.unit: clause.span.count}}
    if clause.first is not None and clause.second is not None:
        ends = {
            name: end.isoformat() if isinstance(end, date) else {end.unit: end.count}
            for name, end in (("from", clause.first), ("to", clause.second))
        }
        raw["when"] = {"between": ends}
    return raw


def framed(rule: Rule, persons: list[Someone], world: World) -> tuple[columns.Frame, Context]:
    records = [
        (
            p.number,
            UUID(int=n),
            Record(p.values, {k: [Coded(c, "", a, z) for c, a, z in e] for k, e in p.coded.items()}),
        )
        for n, p in enumerate(persons)
    ]
    sets: dict[Clause, Numbers] = {}
    for c in asked_of_facts(rule):
        if isinstance(c, InSegment):
            sets[c] = Numbers.of(world.segments[str(c.segment)])
        elif isinstance(c, TopicIs | Engaged):
            raw = raw_of(c)
            sets[c] = Numbers.of([p.number for p in persons if reference._clause(raw, p, world)])
    return columns.of_people(records, make.KINDS), Context(world.now, world.zone, sets)


def by_columns(raw: dict[str, Any], persons: list[Someone], world: World) -> list[bool]:
    rule = parse(raw, make.CATALOG)
    assert sentence(rule, make.CATALOG).endswith(".")
    for n, person in enumerate(persons):
        person.number = person.number * 16 + n  # each has one of their own
    frame, context = framed(rule, persons, world)
    found: list[bool] = matches(rule, frame, context).tolist()
    return found


def agree(raw: dict[str, Any], persons: list[Someone], world: World) -> None:
    VALIDATOR.validate(raw)
    assert by_columns(raw, persons, world) == [reference.holds(raw, p, world) for p in persons]


@settings(relaxed, max_examples=60)
@given(st.data())
def test_whole_rules_agree_with_the_reference(data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    persons = data.draw(st.lists(make.people(world), min_size=1, max_size=6))
    agree(data.draw(make.rules(world)), persons, world)


EVERY = [
    (key, op.name) for key, kind in make.KINDS.items() if key not in ("u", "l", "time_zone") for op in BY_KIND[kind]
]


EVERY += [
    (what, f"{n}") for what in ("topic", "event", "sample", "segment") for n in range(4 if what == "event" else 1)
]


@pytest.mark.parametrize(("key", "op"), EVERY, ids=str)
@settings(relaxed, max_examples=8)
@given(data=st.data())
def test_each_operator_agrees_with_the_reference(key: str, op: str, data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    persons = data.draw(st.lists(make.people(world), min_size=2, max_size=8))
    condition = data.draw(make.conditions(world, key, op))
    agree({"version": 2, "root": {"all": [condition]}}, persons, world)


#: (today, operator, value, the person's day, whether it holds): the days on which calendars go wrong.
EDGES = [
    ("2026-02-28", "age_between", {"from": 18, "to": 18}, "2008-02-29", True),
    ("2026-02-27", "age_between", {"from": 18, "to": 18}, "2008-02-29", False),
    ("2028-02-28", "age_between", {"from": 20, "to": 20}, "2008-02-29", False),
    ("2028-02-29", "age_between", {"from": 20, "to": 20}, "2008-02-29", True),
    ("2100-02-28", "age_between", {"from": 92, "to": 92}, "2008-02-29", True),
    ("2026-06-02", "age_between", {"from": 0, "to": 0}, "2026-06-02", True),
    ("2026-06-02", "age_between", {"from": 0, "to": 0}, "2026-06-03", False),
    ("2026-06-02", "age_between", {"from": 0, "to": 0}, "2025-12-31", True),
    ("2026-06-02", "age_between", {"from": 50, "to": 74}, "1976-06-02", True),
    ("2026-06-02", "age_between", {"from": 50, "to": 74}, "1976-06-03", False),
    ("2026-06-02", "age_between", {"from": 50, "to": 74}, "1951-06-03", True),
    ("2026-06-02", "age_between", {"from": 50, "to": 74}, "1951-06-02", False),
    ("2026-02-28", "birthday_in_next", {"days": 0}, "2008-02-29", True),
    ("2028-02-28", "birthday_in_next", {"days": 0}, "2008-02-29", False),
    ("2028-02-28", "birthday_in_next", {"days": 1}, "2008-02-29", True),
    ("2026-12-30", "birthday_in_next", {"days": 3}, "1990-01-02", True),
    ("2026-12-30", "birthday_in_next", {"days": 2}, "1990-01-02", False),
    ("2026-03-01", "birthday_in_next", {"days": 364}, "2008-02-29", True),
    ("2026-03-01", "birthday_in_next", {"days": 363}, "2008-02-29", False),
    ("2026-03-01", "birthday_in_next", {"days": 10}, "2027-03-02", False),
    ("2026-03-01", "in_last", {"days": 0}, "2026-03-01", True),
    ("2026-03-01", "in_last", {"days": 1}, "2026-02-27", False),
    ("2024-03-01", "in_last", {"days": 1}, "2024-02-29", True),
    ("2026-03-01", "in_next", {"days": 1}, "2026-03-02", True),
    ("2026-03-01", "in_next", {"days": 1}, "2026-03-03", False),
    ("2026-03-01", "ago", {"days": 365}, "2025-03-01", True),
    ("2024-03-01", "ago", {"days": 366}, "2023-03-01", True),
    ("2026-03-01", "ahead", {"days": 0}, "2026-03-01", True),
    ("2026-03-01", "more_than_ago", {"days": 1}, "2026-02-28", False),
    ("2026-03-01", "more_than_ago", {"days": 1}, "2026-02-27", True),
    ("2026-03-01", "before", {"days": 0}, "2026-03-01", False),
    ("2026-03-01", "after", {"days": -1}, "2026-03-01", True),
    ("2026-03-01", "between", {"from": {"days": 0}, "to": "2026-03-01"}, "2026-03-01", True),
    ("2026-03-01", "between", {"from": {"days": 1}, "to": "2026-03-01"}, "2026-03-01", False),
    ("2026-03-31", "ago", {"months": 1}, "2026-02-28", True),
    ("2024-03-31", "ago", {"months": 1}, "2024-02-29", True),
    ("2026-01-31", "ahead", {"months": 1}, "2026-02-28", True),
    ("2024-02-29", "ago", {"years": 1}, "2023-02-28", True),
    ("2024-02-29", "ahead", {"years": 4}, "2028-02-29", True),
    ("2026-03-31", "in_last", {"months": 1}, "2026-02-27", False),
    ("2026-03-31", "more_than_ago", {"months": 1}, "2026-02-27", True),
    ("2026-03-30", "more_than_ago", {"months": 1}, "2026-02-28", False),
    ("2026-05-31", "in_next", {"months": 1}, "2026-06-30", True),
    ("2026-05-31", "in_next", {"months": 1}, "2026-07-01", False),
    ("2026-05-31", "more_than_ahead", {"months": 1}, "2026-07-01", True),
    ("2026-03-15", "in_last", {"weeks": 2}, "2026-03-01", True),
    ("2026-03-15", "in_last", {"weeks": 2}, "2026-02-28", False),
    ("2026-02-01", "birthday_this_month", None, "2008-02-29", True),
    ("2026-02-28", "birthday_this_month", None, "2008-03-01", False),
    ("2026-02-01", "birthday_this_month", None, "2026-02-02", False),
    ("2026-11-22", "weekday", ["sunday"], "2026-11-22", True),
    ("2026-11-22", "weekday", ["monday", "saturday"], "1969-12-27", True),
    ("2026-11-22", "weekday", ["monday"], "1969-12-27", False),
    ("2026-06-02", "age_at_least", 18, "2008-06-02", True),
    ("2026-06-02", "age_at_least", 18, "2008-06-03", False),
    ("2026-06-02", "age_at_most", 17, "2008-06-03", True),
    ("2026-06-02", "age_at_most", 17, "2026-06-03", False),
]


def holds(clause: dict[str, Any], person: Someone, now: datetime, zone: str = "UTC") -> bool:
    """What both evaluators say of one clause."""
    world = World(now, ZoneInfo(zone), make.KINDS)
    raw = {"version": 2, "root": {"all": [clause]}}
    agree(raw, [person], world)
    return reference.holds(raw, person, world)


@pytest.mark.parametrize(("today", "op", "value", "day", "expected"), EDGES)
def test_days_at_their_edges(today: str, op: str, value: Any, day: str, expected: bool) -> None:
    now = datetime.fromisoformat(today).replace(hour=12, tzinfo=UTC)
    clause = {"attribute": "d", "op": op} | ({} if value is None else {"value": value})
    assert holds(clause, Someone({"d": day}), now) is expected


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-03-08T04:59:59Z", "America/New_York", "2026-03-07"),
        ("2026-03-08T05:00:00Z", "America/New_York", "2026-03-08"),
        ("2026-03-09T03:59:59Z", "America/New_York", "2026-03-08"),  # the day of 23 hours
        ("2026-11-02T04:59:59Z", "America/New_York", "2026-11-01"),  # the day of 25 hours
        ("2006-10-29T02:30:30Z", "America/St_Johns", "2006-10-29"),  # a minute later it was the 28th again
        ("2006-10-29T02:31:30Z", "America/St_Johns", "2006-10-28"),
        ("2026-11-22T10:00:00Z", "Pacific/Kiritimati", "2026-11-23"),
        ("2026-11-22T10:59:59Z", "Pacific/Pago_Pago", "2026-11-21"),
        ("2026-11-21T18:30:00Z", "Asia/Kolkata", "2026-11-22"),
    ],
)
def test_a_moment_is_the_day_it_was_where_the_organization_is(moment: str, zone: str, day: str) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert holds({"attribute": "m", "op": "is", "value": day}, Someone({"m": moment}), now, zone)


#: (codes, when, the person's entries, whether "has" holds) on 22 November 2026.
ENTRIES = [
    (["E11.*"], "ever", [("E11", None, None)], True),
    (["E11.*"], "ever", [("E11.65", None, None)], True),
    (["E11.*"], "ever", [("E110", None, None)], False),
    (["E11*"], "ever", [("E110", None, None)], True),
    (["e11.9"], "ever", [("E11.9", None, None)], True),
    (["E11.9"], "ever", [("E11.91", None, None)], False),
    (["E11"], "active", [("E11", None, None)], True),
    (["E11"], "active", [("E11", "2026-11-22", "2026-11-22")], True),
    (["E11"], "active", [("E11", "2026-11-23", None)], False),
    (["E11"], "active", [("E11", None, "2026-11-21")], False),
    (["E11"], "active", [("I10", None, None), ("E11", None, "2026-11-21")], False),
    (["E11"], {"in_last": {"days": 1}}, [("E11", None, "2026-11-21")], True),
    (["E11"], {"in_last": {"days": 1}}, [("E11", None, "2026-11-20")], False),
    (["E11"], {"in_last": {"days": 30}}, [("E11", "2026-11-20", "2026-11-10")], False),  # stopped before it started
    (["E11"], {"in_last": {"days": 30}}, [("E11", "2020-01-01", None)], True),
    (["E11"], {"started_in_last": {"days": 30}}, [("E11", "2020-01-01", None)], False),
    (["E11"], {"started_in_last": {"days": 30}}, [("E11", None, None)], False),
    (["E11"], {"started_in_last": {"days": 0}}, [("E11", "2026-11-22", None)], True),
    (["E11"], {"started_in_last": {"days": 9}}, [("E11", "2026-11-23", None)], False),
    (["E11"], {"between": {"from": "2025-01-01", "to": "2025-12-31"}}, [("E11", "2025-12-31", None)], True),
    (["E11"], {"between": {"from": "2025-01-01", "to": "2025-12-31"}}, [("E11", "2026-01-01", None)], False),
    (["E11"], {"between": {"from": {"days": 5}, "to": "2026-11-22"}}, [("E11", "2020-01-01", None)], False),
    (["E11"], "ever", [], False),
]


@pytest.mark.parametrize(("codes", "when", "entries", "expected"), ENTRIES)
def test_entries_of_lists_at_their_edges(codes: list[str], when: Any, entries: list[Any], expected: bool) -> None:
    now, person = datetime(2026, 11, 22, 12, tzinfo=UTC), Someone(coded={"k": entries})
    for op, answer in (("has", expected), ("has_none", not expected)):
        assert holds({"attribute": "k", "op": op, "value": codes, "when": when}, person, now) is answer


@pytest.mark.parametrize(
    ("op", "value", "held", "expected"),
    [
        ("is", "STRASSE", "strasse", True),
        ("is", "É", "E\u0301", True),
        ("contains", "fi", "\ufb01n", True),
        ("contains", "%", "a_b", False),
        ("contains", ".*", "abc", False),
        ("is_not", "a", "b", True),
        ("is_not", "a", None, False),
        ("is_not", "a", "", False),
        ("does_not_contain", "a", None, False),
        ("not_one_of", ["a"], None, False),
        ("is_empty", None, "", True),
        ("is_empty", None, None, True),
        ("is_not_empty", None, " ", True),
    ],
)
def test_texts_and_missing_values(op: str, value: Any, held: str | None, expected: bool) -> None:
    clause = {"attribute": "t", "op": op} | ({} if value is None else {"value": value})
    person = Someone({} if held is None else {"t": held})
    assert holds(clause, person, datetime(2026, 11, 22, tzinfo=UTC)) is expected


def test_nobody_and_empty_columns_are_no_special_case() -> None:
    world = World(datetime(2026, 11, 22, tzinfo=UTC), ZoneInfo("UTC"), make.KINDS)
    raw = {"version": 2, "root": {"none": [{"attribute": "k", "op": "has", "value": ["E11.*"], "when": "active"}]}}
    assert by_columns(raw, [], world) == []
    assert by_columns(raw, [Someone(), Someone()], world) == [True, True]
