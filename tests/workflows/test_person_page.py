"""The page of one person on a journey: what let them in, what holds them up, and what helps."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from core import clock
from core.actors import SYSTEM
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import TopicFactory, linear, make_people, make_workflow, place, wait
from workflows import event_types, happenings
from workflows.happenings import New
from workflows.models import Call, Endpoint, Enrolment, Happening, Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client: Client) -> Client:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def page(client: Client, name: str, workflow: Workflow, *args: object) -> str:
    return client.get(reverse(f"workflows:{name}", args=[workflow.pk, *args])).content.decode()


def test_it_says_what_let_them_in(marketer: Client) -> None:
    given = {"kind": "consent", "topic": str(TopicFactory(name="Tips").pk), "change": "given"}
    workflow = make_workflow(linear(wait(days=3), trigger=given))
    by_itself, put_on = make_people(2)
    place(workflow, [by_itself], happening_id=1)
    place(workflow, [put_on])
    told = {row.contact_id: page(marketer, "person", workflow, row.pk) for row in Enrolment.objects.all()}
    assert "Consent given: Tips" in told[by_itself]
    assert "Put on by staff, a list, the API or another journey" in told[put_on]


def test_what_let_them_in_elsewhere_is_not_said_to_have_let_them_in_here(marketer: Client) -> None:
    """Another journey has people enter with the event that it began with."""
    order, booked = (event_types.declare(name=name, by=SYSTEM) for name in ("order", "booked"))
    workflow = make_workflow(linear(wait(days=3), trigger={"kind": "event", "event": "Order"}))
    people = make_people(2)
    news = zip(people, (order, booked), strict=True)
    happenings.write([New(Happening.Kind.EVENT, event.pk, who, clock.now()) for who, event in news])
    for who, pk in Happening.objects.values_list("contact_id", "pk"):
        place(workflow, [who], happening_id=pk)
    by_itself, led = (page(marketer, "person", workflow, Enrolment.objects.get(contact_id=who).pk) for who in people)
    assert "Put on by staff, a list, the API or another journey" not in by_itself
    assert "Put on by staff, a list, the API or another journey" in led


def test_a_call_that_failed_says_why_and_not_what_did_not_happen(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    (row,) = place(workflow, make_people(1), status="attention", trouble="call_failed", wake_at=None, visit=2)
    endpoint = Endpoint.objects.create(name="Office", url="https://hooks.example/x", secret="s")
    for visit, trouble in ((1, "slow"), (2, "no_agreement")):
        Call.objects.create(
            id=uuid4(), endpoint=endpoint, enrolment=row, visit=visit, step="s1", contact_id=row.contact_id,
            state="failed", trouble=trouble, at=clock.now(),
        )  # fmt: skip
    for text in (page(marketer, "attention", workflow), page(marketer, "person", workflow, row.pk)):
        assert "no agreement with the endpoint" in text
        assert "takes too long" not in text
        assert "though it was tried often" not in text


def test_somebody_who_needs_attention_is_helped_on_their_own_page(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    row, other = place(workflow, make_people(2), status="attention", trouble="failed", wake_at=None)
    assert 'name="skip"' in page(marketer, "person", workflow, row.pk)
    answer = marketer.post(
        reverse("workflows:attend", args=[workflow.pk]), {"person": row.pk, "here": "1", "retry": "1"}
    )
    assert answer.headers["Location"] == reverse("workflows:person", args=[workflow.pk, row.pk])
    assert 'name="skip"' not in page(marketer, "person", workflow, row.pk)
    other.refresh_from_db()
    assert other.status == "attention"
