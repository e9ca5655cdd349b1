"""The totals on Home: right, for who may see them, and never dearer with more people."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from campaigns.models import Campaign
from consent import commands
from consent.models import Source
from core import clock
from core.actors import PATIENT
from tests.accounts.factories import UserFactory, sign_in
from tests.consent.factories import TopicFactory, opted_in
from tests.contacts.factories import make_people

pytestmark = pytest.mark.django_db


def seat(role: Role) -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[role]))
    return client


def totals(client: Client) -> dict[str, str]:
    page = client.get(reverse("home")).content.decode()
    row = re.search('<dl class="stats">(.*?)</dl>', page, re.DOTALL)
    assert row
    return dict(re.findall("<div><dt>([^<]+)</dt><dd>([^<]+)</dd></div>", row[1]))


@pytest.fixture(autouse=True)
def begun() -> None:
    """No first steps any more."""
    Campaign.objects.create(name="Ended", state=Campaign.State.FINISHED)


def leave(n: int) -> None:
    topic = TopicFactory()
    for person in make_people(n):
        opted_in(topic, contact_id=person)
        for _ in range(2):
            commands.opt_out(person, topic, source=Source.ONE_CLICK, by=PATIENT)


def test_the_totals_count_people_addresses_and_the_last_thirty_days() -> None:
    with clock.set_to(clock.now() - timedelta(days=31)):
        leave(1)
    leave(12)
    commands.suppress("gone@example.com", reason="staff", by=UserFactory())
    assert totals(seat(Role.MARKETER)) == {
        "People": "13",
        "Addresses suppressed": "1",
        "Sent, last 30 days": "0",
        "Unsubscribed, last 30 days": "12",
    }


def test_an_analyst_sees_what_campaigns_did_and_no_small_number() -> None:
    leave(2)
    found = totals(seat(Role.ANALYST))
    assert sorted(found) == ["Sent, last 30 days", "Unsubscribed, last 30 days"]
    assert found["Unsubscribed, last 30 days"] == "fewer than 11"


def test_home_asks_as_much_with_three_people_as_with_one() -> None:
    client, asked = seat(Role.MARKETER), []
    for more in (1, 2):
        leave(more)
        with CaptureQueriesContext(connection) as queries:
            totals(client)
        asked.append(len(queries))
    assert asked[0] == asked[1]
