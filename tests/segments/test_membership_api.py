"""Memberships and snapshots for machines."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from audit.models import Entry
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from segments import commands, membership
from segments.models import Segment
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, has, is_, rule
from tests.segments.test_api import Machine

pytestmark = pytest.mark.django_db
IN_MA = rule(is_("state", "MA"))


@pytest.fixture
def machine(client: Client) -> Machine:
    return Machine(client)


def test_a_look_is_kept_and_listed(machine: Machine) -> None:
    make_people(3, state="MA")
    segment = SegmentFactory(rule=IN_MA)
    found = machine.ask("post", f"/{segment.pk}/memberships")
    assert (found["count"], found["entered"], found["revision"]) == (3, 0, 1)
    assert machine.ask("get", f"/{segment.pk}/memberships")["results"] == [found]


def test_without_small_cells_no_count_is_told(client: Client) -> None:
    make_people(3, state="MA")
    segment = SegmentFactory(rule=IN_MA)
    machine = Machine(client, "segments.view", "segments.edit")
    assert machine.ask("post", f"/{segment.pk}/memberships")["count"] is None
    [row] = machine.ask("get", f"/{segment.pk}/memberships")["results"]
    assert (row["count"], row["entered"], row["left"]) == (None, None, None)


def test_whether_somebody_was_in_is_said_to_who_may_reveal_and_kept_in_the_trail(client: Client) -> None:
    [inside], [outside] = make_people(1, state="MA"), make_people(1, state="NY")
    segment = SegmentFactory(rule=IN_MA)
    membership.refresh(segment)
    at, machine = clock.now().isoformat(), Machine(client, "contacts.reveal")
    asked = f"/{segment.pk}/was-in"
    assert machine.ask("post", asked, {"contact": str(inside), "at": at}) == {"inside": True}
    assert machine.ask("post", asked, {"contact": str(outside), "at": at}) == {"inside": False}
    early = (clock.now() - timedelta(days=1)).isoformat()
    assert machine.ask("post", asked, {"contact": str(inside), "at": early}, 404)["error"]["code"] == "not_kept"
    entries = Entry.objects.filter(action="segment.membership_asked", target_id=str(segment.pk))
    assert {entry.subject_id for entry in entries} == {inside, outside}
    Machine(client, "segments.view", "segments.edit").ask("post", asked, {"contact": str(inside), "at": at}, 403)


def test_people_are_put_into_a_list_by_what_they_are_known_by(client: Client) -> None:
    machine = Machine(client, "segments.view", "segments.edit", "contacts.view")
    [by_mail] = make_people(1, email="ann@example.com", external_id="A-1")
    [by_id] = make_people(1, email="bob@example.com", external_id="B-1")
    [third] = make_people(1)
    made = machine.ask("post", "/snapshots", {"name": "By hand", "tier": "special"}, 201)
    assert made["tier"] == "special"
    path = f"/{made['id']}/people"
    body = {"names": [" Ann@example.com", "A-1", "B-1", "C-1", "no@example.com"], "ids": [str(third), str(uuid4())]}
    assert machine.ask("post", path, body) == {"moved": 3, "unknown": ["C-1", "no@example.com"]}
    assert machine.ask("post", path, {"names": ["bob@example.com"], "remove": True}) == {"moved": 1, "unknown": []}
    kept = membership.newest(Segment.objects.get(pk=made["id"]))
    assert kept is not None
    assert set(kept.members) == set(membership.numbers_of([by_mail, third]))
    assert by_id
    Machine(client, "segments.edit").ask("post", path, {"names": ["A-1"]}, 403)
    refused = machine.ask("post", f"/{SegmentFactory().pk}/people", {"ids": [str(third)]}, 409)
    assert refused["error"]["code"] == "not_a_snapshot"


def test_a_snapshot_is_taken_of_a_rule_or_of_a_segment(machine: Machine) -> None:
    make_people(2, state="MA")
    segment = SegmentFactory(rule=IN_MA)
    for source in ({"rule": IN_MA}, {"segment": str(segment.pk)}):
        made = machine.ask("post", "/snapshots", {"name": "Then", **source}, 201)
        assert machine.ask("get", f"/{made['id']}/memberships")["results"][0]["count"] == 2
    machine.ask("post", "/snapshots", {"name": "Both", "rule": IN_MA, "segment": str(segment.pk)}, 400)


def test_a_segment_is_watched_and_says_where_it_is_used(machine: Machine) -> None:
    segment = SegmentFactory(rule=IN_MA)
    for _ in range(2):
        machine.ask("put", f"/{segment.pk}/watch", status=204)
    assert membership.due() == [segment.pk]
    machine.ask("delete", f"/{segment.pk}/watch", status=204)
    assert membership.due() == []
    assert machine.ask("get", f"/{segment.pk}/uses") == []


def test_putting_somebody_in_tells_nobody_what_they_have(client: Client) -> None:
    [ill] = make_people(1, coded={"conditions": [Coded("B20", "HIV", None)]})
    segment = commands.snapshot(rule(has("conditions", "B20")), name="Ill", by=SYSTEM)
    for scopes, status in ((["contacts.view"], 403), (["contacts.reveal"], 200)):
        machine = Machine(client, "segments.view", "segments.edit", *scopes)
        machine.ask("post", f"/{segment.pk}/people", {"ids": [str(ill)]}, status)
    [entry] = Entry.objects.filter(action="segment.people_added", target_id=str(segment.pk))
    assert (entry.details["named"], entry.details["people"]) == (1, 0)


def test_a_snapshot_is_counted_by_who_is_in_it(machine: Machine) -> None:
    [one] = make_people(1, state="NY")
    segment = commands.snapshot(IN_MA, name="Kept", by=SYSTEM)
    commands.add_people(segment, [one], by=SYSTEM)
    make_people(3, state="MA")
    assert machine.ask("post", f"/{segment.pk}/count")["count"] == 1
