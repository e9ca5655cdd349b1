"""Pages of delivery: relays, domains, senders, and one person's messages."""

import html
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from core import clock
from core.actors import SYSTEM
from delivery import engine, setup
from delivery.errors import RelayInUse, SenderRefused
from delivery.models import Delivery, Relay, Sender, SendingDomain
from tests.accounts.factories import UserFactory, sign_in
from tests.contacts.factories import make_people
from tests.delivery.factories import RelayFactory, SenderFactory, SendingDomainFactory, make_origin
from tests.delivery.smtp import Catcher

pytestmark = pytest.mark.django_db

RELAY = {
    "name": "Main",
    "stream": "marketing",
    "host": "SMTP.example.com",
    "port": "587",
    "security": "starttls",
    "username": "clinic",
    "password": "a relay's secret",
    "connections": "4",
    "baa_party": "Example Mail Service",
    "baa_signed_on": "2026-01-01",
    "baa_expires_on": "2027-01-01",
    "enforces_tls_onward": "on",
}


def seat(*roles: Role) -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=roles or [Role.ADMINISTRATOR]))
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_an_empty_overview_says_what_is_missing() -> None:
    said = text(seat().get(reverse("delivery:overview")))
    for expected in ("No relay yet", "No domain yet", "No sender yet"):
        assert expected in said


def test_a_relay_is_added_and_its_password_never_shown_again() -> None:
    client = seat()
    client.post(reverse("delivery:relay_new"), RELAY)
    relay = Relay.objects.get()
    assert (relay.host, relay.password, relay.enforces_tls_onward) == ("smtp.example.com", "a relay's secret", True)
    page = client.get(reverse("delivery:relay", args=[relay.pk])).content.decode()
    assert "a relay" not in page.replace("Save", "")
    client.post(reverse("delivery:relay", args=[relay.pk]), RELAY | {"password": "", "port": "465", "security": "tls"})
    relay.refresh_from_db()
    assert (relay.port, relay.password) == (465, "a relay's secret")
    entry = Entry.objects.get(action="relay.changed")
    assert sorted(entry.details["fields"]) == ["port", "security"]
    assert "secret" not in str([e.details for e in Entry.objects.all()])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("host", "http://x/", "Give the server's name"),
        ("host", "a..b.example", "Give the server's name"),
        ("host", "-a.example", "Give the server's name"),
        ("host", "x" * 64 + ".example", "Give the server's name"),
        ("port", "0", "greater than or equal to 1"),
        ("port", "70000", "less than or equal to 65535"),
        ("security", "none", "Select a valid choice"),
        ("connections", "1000", "less than or equal to 100"),
        ("ca_certificate", "not a certificate", "not a certificate in PEM form"),
        ("baa_expires_on", "2025-01-01", "has to end after it was signed"),
        ("baa_signed_on", "", "Say when the agreement was signed"),
        ("baa_signed_on", "yesterday", "Enter a valid date"),
    ],
)
def test_a_bad_relay_is_refused_with_a_message(field: str, value: str, said: str) -> None:
    assert said in text(seat().post(reverse("delivery:relay_new"), RELAY | {field: value}))
    assert not Relay.objects.exists()


def test_checking_a_relay_proves_its_encryption_or_says_what_is_wrong(relay: Relay, catcher: Catcher) -> None:
    client = seat()
    said = text(client.post(reverse("delivery:relay_check", args=[relay.pk])))
    assert "Connected, encrypted and signed in" in said
    assert "TLSv1" in said
    Relay.objects.filter(pk=relay.pk).update(port=1, trouble="certificate", trouble_since=clock.now())
    said = text(client.post(reverse("delivery:relay_check", args=[relay.pk])))
    assert "The check failed; nothing was sent" in said
    assert "The relay cannot be reached." in said


def test_a_relay_that_mail_waits_for_is_not_removed_before_there_is_another() -> None:
    relay = RelayFactory()
    make_origin(make_people(2))
    with pytest.raises(RelayInUse):
        setup.remove_relay(relay, by=UserFactory())
    said = text(seat().post(reverse("delivery:relay_remove", args=[relay.pk]), follow=True))
    assert "Mail still waits for this relay" in said
    RelayFactory(name="Second")
    setup.remove_relay(relay, by=UserFactory())
    assert Relay.objects.get(removed_at=None).name == "Second"


def test_a_domain_gets_keys_shows_its_records_and_is_verified_by_an_administrator() -> None:
    client = seat()
    client.post(reverse("delivery:domain_new"), {"domain": "Mail.Example.com."})
    domain = SendingDomain.objects.get()
    page = client.get(reverse("delivery:domain", args=[domain.pk])).content.decode()
    assert domain.domain == "mail.example.com"
    assert "v=DKIM1; k=rsa; p=" in page
    assert "v=DKIM1; k=ed25519; p=" in page
    assert "PRIVATE" not in page
    assert "here already" in text(client.post(reverse("delivery:domain_new"), {"domain": "mail.example.com"}))
    client.post(reverse("delivery:domain_verify", args=[domain.pk]))
    domain.refresh_from_db()
    assert domain.verified_at is not None
    assert Entry.objects.filter(action="domain.verified").count() == 1


@pytest.mark.parametrize("bad", ["", "localhost", "a b.example", "-x.example", "exa_mple.com", "x" * 64 + ".example"])
def test_what_is_no_domain_is_refused(bad: str) -> None:
    seat().post(reverse("delivery:domain_new"), {"domain": bad})
    assert not SendingDomain.objects.exists()


def test_a_sender_writes_from_its_domain_only_and_can_be_removed() -> None:
    domain = SendingDomainFactory(domain="clinic.example")
    client = seat()
    sender = {"name": "Clinic", "domain": str(domain.pk), "address": "news@other.example"}
    assert "has to end with @clinic.example" in text(client.post(reverse("delivery:sender_new"), sender))
    client.post(reverse("delivery:sender_new"), sender | {"address": "news@clinic.example"})
    made = Sender.objects.get()
    client.post(reverse("delivery:sender_remove", args=[made.pk]))
    made.refresh_from_db()
    assert made.removed_at is not None
    unverified = SendingDomainFactory(domain="new.example", verified_at=None)
    client.post(reverse("delivery:sender_new"), sender | {"domain": str(unverified.pk), "address": "a@new.example"})
    assert Sender.objects.count() == 1


@pytest.mark.parametrize("field", ["address", "reply_to"])
def test_a_senders_address_that_no_envelope_takes_is_refused(field: str) -> None:
    domain = SendingDomainFactory()
    given = {"address": "news@clinic.example", field: '"ab"@clinic.example'}
    with pytest.raises(SenderRefused, match="without quotes"):
        setup.add_sender(domain=domain, name="News", by=SYSTEM, **given)
    assert not Sender.objects.exists()


def test_the_overview_warns_of_trouble_and_of_a_missing_agreement() -> None:
    RelayFactory(name="Old", baa_expires_on=(clock.now() - timedelta(days=1)).date())
    RelayFactory(name="Broken", trouble="authentication", trouble_since=clock.now())
    said = text(seat(Role.COMPLIANCE).get(reverse("delivery:overview")))
    assert "None in force" in said
    assert "The relay refuses the user name or password." in said


def test_the_overview_asks_as_much_for_three_of_each_as_for_one() -> None:
    client = seat()
    asked = []
    for wanted in (1, 3):
        while Relay.objects.count() < wanted:
            RelayFactory()
            SenderFactory(domain=SendingDomainFactory(domain=f"d{Relay.objects.count()}.example"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("delivery:overview"))
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_a_contacts_messages_are_listed_with_why_some_were_not_sent(relay: Relay) -> None:
    people = make_people(2)
    make_origin(people)
    engine.drain("marketing", seconds=20)
    client = seat(Role.COMPLIANCE)
    assert "Mail sent" in text(client.get(reverse("delivery:for_contact", args=[people[0]])))
    assert "Nothing yet." in text(client.get(reverse("delivery:for_contact", args=[uuid4()])))


@pytest.mark.parametrize("role", [Role.MARKETER, Role.COMPLIANCE])
def test_who_may_only_look_is_offered_nothing_to_change(role: Role) -> None:
    sender = SenderFactory()
    relay = RelayFactory()
    client = seat(role)
    page = client.get(reverse("delivery:overview")).content.decode()
    assert "New relay" not in page
    assert "Remove" not in page
    assert client.get(reverse("delivery:relay", args=[relay.pk])).status_code == 403
    assert client.post(reverse("delivery:sender_remove", args=[sender.pk])).status_code == 403


def test_one_row_proves_that_it_was_allowed_and_protected_and_says_what_it_said_for_a_reason(
    relay: Relay, catcher: Catcher
) -> None:
    who = make_people(1)[0]
    make_origin([who])
    engine.drain("marketing", seconds=10)
    row = Delivery.objects.get()
    client = seat(Role.COMPLIANCE)
    said = text(client.get(reverse("delivery:message", args=[row.pk])))
    address = next(iter(catcher.recipients()))
    assert "TLSv1." in said
    assert row.session is not None
    assert row.session.certificate_sha256 in said
    assert "Allowed" in said
    assert address not in said
    assert (
        reverse("delivery:message", args=[row.pk])
        in client.get(reverse("delivery:for_contact", args=[who])).content.decode()
    )
    url = reverse("delivery:message_reveal", args=[row.pk])
    assert address not in text(client.post(url, {"reason": ""}))
    assert address in text(client.post(url, {"reason": "A complaint about this mail"}))
    assert Entry.objects.get(action="message.revealed").subject_id == who
    assert "Made again byte for byte" in text(client.post(url, {"reason": "A complaint about this mail"}))
    assert seat(Role.ADMINISTRATOR).post(url, {"reason": "Because I can"}).status_code == 403


def test_the_overview_counts_what_waits_and_lists_what_is_unknown(relay: Relay, catcher: Catcher) -> None:
    catcher.data = lambda address, times: "drop"
    make_origin(make_people(1))
    engine.drain("marketing", seconds=10)
    make_origin(make_people(3))
    said = text(seat().get(reverse("delivery:overview")))
    assert "3 mails due" in said
    assert "may or may not have arrived" in said
    assert (
        reverse("delivery:message", args=[Delivery.objects.get().pk])
        in seat().get(reverse("delivery:overview")).content.decode()
    )
