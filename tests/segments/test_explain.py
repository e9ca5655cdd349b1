"""Why somebody is in or out: what held, what is known, and what would have to change."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import Entry
from contacts.models import Contact, Kind
from contacts.records import Coded
from core.actors import SYSTEM
from segments import commands, explaining
from segments.explain import Why, explain
from segments.rules import parse
from segments.sentence import Teller
from segments.tree import Group
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.segments import people as make
from tests.segments import reference
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule
from tests.segments.reference import Someone, World
from tests.segments.test_evaluate import framed, relaxed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def why(raw: dict[str, Any], person: Someone, world: World) -> Why:
    parsed = parse(raw, make.CATALOG)
    frame, context = framed(parsed, [person], world)
    return explain(parsed, frame, context, Teller(make.CATALOG, {}), lambda clause: "")


def leaves(found: Why) -> list[Why]:
    return [leaf for item in found.items for leaf in leaves(item)] or [found]


def turned(found: Why, flipped: set[int]) -> bool:
    """What the answer would be with these clauses (by their place among the leaves) turned out otherwise."""
    places = {id(leaf): n for n, leaf in enumerate(leaves(found))}

    def held(item: Why) -> bool:
        if not item.items:
            return item.held != (places[id(item)] in flipped)
        inside = [held(below) for below in item.items]
        if not isinstance(item.node, Group):
            return inside[0] == item.node.inside  # type: ignore[union-attr]
        return {"all": all(inside), "any": any(inside), "none": not any(inside)}[item.node.match]

    return held(found)


@settings(relaxed, max_examples=60)
@given(st.data())
def test_what_would_have_to_change_changes_the_answer_and_nothing_less_does(data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    person, raw = data.draw(make.people(world)), data.draw(make.rules(world))
    found = why(raw, person, world)
    assert found.held == reference.holds(raw, person, world)
    every = leaves(found)
    deciding = {n for n, leaf in enumerate(every) if leaf.decides}
    assert deciding
    assert turned(found, deciding) is not found.held
    for n in deciding:
        assert turned(found, deciding - {n}) is found.held
    if len(deciding) > 1:
        assert all(turned(found, {n}) is found.held for n in range(len(every)))
    assert len(found.deciding) == len(deciding)


def test_of_any_the_cheapest_way_and_of_all_what_is_missing() -> None:
    world = World(NOW, make.ZoneInfo("UTC"), make.KINDS)
    a, b, c, n = (
        {"attribute": "t", "op": "is", "value": "a"},
        {"attribute": "t", "op": "is", "value": "b"},
        {"attribute": "u", "op": "is", "value": "c"},
        {"attribute": "n", "op": "more_than", "value": 3},
    )
    raw = {"version": 2, "root": {"all": [n, {"any": [{"all": [b, c]}, {"none": [a]}]}]}}
    found = why(raw, Someone({"t": "a", "n": 2}), world)
    assert not found.held
    assert [one.says for one in found.deciding] == ["N is more than 3", "T is “a”"]


@pytest.mark.django_db
def test_a_real_person_is_explained_with_a_reason_and_a_line_in_the_trail() -> None:
    attribute("plan", Kind.CHOICE, "BCBS", "Aetna")
    inner = SegmentFactory(rule=rule(is_("plan", "BCBS")))
    (i,) = make_people(
        1,
        state="NY",
        plan="Aetna",
        birth_date="1990-06-02",
        time_zone="Asia/Kolkata",
        coded={"conditions": [Coded("E11.9", "Type 2 diabetes", "2020-03-01"), Coded("I10")]},
    )
    segment = commands.create(
        name="A",
        rule=rule(
            has("E11.*", when="active"),
            is_("state", "MA"),
            {"attribute": "birth_date", "op": "birthday_in_next", "value": {"months": 12}, "zone": "contact"},
            {"segment": str(inner.pk), "op": "in"},
            {"attribute": "phone", "op": "is_not_empty"},
        ),
        by=SYSTEM,
    )
    by = UserFactory()
    found = explaining.why(segment, Contact.objects.get(pk=i), reason="She asked why we wrote.", by=by)
    assert not found.held
    assert [(one.held, one.there) for one in found.items] == [
        (True, "E11.9 from 2020-03-01"),
        (False, "NY"),
        (True, "1990-06-02 (Asia/Kolkata)"),
        (False, ""),
        (False, "nothing is known"),
    ]
    assert [one.there for one in found.deciding] == ["NY", "Aetna", "nothing is known"]
    assert set(Entry.objects.filter(subject_id=i).values_list("action", flat=True)) >= {
        "contact.revealed",
        "segment.explained",
    }
