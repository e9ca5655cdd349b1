"""In a real browser: every page stands, fits a phone, shuts nobody out, and works with scripts off for patients."""

from pathlib import Path

import pytest
from django.urls import reverse

from accounts.policy import Role
from consent import commands, links, queries
from consent.models import LedgerEntry, Source
from core.actors import PATIENT, SYSTEM
from core.ids import uuid7
from core.models import Organization
from phi.tokens import MessageToken
from tests.accounts.factories import UserFactory
from tests.browser import assert_accessible, assert_fits, sign_in
from tests.consent.factories import DOCUMENT, EVIDENCE, TopicFactory, contact, opted_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world():
    clinic = Organization.current()
    clinic.name, clinic.contact_phone = "Lakeside Clinic", "555-0100"
    clinic.save()
    news, care = TopicFactory(public_name="News and tips"), TopicFactory(public_name="Reminders", requires_opt_in=False)
    person = contact("sam@example.com")
    opted_in(news, contact_id=person.pk)
    return news, care, person


def test_a_patient_stops_mails_and_chooses_again_without_scripts(visitors, world):
    news, care, person = world
    token = MessageToken(uuid7(), person.pk, news.number).encode()
    page = visitors.new(width=390, java_script_enabled=False)

    def receives(topic):
        return queries.receives(queries.facts_for([person.pk], topic.pk)[person.pk], topic)

    page.goto(f"/m/u/{token}")
    assert receives(news)
    page.get_by_role("button", name="Stop these emails").click()
    page.get_by_role("heading", name="You will not get these emails any more").wait_for()
    assert not receives(news)
    page.get_by_role("button", name="That was a mistake").click()
    page.get_by_role("heading", name="You will get these emails again").wait_for()
    assert receives(news)
    page.get_by_role("link", name="Choose which emails you get").click()
    page.get_by_label("News and tips").uncheck()
    page.get_by_role("button", name="Save my choices").click()
    page.get_by_text("Your choices are saved").wait_for()
    assert not receives(news)
    assert receives(care)
    page.get_by_role("button", name="Stop all emails from us").click()
    page.get_by_role("heading", name="We will not email you any more").wait_for()
    assert not receives(care)


def test_patients_pages_are_open_to_everybody(visitors, world):
    news, _, person = world
    token = MessageToken(uuid7(), person.pk, news.number).encode()
    asked = commands.request_opt_in(person.pk, news, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    confirm = "/m/c/" + links.confirm_url(asked.pk).rpartition("/")[2]
    for width in (390, 1440):
        page = visitors.new(width=width)
        for path in (f"/m/u/{token}", f"/m/p/{token}", confirm, "/m/u/x", "/t/c/x/0"):
            page.goto(path)
            assert_accessible(page)
            assert_fits(page)
    page.goto(confirm)
    page.get_by_role("button", name="Yes, please send me these emails.").click()
    page.get_by_role("heading", name="You are signed up").wait_for()
    assert_accessible(page)


def test_compliance_pages_are_open_to_everybody(visitors, world):
    news, _, person = world
    commands.opt_out(person.pk, source=Source.PREFERENCES, by=PATIENT)
    signed = commands.authorize(person.pk, document=DOCUMENT, source=Source.STAFF, by=SYSTEM)
    commands.suppress("gone@example.net", reason="bounced", by=SYSTEM)
    user = UserFactory(roles=[Role.COMPLIANCE.value])
    for width in (1440, 390):
        page = visitors.new(width=width)
        sign_in(page, user)
        for name, args in (
            ("ledger", []),
            ("entry", [LedgerEntry.objects.earliest("number").pk]),
            ("export", []),
            ("topics", []),
            ("new_topic", []),
            ("remove_topic", [news.pk]),
            ("suppressions", []),
            ("suppress_file", []),
            ("release", [queries.suppressions()[0].pk]),
            ("authorize", [person.pk]),
            ("authorization", [signed.pk]),
            ("revoke", [signed.pk]),
        ):
            page.goto(reverse(f"consent:{name}", args=args))
            assert_accessible(page)
            assert_fits(page)


def test_an_officer_records_a_consent_on_the_persons_page(visitors, world):
    news, _, person = world
    page = visitors.new()
    sign_in(page, UserFactory(roles=[Role.COMPLIANCE.value]))
    page.goto(reverse("contacts:detail", args=[person.pk]))
    page.get_by_text("Record what this person said").click()
    page.get_by_label("What happened").select_option("opt_out")
    page.get_by_role("button", name="Record it").click()
    page.get_by_text("Choose the topic.").wait_for()
    page.locator("#consents select[name=topic]").select_option(str(news.pk))
    page.get_by_role("button", name="Record it").click()
    page.get_by_text("Recorded.").wait_for()
    assert queries.facts_for([person.pk], news.pk)[person.pk].opted_out
    assert_accessible(page)


def test_an_officer_downloads_the_consents(visitors, world):
    page = visitors.new()
    sign_in(page, UserFactory(roles=[Role.COMPLIANCE.value]))
    page.goto(reverse("consent:export"))
    page.get_by_label("What it is for").fill("Yearly review of consents")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert "sam@example.com" in Path(download.value.path()).read_text()
