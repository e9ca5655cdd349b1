"""The panels beside the canvas: what stands in a form is what the step does, and nothing typed is lost."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from contacts.models import Kind
from tests.accounts.factories import UserFactory, sign_in
from tests.segments.factories import attribute
from tests.workflows.factories import linear, make_draft, wait
from workflows.models import EventType, Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer() -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def draft_of(workflow: Workflow) -> dict[str, Any]:
    workflow.refresh_from_db()
    draft: dict[str, Any] = workflow.draft
    return draft


def step_of(workflow: Workflow, step: str = "s1") -> dict[str, Any]:
    found: dict[str, Any] = draft_of(workflow)["steps"][step]
    return found


def panel(workflow: Workflow, step: str = "s1") -> str:
    return reverse("workflows:step_panel", args=[workflow.pk, step])


def event(name: str = "appointment_booked", **properties: str) -> EventType:
    from workflows.happenings import name_index

    return EventType.objects.create(
        name=name, name_index=name_index(name), label=name.replace("_", " ").capitalize(), properties=properties
    )


def test_a_wait_is_kept_as_it_is_typed_and_the_canvas_hears_of_it(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1)))
    page = marketer.get(panel(workflow)).content.decode()
    assert "Stay for 1 day, then go on." in page
    answer = marketer.post(panel(workflow), {"count": "3", "unit": "weeks", "name": "Breathe"})
    assert step_of(workflow) == {"kind": "wait", "name": "Breathe", "span": {"weeks": 3}}
    assert json.loads(answer["HX-Trigger"]) == {"draft-saved": {"revision": workflow.draft_revision}}
    assert "Stay for 3 weeks" in answer.content.decode()
    again = marketer.post(panel(workflow), {"count": "3", "unit": "weeks", "name": "Breathe"})
    assert "HX-Trigger" not in again


def test_a_wait_until_a_date_reads_back_in_plain_words(marketer: Client) -> None:
    attribute("next_visit", Kind.DATETIME)
    workflow = make_draft(linear({"kind": "wait_until"}))
    typed = {"amount": "3", "unit": "days", "side": "before", "date": "attribute:next_visit", "at": "10:00"}
    answer = marketer.post(panel(workflow), typed)
    assert step_of(workflow)["moment"] == {"attribute": "next_visit", "days": -3, "at": "10:00"}
    assert "Stay until 3 days before Next_visit at 10:00, in the time zone of each person." in answer.content.decode()
    marketer.post(panel(workflow), {**typed, "amount": "90", "unit": "minutes", "side": "after", "past": "on"})
    assert step_of(workflow) == {
        "kind": "wait_until",
        "moment": {"attribute": "next_visit", "minutes": 90},
        "exits": {"past": None},
    }


def test_what_cannot_be_kept_stays_in_the_form(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1)))
    answer = marketer.post(panel(workflow), {"count": "soon", "unit": "days", "name": "Breathe"})
    page = answer.content.decode()
    assert "Enter a whole number." in page
    assert 'value="soon"' in page
    assert 'value="Breathe"' in page
    assert step_of(workflow)["span"] == {"days": 1}
    assert "HX-Trigger" not in answer
