"""The pixel and the redirect, and what they make of scanners, forgers and people."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent import commands as consent
from consent.models import Source
from core import clock
from core.actors import PATIENT
from core.ids import uuid7
from phi.tokens import MessageToken
from tests.consent.factories import TopicFactory, contact
from tracking import links, queries, resolvers
from tracking.commands import purge
from tracking.models import Event
from tracking.resolvers import Resolved

pytestmark = pytest.mark.django_db

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
LINKS = ["https://clinic.example/one?x=1", "https://clinic.example/two"]


class Sent:
    """Messages that were sent, as the room that sends would answer for them."""

    def __init__(self):
        self.known = {}

    def __call__(self, delivery_id):
        return self.known.get(delivery_id)

    def message(self, **changes):
        person = contact()
        message = Resolved(uuid7(), person.pk, LINKS, clock.now() - timedelta(hours=1), True, True, "identity")
        message = replace(message, **changes)
        delivery_id = uuid7()
        self.known[delivery_id] = message
        return message, MessageToken(delivery_id, message.contact_id, 0).encode()


@pytest.fixture
def sent(monkeypatch):
    sent = Sent()
    monkeypatch.setattr(resolvers, "_resolvers", [sent])
    return sent


def get(client, url, agent=CHROME, **more):
    return client.get(url.removeprefix("http://localhost:8000"), headers={"User-Agent": agent, **more})


def test_an_open_is_recorded_and_answers_with_a_dot(client, sent):
    message, token = sent.message()
    response = get(client, links.pixel_url(token))
    assert response.status_code == 200
    assert response["Content-Type"] == "image/gif"
    assert response["Cache-Control"] == "no-store"
    event = Event.objects.get()
    assert (event.kind, event.origin_id, event.verdict) == ("open", message.origin_id, "human")


def test_a_click_leads_on_without_the_token(client, sent):
    _, token = sent.message()
    response = get(client, links.click_url(token, 1))
    assert response.status_code == 302
    assert response["Location"] == LINKS[1]
    assert token not in str(response.headers)
    assert response["Referrer-Policy"] == "no-referrer"
    assert not response.cookies
    assert Event.objects.get().link == 1


def test_one_click_costs_one_read_and_one_insert(client, sent, django_assert_num_queries):
    _, token = sent.message()
    with django_assert_num_queries(2):
        get(client, links.click_url(token, 0))


@pytest.mark.parametrize("kind", ["open", "click"])
def test_head_and_other_methods_record_nothing(kind, client, sent):
    _, token = sent.message()
    path = f"/t/o/{token}.gif" if kind == "open" else f"/t/c/{token}/0"
    assert client.head(path, headers={"User-Agent": CHROME}).status_code in {200, 302}
    assert client.post(path).status_code == 405
    assert not Event.objects.exists()


def test_tampered_links_are_not_found(client, sent):
    _, token = sent.message()
    stranger = MessageToken(uuid7(), uuid7(), 0).encode()
    someone = MessageToken(MessageToken.decode(token).delivery_id, uuid7(), 0).encode()
    swapped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for path in (
        f"/t/c/{token}/2",
        f"/t/c/{token}/99999999999999999999",
        f"/t/c/{token}/-1",
        f"/t/c/{token}/https://evil.example",
        f"/t/c/{swapped}/0",
        f"/t/c/{stranger}/0",
        f"/t/c/{someone}/0",
        "/t/c/x/0",
        f"/t/o/{swapped}.gif",
        "/t/o/x.gif",
    ):
        response = client.get(path)
        assert response.status_code == 404, path
        assert token.encode() not in response.content
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("changes", "opens", "clicks"),
    [
        ({}, 1, 1),
        ({"track_opens": False}, 0, 1),
        ({"track_clicks": False}, 1, 0),
        ({"tier": "phi"}, 1, 1),
        ({"tier": "special"}, 0, 0),
    ],
)
def test_what_may_not_be_measured_is_not(changes, opens, clicks, client, sent):
    _, token = sent.message(**changes)
    assert get(client, links.pixel_url(token)).status_code == 200
    assert get(client, links.click_url(token, 0)).status_code == 302
    assert Event.objects.filter(kind="open").count() == opens
    assert Event.objects.filter(kind="click").count() == clicks


def test_who_asks_not_to_be_measured_is_not(client, sent):
    _, token = sent.message()
    assert get(client, links.click_url(token, 0), **{"Sec-GPC": "1"}).status_code == 302
    assert not Event.objects.exists()


def test_who_said_so_on_the_preference_page_is_not_measured(client, sent):
    _, token = sent.message()
    for kept in (0, 1):
        client.post(f"/m/p/{token}", {"do": "save", "asked": "counting", **({"counting": "yes"} if kept else {})})
        assert get(client, links.pixel_url(token)).status_code == 200
        assert get(client, links.click_url(token, 0)).status_code == 302
        assert Event.objects.count() == 2 * kept


def test_a_scanner_that_visits_every_link_counts_as_a_machine_afterwards(client, sent):
    message, token = sent.message()
    for number in range(2):
        get(client, links.click_url(token, number))
    assert set(Event.objects.values_list("verdict", flat=True)) == {"human"}
    counts = queries.counts_for(message.origin_id)
    assert (counts.clicks.total.machine, counts.clicks.total.human) == (2, 0)
    assert [e.verdict for e in queries.events_for_contact(message.contact_id)] == ["machine", "machine"]


def test_an_unsubscribe_by_the_mails_own_link_counts_for_its_campaign(sent, django_capture_on_commit_callbacks):
    message, token = sent.message()
    own = MessageToken.decode(token)
    topic = TopicFactory()
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            consent.opt_out(message.contact_id, topic, source=Source.ONE_CLICK, by=PATIENT, delivery_id=own.delivery_id)
    assert queries.counts_for(message.origin_id).unsubscribes == 1


def test_nothing_of_the_visitor_is_kept(client, sent):
    _, token = sent.message()
    get(client, links.click_url(token, 0), agent=CHROME + " Canary/7", **{"X-Forwarded-For": "203.0.113.77"})
    row = str(Event.objects.values().get())
    assert "Canary" not in row
    assert "203.0.113" not in row


def test_old_events_are_forgotten_and_none_is_edited(sent, client):
    _, token = sent.message()
    get(client, links.pixel_url(token))
    assert purge(clock.now() - timedelta(days=1)) == 0
    assert purge(clock.now() + timedelta(seconds=1)) == 1
