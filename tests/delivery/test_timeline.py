"""One person's timeline: everything in one order, each kind by itself, each reader as far as they may see."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from contacts import reveals
from contacts.models import Contact
from core import clock
from core.ids import uuid7
from delivery import engine
from delivery.models import Delivery, Relay
from tests.accounts.factories import UserFactory
from tests.consent.factories import TopicFactory, opted_in
from tests.contacts.factories import make_import, make_people, run_import
from tests.delivery.factories import make_origin
from tests.delivery.test_pages import seat
from tracking.models import Event

pytestmark = pytest.mark.django_db


def lines(contact_id: UUID, role: Role = Role.COMPLIANCE, **asked: Any) -> list[str]:
    page = seat(role).get(reverse("delivery:for_contact", args=[contact_id]), asked).content.decode()
    return [re.sub(r"<[^>]+>|\s+", " ", item).strip() for item in re.findall("<li>(.*?)</li>", page, re.DOTALL)]


def respond(contact_id: UUID, kind: str, verdict: str = "human", minutes: int = 0) -> None:
    delivery = Delivery.objects.get(contact_id=contact_id)
    Event.objects.create(
        id=uuid7(),
        delivery_id=delivery.pk,
        origin_id=delivery.origin_id,
        contact_id=contact_id,
        kind=kind,
        verdict=verdict,
        at=clock.now() + timedelta(minutes=minutes),
    )


def test_messages_answers_consents_and_the_record_stand_in_one_order(relay: Relay) -> None:
    run_import(make_import("id,email\nP1,ada@example.com\n"))
    contact = Contact.objects.get()
    opted_in(TopicFactory(name="Diabetes programme"), contact_id=contact.pk)
    make_origin([contact.pk])
    engine.drain("marketing", seconds=20)
    respond(contact.pk, "open", "machine", 1)
    respond(contact.pk, "click", minutes=2)
    said = lines(contact.pk)
    expected = ["Clicked in a mail", "Opened a mail", "Mail sent", "Opted in: Diabetes programme", "Added by an import"]
    assert [next(e for e in expected if e in line) for line in said if any(e in line for e in expected)] == expected
    assert "probably a scanner" in said[1]
    kinds = {"messages": ["Mail sent"], "responses": ["Clicked", "Opened"], "record": ["Added by an import"]}
    for kind, wanted in kinds.items():
        found = lines(contact.pk, kind=kind)
        assert len(found) == len(wanted)
        assert all(w in line for w, line in zip(wanted, found, strict=True))
    assert all("Opted in" in line or "Address" in line for line in lines(contact.pk, kind="consents"))
    assert lines(contact.pk, kind="nonsense") == said


def test_a_reveal_stands_there_with_who_did_it() -> None:
    contact = Contact.objects.get(pk=make_people(1)[0])
    reveals.reveal(contact, reason="A question of theirs", by=UserFactory(name="Kim Doe", roles=[Role.COMPLIANCE]))
    newest = lines(contact.pk)[0]
    assert "Values revealed" in newest
    assert "Kim Doe" in newest


def test_somebody_deleted_or_unknown_has_an_empty_one() -> None:
    assert lines(uuid4()) == []
    assert b"No mail yet." in seat().get(reverse("delivery:for_contact", args=[uuid4()]), {"kind": "messages"}).content


def test_it_asks_as_much_for_three_of_each_as_for_one(relay: Relay) -> None:
    who = make_people(1)[0]
    client = seat(Role.COMPLIANCE)
    asked = []
    for wanted in (1, 3):
        while Delivery.objects.filter(contact_id=who).count() < wanted:
            opted_in(TopicFactory(), contact_id=who)
            make_origin([who])
            engine.drain("marketing", seconds=20)
            reveals.reveal(Contact.objects.get(pk=who), reason="Looking", by=UserFactory(roles=[Role.COMPLIANCE]))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("delivery:for_contact", args=[who]))
        asked.append(len(queries))
    assert asked[0] == asked[1]
