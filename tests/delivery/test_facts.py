"""What the gate is told of people, where records are damaged or counting was refused."""

from hashlib import sha256

import pytest
from django.db import connection

import consent.commands
from consent.models import Source
from contacts.models import Attribute, Contact
from contacts.queries import open_many
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from delivery import engine
from delivery.models import Delivery, Relay
from delivery.queries import reproduce
from tests.delivery.factories import make_origin, make_people, make_version
from tests.delivery.smtp import Catcher

pytestmark = pytest.mark.django_db


def test_a_record_that_does_not_open_is_refused_alone(relay: Relay, catcher: Catcher) -> None:
    people = make_people(3)
    broken = Contact.objects.get(pk=people[1])
    with connection.cursor() as cursor:
        flipped = bytes(broken.sealed)[:-1] + bytes([bytes(broken.sealed)[-1] ^ 1])
        cursor.execute("UPDATE contacts_contact SET sealed = %s WHERE id = %s", [flipped, broken.pk])
    origin = make_origin(people)
    engine.drain("marketing", seconds=30)
    rows = dict(Delivery.objects.filter(origin=origin).values_list("contact_id", "outcome"))
    assert rows == {people[0]: "sent", people[1]: "refused", people[2]: "sent"}
    assert Delivery.objects.get(contact_id=people[1]).reasons == ["record_broken"]


def test_raising_an_attributes_sensitivity_reaches_mail_that_is_queued(relay: Relay, catcher: Catcher) -> None:
    people = make_people(2)
    origin = make_origin(people, version=make_version())
    Attribute.objects.filter(key="first_name").update(sensitivity=Sensitivity.SPECIAL)
    engine.drain("marketing", seconds=30)
    assert not catcher.messages
    assert all("no_special_consent" in row.reasons for row in Delivery.objects.filter(origin=origin))


def test_who_does_not_want_to_be_counted_gets_straight_links_and_no_pixel(relay: Relay, catcher: Catcher) -> None:
    people = make_people(2)
    acts = [consent.commands.NewAct(people[0], "counting_refused", Source.STAFF)]
    consent.commands.record_many(acts, by=SYSTEM)
    origin = make_origin(people, track_opens=True, track_clicks=True)
    engine.drain("marketing", seconds=30)
    texts = {str(message.parsed["To"]): str(message.parsed.get_body(("html",))) for message in catcher.messages}
    refused = open_many([people[0]])[people[0]].email
    assert "/t/o/" not in texts.pop(refused)
    assert "/t/o/" in next(iter(texts.values()))
    delivery = Delivery.objects.get(origin=origin, contact_id=people[0])
    assert sha256(reproduce(delivery)).digest() == bytes(delivery.content_sha256 or b"")
