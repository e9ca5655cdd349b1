"""The pages of journeys: what each role sees, what each button does."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import (
    end,
    linear,
    mail,
    make_draft,
    make_people,
    make_workflow,
    place,
    publish,
    wait,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client: Client) -> Client:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def page(client: Client, name: str, *args: Any, status: int = 200, **query: str) -> str:
    answer = client.get(reverse(f"workflows:{name}", args=args), query)
    assert answer.status_code == status, (name, answer.status_code, answer.headers.get("Location"))
    return answer.content.decode()


def press(client: Client, name: str, *args: Any, **given: Any) -> str:
    """The page one comes to."""
    answer = client.post(reverse(f"workflows:{name}", args=args), given, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_page_of_a_journey_in_every_state_shows(marketer: Client) -> None:
    draft = make_draft(linear(wait(days=1), end()))
    running = make_workflow(linear(mail(), wait(days=2), end()))
    people = place(running, make_people(3), step="s2")
    publish(running, linear(wait(days=2), end()))
    for workflow in (draft, running):
        for name in ("detail", "history", "publish", "numbers", "people", "attention", "versions"):
            page(marketer, name, workflow.pk)
    page(marketer, "list")
    page(marketer, "new")
    page(marketer, "version", running.pk, 2)
    page(marketer, "version_json", running.pk, 1)
    page(marketer, "put_on", running.pk)
    page(marketer, "stop", running.pk)
    page(marketer, "person", running.pk, people[0].pk)
    press(marketer, "pause", running.pk)
    assert "Paused" in page(marketer, "detail", running.pk)
    page(marketer, "resume", running.pk)
