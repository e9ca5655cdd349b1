"""Whose record does not open is no secret of the log: staff see it, once in the trail, until it opens again."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from contacts import commands, damaged, opening, tasks
from contacts.models import Contact, Damaged
from contacts.persons import Person
from core.actors import SYSTEM
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people

pytestmark = pytest.mark.django_db

#: What was sealed by nobody.
BROKEN = b"\x01" + bytes(300)
Committing = Callable[..., Any]


def client_of(role: Role) -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[role]))
    return client


def broken(*ids: UUID) -> dict[UUID, bytes]:
    """Damage these records; what they were."""
    rows = dict(Contact.objects.filter(pk__in=ids).values_list("pk", "sealed"))
    Contact.objects.filter(pk__in=ids).update(sealed=BROKEN)
    return rows


def everybody() -> list[int]:
    return list(Contact.objects.values_list("number", flat=True))


def told(action: str) -> list[UUID | None]:
    return list(Entry.objects.filter(action=action).values_list("subject_id", flat=True))


def test_whoever_cannot_be_read_is_shown_to_staff_once_and_until_it_opens_again(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    one, other, *_ = make_people(5)
    was = broken(one, other)
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            assert len(opening.readable(everybody())) == 3
    assert set(Damaged.objects.values_list("pk", flat=True)) == {one, other}
    assert sorted(told("contact.unreadable"), key=str) == sorted([one, other], key=str)
    for role in (Role.ADMINISTRATOR, Role.COMPLIANCE):
        client = client_of(role)
        home = client.get(reverse("home")).content.decode()
        assert "2 contacts cannot be read" in home
        assert reverse("contacts:damaged") in home
        page = client.get(reverse("contacts:damaged")).content.decode()
        assert all(reverse("contacts:detail", args=[pk]) in page for pk in (one, other))
        assert "a backup made before" in page
        assert "@example.com" not in page
    assert "cannot be read" not in client_of(Role.MARKETER).get(reverse("home")).content.decode()

    Contact.objects.filter(pk=one).update(sealed=was[one])
    tasks.look_at_damaged()
    assert list(Damaged.objects.values_list("pk", flat=True)) == [other]
    assert told("contact.readable") == [one]
    commands.delete(Contact.objects.get(pk=other), by=SYSTEM)
    tasks.look_at_damaged()
    assert not Damaged.objects.exists()
    assert told("contact.readable") == [one]
    assert "No damaged records" in client_of(Role.COMPLIANCE).get(reverse("contacts:damaged")).content.decode()


def test_what_is_known_costs_one_statement_and_writes_nothing(django_capture_on_commit_callbacks: Committing) -> None:
    ids = make_people(4)
    broken(*ids)
    with django_capture_on_commit_callbacks(execute=True):
        opening.readable(everybody())
    with (
        CaptureQueriesContext(connection) as ran,
        django_capture_on_commit_callbacks(execute=True) as jobs,
    ):
        damaged.found(ids)
    assert (len(ran), jobs) == (1, [])


def test_nobody_is_noted_whose_record_opens_and_no_more_than_can_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, *ids = make_people(4)
    broken(*ids)
    assert damaged.note([fine]) == 0
    monkeypatch.setattr(damaged, "MOST", 2)
    assert damaged.note(ids) == 2
    assert damaged.note(ids) == 0
    assert Damaged.objects.count() == len(told("contact.unreadable")) == 2


def test_one_damaged_record_breaks_no_list_and_can_be_looked_at_and_deleted(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    pk, fine = make_people(2)
    broken(pk)
    client, (_, headers) = client_of(Role.ADMINISTRATOR), api_token(["contacts.view"])
    with django_capture_on_commit_callbacks(execute=True):
        assert "Cannot be read" in client.get(reverse("contacts:list")).content.decode()
    assert told("contact.unreadable") == [pk]
    page = client.get(reverse("contacts:detail", args=[pk])).content.decode()
    assert "The record does not open" in page
    assert client.get(reverse("contacts:edit", args=[pk])).status_code == 302
    listed = client.get("/api/v1/contacts", headers=headers).json()["results"]
    assert {one["id"]: (one["damaged"], bool(one["values"])) for one in listed} == {
        str(pk): (True, False),
        str(fine): (False, True),
    }
    assert "does not open any more" in client.get(reverse("contacts:delete", args=[pk])).content.decode()
    assert client.post(reverse("contacts:delete", args=[pk])).status_code == 302
    assert not Contact.objects.filter(pk=pk).exists()


def test_a_damaged_record_is_refused_in_an_import_and_holds_up_no_other_row() -> None:
    one, other = make_people(2, external_id=lambda i: f"P-{i}", email=lambda i: f"p{i}@example.com")
    broken(one)
    done = commands.upsert_many([Person({"external_id": f"P-{i}", "city": "Boston"}) for i in range(3)], by=SYSTEM)
    assert list(done.refused) == [0]
    assert "cannot be read" in done.refused[0]
    assert done.changed == [other]
    assert len(done.created) == 1
    by_address = commands.upsert_many([Person({"email": "p0@example.com", "city": "Boston"})], by=SYSTEM)
    assert "cannot be read" in by_address.refused[0]


def test_a_job_that_comes_twice_notes_once() -> None:
    (pk,) = make_people(1)
    broken(pk)
    for _ in range(2):
        tasks.note_damaged(str(pk))
    assert told("contact.unreadable") == [pk]
