"""What does not open is one person's trouble: everybody else is let in all the same."""

from datetime import timedelta

import pytest

from contacts.models import Contact, Kind
from core import clock
from core.actors import SYSTEM
from tests.workflows.factories import AttributeFactory, make_people, rule
from tests.workflows.test_intake import begins_with, change, listen, on, send
from workflows import event_types, happenings
from workflows.happenings import New
from workflows.intake import changes
from workflows.models import Happening
from workflows.watched import watched

pytestmark = pytest.mark.django_db(transaction=True)

#: What was sealed by nobody.
BROKEN = b"\x01" + bytes(300)


def test_a_damaged_record_holds_up_no_rule_who_may_enter_and_no_other_journey() -> None:
    AttributeFactory(key="ward")
    event_types.declare(name="booked", by=SYSTEM)
    booked = {"kind": "event", "event": "booked"}
    asking = begins_with(booked, only=rule({"attribute": "ward", "op": "is", "value": "x"}))
    any_one = begins_with(booked)
    damaged, *others = make_people(5, ward="x")
    for who in (damaged, *others):
        send("booked", who)
    Contact.objects.filter(pk=damaged).update(sealed=BROKEN)
    listen()
    assert set(on(asking)) == set(others)  # who cannot be read is not known to fulfil it
    assert set(on(any_one)) == {damaged, *others}


def test_a_damaged_happening_holds_up_no_other() -> None:
    event = event_types.declare(name="booked", properties={"ward": "text"}, by=SYSTEM)
    journey = begins_with(
        {"kind": "event", "event": "booked", "where": [{"property": "ward", "values": ["x"]}]},
    )
    damaged, *others = make_people(4)
    happenings.write([New(Happening.Kind.EVENT, event.pk, damaged, clock.now(), sealed=BROKEN)])
    for who in others:
        send("booked", who, properties={"ward": "x"})
    listen()
    assert set(on(journey)) == set(others)


def test_a_damaged_record_holds_up_no_other_whose_date_was_entered_late() -> None:
    AttributeFactory(key="visit", kind=Kind.DATE)
    moment = {"attribute": "visit", "days": -300, "at": "10:00"}
    journey = begins_with({"kind": "date", "moment": moment, "late": "enter"})
    damaged, *others = make_people(4)
    for who in (damaged, *others):
        change(who, visit=(clock.now() + timedelta(days=20)).date().isoformat())
    changes.changes(watched())
    Contact.objects.filter(pk=damaged).update(sealed=BROKEN)
    listen()
    assert set(on(journey)) == set(others)
