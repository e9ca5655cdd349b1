"""The canvas' page and the draft as JSON: what it is told, what it may send, and who may."""

import json
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from core import clock
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import branch, end, graph, linear, mail, make_draft, make_workflow, wait
from workflows import drawing
from workflows.language.definition import AnyStep, Definition, ways_out
from workflows.language.parsing import parse
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client: Client) -> Client:
    sign_in(client, UserFactory(roles=[Role.MARKETER.value]))
    return client


def url(workflow: Workflow, name: str = "draft") -> str:
    return reverse(f"workflows:{name}", args=[workflow.pk])


def post(client: Client, workflow: Workflow, definition: Any, revision: Any = None) -> Any:
    body = {"revision": workflow.draft_revision if revision is None else revision, "definition": definition}
    return client.post(url(workflow), json.dumps(body), content_type="application/json")


def test_every_kind_of_step_can_be_chosen_and_a_new_one_can_be_kept(marketer: Client) -> None:
    chosen = {kind["kind"]: kind["step"] for group in drawing.palette()["groups"] for kind in group["kinds"]}
    assert set(chosen) == {str(step.__struct_config__.tag) for step in AnyStep.__args__}
    workflow = make_draft()
    answer = post(marketer, workflow, graph("wait", chosen))
    assert answer.status_code == 200
    workflow.refresh_from_db()
    assert set(parse(workflow.draft).steps) == set(chosen)
    assert set(answer.json()["titles"]) == set(chosen)


def test_the_canvas_is_told_what_stands_on_each_card_and_what_is_wrong_with_it(marketer: Client) -> None:
    split = {
        "kind": "split",
        "shares": [{"percent": 50, "name": "A"}, {"percent": 40}],
        "exits": {"1": "b", "2": "gone"},
    }
    workflow = make_draft(graph("a", {"a": split, "b": wait(days=2), "c": end()}))
    told = marketer.get(url(workflow)).json()
    assert told["revision"] == workflow.draft_revision
    assert told["definition"] == workflow.draft
    assert told["titles"]["b"] == {
        "title": "Wait",
        "summary": "2 days",
        "kind": "wait",
        "ways": [{"way": "next", "label": "Then", "to": None}],
    }
    assert [way["label"] for way in told["titles"]["a"]["ways"]] == ["50 % A", "40 %"]
    assert {problem["step"] for problem in told["problems"]} >= {"a", "c"}
    assert told["trigger"]["title"]
    assert told["rules"]["summary"]


def test_what_is_drawn_is_kept_by_its_author_with_a_line_in_the_trail(marketer: Client) -> None:
    workflow = make_draft()
    changed = linear(wait(days=3), end())
    answer = post(marketer, workflow, changed).json()
    workflow.refresh_from_db()
    assert workflow.draft["steps"]["s1"]["span"] == {"days": 3}
    assert answer["revision"] == workflow.draft_revision
    assert Entry.objects.filter(action="workflow.saved", target_id=workflow.pk).count() == 1


def test_an_older_revision_is_refused_with_what_stands_there_now(marketer: Client) -> None:
    workflow = make_draft()
    first = workflow.draft_revision
    assert post(marketer, workflow, linear(wait(days=3)), first).status_code == 200
    answer = post(marketer, workflow, linear(wait(days=4)), first)
    assert answer.status_code == 409
    assert answer.json()["code"] == "changed_meanwhile"
    assert answer.json()["definition"]["steps"]["s1"]["span"] == {"days": 3}
    assert answer.json()["revision"] == first + 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"revision": 1}',
        b'{"revision": "x", "definition": {}}',
        b'{"revision": 1, "definition": []}',
        b'{"revision": 1e999, "definition": {}}',
        b'{"revision": 1, "definition": {"start": NaN}}',
        b'{"revision": 1, "definition": {"start": "a", "steps": {"a": {"kind": "end"}, "a": {"kind": "end"}}}}',
        b'{"revision": 1, "definition": {"steps": {"a": {"kind": "rocket"}}}}',
        b'{"revision": 1, "definition": {"steps": {"~trigger": {"kind": "end"}}}}',
        b"[" * 100_000,
        b'{"revision": 1, "definition": {"only": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
        json.dumps({"revision": 1, "definition": {"steps": {f"s{n}": {"kind": "end"} for n in range(201)}}}).encode(),
    ],
)
def test_what_is_no_definition_is_refused_in_words_and_changes_nothing(marketer: Client, body: bytes) -> None:
    workflow = make_draft()
    before = (workflow.draft, workflow.draft_revision)
    answer = marketer.post(url(workflow), body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["message"]
    workflow.refresh_from_db()
    assert (workflow.draft, workflow.draft_revision) == before


def test_an_archived_journey_is_neither_drawn_nor_changed(marketer: Client) -> None:
    workflow = make_draft()
    Workflow.objects.filter(pk=workflow.pk).update(archived_at=clock.now())
    assert marketer.get(url(workflow, "edit")).status_code == 302
    answer = post(marketer, workflow, linear(wait(days=9)))
    assert answer.status_code == 409
    assert "archived" in answer.json()["message"]


def test_whoever_may_only_look_sees_the_draft_and_changes_nothing(client: Client) -> None:
    workflow = make_draft()
    sign_in(client, UserFactory(roles=[Role.COMPLIANCE.value]))
    assert client.get(url(workflow, "draft_map")).json()["definition"] == workflow.draft
    assert client.get(url(workflow, "edit")).status_code == 403
    assert client.get(url(workflow)).status_code == 403
    assert post(client, workflow, linear(wait(days=9))).status_code == 403


def test_people_inside_keep_what_was_published_while_a_new_version_is_drawn(marketer: Client) -> None:
    workflow = make_workflow(linear(mail(), end()))
    post(marketer, workflow, linear(wait(days=3), end()))
    version = workflow.versions.get()
    assert version.definition["steps"]["s1"]["kind"] == "mail"


def test_the_page_holds_no_name_in_its_title_and_no_inline_script(marketer: Client) -> None:
    workflow = make_draft(name="Oncology follow-up")
    page = marketer.get(url(workflow, "edit")).content.decode()
    assert "<title>Draw a journey · Carillon</title>" in page
    assert " style=" not in page.split("<body", 1)[1]
    assert page.count("Oncology follow-up") == 1


def test_asking_for_the_draft_takes_as_many_statements_with_many_steps(
    marketer: Client,
) -> None:
    def asked(definition: Any) -> int:
        workflow = make_draft(definition)
        with CaptureQueriesContext(
            connection,
        ) as found:
            marketer.get(url(workflow))
        return len(found)

    one = mail()
    asked(linear(one, wait(days=1)))
    assert asked(linear(one, wait(days=1))) == asked(linear(*[dict(one) for _ in range(40)], wait(days=1)))


def test_the_definition_comes_back_as_it_was_sent_so_that_the_page_knows_its_own_change(marketer: Client) -> None:
    fresh = {kind["kind"]: kind["step"] for group in drawing.palette()["groups"] for kind in group["kinds"]}
    for kind, step in fresh.items():
        assert msgspec.to_builtins(msgspec.convert(step, AnyStep)) == step, kind
    assert ways_out(parse(graph("a", {"a": branch({})})).steps["a"]) == ("1", "else")
    assert Definition().steps == {}
