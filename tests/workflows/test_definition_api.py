"""Definitions for machines: what goes in comes out, through the same commands as the pages."""

import json
from typing import Any

import jsonschema
import pytest
from django.test import Client

from tests.accounts.factories import api_token
from tests.workflows.factories import branch, end, linear, mail, make_workflow, rule, wait
from workflows.language import parsing
from workflows.language.definition import to_json
from workflows.language.schema import json_schema
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
ALL = ["workflows.view", "workflows.edit", "workflows.run"]


class Machine:
    def __init__(self, client: Client, *scopes: str) -> None:
        self.client, (_, self.headers) = client, api_token(scopes or ALL)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(self.client, method)(f"/api/v1/workflows{path}", headers=self.headers, **sent)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


@pytest.fixture
def machine(client: Client) -> Machine:
    return Machine(client)


def test_a_journey_is_made_read_changed_and_published_as_json(machine: Machine) -> None:
    definition = to_json(parsing.parse(linear(wait(days=2), mail(), end())))
    made = machine.ask("post", "", {"name": "Welcome", "definition": definition}, 201)
    assert (made["name"], made["state"], made["live"], made["draft_revision"]) == ("Welcome", "DRAFT", None, 1)
    path = f"/{made['id']}"
    assert machine.ask("get", f"{path}/definition") == {"revision": 1, "definition": definition, "problems": []}
    shorter = {**definition, "start": "s2", "steps": {key: definition["steps"][key] for key in ("s2", "s3")}}
    changed = machine.ask("put", f"{path}/definition", {"revision": 1, "definition": shorter})
    assert (changed["revision"], changed["definition"]) == (2, shorter)
    refused = machine.ask("put", f"{path}/definition", {"revision": 1, "definition": definition}, 409)
    assert refused["error"]["code"] == "changed_meanwhile"
    assert machine.ask("post", f"{path}/publish", {"revision": 1}, 409)["error"]["code"] == "changed_meanwhile"
    version = machine.ask("post", f"{path}/publish", {"revision": 2}, 201)
    assert (version["number"], version["state"]) == (1, "LIVE")
    assert machine.ask("get", f"{path}/versions")["results"] == [version]
    assert machine.ask("get", f"{path}/versions/1")["definition"] == shorter
    assert machine.ask("get", path)["live"] == 1
    assert [found["id"] for found in machine.ask("get", "")["results"]] == [made["id"]]


def test_a_draft_that_cannot_be_published_yet_is_kept_and_says_why(machine: Machine) -> None:
    made = machine.ask("post", "", {"name": "Unfinished"}, 201)
    definition = {"start": "a", "steps": {"a": {"kind": "wait", "span": {}}, "b": {"kind": "end"}}}
    kept = machine.ask("put", f"/{made['id']}/definition", {"definition": definition})
    assert {(problem["step"], problem["field"]) for problem in kept["problems"]} == {("a", "span"), ("b", "")}
    machine.ask("post", f"/{made['id']}/publish", {}, 400)
    assert not Workflow.objects.get().versions.exists()


def test_who_may_only_see_changes_nothing(client: Client) -> None:
    workflow = make_workflow()
    machine = Machine(client, "workflows.view")
    machine.ask("get", f"/{workflow.pk}/definition")
    machine.ask("put", f"/{workflow.pk}/definition", {"definition": {}}, 403)
    machine.ask("post", f"/{workflow.pk}/publish", {}, 403)
    machine.ask("post", "", {"name": "Mine"}, 403)


def test_the_schema_takes_what_the_parser_takes_and_refuses_what_it_refuses(machine: Machine) -> None:
    schema = machine.ask("get", "/schema")
    assert schema == json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    checked = jsonschema.Draft202012Validator(schema)
    good = linear(wait(days=1), mail(), end(), only=rule({"attribute": "state", "op": "is", "value": "MA"}))
    good["only"]["version"] = 2
    assert checked.is_valid(good)
    chosen = branch({**good["only"]}, exits={"1": "s2", "else": None})
    assert checked.is_valid(linear(wait(days=1), chosen, end()) | {"only": None})
    for bad in (
        {"steps": {"a": {"kind": "nap"}}},
        {"steps": {"a b": {"kind": "end"}}},
        {"steps": {"x" * 41: {"kind": "end"}}},
        {"steps": {"a": {"kind": "wait", "span": {"years": 1}}}},
        {"steps": {"a": {"kind": "wait", "span": {"days": "1"}}}},
        {"steps": {str(n): {"kind": "end"} for n in range(201)}},
        {"trigger": {"kind": "event"}},
        {"start": 1},
        {"surprise": True},
        {"version": 2},
    ):
        assert not checked.is_valid(bad), bad
        with pytest.raises(parsing.BadDefinition):
            parsing.parse(bad)
