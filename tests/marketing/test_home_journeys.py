"""Journeys on Home: what runs, for who may see it, at a fixed cost."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from campaigns.models import Campaign
from core import clock
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import Workflow, make_draft, make_people, make_workflow, place
from workflows import under_way
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def begun() -> None:
    """No first steps any more, and nothing known from before."""
    Campaign.objects.create(name="Ended", state=Campaign.State.FINISHED)
    cache.delete("workflows:entered")


def home(role: Role) -> str:
    client = Client()
    sign_in(client, UserFactory(roles=[role]))
    page = client.get(reverse("home")).content.decode()
    found: str = page.partition('id="journeys"')[2].partition("</section>")[0]
    return " ".join(found.split())


def running(name: str, people: int) -> Workflow:
    workflow = make_workflow(name=name)
    place(workflow, make_people(people))
    return workflow


def test_home_says_who_is_on_each_journey_who_came_lately_and_who_cannot_go_on() -> None:
    workflow = running("Reminders", 14)
    long_ago = clock.now() - under_way.LATELY - timedelta(hours=1)
    Enrolment.objects.filter(pk__in=Enrolment.objects.values("pk")[:2]).update(entered_at=long_ago)
    Enrolment.objects.filter(pk=Enrolment.objects.latest("pk").pk).update(status="attention")
    shown = home(Role.MARKETER)
    assert "14 people on it now · 12 entries in the last 7 days" in shown
    assert f'href="{reverse("workflows:attention", args=[workflow.pk])}"' in shown
    assert "1 needs attention" in shown
    assert "Running" in shown


def test_a_journey_that_is_held_says_why_and_stands_first() -> None:
    running("Fuller", 5)
    Workflow.objects.filter(pk=running("Held back", 1).pk).update(trouble="approval_outdated")
    shown = home(Role.APPROVER)
    assert shown.index("Held back") < shown.index("Fuller")
    assert "A segment it relies on is another one than was approved." in shown


def test_drafts_and_what_was_stopped_are_not_under_way() -> None:
    make_draft(name="Only drawn")
    Workflow.objects.filter(pk=running("Over", 1).pk).update(state=Workflow.State.STOPPED)
    shown = home(Role.MARKETER)
    assert "No journey runs" in shown
    assert "Only drawn" not in shown
    assert "Over<" not in shown


def test_an_analyst_sees_numbers_that_give_nobody_away_and_no_way_to_people() -> None:
    running("Reminders", 3)
    Enrolment.objects.filter(pk=Enrolment.objects.latest("pk").pk).update(status="attention")
    shown = home(Role.ANALYST)
    assert "fewer than 11 people on it now · fewer than 11 entries in the last 7 days" in shown
    assert "/attention/" not in shown


def test_more_journeys_ask_nothing_more() -> None:
    def asked() -> int:
        cache.delete("workflows:entered")
        with CaptureQueriesContext(connection) as queries:
            under_way.journeys()
        return len(queries)

    running("One", 1)
    before = asked()
    for n in range(under_way.SHOWN + 1):
        running(f"Journey {n}", 2)
    assert asked() == before <= 6
    rows, more = under_way.journeys()
    assert (len(rows), more) == (under_way.SHOWN, 2)
