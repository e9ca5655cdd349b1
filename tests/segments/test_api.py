"""The same for machines."""

from typing import Any
from uuid import uuid4

import jsonschema
import pytest
from django.test import Client

from contacts.records import Coded
from segments import counting
from segments.models import Question, Segment
from tests.accounts.factories import api_token
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, has, is_, rule
from tests.segments.test_rules import BAD

pytestmark = pytest.mark.django_db
ALL = ["segments.view", "segments.edit", "reports.small_cells", "contacts.reveal"]
IN_MA = rule(is_("state", "MA"))


class Machine:
    def __init__(self, client: Client, *scopes: str) -> None:
        self.client, (_, self.headers) = client, api_token(scopes or ALL)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(self.client, method)(f"/api/v1/segments{path}", headers=self.headers | headers, **sent)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


@pytest.fixture
def machine(client: Client) -> Machine:
    return Machine(client)


def test_a_segment_is_made_read_changed_counted_and_archived(machine: Machine) -> None:
    make_people(2, state="MA")
    made = machine.ask("post", "", {"name": "In MA", "rule": IN_MA}, 201)
    assert made["rule"] == IN_MA
    path = f"/{made['id']}"
    assert machine.ask("get", path) == made
    assert [s["id"] for s in machine.ask("get", "")["results"]] == [made["id"]]
    counted = machine.ask("post", f"{path}/count")
    assert counted == {
        "at": counted["at"],
        "count": 2,
        "exact": True,
        "text": "2 people match.",
        "sentence": "People where State is “MA”.",
    }
    changed = machine.ask("put", path, {"name": "In NY", "rule": rule(is_("state", "NY")), "revision": 1})
    assert changed["revision"] == 2
    assert (
        machine.ask("put", path, {"name": "X", "rule": IN_MA, "revision": 1}, 409)["error"]["code"] == "not_the_latest"
    )
    machine.ask("delete", path, status=204)
    assert machine.ask("get", "")["results"] == []
    assert machine.ask("put", path, {"name": "X", "rule": IN_MA}, 409)["error"]["code"] == "archived"


def test_a_repeat_with_the_same_key_makes_one_segment(machine: Machine) -> None:
    body = {"name": "In MA", "rule": IN_MA}
    first = machine.ask("post", "", body, 201, **{"Idempotency-Key": "a"})
    assert machine.ask("post", "", body, 201, **{"Idempotency-Key": "a"}) == first
    assert Segment.objects.count() == 1


def test_the_schema_is_a_schema_and_accepts_what_is_kept(machine: Machine) -> None:
    schema = machine.ask("get", "/schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(IN_MA, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rule({"attribute": "state", "op": "sounds_like", "value": "a"}), schema)


@pytest.mark.parametrize(
    ("bad", "says"), [(bad, says) for bad, says in BAD[:36] if "8 deep" not in says and bad is not None]
)
def test_a_bad_rule_is_400_in_words(machine: Machine, bad: Any, says: str) -> None:
    """The language of tests/segments/people.py has other attributes, so only what the message is about is compared."""
    for path, more in (("/count", {}), ("", {"name": "A"})):
        error = machine.ask("post", path, {"rule": bad, **more}, 400)["error"]
        assert error["code"] == "rule_error"
        assert error["message"]
        assert {"path", "message"} <= set(error["fields"]["rule"][0])
    assert Segment.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"rule": NaN}',
        b'{"rule": ' + b'{"all":[' * 50_000,
        b'{"rule": {"version":1,"root":' + b'{"all":[' * 5_000 + b"1" + b"]}" * 5_000 + b"}}",
        b'{"rule": {"version": 1, "root": {"all": [{"attribute": "city", "op": "is", "value": "\\ud800"}]}}}',
        b'{"rule": {"version": 1e999, "root": {}}}',
        b'{"rule": {"version": 1, "root": {"all": [{"attribute": "\\u0000", "op": "is", "value": "a"}]}}}',
        b'{"name": "\\ud800", "rule": {"version": 1, "root": {"all": [{"attribute": "city", "op": "is_empty"}]}}}',
    ],
    ids=range(12),
)
def test_broken_bodies_are_400(machine: Machine, body: bytes) -> None:
    for path in ("/count", "") if b'"name"' not in body else ("",):
        answer = machine.client.post(
            f"/api/v1/segments{path}", data=body, content_type="application/json", headers=machine.headers
        )
        assert answer.status_code == 400, answer.content
        assert answer.json()["error"]["message"]


def test_a_missing_segment_is_404_and_a_missing_scope_403(client: Client, machine: Machine) -> None:
    machine.ask("get", f"/{uuid4()}", status=404)
    reader = Machine(client, "segments.view")
    segment = SegmentFactory()
    reader.ask("post", "", {"name": "A", "rule": IN_MA}, 403)
    reader.ask("delete", f"/{segment.pk}", status=403)
    Machine(client, "contacts.view").ask("get", "", status=403)


def test_a_narrow_token_is_told_small_counts_as_carefully_as_an_analyst(client: Client) -> None:
    make_people(20, state="MA", city=lambda n: "Ashfield" if n == 0 else "Boston", coded={"conditions": [Coded("B20")]})
    reader = Machine(client, "segments.view")
    told = reader.ask("post", "/count", {"rule": rule(has("B20"))})
    assert (told["count"], told["exact"]) == (20, False)
    refused = reader.ask("post", "/count", {"rule": rule(has("B20"), is_("city", "Ashfield"))}, 403)
    assert refused["error"]["code"] == "part_too_small"
    refused = reader.ask("post", "/count", {"rule": rule(has("B20"), is_("last_name", "Smith"))}, 403)
    assert refused["error"]["code"] == "identifiers_with_health"


def test_a_refused_question_counts_also_under_an_idempotency_key(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Machine(client, "segments.view")
    monkeypatch.setattr(counting, "QUESTIONS_A_DAY", 2)
    for n in range(2):
        reader.ask("post", "/count", {"rule": IN_MA}, 403, **{"Idempotency-Key": f"k{n}"})
    assert Question.objects.count() == 2
    reader.ask("post", "/count", {"rule": IN_MA}, 429, **{"Idempotency-Key": "k9"})


def test_a_rule_of_version_1_is_taken_and_given_back_as_version_2(machine: Machine) -> None:
    old = {"version": 1, "root": {"all": [{"event": "opened", "op": "did_not", "days": 30}]}}
    made = machine.ask("post", "", {"name": "A", "rule": old}, 201)
    new = {"event": "opened", "op": "did_not", "when": {"in_last": {"days": 30}}}
    assert made["rule"] == rule(new)
    jsonschema.validate(made["rule"], machine.ask("get", "/schema"))


def test_a_circle_is_refused_with_its_clause(machine: Machine) -> None:
    one = machine.ask("post", "", {"name": "A", "rule": IN_MA}, 201)
    two = machine.ask("post", "", {"name": "B", "rule": rule({"segment": one["id"], "op": "in"})}, 201)
    circle = {"name": "A", "rule": rule(is_("state", "MA"), {"any": [{"segment": two["id"], "op": "not_in"}]})}
    error = machine.ask("put", f"/{one['id']}", circle, 400)["error"]
    assert error["message"].startswith("Condition 2.1: A segment cannot be part of itself")
    assert error["fields"]["rule"][0]["path"] == "root.all[1].any[0]"


def test_a_person_is_explained_to_whoever_may_reveal_them(machine: Machine, client: Client) -> None:
    (i,) = make_people(1, state="NY")
    segment = SegmentFactory(rule=rule(is_("state", "MA"), has("E11.*")))
    asked = {"contact": str(i), "reason": "They asked."}
    found = machine.ask("post", f"/{segment.pk}/explain", asked)
    assert [(one["says"], one["held"], one["there"], one["decides"]) for one in found["items"]] == [
        ("State is “MA”", False, "NY", True),
        ("Conditions has E11.* (whole family)", False, "no such entry", True),
    ]
    machine.ask("post", f"/{segment.pk}/explain", {**asked, "reason": ""}, 400)
    Machine(client, "segments.view", "segments.edit").ask("post", f"/{segment.pk}/explain", asked, 403)
