import pytest

from consent import queries
from consent.models import LedgerEntry, Topic
from core.ids import uuid7
from phi import blind
from tests.accounts.factories import api_token
from tests.consent.factories import DOCUMENT, TopicFactory, contact, opted_in

pytestmark = pytest.mark.django_db

EVERYTHING = ["consent.view", "consent.record", "topics.manage", "suppression.manage"]


@pytest.fixture
def call(client):
    _, headers = api_token(EVERYTHING)

    def call(method, path, data=None, **more):
        return getattr(client, method)(
            f"/api/v1/{path}", data, content_type="application/json", headers={**headers, **more}
        )

    return call


def test_a_consent_is_recorded_by_external_id_and_read_back(call):
    topic, person = TopicFactory(), contact(external_id="MRN-1")
    body = {"external_id": "MRN-1", "act": "opt_in", "topic_id": str(topic.pk), "evidence": {"text": "Yes"}}
    made = call("post", "consents", body)
    assert made.status_code == 201
    assert made.json()["source"] == "api"
    state = call("get", f"consents/{person.pk}").json()
    assert state["topics"][0]["opted_in"] == made.json()["id"]
    assert state["topics"][0]["receives"] is True


@pytest.mark.parametrize(
    ("act", "kept"),
    [
        ("opt_in", "opt_in"),
        ("opt_in_requested", "opt_in_requested"),
        ("opt_out", "opt_out"),
        ("opt_out_all", "opt_out_all"),
        ("opt_in_everything", "opt_in"),
        ("address_confirmed", "address_confirmed"),
        ("special_consent", "special_consent"),
        ("special_consent_revoked", "special_consent_revoked"),
        ("counting_refused", "counting_refused"),
        ("counting_allowed", "counting_allowed"),
    ],
)
def test_every_act_can_be_recorded(act, kept, call):
    topic, person = TopicFactory(), contact()
    body = {"contact_id": str(person.pk), "act": act, "topic_id": str(topic.pk), "evidence": {"text": "Yes"}}
    assert call("post", "consents", body).status_code == 201
    assert LedgerEntry.objects.get().act == kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"act": "opt_in"}, 400),
        ({"act": "opt_in", "contact_id": "CONTACT"}, 400),
        ({"act": "opt_in", "contact_id": "CONTACT", "topic_id": "TOPIC"}, 400),
        ({"act": "opt_out", "contact_id": "CONTACT", "external_id": "x", "topic_id": "TOPIC"}, 400),
        ({"act": "opt_in", "contact_id": "x"}, 400),
        ({"act": "imported", "contact_id": "CONTACT"}, 400),
        ({"act": "opt_out_all", "external_id": "nobody"}, 404),
        ({"act": "opt_out", "contact_id": "CONTACT", "topic_id": "TOPIC", "evidence": {"given_on": "soon"}}, 400),
        ({"act": "opt_in", "contact_id": "CONTACT", "topic_id": "OTHER", "evidence": {"text": "x"}}, 404),
        ({"act": "opt_in", "contact_id": "OTHER", "topic_id": "TOPIC", "evidence": {"text": "x"}}, 404),
        ({"act": "opt_out", "contact_id": "CONTACT", "topic_id": "TOPIC", "source": "one_click"}, 400),
        ({"act": "opt_out_all", "contact_id": "OTHER"}, 404),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_shape(body, status, call):
    ids = {"CONTACT": str(contact().pk), "TOPIC": str(TopicFactory().pk), "OTHER": str(uuid7())}
    body = {key: ids.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
    response = call("post", "consents", body)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert not LedgerEntry.objects.exists()


def test_the_ledger_is_listed_newest_first_and_filtered(call):
    topic, person = TopicFactory(), contact()
    first, last = opted_in(topic, contact_id=person.pk), opted_in(topic)
    results = call("get", "consents").json()["results"]
    assert [r["id"] for r in results] == [str(last.pk), str(first.pk)]
    assert len(call("get", f"consents?contact_id={person.pk}").json()["results"]) == 1
    assert call("get", "consents?act=opt_out").json()["results"] == []
    assert call("get", "consents?act=nonsense").status_code == 400


def test_a_repeat_with_the_same_key_is_written_once(call):
    topic, person = TopicFactory(), contact()
    body = {"contact_id": str(person.pk), "act": "opt_in", "topic_id": str(topic.pk), "evidence": {"text": "Yes"}}
    for _ in range(2):
        assert call("post", "consents", body, **{"Idempotency-Key": "one"}).status_code == 201
    assert LedgerEntry.objects.count() == 1


def test_topics_are_defined_and_listed(call):
    body = {"name": "Diabetes news", "public_name": "News"}
    assert call("post", "topics", body).status_code == 201
    assert call("post", "topics", body).status_code == 409
    assert [t["name"] for t in call("get", "topics").json()["results"]] == ["Diabetes news"]
    assert Topic.objects.count() == 1


def test_an_authorization_is_taken_whole_or_not_at_all(call):
    person = contact()
    path = f"consents/{person.pk}/authorizations"
    made = call("post", path, {"document": DOCUMENT})
    assert made.status_code == 201
    assert call("post", path, {"document": {**DOCUMENT, "signature": ""}}).status_code == 400
    assert call("get", f"consents/{person.pk}").json()["authorization_id"] == made.json()["id"]
    for _ in range(2):
        assert call("post", f"authorizations/{made.json()['id']}/end").status_code == 200
    assert call("get", f"consents/{person.pk}").json()["authorization_id"] is None


def test_an_address_is_suppressed(call):
    assert call("post", "suppressions", {"address": "x@example.com", "reason": "complained"}).status_code == 201
    assert queries.suppressed([blind.index("suppression", "x@example.com")])
    assert call("post", "suppressions", {"address": "x", "reason": "complained"}).status_code == 400


def test_a_token_without_the_scope_is_refused(client):
    _, headers = api_token(["consent.view"])
    assert client.post("/api/v1/topics", {}, headers=headers).status_code == 403
