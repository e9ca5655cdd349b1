"""Steps that are called alike are told apart wherever one of them is chosen or read of."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import graph, make_people, make_workflow, place, wait
from workflows import commands
from workflows.language import words
from workflows.language.definition import from_json

pytestmark = pytest.mark.django_db

TWINS = graph(
    "a",
    {
        "c": {**wait(days=3), "name": "Rest", "exits": {"next": None}},
        "b": {**wait(days=2), "exits": {"next": "c"}},
        "a": {**wait(days=1), "exits": {"next": "b"}},
    },
)


def test_a_title_that_stands_twice_says_its_place_as_the_map_does() -> None:
    assert words.titles(from_json(TWINS)) == {"a": "Wait (step 1)", "b": "Wait (step 2)", "c": "Rest"}
    assert words.titles(from_json(graph("a", {"a": wait(days=1)}))) == {"a": "Wait"}


def test_people_are_found_at_and_moved_to_the_one_that_is_meant(client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    workflow = make_workflow(TWINS)
    (row,) = place(workflow, make_people(1), step="b")
    commands.save_draft(workflow, {**TWINS, "reentry": {"kind": "after_leaving"}}, revision=None, by=user)
    for name, args in (("people", ()), ("person", (row.pk,)), ("publish", ())):
        text = client.get(reverse(f"workflows:{name}", args=[workflow.pk, *args])).content.decode()
        assert "Wait (step 2)" in text, name
