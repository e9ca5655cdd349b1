"""A segment counts as what its rule asks counts today, however long ago it was saved."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from contacts import attributes
from contacts.models import Attribute, Kind
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from segments import catalog as catalogs
from segments import commands, queries
from segments.errors import IdentifiersWithHealth, PartTooSmall
from segments.models import Segment
from segments.rules import parse
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people
from tests.segments.factories import attribute, is_, rule

pytestmark = pytest.mark.django_db

IDENTITY, PHI = Sensitivity.IDENTITY, Sensitivity.PHI


@pytest.fixture
def program() -> Attribute:
    """Says nothing of anybody's health, as far as anybody knows."""
    return attribute("program", Kind.TEXT, sensitivity=IDENTITY)


@pytest.fixture
def chain(program: Attribute) -> list[Segment]:
    """A segment, one by way of it, and a snapshot of that."""
    make_people(20, program="diabetes", city=lambda i: "Boston" if i else "Ashfield")
    inner = commands.create(name="In the program", rule=rule(is_("program", "diabetes")), by=SYSTEM)
    outer = commands.create(name="By way of it", rule=by_way_of(inner), by=SYSTEM)
    return [inner, outer, commands.snapshot(outer.rule, name="Kept", by=SYSTEM)]


def by_way_of(segment: Segment, *more: dict[str, object]) -> dict[str, object]:
    return rule({"segment": str(segment.pk), "op": "in"}, *more)


def count_as(program: Attribute, sensitivity: Sensitivity) -> None:
    """What a raise does, and a lowering that a second person approved."""
    attributes.edit(program, label=program.label, sensitivity=sensitivity, by=SYSTEM)


def today(chain: list[Segment]) -> set[Sensitivity]:
    return {queries.tier_today(Segment.objects.get(pk=one.pk)) for one in chain} | {
        queries.tier_of(by_way_of(one)) for one in chain
    }


def test_what_a_segment_asks_counts_as_it_does_today_at_every_depth(chain: list[Segment], program: Attribute) -> None:
    assert today(chain) == {IDENTITY}
    count_as(program, PHI)
    assert today(chain) == {PHI}
    Attribute.objects.filter(pk=program.pk).update(sensitivity=Sensitivity.SPECIAL)
    assert today(chain) == {Sensitivity.SPECIAL}
    Attribute.objects.filter(pk=program.pk).update(sensitivity=IDENTITY)
    assert today(chain) == {IDENTITY}


def test_an_inner_rule_that_is_changed_counts_for_all_around_it(chain: list[Segment]) -> None:
    attribute("illness", Kind.TEXT, sensitivity=PHI)
    commands.edit(chain[0], name="Other", rule=rule(is_("illness", "x")), by=SYSTEM)
    assert today(chain) == {PHI}


def test_pages_and_the_api_say_the_tier_of_today(chain: list[Segment], program: Attribute) -> None:
    count_as(program, PHI)
    client, (_, headers) = Client(), api_token(["segments.view"])
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    listed = client.get(reverse("segments:list")).content.decode()
    assert listed.count(PHI.label) == 3
    for one in chain:
        page = client.get(reverse("segments:detail", args=[one.pk])).content.decode()
        assert f"{PHI.label}. Mail to this segment" in page
        assert client.get(f"/api/v1/segments/{one.pk}", headers=headers).json()["tier"] == "phi"
    found = client.get("/api/v1/segments", headers=headers).json()["results"]
    assert {one["tier"] for one in found} == {"phi"}


def test_counts_are_protected_as_health_from_the_day_it_is_health(chain: list[Segment], program: Attribute) -> None:
    inner, _, kept = chain
    lone = [by_way_of(one, is_("city", "Ashfield")) for one in (inner, kept)]
    names = [by_way_of(one, is_("last_name", "Smith")) for one in (inner, kept)]
    machine, _ = api_token(["segments.edit"])  # without contacts.reveal

    def ask(raw: object) -> None:
        catalog = catalogs.load()
        parsed = parse(raw, catalog)
        commands.permit(parsed, catalog, machine)
        commands.permit_beside_health(parsed, catalog, machine)

    for raw in [*lone, *names]:
        ask(raw)
    count_as(program, PHI)
    for raw in lone:
        with pytest.raises(PartTooSmall):
            ask(raw)
    for raw in names:
        with pytest.raises(IdentifiersWithHealth):
            ask(raw)


def test_a_snapshot_by_what_became_health_is_changed_only_by_who_may_reveal(
    chain: list[Segment], program: Attribute
) -> None:
    kept, people, (machine, _) = chain[2], make_people(2), api_token(["segments.edit"])
    assert commands.add_people(kept, people[:1], by=machine) == 1
    count_as(program, PHI)
    with pytest.raises(IdentifiersWithHealth):
        commands.add_people(kept, people[1:], by=machine)


def test_a_list_kept_by_hand_counts_as_it_was_said_to(program: Attribute) -> None:
    listed = commands.start_list(name="By hand", tier=PHI, by=SYSTEM)
    assert today([listed]) == {PHI}
    snapshot = commands.snapshot(rule(is_("program", "x")), name="Kept", by=SYSTEM)
    Segment.objects.filter(pk=snapshot.pk).update(tier=PHI)
    Attribute.objects.filter(pk=program.pk).update(removed_at=snapshot.created_at)
    assert today([snapshot]) == {PHI}  # what it was taken by makes no sense any more


def test_a_snapshot_does_not_say_less_because_something_of_its_rule_was_removed(program: Attribute) -> None:
    """Else whoever removes an attribute would do alone what takes two."""
    illness = attribute("illness", Kind.TEXT, sensitivity=PHI)
    by_one = commands.snapshot(rule(is_("program", "x"), is_("illness", "y")), name="One", by=SYSTEM)
    within = commands.create(name="Ill", rule=rule(is_("illness", "y")), by=SYSTEM)
    by_way = commands.snapshot(by_way_of(within, is_("program", "x")), name="By way of it", by=SYSTEM)
    attributes.remove(illness, by=SYSTEM)
    assert today([by_one, by_way]) == {PHI}


def test_a_snapshot_by_what_became_health_and_was_removed_counts_as_that(program: Attribute) -> None:
    branch = attribute("branch", Kind.TEXT, sensitivity=IDENTITY)
    taken = commands.snapshot(rule(is_("program", "x"), is_("branch", "y")), name="Kept", by=SYSTEM)
    attributes.remove(branch, by=SYSTEM)
    assert today([taken]) == {IDENTITY}
    count_as(program, PHI)
    assert today([taken]) == {PHI}
    attributes.remove(program, by=SYSTEM)
    assert today([taken]) == {PHI}


def test_a_snapshot_does_not_say_less_because_a_segment_it_was_taken_by_has_another_rule(program: Attribute) -> None:
    attribute("illness", Kind.TEXT, sensitivity=PHI)
    ill = commands.create(name="Ill", rule=rule(is_("illness", "y")), by=SYSTEM)
    taken = commands.snapshot(by_way_of(ill), name="Kept", by=SYSTEM)
    by_way = commands.snapshot(by_way_of(taken), name="By way of it", by=SYSTEM)
    commands.edit(ill, name="Ill", rule=rule(is_("program", "x")), by=SYSTEM)
    assert today([ill]) == {IDENTITY}
    assert today([taken, by_way]) == {PHI}
