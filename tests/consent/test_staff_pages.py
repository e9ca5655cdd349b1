"""What compliance officers see, and what a bad form gets them: a message, never a 500."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Action, Role
from audit.models import Entry
from consent import commands, queries
from consent.exports import stream
from consent.models import Act, Authorization, Export, LedgerEntry, Source, Suppression, Topic
from contacts import commands as people
from core import clock
from core.actors import PATIENT, SYSTEM
from core.ids import uuid7
from phi import blind
from tests.accounts.factories import UserFactory, sign_in
from tests.consent.factories import DOCUMENT, EVIDENCE, LedgerEntryFactory, TopicFactory, contact, opted_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer(client):
    user = UserFactory(roles=[Role.COMPLIANCE.value], time_zone="America/New_York")
    sign_in(client, user)
    return user


def fill(topic, person):
    opted_in(topic, contact_id=person.pk)
    commands.suppress(f"s{person.number}@example.com", reason="staff", by=SYSTEM)
    commands.authorize(person.pk, document=DOCUMENT, source=Source.STAFF, by=SYSTEM)


@pytest.mark.parametrize("name", ["ledger", "topics", "suppressions", "export"])
def test_a_list_asks_as_much_for_three_rows_as_for_one(name, client, officer):
    def ask():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get(reverse(f"consent:{name}")).status_code == 200
        return len(seen)

    def add():
        fill(TopicFactory(), contact())
        Export.objects.create(as_of=clock.now(), purpose="for a test", by=officer.pk)

    ask()
    add()
    one = ask()
    add(), add()
    assert ask() == one


def test_the_panel_asks_as_much_for_many_topics_as_for_one(client, officer):
    person = contact()
    url = reverse("consent:for_contact", args=[person.pk])
    counts = []
    for _ in range(3):
        opted_in(TopicFactory(), contact_id=person.pk)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url).status_code == 200
        counts.append(len(seen))
    assert len(set(counts)) == 1


def test_empty_lists_say_what_to_do_next(client, officer):
    for name, words in (
        ("ledger", "Nobody has said anything yet"),
        ("topics", "No topics yet"),
        ("suppressions", "No address is suppressed"),
        ("export", "No exports yet"),
    ):
        assert words in client.get(reverse(f"consent:{name}")).content.decode()


def test_the_ledger_filters_by_person_without_an_address_in_the_url(client, officer):
    topic, one, two = TopicFactory(), contact("shared@example.com"), contact("shared@example.com")
    opted_in(topic, contact_id=one.pk)
    opted_in(topic, contact_id=two.pk)
    opted_in(topic)
    response = client.post(reverse("consent:find"), {"person": "Shared@example.com"})
    assert "example.com" not in response["Location"]
    assert client.get(response["Location"]).content.decode().count("Show this person only") == 2
    assert client.post(reverse("consent:find"), {"person": "nobody"})["Location"] == reverse("consent:ledger")


def test_the_ledger_filters_by_topic_act_source_and_day(client, officer):
    news, offers, person = TopicFactory(), TopicFactory(), contact()
    opted_in(news, contact_id=person.pk)
    opted_in(offers, contact_id=person.pk)
    commands.opt_out(person.pk, offers, source=Source.ONE_CLICK, by=PATIENT)
    today = clock.now().date()

    def shown(**query):
        return client.get(reverse("consent:ledger"), query).content.decode().count("Show this person only")

    assert shown() == 3
    assert shown(topic=str(offers.pk)) == 2
    assert shown(act="opt_out") == 1
    assert shown(source="form", topic=str(news.pk)) == 1
    assert shown(since=str(today + timedelta(days=3))) == 0
    assert shown(since=str(today - timedelta(days=3)), until=str(today + timedelta(days=1))) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"topic": "x"},
        {"act": "nonsense"},
        {"since": "31.2.2026"},
        {"contact": "not-an-id"},
        {"page": "999"},
        {"page": "x"},
        {"topic": "\x00"},
    ],
)
def test_a_broken_filter_is_no_error(query, client, officer):
    opted_in(TopicFactory())
    assert client.get(reverse("consent:ledger"), query).status_code == 200


def test_an_entry_shows_its_evidence_and_who_recorded_it(client, officer):
    entry = commands.opt_in(
        contact().pk, TopicFactory(), source=Source.STAFF, evidence={**EVIDENCE, "note": "by phone"}, by=officer
    )
    body = client.get(reverse("consent:entry", args=[entry.pk])).content.decode()
    for shown in (EVIDENCE["text"], "by phone", officer.name, "2026-01"):
        assert shown in body


# Topics

TOPIC = {"name": "Diabetes news", "public_name": "News", "neutral": "on", "requires_opt_in": "on"}


def test_topics_are_defined_edited_and_removed(client, officer):
    assert client.post(reverse("consent:new_topic"), TOPIC).status_code == 302
    topic = Topic.objects.get()
    changed = {**TOPIC, "public_name": "Tips"}
    assert client.post(reverse("consent:topic", args=[topic.pk]), changed).status_code == 302
    topic.refresh_from_db()
    assert topic.public_name == "Tips"
    assert b"Remove this topic?" in client.get(reverse("consent:remove_topic", args=[topic.pk])).content
    assert client.post(reverse("consent:remove_topic", args=[topic.pk])).status_code == 302
    assert queries.topics() == []
    assert client.get(reverse("consent:topic", args=[topic.pk])).status_code == 404
    assert set(Entry.objects.values_list("action", flat=True)) >= {"topic.created", "topic.edited", "topic.removed"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"neutral": ""}, "Change the name until you can confirm this"),
        ({"name": ""}, "required"),
        ({"public_name": "x" * 81}, "at most 80"),
        ({"public_name": "NEWS"}, "Another topic is shown to people under this name"),
        ({"public_name": "Other"}, "There is a topic of this name already"),
    ],
)
def test_a_topic_that_will_not_do_is_refused_with_a_reason(changes, words, client, officer):
    commands.create_topic(name="Diabetes news", public_name="News", by=SYSTEM)
    response = client.post(reverse("consent:new_topic"), {**TOPIC, **changes})
    assert response.status_code == 200
    assert words in response.content.decode()
    assert Topic.objects.count() == 1


# Suppressions


def test_addresses_are_suppressed_looked_up_and_released(client, officer):
    add = {"add-address": "Bad@example.com", "add-reason": "staff", "add-note": "asked by phone"}
    assert client.post(reverse("consent:suppress"), add).status_code == 302
    held = Suppression.objects.get()
    response = client.post(reverse("consent:check"), {"check-address": "bad@EXAMPLE.com"})
    assert response["Location"] == reverse("consent:release", args=[held.pk])
    assert client.post(response["Location"], {"note": ""}).status_code == 200
    assert client.post(response["Location"], {"note": "wrong person"}).status_code == 302
    assert not queries.suppressions().exists()
    assert b"bad@example.com" not in client.get(reverse("consent:suppressions")).content.lower()
    assert client.post(reverse("consent:check"), {"check-address": "bad@example.com"}).status_code == 302


@pytest.mark.parametrize("address", ["", "no address", "a@b", "x@example.com\r\nBcc: y@example.com", "@" * 300])
def test_what_is_no_address_is_refused(address, client, officer):
    response = client.post(reverse("consent:suppress"), {"add-address": address, "add-reason": "staff"})
    assert response.status_code == 200
    assert not Suppression.objects.exists()


def test_a_persons_own_opt_out_cannot_be_released_by_staff(client, officer):
    commands.opt_out(contact().pk, source=Source.ONE_CLICK, by=PATIENT)
    url = reverse("consent:release", args=[Suppression.objects.get().pk])
    assert b"Only the person can lift this" in client.get(url).content
    client.post(url, {"note": "please"})
    assert queries.suppressions().exists()


def bring(client, content, reason="imported", name="list.csv"):
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return client.post(reverse("consent:suppress_file"), {"file": file, "reason": reason})


def test_a_list_from_elsewhere_is_brought_along(client, officer):
    commands.suppress("known@example.com", reason="staff", by=SYSTEM)
    released = commands.suppress("back@example.com", reason="staff", by=SYSTEM)
    commands.release(released, note="a test", by=SYSTEM)
    content = (
        "Email;Since\r\nONE@example.com;2020\r\n\r\nknown@example.com;2021\nback@example.com\none@example.com\nnobody\n"
        "a@b\nname,two@example.com\n"
    )
    body = bring(client, b"\xef\xbb\xbf" + content.encode()).content.decode()
    assert "3 addresses added. 1 address was on the list before. 2 lines held no valid address" in " ".join(
        body.split()
    )
    hashes = [blind.index("suppression", f"{n}@example.com") for n in ("one", "two", "back", "known")]
    assert list(queries.suppressed(hashes).values()).count("imported") == 3
    assert "0 addresses added" in bring(client, content.encode()).content.decode()
    assert b"one@example.com" not in client.get(reverse("consent:suppressions")).content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"Email\n", "There is no address in this file"),
        (b"\x00\xff\xfe" * 50, "There is no address in this file"),
        (b"=cmd|' /C calc'!A0@\n", "left out"),
        ("müller@exämple.com\n".encode("cp1252"), "left out"),
    ],
)
def test_a_file_without_addresses_does_nothing(content, words, client, officer):
    response = bring(client, content)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not Suppression.objects.exists()


# One person


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("opt_in", Act.OPT_IN),
        ("opt_in_requested", Act.OPT_IN_REQUESTED),
        ("opt_out", Act.OPT_OUT),
        ("opt_out_all", Act.OPT_OUT_ALL),
        ("opt_in_everything", Act.OPT_IN),
        ("address_confirmed", Act.ADDRESS_CONFIRMED),
        ("special_consent", Act.SPECIAL_CONSENT),
        ("special_consent_revoked", Act.SPECIAL_CONSENT_REVOKED),
        ("counting_refused", Act.COUNTING_REFUSED),
        ("counting_allowed", Act.COUNTING_ALLOWED),
    ],
)
def test_staff_write_down_what_a_person_said(what, act, client, officer):
    topic, person = TopicFactory(), contact()
    data = {"what": what, "topic": str(topic.pk), "text": "Shown text", "given_on": "2026-01-02"}
    response = client.post(reverse("consent:record", args=[person.pk]), data)
    assert response.status_code == 200
    assert "Recorded." in response.content.decode()
    entry = LedgerEntry.objects.get()
    assert (entry.act, entry.source, entry.recorded_by) == (act, Source.STAFF, str(officer.pk))
    assert entry.evidence["text"] == "Shown text"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "required"),
        ({"what": "opt_in"}, "Choose the topic."),
        ({"what": "opt_in", "topic": "TOPIC"}, "Say what the person agreed to"),
        ({"what": "special_consent"}, "Say what the person agreed to"),
        ({"what": "opt_in", "topic": "TOPIC", "text": "x", "given_on": "2999-01-01"}, "future"),
        ({"what": "nonsense"}, "not one of the available choices"),
        ({"what": "opt_out", "topic": "00000000-0000-0000-0000-000000000000"}, "not one of the available choices"),
    ],
)
def test_a_record_that_will_not_do_is_refused_with_a_reason(data, words, client, officer):
    topic, person = TopicFactory(), contact()
    data = {key: str(topic.pk) if value == "TOPIC" else value for key, value in data.items()}
    response = client.post(reverse("consent:record", args=[person.pk]), data)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not LedgerEntry.objects.exists()


def test_the_panel_of_somebody_deleted_or_unknown_still_answers(client, officer):
    person = contact()
    opted_in(TopicFactory(), contact_id=person.pk)
    people.delete(person, by=SYSTEM)
    for key in (person.pk, uuid7()):
        assert client.get(reverse("consent:for_contact", args=[key])).status_code == 200
    data = {"what": "address_confirmed"}
    assert "no such contact" in client.post(reverse("consent:record", args=[uuid7()]), data).content.decode()


def test_an_authorization_is_entered_read_and_ended(client, officer):
    person = contact()
    url = reverse("consent:authorize", args=[person.pk])
    assert client.get(url).status_code == 200
    data = {**DOCUMENT, "purposes": ["marketing"], "copy_given": "on"}
    response = client.post(url, data)
    signed = Authorization.objects.get()
    assert response["Location"] == reverse("consent:authorization", args=[signed.pk])
    assert DOCUMENT["signature"] in client.get(response["Location"]).content.decode()
    assert Entry.objects.filter(action="consent.authorization_read", subject_id=person.pk).exists()
    end = reverse("consent:revoke", args=[signed.pk])
    assert client.get(end).status_code == 200
    assert client.post(end, {"note": "letter"}).status_code == 302
    assert queries.facts_for([person.pk], None)[person.pk].authorization is None
    assert "Ended" in client.get(response["Location"]).content.decode()


@pytest.mark.parametrize(
    "changes",
    [
        *[{key: ""} for key in DOCUMENT],
        {"copy_given": ""},
        {"combined": "on"},
        {"conditioned": "on"},
        {"signed_on": "2999-01-01"},
        {"expires_on": "2025-01-01"},
        {"purposes": []},
        {"representative": "A daughter"},
    ],
)
def test_an_authorization_that_lacks_something_is_not_taken(changes, client, officer):
    data = {**DOCUMENT, "purposes": ["marketing"], "copy_given": "on", **changes}
    assert client.post(reverse("consent:authorize", args=[contact().pk]), data).status_code == 200
    assert not Authorization.objects.exists()


# Export


def download(client, **changes):
    data = {
        "as_of": str(clock.now().date() - timedelta(days=1)),
        "format": "jsonl",
        "purpose": "Yearly review",
        **changes,
    }
    return client.post(reverse("consent:export"), data)


def lines(response):
    return [json.loads(line) for line in response.getvalue().decode().splitlines()]


def at(monkeypatch, moment):
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_an_export_shows_the_state_as_it_was(client, officer, monkeypatch):
    topic, stays, leaves = TopicFactory(), contact(), contact()
    real = clock.now()
    at(monkeypatch, real - timedelta(days=10))
    for person in (stays, leaves):
        opted_in(topic, contact_id=person.pk)
    at(monkeypatch, real - timedelta(days=5))
    commands.opt_out(leaves.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    at(monkeypatch, real)
    states = {}
    for days in (7, 3, 20):
        rows = lines(download(client, as_of=str((real - timedelta(days=days)).date())))
        states[days] = {row["contact_id"]: row["state"] for row in rows}
    assert states[7] == {str(stays.pk): "opted in", str(leaves.pk): "opted in"}
    assert states[3] == {str(stays.pk): "opted in", str(leaves.pk): "opted out"}
    assert states[20] == {}


def test_an_export_is_recorded_with_its_purpose_rows_and_digest(client, officer):
    opted_in(TopicFactory())
    response = download(
        client, as_of=str(clock.now().astimezone(__import__("zoneinfo").ZoneInfo("America/New_York")).date())
    )
    raw = response.getvalue()
    export = Export.objects.get()
    assert (export.rows, export.purpose, export.by) == (1, "Yearly review", officer.pk)
    assert export.sha256 == hashlib.sha256(raw).hexdigest()
    trail = Entry.objects.filter(action__startswith="consent.export").order_by("at")
    assert [entry.action for entry in trail] == ["consent.export_started", "consent.export_finished"]
    assert "Yearly review" not in str(list(Entry.objects.values()))


def test_a_download_that_breaks_off_is_not_called_finished(client, officer):
    opted_in(TopicFactory())
    export = commands.start_export(format="jsonl", as_of=clock.now(), purpose="Yearly review", by=officer)
    finished = []
    begun = stream(export, lambda rows, sha256: finished.append(rows))
    next(begun)
    begun.close()
    assert not finished
    assert [len(list(stream(export, lambda rows, sha256: finished.append(rows)))), finished] == [1, [1]]


def test_csv_cells_run_nothing_and_hold_commas_and_lines(client, officer, monkeypatch):
    real = clock.now()
    at(monkeypatch, real - timedelta(days=3))
    person = contact(external_id="=cmd|' /C calc'!A0")
    topic = TopicFactory(name="+1, really")
    text = '@SUM(1)\nand "more"'
    commands.opt_in(person.pk, topic, source=Source.FORM, evidence={"text": text}, by=SYSTEM)
    at(monkeypatch, real)
    response = download(client, format="csv")
    assert response["Content-Type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(response.getvalue().decode()))
    assert row["external_id"].startswith("'=cmd")
    assert row["topic"] == "'+1, really"
    assert row["text"] == "'" + text
    assert row["email"].endswith("@example.com")


def test_deleted_people_stay_in_the_export_without_an_address(client, officer, monkeypatch):
    real = clock.now()
    at(monkeypatch, real - timedelta(days=3))
    person = contact()
    opted_in(TopicFactory(), contact_id=person.pk)
    at(monkeypatch, real)
    people.delete(person, by=SYSTEM)
    [row] = lines(download(client))
    assert (row["state"], row["email"]) == ("opted in", "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as_of": "2999-01-01"}, "future"),
        ({"as_of": "yesterday"}, "valid date"),
        ({"purpose": "x"}, "at least 10"),
        ({"format": "xlsx"}, "not one of the available choices"),
    ],
)
def test_an_export_that_cannot_be_made_says_why(changes, words, client, officer):
    response = download(client, **changes)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not Export.objects.exists()


@pytest.mark.parametrize("role", list(Role))
def test_only_who_may_comes_in(role, client):
    user = UserFactory(roles=[role.value])
    sign_in(client, user)
    for name, action in (
        ("ledger", Action.CONSENT_VIEW),
        ("export", Action.CONSENT_EXPORT),
        ("topics", Action.TOPICS_MANAGE),
        ("suppressions", Action.SUPPRESSION_MANAGE),
    ):
        assert client.get(reverse(f"consent:{name}")).status_code == (200 if user.may(action) else 403)


def test_a_day_ends_where_the_reader_is(client, officer, monkeypatch):
    topic = TopicFactory()
    at(monkeypatch, datetime(2026, 3, 2, 3, tzinfo=UTC))  # still 1 March in New York
    opted_in(topic)
    at(monkeypatch, datetime(2026, 3, 5, tzinfo=UTC))
    assert len(lines(download(client, as_of="2026-03-01"))) == 1
    assert lines(download(client, as_of="2026-02-28")) == []


def test_the_ledger_says_all_of_what_is_about_everything_and_nothing_of_the_rest(client, officer):
    person = contact()
    commands.opt_out(person.pk, None, source=Source.ONE_CLICK, by=PATIENT)
    page = client.get(reverse("consent:ledger")).content.decode()
    assert '<td data-label="Topic"><span class="soft">all</span></td>' in page
    commands.authorize(person.pk, document=DOCUMENT, purposes=["marketing"], source=Source.STAFF, by=PATIENT)
    page = client.get(reverse("consent:ledger")).content.decode()
    assert page.count('<td data-label="Topic">—</td>') == 1
    assert page.count(">all<") == 1


def test_a_ledger_of_many_rows_says_so_instead_of_counting_them_all(client, officer, monkeypatch):
    monkeypatch.setattr("core.paging.Bounded.LIMIT", 3)
    topic = TopicFactory()
    LedgerEntryFactory.create_batch(5, topic=topic)
    LedgerEntryFactory(topic=topic, act="opt_out")
    page = client.get(reverse("consent:ledger")).content.decode()
    assert "1–3 of more than 3 acts" in page
    narrowed = client.get(reverse("consent:ledger"), {"act": "opt_out"}).content.decode()
    assert "1–1 of 1 act" in narrowed
    assert "more than" not in narrowed
