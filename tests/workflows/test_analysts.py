"""Analysts see journeys and their numbers: no people, and no count small enough to mean one."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import Workflow, linear, make_draft, make_people, make_workflow, place, wait
from workflows.models import Enrolment, Tally

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst() -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.ANALYST]))
    return client


@pytest.fixture
def workflow() -> Workflow:
    exits = [
        {
            "kind": "goal",
            "name": "Came",
            "rule": {"version": 1, "root": {"all": [{"attribute": "state", "op": "is", "value": "MA"}]}},
        }
    ]
    made = make_workflow(linear(wait(days=1), {"kind": "end"}, exits=exits), name="Reminders")
    place(made, make_people(27))
    Enrolment.objects.filter(pk=Enrolment.objects.latest("pk").pk).update(status="attention")
    version = made.versions.get()
    Tally.objects.create(version=version, step="s1", what="entered", count=33)
    Tally.objects.create(version=version, step="s1", what="goal", count=6)
    cache.clear()
    return made


def test_an_analyst_finds_the_list_of_journeys_with_coarse_numbers(analyst: Client, workflow: Workflow) -> None:
    page = analyst.get(reverse("workflows:list")).content.decode()
    assert "Reminders" in page
    assert "about 30" in page
    assert "fewer than 11" in page
    for secret in (">27<", ">33<", ">6<", "18.2 %", "/attention/", reverse("workflows:notices")):
        assert secret not in page
    assert reverse("workflows:list") in analyst.get(reverse("home")).content.decode()


def test_an_analyst_reads_the_page_of_a_journey_and_is_led_to_nobody(analyst: Client, workflow: Workflow) -> None:
    page = analyst.get(reverse("workflows:detail", args=[workflow.pk])).content.decode()
    assert "about 30" in page
    assert "Reached the goal" in page
    for away in ("/people/", "/attention/", '/versions/"', "/history/", "/simulations", "/publish/", "/edit"):
        assert away not in page
    assert "18.2 %" not in page


def test_what_the_map_is_told_is_coarse_too(analyst: Client, workflow: Workflow) -> None:
    told = analyst.get(reverse("workflows:numbers", args=[workflow.pk])).json()
    assert told["steps"]["s1"] == {
        "waiting": "about 30",
        "attention": "fewer than 11",
        "entered": "about 30",
        "goal": "fewer than 11",
    }
    assert (told["inside"], told["conversion"]) == ("about 30", "")
    version = analyst.get(reverse("workflows:version_json", args=[workflow.pk, 1]))
    assert version.json()["definition"]["steps"]["s1"]["kind"] == "wait"


def test_an_analyst_looks_at_a_draft_and_changes_nothing(analyst: Client) -> None:
    draft = make_draft()
    page = analyst.get(reverse("workflows:detail", args=[draft.pk])).content.decode()
    assert "A draft" in page
    assert analyst.get(reverse("workflows:draft_map", args=[draft.pk])).status_code == 200
    for name in ("people", "attention", "versions", "history", "simulations", "edit", "publish", "pause", "archive"):
        assert analyst.post(reverse(f"workflows:{name}", args=[draft.pk])).status_code == 403


def test_what_staff_are_told_to_do_is_in_no_map_of_an_analyst(analyst: Client, client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.APPROVER]))
    tell = {"kind": "tell", "role": Role.MARKETER.value, "text": "Ring the one with the rash"}
    journey = make_workflow(linear(tell, {"kind": "end"}))
    for page in (
        reverse("workflows:draft_map", args=[journey.pk]),
        reverse("workflows:version_json", args=[journey.pk, 1]),
    ):
        assert "the rash" in client.get(page).content.decode()
        told = analyst.get(page)
        assert "the rash" not in told.content.decode()
        assert told.json()["definition"]["steps"]["s1"]["kind"] == "tell"
