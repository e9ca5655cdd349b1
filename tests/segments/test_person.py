"""The part of a person's page that says in which segments they are."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from contacts import reveals
from contacts.models import Contact
from core import clock
from segments import membership, uses
from tests.accounts.factories import UserFactory, sign_in
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, is_, rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", [Role.MARKETER, Role.COMPLIANCE, Role.APPROVER])
def test_segments_are_shown_to_who_revealed_the_person_and_said_why(role: Role) -> None:
    [person] = make_people(1, state="MA")
    user, client = UserFactory(roles=[role]), Client()
    sign_in(client, user)
    segment = SegmentFactory(name="Oncology", rule=rule(is_("state", "MA")))
    uses.watch(segment, by=user)
    membership.refresh(segment)
    plain = reverse("segments:for_contact", args=[person])
    assert plain in client.get(reverse("contacts:detail", args=[person])).content.decode()
    part = f"{plain}?revealed"
    assert "Oncology" not in client.get(part).content.decode()
    reveals.reveal(Contact.objects.get(pk=person), reason="They asked for it.", by=UserFactory(roles=[role]))
    assert "Oncology" not in client.get(part).content.decode()
    reveals.reveal(Contact.objects.get(pk=person), reason="They asked for it.", by=user)
    assert "Oncology" not in client.get(plain).content.decode()
    shown = client.get(part).content.decode()
    assert ("Oncology" in shown) == (role != Role.APPROVER)
    with clock.set_to(clock.now() + timedelta(minutes=16)):
        assert "Oncology" not in client.get(part).content.decode()


def test_who_is_in_no_segment_is_told_so() -> None:
    [person] = make_people(1)
    user, client = UserFactory(roles=[Role.MARKETER]), Client()
    sign_in(client, user)
    reveals.reveal(Contact.objects.get(pk=person), reason="They asked for it.", by=user)
    assert (
        "In none of the segments"
        in client.get(reverse("segments:for_contact", args=[person]) + "?revealed").content.decode()
    )
