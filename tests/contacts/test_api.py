from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.client import FakePayload
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from contacts import queries
from contacts.models import Contact
from contacts.records import Coded
from core.api.throttling import PerToken
from tests.accounts.factories import api_token
from tests.contacts.factories import make_people, make_person

pytestmark = pytest.mark.django_db

BASE = "/api/v1/"
MRN = {"values": {"external_id": "MRN-1"}}


class Api:
    """A machine with these scopes."""

    def __init__(self, *scopes: str) -> None:
        self.token, self.headers = api_token(scopes)

    def __call__(self, verb: str, path: str, body: Any = None) -> Any:
        send = getattr(Client(), verb)
        kwargs = {} if body is None else {"data": body, "content_type": "application/json"}
        return send(BASE + path, headers=self.headers, **kwargs)


def test_a_person_is_known_by_external_id_and_told_again_changes_nothing() -> None:
    api = Api("contacts.edit")
    body = {
        "values": {"external_id": "MRN-1", "email": "ada@example.com", "birth_date": "1961-04-30"},
        "coded": {"conditions": [{"code": "44054006", "display": "Diabetes", "start": "2019-01-01"}]},
    }
    first = api("post", "contacts/upsert", body)
    assert (first.status_code, first.json()["result"]) == (201, "created")
    again = api("post", "contacts/upsert", body)
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "result": "unchanged"})
    more = {"values": {"external_id": "MRN-1", "city": "Visalia", "birth_date": None}}
    changed = api("post", "contacts/upsert", more)
    assert changed.json()["result"] == "changed"
    record = queries.open_one(Contact.objects.get())
    assert record.values == {"email": "ada@example.com", "external_id": "MRN-1", "city": "Visalia"}
    assert record.coded == {"conditions": [Coded("44054006", "Diabetes", "2019-01-01")]}
    assert Entry.objects.filter(action="contacts.upserted", actor_kind="token").count() == 2


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"values": {"external_id": "MRN-1", "email": "nonsense"}}, 400, "form name@domain"),
        ({"values": {"external_id": "MRN-1", "shoe": 1}}, 400, "no attribute"),
        ({"values": {"email": "ada@example.com"}}, 400, "Give the external_id"),
        ({"values": {"external_id": None}}, 400, "Give the external_id"),
        ({"values": "x"}, 400, "dictionary"),
        ({"coded": {"conditions": [{"display": "no code"}]}}, 400, "required"),
        ({**MRN, "coded": {"email": [{"code": "1"}]}}, 400, "no coded list"),
        (
            {**MRN, "coded": {"conditions": [{"code": "1", "start": "2020-01-01", "stop": "2019-01-01"}]}},
            400,
            "stops bef",
        ),
        ([], 400, "nvalid"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_the_one_shape(body: Any, status: int, says: str) -> None:
    response = Api("contacts.edit")("post", "contacts/upsert", body)
    assert response.status_code == status
    assert says in str(response.json()["error"])
    assert not Contact.objects.exists()


def test_bulk_takes_whom_it_can_and_says_why_not_of_the_others() -> None:
    make_person(external_id="K1", email="k1@example.com")
    body = {
        "people": [
            {"values": {"external_id": "K1", "email": "k1@example.com", "city": "Tulare"}},
            {"values": {"external_id": "K2", "email": "k2@example.com"}},
            {"values": {"external_id": "K3", "email": "k3@example.com\r\nBcc: x@example.com"}},
            {"coded": {"conditions": [{"code": ""}]}},
            "nobody",
            {"values": {"external_id": "K2"}},
        ]
    }
    answer = Api("contacts.edit")("post", "contacts/bulk", body).json()
    assert (answer["created"], answer["changed"], answer["unchanged"]) == (1, 1, 0)
    assert [item["position"] for item in answer["refused"]] == [2, 3, 4, 5]
    assert "line break" in answer["refused"][0]["message"]
    assert answer["ids"][0] == str(queries.by_external_id("K1"))
    assert answer["ids"][2] is None


def test_bulk_refuses_more_than_ten_thousand_people() -> None:
    response = Api("contacts.edit")("post", "contacts/bulk", {"people": [{}] * 10_001})
    assert response.status_code == 400
    assert "10000" in str(response.json())


@pytest.mark.parametrize("key", ["", "import-of-today"])
def test_bulk_takes_bodies_larger_than_forms_may_be(key: str, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    api = Api("contacts.edit")
    if key:
        api.headers["Idempotency-Key"] = key
    body = {"people": [{"values": {"external_id": f"E{i}", "email": f"e{i}@example.com"}} for i in range(500)]}
    assert api("post", "contacts/bulk", body).json()["created"] == 500
    again = api("post", "contacts/bulk", body)
    assert again.json()["created"] == (500 if key else 0)
    assert Contact.objects.count() == 500


def test_a_bulk_request_beyond_the_limit_is_refused_in_the_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.api.MAX_BULK_BYTES", 1000)
    response = Api("contacts.edit")("post", "contacts/bulk", {"people": [{"values": {"city": "x" * 2000}}]})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("contacts.view", 403), ("contacts.edit", 429)])
def test_a_bulk_body_is_not_read_for_whoever_may_not_send_it(
    scope: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PerToken, "THROTTLE_RATES", {"token": "1/min"})
    headers = api_token([scope])[1] if scope else {}
    read: list[bytes] = []

    class Heard(FakePayload):
        def read(self, *args: Any) -> bytes:
            read.append(super().read(*args))
            return read[-1]

    def send() -> int:
        payload = Heard(b'{"people": []}')
        client = Client()
        return client.post(
            BASE + "contacts/bulk", content_type="application/json", headers=headers, **{"wsgi.input": payload}
        ).status_code

    if status == 429:
        send()
        read.clear()
    assert send() == status
    assert read == []


@pytest.mark.parametrize("path", ["contacts", "contacts/bulk"])
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "a"}])
@pytest.mark.parametrize("length", ["rubbish", "-5", "1e3", "9" * 17, "9" * 5000])
def test_a_length_that_is_none_is_refused_and_no_crash(length: str, key: dict[str, str], path: str) -> None:
    headers = api_token(["contacts.edit"])[1] | key
    answer = Client().post(BASE + path, {"people": [{}]}, "application/json", headers=headers, CONTENT_LENGTH=length)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["message"]


def test_lists_are_masked_and_cost_the_same_for_one_and_three() -> None:
    api = Api("contacts.view")
    make_people(1, email="ada.lovelace@example.com")

    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert api("get", "contacts").status_code == 200
        return len(seen)

    cost()
    one = cost()
    make_people(2)
    assert cost() == one
    assert "lovelace" not in api("get", "contacts").content.decode()


def test_values_in_the_clear_need_the_scope_and_a_reason_and_are_recorded() -> None:
    contact = make_person(city="Visalia")
    assert Api("contacts.view")("post", f"contacts/{contact.pk}/reveal", {"reason": "because"}).status_code == 403
    api = Api("contacts.view", "contacts.reveal")
    assert "Visalia" not in api("get", f"contacts/{contact.pk}").content.decode()
    assert api("post", f"contacts/{contact.pk}/reveal", {}).status_code == 400
    answer = api("post", f"contacts/{contact.pk}/reveal", {"reason": "Sync with the record system"}).json()
    assert answer["values"]["city"] == "Visalia"
    assert Entry.objects.get(action="contact.revealed").actor_kind == "token"


def test_finding_is_exact_and_by_post() -> None:
    contact = make_person(email="ada@example.com", external_id="MRN-1")
    api = Api("contacts.view")
    for body in ({"email": "Ada@example.com"}, {"external_id": "MRN-1"}):
        assert [item["id"] for item in api("post", "contacts/find", body).json()] == [str(contact.pk)]
    assert api("post", "contacts/find", {"email": "ada@example.org"}).json() == []
    assert api("post", "contacts/find", {}).status_code == 400


def test_adding_changing_and_deleting_one() -> None:
    api = Api("contacts.edit", "contacts.delete")
    made = api("post", "contacts", {"values": {"email": "ada@example.com"}})
    assert made.status_code == 201
    path = f"contacts/{made.json()['id']}"
    assert api("patch", path, {"values": {"city": "Visalia"}}).status_code == 200
    assert api("patch", path, {"values": {"email": None}}).status_code == 400
    assert api("delete", path).status_code == 204
    assert api("delete", path).status_code == 404


def test_attributes_are_listed_and_defined() -> None:
    api = Api("contacts.view", "attributes.manage")
    assert "email" in [item["key"] for item in api("get", "attributes").json()]
    made = api("post", "attributes", {"label": "Plan tier", "kind": "number", "sensitivity": "phi"})
    assert (made.status_code, made.json()["key"]) == (201, "plan_tier")
    twice = api("post", "attributes", {"label": "Plan tier", "kind": "number", "sensitivity": "phi"})
    assert twice.status_code == 409
    wrong = api("post", "attributes", {"label": "Plan", "kind": "colour", "sensitivity": "phi"})
    assert wrong.status_code == 400
