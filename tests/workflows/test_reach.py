"""Whoever publishes or approves reads how many the journey would reach, by a simulation of just that."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import linear, make_draft, wait
from tests.workflows.test_pages import sensitive
from workflows import commands
from workflows.models import Simulation, Workflow

pytestmark = pytest.mark.django_db
RESULT = {"people": 544, "sent": 472, "refused": 493}


def simulated(workflow: Workflow, state: str = "FINISHED") -> Simulation:
    return Simulation.objects.create(
        workflow=workflow, definition=workflow.draft, settings={"days": 60}, result=RESULT, state=state
    )


def read(client: Client, name: str, workflow: Workflow) -> str:
    return client.get(reverse(f"workflows:{name}", args=[workflow.pk])).content.decode()


def test_who_publishes_reads_what_the_simulation_of_this_very_draft_found(client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    workflow = make_draft(linear(wait(days=3)))
    assert "Simulate it first" in read(client, "publish", workflow)
    simulated(workflow, state="FAILED")
    assert "Simulate it first" in read(client, "publish", workflow)
    simulated(workflow)
    assert "<strong>544 people</strong> would enter" in read(client, "publish", workflow)
    commands.save_draft(workflow, linear(wait(days=4)), revision=None, by=user)
    assert "544 people" not in read(client, "publish", workflow)


def test_the_second_person_reads_it_too(client: Client) -> None:
    version = sensitive()
    sign_in(client, UserFactory(roles=[Role.APPROVER]))
    assert "Nobody has simulated it as it stands" in read(client, "review", version.workflow)
    simulated(version.workflow)
    assert "<strong>472 mails</strong> would leave" in read(client, "review", version.workflow)
