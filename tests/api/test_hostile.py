"""Bodies nobody honest sends, to every operation that takes one: refused in the one shape, never a crash."""

import json
import time
from typing import Any

import pytest
from django.test import Client
from rest_framework.exceptions import ParseError

from accounts.policy import Action
from core.api import parsing
from core.api.throttling import PerToken
from tests.accounts.factories import api_token
from tests.accounts.routes import OPERATIONS, Route

pytestmark = pytest.mark.django_db

WRITES = [(route, verb) for route in OPERATIONS for verb in ("POST", "PUT", "PATCH") if verb in route.operations]
JSON = "application/json"
BODIES: dict[str, tuple[bytes, str]] = {
    "lists nested deep": (b"[" * 100_000, JSON),
    "lists nested deep and closed": (b"[" * 100_000 + b"]" * 100_000, JSON),
    "objects nested deep": (b'{"values":' * 100_000 + b"1" + b"}" * 100_000, JSON),
    "nested as deep as Python reads": (b'{"values":{"a":' + b"[" * 900 + b"]" * 900 + b"}}", JSON),
    "half a character as a key": (b'{"values": {"\\ud800": "x"}, "\\ud800": "x"}', JSON),
    "half a character as a value": (b'{"values": {"email": "\\udfff"}, "name": "\\ud800", "act": "\\ud800"}', JSON),
    "not a number": (b'{"values": {"age": NaN}, "name": NaN}', JSON),
    "beyond all numbers": (b'{"values": {"age": 1e999}, "name": -Infinity}', JSON),
    "more digits than Python reads": (b'{"name": ' + b"9" * 10_000 + b"}", JSON),
    "numbers beyond the database": (
        b'{"revision": %d, "name": %d, "percent": %d, "at": %d, "values": {"age": -%d}}' % ((10**40,) * 5),
        JSON,
    ),
    "a name twice": (b'{"name": "x", "values": {"age": 1}, "name": "y"}', JSON),
    "a name twice further in": (b'{"name": "x", "values": [{"age": {"a": 1, "a": 1}}]}', JSON),
    "no character": (b'{"name": "\\u0000", "values": {"\\u0000": "\\u0000"}}', JSON),
    "a list": (b'[{"values": {}}]', JSON),
    "a list in a list": (b"[[]]", JSON),
    "a number": (b"7", JSON),
    "a text": (b'"name"', JSON),
    "null": (b"null", JSON),
    "nothing": (b"", JSON),
    "blank": (b"  \n", JSON),
    "half": (b'{"name": ', JSON),
    "a very long text": (json.dumps({"name": "x" * 1_000_000, "values": {"email": "x" * 1_000_000}}).encode(), JSON),
    "not UTF-8": (b'{"name": "\xff\xfe"}', JSON),
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), JSON),
    "a form": (b"name=x", "application/x-www-form-urlencoded"),
    "a form in parts": (b"--x\r\n", "multipart/form-data; boundary=x"),
    "no type": (b'{"name": "x"}', "rubbish"),
    "another alphabet": (b'{"name": "x"}', "application/json; charset=no-such"),
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(PerToken, "THROTTLE_RATES", {"token": "1000000/min"})
    return api_token([action.value for action in Action])[1]


def test_the_walk_finds_the_operations_that_take_a_body() -> None:
    found = {f"{verb} {route.pattern}" for route, verb in WRITES}
    assert {"POST /api/v1/contacts", "POST /api/v1/contacts/bulk", "POST /api/v1/consents"} <= found
    assert len(found) > 25


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "hostile"}], ids=["once", "repeatable"])
@pytest.mark.parametrize("body", BODIES)
def test_a_hostile_body_is_refused_in_the_one_shape(body: str, key: dict[str, str], machine: dict[str, str]) -> None:
    content, content_type = BODIES[body]
    client, wrong = Client(raise_request_exception=False), []
    for route, verb in WRITES:
        answer = client.generic(verb, route.path, content, content_type, headers=machine | key)
        if problem := _what_is_wrong(answer):
            wrong.append(f"{verb} {route.path}: {problem}")
    assert not wrong, "\n".join(wrong)


def _what_is_wrong(answer: Any) -> str:
    if answer.status_code >= 500 or answer.status_code in (401, 403, 405, 429):
        return str(answer.status_code)
    if answer["Content-Type"] != JSON:
        return f"{answer.status_code} as {answer['Content-Type']}"
    if answer.status_code < 400:  # nothing is taken of these: an operation that asks for no body does its work
        return ""
    error = answer.json().get("error")
    shape = isinstance(error, dict) and {"code", "message"} <= set(error) <= {"code", "message", "fields"}
    return "" if shape else f"{answer.status_code} in another shape"


NO_JSON = [
    "lists nested deep",
    "half a character as a key",
    "not a number",
    "beyond all numbers",
    "more digits than Python reads",
    "a name twice",
    "a name twice further in",
    "not UTF-8",
]


@pytest.mark.parametrize("body", NO_JSON)
@pytest.mark.parametrize("route", [r for r, verb in WRITES if verb == "POST" and "<" not in r.pattern], ids=str)
def test_what_is_no_json_is_said_to_be_none(route: Route, body: str, machine: dict[str, str]) -> None:
    answer = Client().post(route.path, BODIES[body][0], JSON, headers=machine)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parse_error")


def test_the_deepest_that_is_taken_is_as_deep_as_said() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert parsing.read(nested(parsing.MAX_DEPTH))
    with pytest.raises(ParseError, match="nested too deep"):
        parsing.read(nested(parsing.MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": "secret", "a": 2}', "The name “a” stands twice in the same object."),
        (b'{"x": [0, {"b": {"a": 1, "a": "secret"}}]}', "“a” stands twice in the same object in “b” in item 2 in “x”."),
        (b'{"x": {"b": 1, "b": 2}, "x": "secret"}', "The name “x” stands twice in the same object."),
        (b'{"%s": 1, "%s": 1}' % (b"n" * 9_000, b"n" * 9_000), f"The name “{'n' * 40}…” stands twice"),
        (b'{"a\\u0000\\u202e": 1, "a\\u0000\\u202e": 1}', "The name “a··” stands twice"),
        (b'{"\\u0061": 1, "a": 1}', "The name “a” stands twice"),
    ],
)
def test_a_name_that_stands_twice_is_named_by_its_place_and_no_value_is_repeated(body: bytes, said: str) -> None:
    with pytest.raises(ParseError) as refused:
        parsing.read(body)
    assert said in str(refused.value.detail)
    assert "secret" not in str(refused.value.detail)
    assert len(str(refused.value.detail)) < 500


def test_a_name_twice_among_very_many_is_found_at_once() -> None:
    names = [*range(100_000), 99_999]
    begun = time.process_time()
    with pytest.raises(ParseError, match="The name “a99999” stands twice"):
        parsing.read(b"{%s}" % b",".join(b'"a%d":0' % name for name in names))
    assert time.process_time() - begun < 5  # each name looked for among all before it takes minutes


def test_a_name_may_stand_in_several_objects() -> None:
    assert parsing.read(b'[{"a": {"a": 1}}, {"a": 2}]') == [{"a": {"a": 1}}, {"a": 2}]
