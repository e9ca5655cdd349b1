"""RFC 8058 and CAN-17: what patients, mail clients and scanners meet under /m/."""

import base64
import re
from uuid import UUID

import pytest
from django.test import Client

from consent import commands, links, queries
from consent.models import LedgerEntry, Source
from contacts import commands as people
from core.actors import SYSTEM
from core.ids import uuid7
from core.models import Organization
from phi.tokens import MessageToken
from tests.consent.factories import EVIDENCE, TopicFactory, contact, opted_in

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def topic():
    return TopicFactory(name="Zyprexadone oncology list", public_name="News and tips")


@pytest.fixture
def person(topic):
    found = contact(
        "sam.canary@example.com", external_id="EXT-CANARY-77", first_name="Canaryfirst", last_name="Canarylast"
    )
    opted_in(topic, contact_id=found.pk)
    return found


@pytest.fixture
def token(person, topic):
    return MessageToken(uuid7(), person.pk, topic.number).encode()


def receives(person, topic) -> bool:
    return queries.receives(queries.facts_for([person.pk], topic.pk)[person.pk], topic)


def strict() -> Client:
    """A client without cookies that would notice a missing CSRF exemption."""
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("cookies", [False, True])
def test_one_click_works_from_every_client(encoding, cookies, person, topic, token):
    client = strict()
    if cookies:
        client.cookies["csrftoken"] = "a" * 32
        client.cookies["carillon"] = "somebody-elses-session"
    if encoding == "multipart/form-data":
        response = client.post(f"/m/u/{token}", ONE_CLICK)
    else:
        response = client.post(f"/m/u/{token}", "List-Unsubscribe=One-Click", content_type=encoding)
    assert response.status_code == 200
    assert not any(cookie.value for cookie in response.cookies.values())
    assert not receives(person, topic)
    assert LedgerEntry.objects.latest("number").source == Source.ONE_CLICK


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "text/plain"),
        (b"", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"\xff\xfe=%ff", "application/x-www-form-urlencoded"),
        (b"a=b&" * 9000, "application/x-www-form-urlencoded"),
        (b"x=" + b"y" * 6_000_000, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
    ],
)
def test_a_body_nobody_understands_still_unsubscribes(body, content_type, person, topic, token):
    response = strict().post(f"/m/u/{token}", body, content_type=content_type)
    assert response.status_code == 200
    assert not receives(person, topic)


def test_replays_change_nothing_more(person, token):
    for _ in range(5):
        assert strict().post(f"/m/u/{token}", ONE_CLICK).status_code == 200
    assert LedgerEntry.objects.filter(contact_id=person.pk).count() == 2


@pytest.mark.parametrize("page", ["u", "p"])
def test_a_scanner_that_fetches_thousands_of_times_changes_nothing(page, person, topic, token):
    before = LedgerEntry.objects.count()
    client = strict()
    for number in range(1000):
        method = (client.get, client.head, client.options)[number % 3]
        assert method(f"/m/{page}/{token}").status_code == 200
    assert LedgerEntry.objects.count() == before
    assert receives(person, topic)


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_other_methods_are_refused(method, token):
    assert getattr(strict(), method)(f"/m/u/{token}").status_code == 405


def flipped(token: str) -> list[str]:
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    out = []
    for bit in range(0, len(raw) * 8, 7):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        out.append(base64.urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode())
    return out


def test_no_altered_token_opens_anything_and_all_get_one_page(person, topic, token, django_assert_max_num_queries):
    Organization.current()
    bodies = set()
    forged = [*flipped(token), token[:-1], token + "A", token + "=", "x", "A" * 4000, "é", str(person.pk)]
    for bad in forged:
        with django_assert_max_num_queries(1):
            response = strict().post(f"/m/u/{bad}", ONE_CLICK)
        assert response.status_code == 404
        bodies.add(response.content)
    assert len(bodies) == 1
    assert b"This link does not work" in bodies.pop()
    assert receives(person, topic)


def test_a_token_for_one_purpose_opens_no_other(person, topic, token):
    asked = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    other = links.confirm_url(asked.pk).rpartition("/")[2]
    assert strict().get(f"/m/c/{other}").status_code == 200
    assert strict().post(f"/m/u/{other}").status_code == 404
    assert strict().post(f"/m/c/{token}").status_code == 404


def test_a_token_without_topic_stops_everything(person, topic):
    token = MessageToken(uuid7(), person.pk, 0).encode()
    strict().post(f"/m/u/{token}", ONE_CLICK)
    assert queries.facts_for([person.pk], None)[person.pk].opted_out_all


def test_the_result_offers_to_stop_everything_and_to_take_it_back(person, topic, token):
    client = strict()
    body = client.post(f"/m/u/{token}", ONE_CLICK).content.decode()
    assert "Stop all emails from us" in body
    assert "That was a mistake" in body
    client.post(f"/m/u/{token}", {"do": "undo", "scope": "topic"})
    assert receives(person, topic)
    client.post(f"/m/u/{token}", {"scope": "all"})
    assert queries.facts_for([person.pk], topic.pk)[person.pk].opted_out_all
    client.post(f"/m/u/{token}", {"do": "undo", "scope": "all"})
    assert receives(person, topic)
    entries = LedgerEntry.objects.count()
    client.post(f"/m/u/{token}", {"do": "undo", "scope": "all"})
    assert LedgerEntry.objects.count() == entries


def test_taking_back_everything_promises_no_more_than_it_does(person, topic, token):
    client = strict()
    client.post(f"/m/u/{token}", ONE_CLICK)
    client.post(f"/m/u/{token}", {"scope": "all"})
    body = client.post(f"/m/u/{token}", {"do": "undo", "scope": "all"}).content
    assert b"not the emails you stopped before" in body
    assert not receives(person, topic)
    body = client.post(f"/m/u/{token}", {"do": "undo", "scope": "topic"}).content
    assert b"You will get these emails again" in body
    assert receives(person, topic)


def test_links_of_a_removed_topic_and_of_a_deleted_contact_still_work(person, topic, token):
    commands.remove_topic(topic, by=SYSTEM)
    assert strict().post(f"/m/u/{token}", ONE_CLICK).status_code == 200
    assert LedgerEntry.objects.latest("number").act == "opt_out"
    people.delete(person, by=SYSTEM)
    assert strict().post(f"/m/u/{token}", {"scope": "all"}).status_code == 200
    assert b"do not have this address" in strict().post(f"/m/u/{token}", {"do": "undo"}).content
    assert b"do not have this address" in strict().get(f"/m/p/{token}").content


def test_preferences_are_saved_by_post_without_leaving_the_page(person, topic, token):
    other = TopicFactory(public_name="Offers")
    response = strict().post(f"/m/p/{token}", {"do": "save", "topic": [str(other.number), "999999", "x"]})
    assert response.status_code == 200
    assert b"Your choices are saved" in response.content
    assert not receives(person, topic)
    assert receives(person, other)
    entry = LedgerEntry.objects.latest("number")
    assert entry.evidence["text"]
    assert entry.source == Source.PREFERENCES


def test_preferences_can_stop_everything(person, token):
    strict().post(f"/m/p/{token}", {"do": "stop"})
    assert queries.facts_for([person.pk], None)[person.pk].opted_out_all


def test_confirming_needs_a_post(person, topic):
    fresh = TopicFactory(public_name="Tips")
    asked = commands.request_opt_in(person.pk, fresh, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    url = links.confirm_url(asked.pk)[len("http://localhost:8000") :]
    assert b"Tips" in strict().get(url).content
    assert not receives(person, fresh)
    assert b"signed up" in strict().post(url).content
    assert receives(person, fresh)
    assert queries.facts_for([person.pk], fresh.pk)[person.pk].address_confirmed


def test_confirming_after_an_opt_out_says_what_happened(person, topic):
    fresh = TopicFactory()
    asked = commands.request_opt_in(person.pk, fresh, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    commands.opt_out(person.pk, source=Source.ONE_CLICK, by=SYSTEM)
    response = strict().post(f"/m/c/{links.confirm_url(asked.pk).rpartition('/')[2]}")
    assert response.status_code == 200
    assert b"could not sign you up" in response.content


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("get", "u", {}),
        ("post", "u", ONE_CLICK),
        ("post", "u", {"scope": "all"}),
        ("post", "u", {"do": "undo"}),
        ("get", "p", {}),
        ("post", "p", {"do": "save"}),
        ("post", "p", {"do": "stop"}),
    ],
)
def test_a_stranger_with_the_link_learns_nothing(method, path, data, person, topic, token):  # noqa: PLR0917
    organization = Organization.current()
    organization.name, organization.contact_phone = "Example Clinic", "555-0100"
    organization.save()
    response = getattr(strict(), method)(f"/m/{path}/{token}", data)
    body = response.content.decode()
    assert "s•••@example.com" in body
    for secret in ("sam.canary", "Canary", "Zyprexadone", "oncology", str(person.pk), str(topic.pk), "EXT-"):
        assert secret not in body
    assert not re.search(r"(?:src|href|action)=\"?(?:https?:)?//", body)
    assert not re.search(r"<script|<style| style=| on\w+=", body)
    assert response["Cache-Control"] == "no-store"
    assert "noindex" in response["X-Robots-Tag"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert not any(cookie.value for cookie in response.cookies.values())


def test_evidence_of_the_click_is_kept(person, topic, token):
    strict().post(f"/m/u/{token}", ONE_CLICK, headers={"User-Agent": "Mail/1.0"}, REMOTE_ADDR="192.0.2.7")
    kept = LedgerEntry.objects.latest("number").evidence
    assert kept["agent"] == "Mail/1.0"
    assert kept["address"] == "192.0.2.7"
    assert UUID(kept["delivery_id"]) == MessageToken.decode(token).delivery_id
