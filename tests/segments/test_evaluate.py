"""The evaluator agrees with the slow one of tests/segments/reference.py on every operator and on whole rules."""

from typing import Any
from uuid import UUID

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.records import Coded, Record
from segments import frames
from segments.evaluate import Context, matches
from segments.operators import BY_KIND
from segments.rules import parse
from segments.schema import json_schema
from segments.sentence import sentence
from segments.tree import Engaged, TopicIs, clauses_of
from tests.segments import people as make
from tests.segments import reference
from tests.segments.reference import Someone, World

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def by_polars(raw: dict[str, Any], persons: list[Someone], world: World) -> list[bool]:
    rule = parse(raw, make.CATALOG)
    assert sentence(rule, make.CATALOG).endswith(".")
    records = [
        (UUID(int=n), Record(p.values, {k: [Coded(c, "", a, z) for c, a, z in e] for k, e in p.coded.items()}))
        for n, p in enumerate(persons)
    ]
    clauses = clauses_of(rule.root)

    def who(clause: dict[str, Any]) -> frozenset[bytes]:
        found = (n for n, p in enumerate(persons) if reference._clause(clause, p, world))
        return frozenset(UUID(int=n).bytes for n in found)

    topics = {c: who({"topic": str(c.topic), "op": c.state}) for c in clauses if isinstance(c, TopicIs)}
    engaged = {
        Engaged(c.event, True, c.mailing, c.days): who(
            {"event": c.event, "mailing": c.mailing and str(c.mailing), "days": c.days}
        )
        for c in clauses
        if isinstance(c, Engaged)
    }
    context = Context(world.now, world.zone, topics, engaged)
    return matches(rule, frames.frame(records, make.KINDS), context).to_list()


def agree(raw: dict[str, Any], persons: list[Someone], world: World) -> None:
    VALIDATOR.validate(raw)
    assert by_polars(raw, persons, world) == [reference.holds(raw, p, world) for p in persons]


@settings(relaxed, max_examples=120)
@given(st.data())
def test_whole_rules_agree_with_the_reference(data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    persons = data.draw(st.lists(make.people(world), min_size=1, max_size=6))
    agree(data.draw(make.rules(world)), persons, world)


EVERY = [(key, op.name) for key, kind in make.KINDS.items() if key not in ("u", "l") for op in BY_KIND[kind]]


@pytest.mark.parametrize(("key", "op"), EVERY, ids=str)
@settings(relaxed, max_examples=15)
@given(data=st.data())
def test_each_operator_agrees_with_the_reference(key: str, op: str, data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    persons = data.draw(st.lists(make.people(world), min_size=2, max_size=8))
    condition = data.draw(make.conditions(world, key, op))
    agree({"version": 1, "root": {"all": [condition]}}, persons, world)


def test_nobody_and_empty_columns_are_no_special_case() -> None:
    world = World(make.datetime(2026, 11, 22, tzinfo=make.UTC), make.ZoneInfo("UTC"), make.KINDS)
    raw = {"version": 1, "root": {"none": [{"attribute": "k", "op": "has", "value": ["E11.*"], "when": "active"}]}}
    assert by_polars(raw, [], world) == []
    assert by_polars(raw, [Someone(), Someone()], world) == [True, True]
