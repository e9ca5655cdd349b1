"""The API's frame: tokens, errors, pages, repeats, rate (docs/api.md)."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts.commands import create_token, disable, purge, revoke_token
from accounts.errors import ScopeTooWide
from accounts.models import ApiReply, ApiToken
from accounts.policy import Role
from core.actors import SYSTEM
from core.api.throttling import PerToken
from core.models import Organization
from tests.accounts.factories import UserFactory, api_token
from tests.api import urls

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]
URL = "/api/v1/things"
BOTH = ["segments.view", "segments.edit"]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    urls.HITS.clear()
    cache.clear()


def post(headers: dict[str, str], body: object, key: str = "") -> Any:
    extra = {"Idempotency-Key": key} if key else {}
    return Client(raise_request_exception=False).post(
        URL, body, content_type="application/json", headers=headers | extra
    )


def get(headers: dict[str, str], query: str = "") -> Any:
    return Client().get(URL + query, headers=headers)


# Tokens


def test_only_a_hash_of_a_token_is_kept() -> None:
    token, headers = api_token(BOTH)
    secret = headers["Authorization"].split()[1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_apitoken t")
        (stored,) = cursor.fetchone()
    assert secret not in stored
    assert token.prefix == secret[:8]
    assert secret.startswith("crl_")


def test_last_use_is_noted_at_most_once_a_minute() -> None:
    token, headers = api_token(BOTH)
    start = datetime(2026, 11, 22, 9, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        for seconds, noted in ((0, 0), (30, 0), (31, 61), (10, 61)):
            clock.shift(timedelta(seconds=seconds))
            assert get(headers).status_code == 200
            token.refresh_from_db()
            assert token.last_used_at == start + timedelta(seconds=noted)


@pytest.mark.parametrize(
    "authorization", ["", "crl_x", "Bearer", "Bearer ", "Bearer crl_x", "Basic dTpw", "Bearer \x00", "Bearer a b"]
)
def test_anything_but_a_living_token_gets_401_in_the_one_shape(authorization: str) -> None:
    answer = get({"Authorization": authorization})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("end", ["revoked", "expired", "owner disabled", "role lost"])
def test_a_token_ends_at_once(end: str) -> None:
    owner = UserFactory(roles=[Role.MARKETER.value])
    token, secret = create_token(
        name="x", scopes=BOTH, owner=owner, expires_at=datetime.now(UTC) + timedelta(days=1), by=owner
    )
    headers = {"Authorization": f"Bearer {secret}"}
    assert get(headers).status_code == 200
    shift, expected = timedelta(), 401
    if end == "revoked":
        revoke_token(token, by=owner)
    elif end == "expired":
        shift = timedelta(days=1, seconds=1)
    elif end == "owner disabled":
        disable(owner, reason="Left", by=SYSTEM)
    else:
        owner.roles, expected = [Role.ANALYST.value], 200  # an analyst may still see segments, but edit none
        owner.save()
        assert post(headers, {"name": "a"}).status_code == 403
    with time_machine.travel(datetime.now(UTC) + shift):
        assert get(headers).status_code == expected


def test_a_token_can_do_no_more_than_its_owner() -> None:
    with pytest.raises(ScopeTooWide, match="Build segments"):
        create_token(name="x", scopes=BOTH, owner=UserFactory(roles=[Role.ANALYST.value]), expires_at=None, by=SYSTEM)
    assert not ApiToken.objects.exists()


def test_a_session_of_a_person_opens_no_operation(client: Client) -> None:
    from tests.accounts.factories import sign_in

    sign_in(client, UserFactory(roles=Role.values))
    assert client.get(URL).status_code == 401


def test_a_method_without_a_scope_is_denied_to_everybody() -> None:
    _, headers = api_token(BOTH)
    assert Client().delete(URL, headers=headers).status_code == 403


def test_a_method_that_an_address_does_not_have_is_said_to_be_none() -> None:
    _, headers = api_token(BOTH)
    answer = Client().put(URL, {}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert Client().put(URL, {}, content_type="application/json").status_code == 401


# Errors


@pytest.mark.parametrize(
    ("body", "status", "code", "fields"),
    [
        ({}, 400, "invalid", {"name"}),
        ({"name": "x" * 21, "wait": "long"}, 400, "invalid", {"name", "wait"}),
        ([], 400, "invalid", {"non_field_errors"}),
        ("{broken", 400, "parse_error", None),
        ({"name": "a", "refuse": True}, 409, "not_today", None),
    ],
)
def test_every_refusal_has_the_one_shape(body: object, status: int, code: str, fields: set[str] | None) -> None:
    _, headers = api_token(BOTH)
    answer = post(headers, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert "dictionary" not in str(error)
    assert set(error.get("fields", {})) == (fields or set())


def test_other_content_types_and_unknown_addresses_have_it_too() -> None:
    _, headers = api_token(BOTH)
    answer = Client().post(URL, "a=b", content_type="application/x-www-form-urlencoded", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    strict = Client(enforce_csrf_checks=True)
    for answer in (strict.get("/api/v1/no-such-thing", headers=headers), strict.post("/api/v1/no-such-thing")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_crash_says_nothing_of_its_cause() -> None:
    _, headers = api_token(BOTH)
    answer = post(headers, {"name": "a", "crash": True})
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.content.decode()


# Pages


def test_pages_follow_each_other_without_loss_or_repeat() -> None:
    _, headers = api_token(BOTH, UserFactory(roles=Role.values, name="Zero"))
    for _ in range(6):
        UserFactory()
    url, seen = URL + "?page_size=3", []
    while url:
        page = Client().get(url, headers=headers).json()
        seen += [row["name"] for row in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 7
    assert seen[-1] == "Zero"


def test_a_forged_cursor_is_refused() -> None:
    _, headers = api_token(BOTH)
    assert get(headers, "?cursor=%00zz").status_code == 404
    assert get(headers, "?page_size=-1").status_code == 200


# Repeats


def test_a_repeat_with_the_same_key_gets_the_first_answer_and_changes_nothing() -> None:
    _, headers = api_token(BOTH)
    first = post(headers, {"name": "a"}, "k1")
    again = post(headers, {"name": "a"}, "k1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, {"name": "a", "n": 1})
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert urls.HITS == ["a"]


def test_without_a_key_each_request_counts() -> None:
    _, headers = api_token(BOTH)
    post(headers, {"name": "a"})
    post(headers, {"name": "a"})
    assert urls.HITS == ["a", "a"]


def test_a_key_stands_for_one_body_and_one_token() -> None:
    _, headers = api_token(BOTH)
    _, others = api_token(BOTH)
    post(headers, {"name": "a"}, "k1")
    answer = post(headers, {"name": "b"}, "k1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert post(others, {"name": "b"}, "k1").status_code == 201
    assert urls.HITS == ["a", "b"]


@pytest.mark.parametrize("body", [{"name": "a", "refuse": True}, {"name": "a", "crash": True}, {}])
def test_a_request_that_failed_leaves_nothing_and_may_be_sent_again(body: dict[str, object]) -> None:
    _, headers = api_token(BOTH)
    Organization.objects.create(pk=1, name="before")
    assert post(headers, body, "k1").status_code >= 400
    assert Organization.current().name == "before"
    assert not ApiReply.objects.exists()
    assert post(headers, {"name": "good"}, "k1").status_code == 201


@pytest.mark.parametrize("key", ["x" * 256, "ü"])
def test_a_key_has_a_form(key: str) -> None:
    _, headers = api_token(BOTH)
    assert post(headers, {"name": "a"}, key).status_code == 400
    assert not urls.HITS


def test_stored_answers_are_encrypted_and_kept_for_a_day() -> None:
    _, headers = api_token(BOTH)
    post(headers, {"name": "Canary-7731"}, "k1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_apireply t")
        assert "Canary-7731" not in cursor.fetchone()[0]
    purge()
    assert ApiReply.objects.count() == 1
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)):
        purge()
    assert not ApiReply.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_run_once() -> None:
    _, headers = api_token(BOTH)
    found: list[int] = []

    def send() -> None:
        found.append(post(headers, {"name": "a", "wait": 0.5}, "k1").status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [201, 409, 409, 409]
    assert urls.HITS == ["a"]
    assert post(headers, {"name": "a", "wait": 0.5}, "k1")["Idempotency-Replayed"] == "true"


# Rate


def test_too_many_requests_get_429_and_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PerToken, "THROTTLE_RATES", {"token": "3/min"})
    _, headers = api_token(BOTH)
    _, others = api_token(BOTH)
    assert [get(headers).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = get(headers)
    assert 0 < int(answer["Retry-After"]) <= 60
    assert answer.json()["error"]["code"] == "throttled"
    assert get(others).status_code == 200
