"""The trail's pages: who may, what they show, and that reading leaves its own mark."""

from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client
from django.urls import resolve, reverse

from accounts.policy import Action, Role
from audit import signing
from audit.commands import build, record, record_many, seal
from audit.models import Checkpoint, Entry
from core.actors import SYSTEM, Actor
from tests.accounts.factories import UserFactory, sign_in
from tests.consent.factories import TopicFactory
from trail.queries import PAGES

pytestmark = pytest.mark.django_db
LIST = "/compliance/trail/"


@pytest.fixture
def officer() -> object:
    return UserFactory(roles=[Role.COMPLIANCE.value], name="Olga Officer", time_zone="Europe/Berlin")


@pytest.fixture
def client(officer) -> Client:
    client = Client()
    sign_in(client, officer)
    return client


def test_only_compliance_officers_come_in(client: Client) -> None:
    entry = record("test.happened", by=SYSTEM)
    seal()
    pages = [LIST, f"{LIST}entries/{entry.pk}", f"{LIST}checkpoints", f"{LIST}checkpoints/1.txt", f"{LIST}trail.vkey"]
    pages.append(f"{LIST}export")
    for role in Role:
        other = Client()
        sign_in(other, UserFactory(roles=[role.value]))
        for page in pages:
            expected = 200 if role is Role.COMPLIANCE else 403
            assert other.get(page).status_code in ((200, 404) if expected == 200 else (403,)), (role, page)
    assert Client().get(LIST).status_code == 302


def test_the_list_names_people_and_links_to_what_they_touched(client: Client, officer) -> None:
    topic = TopicFactory()
    other = UserFactory(name="Mara Marketer")
    record("topic.created", by=officer, target=topic)
    record("accounts.invited", by=other, target=other)
    page = client.get(LIST).content.decode()
    assert "Olga Officer" in page
    assert "Mara Marketer" in page
    assert "Topic: created" in page
    assert reverse("consent:topic", args=[topic.pk]) in page
    assert reverse("accounts:person", args=[other.pk]) not in page, "an officer may not open it"


def test_everything_the_trail_links_to_has_a_page() -> None:
    for kind, name in PAGES.items():
        assert apps.get_model(kind)
        assert resolve(reverse(name, args=[uuid4()])).func.access in list(Action)


def test_reading_and_exporting_are_recorded(client: Client, officer) -> None:
    entry = record("test.happened", by=SYSTEM)
    client.get(LIST, {"action": "test.happened"})
    client.get(f"{LIST}entries/{entry.pk}")
    b"".join(client.post(f"{LIST}export").streaming_content)
    read, looked, exported = Entry.objects.filter(actor_id=str(officer.pk), action__startswith="trail.").order_by("at")
    assert (read.action, read.details) == ("trail.read", {"filter": {"action": "test.happened"}})
    assert (looked.action, looked.target_id) == ("trail.entry_read", str(entry.pk))
    assert exported.action == "trail.exported"


def test_filters_find_and_only_find(client: Client) -> None:
    contact = uuid4()
    record("test.one", by=Actor("staff", str(uuid4())), subject=contact)
    record("test.two", by=SYSTEM)
    for query, shown, hidden in [
        ({"action": "test.one"}, "Test: one", "entries/none"),
        ({"actor": "system:"}, "Test: two", "Test: one</a>"),
        ({"about": str(contact).upper()}, "Test: one", "Test: two</a>"),
        ({"since": "2001-01-01", "until": "2100-01-01"}, "Test: two", "entries/none"),
    ]:
        page = client.get(LIST, query).content.decode()
        assert f"{shown}</a>" in page, query
        assert hidden not in page, query
    assert "Nothing like that was recorded" in client.get(LIST, {"until": "2001-01-01"}).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "2026-05-02", "until": "2026-05-01"},
        {"actor": "nobody"},
        {"action": "'; DROP TABLE"},
        {"about": "x" * 500},
        {"about": "\x00"},
        {"before": "x"},
        {"before": str(uuid4())},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
    ],
)
def test_bad_input_gets_a_page_and_no_error(client: Client, query: dict[str, str]) -> None:
    assert client.get(LIST, query).status_code == 200
    assert client.post(f"{LIST}export", query).status_code == 200


def test_pages_follow_each_other_without_gap_or_repeat(client: Client) -> None:
    record_many(build("test.many", by=SYSTEM, n=n) for n in range(120))
    seen: list[str] = []
    url = f"{LIST}?action=test.many"
    while url:
        response = client.get(url)
        seen += [str(row["entry"].pk) for row in response.context["rows"]]
        older = response.context["older"]
        url = f"{LIST}?action=test.many&before={older}" if older else ""
    assert len(seen) == len(set(seen)) == 120


def test_the_list_costs_the_same_for_one_entry_and_for_three(client: Client, django_assert_num_queries) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    record("test.one", by=Actor("staff", str(uuid4())))
    client.get(LIST)
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get(LIST, {"action": "test.one"})
    for _ in range(3):
        record("test.one", by=UserFactory())
    with CaptureQueriesContext(connection) as three:
        client.get(LIST, {"action": "test.one"})
    assert len(one) == len(three)


def test_an_entry_shows_its_proof_and_a_waiting_one_says_so(client: Client) -> None:
    entry = record("test.happened", by=SYSTEM)
    assert "Waiting for its seal" in client.get(f"{LIST}entries/{entry.pk}").content.decode()
    seal()
    assert "Proven" in client.get(f"{LIST}entries/{entry.pk}").content.decode()


def test_checkpoints_are_kept_as_files(client: Client) -> None:
    record("test.happened", by=SYSTEM)
    seal()
    checkpoint = Checkpoint.objects.get()
    page = client.get(f"{LIST}checkpoints").content.decode()
    assert signing.fingerprint() in page
    assert client.get(f"{LIST}checkpoints/{checkpoint.size}.txt").content.decode() == checkpoint.note
    assert client.get(f"{LIST}checkpoints/99.txt").status_code == 404
    assert client.get(f"{LIST}trail.vkey").content.decode().strip() == signing.verifier_key()


def test_an_earlier_checkpoint_that_is_none_is_refused_with_a_reason(client: Client) -> None:
    page = client.post(f"{LIST}export", {"earlier": "something else"})
    assert "This is no checkpoint of this trail" in page.content.decode()
    record("test.happened", by=SYSTEM)
    seal()
    kept = Checkpoint.objects.get().note.replace("\n", "\r\n")
    assert client.post(f"{LIST}export", {"earlier": kept})["Content-Type"] == "application/zip"
