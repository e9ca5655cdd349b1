"""The main job, as people do it: from a patient file to a consented, personalised, tracked campaign, and its proofs."""

import base64
import json
import logging
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django_otp.oath import TOTP

from accounts.policy import Role
from campaigns.models import Campaign
from consent.models import LedgerEntry
from delivery.models import Delivery
from marketing.environment import HOME
from marketing.models import CapturedMail
from segments.models import FactFile, Membership, Partition
from tests.accounts.factories import PASSWORD, UserFactory, api_token
from tests.browser import Visitors, assert_accessible, assert_fits, sign_in
from tests.canary import statements_logged, sweep
from tests.consent.factories import TopicFactory
from tests.content.factories import organization
from tests.delivery.factories import RelayFactory, SenderFactory
from tests.e2e.people import Files, clinic_files
from tests.e2e.post import post_office
from tests.workers import Workers, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.workers,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]

API_PERSON = {
    "email": "api.canary@patients.example",
    "external_id": "API-CANARY-0001",
    "first_name": "Apicanary",
    "last_name": "Ultramarine",
}


@pytest.fixture
def clinic(transactional_db: None, site: str, workers: Workers, tmp_path: Path, settings: Any) -> Iterator[Workers]:
    """A clinic with an address, a verified sender, a relay it has an agreement with, and one topic. Its database logs
    every statement, and every evaluation is shared among workers."""
    from contacts.builtin import ensure

    ensure()
    organization()
    SenderFactory()
    TopicFactory(name="Care for chronic conditions", public_name="News about our services")
    settings.SEGMENTS_FAN_OUT = 0
    with statements_logged(), post_office(tmp_path / "post") as way:
        RelayFactory(name="Local", **way)
        workers.start(1, CARILLON_SEGMENTS_FAN_OUT="0")
        yield workers


def look(page: Any) -> None:
    """What must hold on every page on the way."""
    assert_accessible(page)
    assert_fits(page)


def enrol(page: Any, email: str) -> None:
    """Sign in with a password; nothing opens before a second factor is added, and recovery codes are kept."""
    page.goto("/campaigns/")
    look(page)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/enrol**")
    look(page)
    page.get_by_text("Type this key instead").click()
    secret = base64.b32decode(page.locator("code.secret").inner_text().replace(" ", ""))
    code = TOTP(secret, step=30, digits=6)
    code.time = time.time()
    page.locator("input[autocomplete=one-time-code]").fill(f"{code.token():06d}")
    page.get_by_role("button", name="Confirm the app").click()
    page.wait_for_url("**/recovery-codes**")
    show = page.get_by_role("button", name="Show my codes")
    if show.count():
        show.click()
    page.get_by_role("link", name="I have kept them").click()
    look(page)


def bring(page: Any, name: str, text: str, shape: str) -> None:
    page.goto("/people/imports/new/")
    look(page)
    page.get_by_label(shape).check()
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/columns/")
    look(page)


def run_import(page: Any) -> None:
    start = page.locator("button[data-dialog=start]")
    start.wait_for(timeout=60_000)
    look(page)
    start.click()
    page.locator("#start button.primary").click()
    page.get_by_text("Finished", exact=True).first.wait_for(timeout=60_000)
    look(page)


def import_patients(page: Any, files: Files) -> None:
    bring(page, "patients.csv", files.patients, "One row a person")
    page.get_by_label("Id becomes", exact=True).select_option(label="External id")
    page.get_by_label("BMI becomes", exact=True).select_option(label="New attribute…")
    page.get_by_label("Kind").locator("visible=true").select_option(label="Number")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/consent/")
    look(page)
    page.get_by_label("Everybody in this file has opted in").check()
    page.get_by_label("Care for chronic conditions").check()
    page.get_by_label("Where the consent was given").fill("Registration form, front desk")
    page.get_by_label("The words they agreed to").fill("Yes, write to me about news and care.")
    page.locator("#id_given_on").fill("2026-01-15")
    page.get_by_label("Each of them has confirmed the address").check()
    page.get_by_role("button", name="Check the file").click()
    run_import(page)


def import_conditions(page: Any, files: Files) -> None:
    bring(page, "conditions.csv", files.conditions, "Many rows a person")
    page.get_by_label("These rows go into the coded list").select_option(label="Conditions")
    page.get_by_role("button", name="Check the file").click()
    run_import(page)


def build_segment(page: Any, name: str, code: str) -> None:
    page.goto("/segments/new")
    page.get_by_label("Name", exact=True).fill(name)
    subject = page.get_by_label("What condition 1 is about")
    if not subject.count():
        page.get_by_role("button", name="Add a condition").first.click()
    subject.select_option(label="Conditions")
    search = page.get_by_label("Search Conditions by name or code")
    search.fill(code)
    page.locator("button.rule-offer", has_text=code).first.click()
    page.locator(".rule-chosen", has_text=code).wait_for()
    page.get_by_text(re.compile(r"\d+ (person|people)")).first.wait_for()
    look(page)
    page.get_by_role("button", name="Save segment").click()
    page.wait_for_url(re.compile(r"/segments/[0-9a-f-]{36}$"))
    look(page)


def write_template(page: Any, name: str) -> None:
    page.goto("/templates/new/")
    look(page)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Start from").select_option(label="Education")
    page.get_by_role("button", name="Create and write").click()
    page.get_by_text("Nothing to mend").wait_for()
    page.wait_for_load_state("networkidle")
    body = page.get_by_label("Mail (HTML)")
    body.fill(body.input_value().replace("Staying well this season</h1>", "A word for {{ first_name }}</h1>"))
    page.get_by_text("will not get this mail").wait_for()  # the hint arrives with the automatic save
    page.get_by_label("As", exact=True).select_option(label="Right-to-left script")
    look(page)


def make_campaign(page: Any, name: str, segment: str, template: str) -> str:
    page.goto("/campaigns/new/")
    look(page)
    page.get_by_label("Name").fill(name)
    page.locator("#id_segment").select_option(label=segment)
    page.locator("#id_template").select_option(label=template)
    page.locator("#id_sender").select_option(index=1)
    page.locator("#id_topic").select_option(index=1)
    page.locator("#id_track_opens").check()
    page.locator("#id_track_clicks").check()
    page.get_by_role("button", name="Create draft").click()
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}/$"))
    look(page)
    page.get_by_role("button", name="Submit for review").click()
    page.get_by_text("Waiting for a second person").wait_for()
    look(page)
    return str(page.url).rstrip("/").rsplit("/", 1)[-1]


def approve(page: Any, campaign: str) -> None:
    page.goto(f"/campaigns/{campaign}/review/")
    page.get_by_text(re.compile("may be mailed|would get it|will get it", re.IGNORECASE)).first.wait_for()
    look(page)
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved by").first.wait_for()


def send(page: Any, campaign: str) -> None:
    page.goto(f"/campaigns/{campaign}/")
    page.get_by_role("button", name="Schedule or send").click()
    page.get_by_role("button", name="Send now").click()
    wait_for(lambda: Campaign.objects.get(pk=campaign).state == "FINISHED", seconds=90)
    page.goto(f"/campaigns/{campaign}/")
    page.get_by_text("Finished", exact=True).first.wait_for()
    look(page)
    page.goto(f"/campaigns/{campaign}/report/")
    look(page)


def test_the_main_job(  # noqa: PLR0915 -- one long day
    clinic: Workers, visitors: Visitors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files = clinic_files()
    code, having = max(files.having.items(), key=lambda pair: len(pair[1]))
    author = UserFactory(roles=[Role.MARKETER], name="Robin Writer")
    second = UserFactory(roles=[Role.APPROVER], name="Sam Second")
    officer = UserFactory(roles=[Role.COMPLIANCE], name="Olga Officer")

    # A marketer signs in, brings people in, picks, writes, and asks for approval.
    marketer = visitors.new()
    enrol(marketer, author.email)
    import_patients(marketer, files)
    import_conditions(marketer, files)
    build_segment(marketer, "People in the programme", code)
    write_template(marketer, "Spring letter")
    first = make_campaign(marketer, "Spring", "People in the programme", "Spring letter")

    # A second person approves it; it goes; everybody picked has an outcome that proves itself.
    approver = visitors.new()
    sign_in(approver, second)
    approve(approver, first)
    send(marketer, first)
    outcomes = {row.contact_id: row for row in Delivery.objects.filter(origin_id=first).select_related("session")}
    assert len(outcomes) == len(having)
    assert {row.outcome for row in outcomes.values()} == {"sent"}
    assert all(row.session.tls_version in ("TLSv1.2", "TLSv1.3") and row.decision for row in outcomes.values())

    # A patient reads the mail in the Mailbox, follows the link, and unsubscribes on a phone.
    reader = sorted(having)[0]
    mail = next(m for m in CapturedMail.objects.all() if m.summary["to"] == files.addresses[reader])
    marketer.goto(f"/mailbox/{mail.pk}/")
    look(marketer)
    frame = marketer.frame_locator("iframe")
    assert files.names[reader] in frame.locator("h1").inner_text()
    patient = visitors.new(width=390, height=844)
    click = frame.get_by_role("link", name="Read the guide").get_attribute("href")
    answer = patient.request.get(click, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (302, "https://clinic.example/wellness")
    patient.goto(frame.get_by_role("link", name="Stop these mails").get_attribute("href"))
    assert files.addresses[reader] not in patient.content()
    assert_accessible(patient)
    patient.get_by_role("button", name="Stop these emails").click()
    patient.get_by_text("You will not get these emails any more").wait_for()
    assert_accessible(patient)
    gone = next(pk for pk, row in outcomes.items() if LedgerEntry.objects.filter(contact_id=pk, act="opt_out").exists())

    # The next campaign leaves that person out, and nobody else.
    again = make_campaign(marketer, "Summer", "People in the programme", "Spring letter")
    approve(approver, again)
    send(marketer, again)
    refused = Delivery.objects.get(origin_id=again, contact_id=gone)
    assert (refused.outcome, refused.reasons[0]) == ("refused", "opted_out")
    assert Delivery.objects.filter(origin_id=again, outcome="sent").count() == len(having) - 1

    # A records system adds a patient through the API.
    _, headers = api_token(["contacts.edit", "contacts.view"])
    made = marketer.request.post("/api/v1/contacts", headers=headers, data={"values": API_PERSON})
    assert made.status == 201, made.text()

    # A compliance officer exports who consented and who did what, and verifies the trail offline.
    clinic.beat("audit.seal")
    compliance = visitors.new()
    sign_in(compliance, officer)
    consents = export_consents(compliance, tmp_path)
    assert files.addresses[reader] in consents
    verify_trail(compliance, tmp_path)
    export_report(marketer, first, tmp_path)

    # The people of the segment leave as a file, as the second person approved it.
    assert files.addresses[sorted(having)[1]] in export_people(marketer, approver, "People in the programme", tmp_path)
    for task in ("segments.sweep_store", "segments.write_facts", "segments.refresh_used"):
        clinic.beat(task)
    kept = (Partition, FactFile, Membership)
    wait_for(lambda: all(model.objects.exists() for model in kept), seconds=60)
    assert_nothing_in_the_clear(files, clinic, tmp_path, caplog.text)


def export_consents(page: Any, folder: Path) -> str:
    page.goto("/compliance/consent/")
    look(page)
    page.goto("/compliance/consent/export/")
    look(page)
    page.locator("#id_purpose").fill("Yearly review of consents")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    kept = folder / "consents.csv"
    download.value.save_as(kept)
    return kept.read_text(encoding="utf-8-sig")


def verify_trail(page: Any, folder: Path) -> None:
    page.goto("/compliance/trail/")
    page.locator("table").get_by_text("Campaign: finished").first.wait_for()
    look(page)
    page.goto("/compliance/trail/export")
    look(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    bundle = folder / "trail.zip"
    download.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder / "trail")
    inner = next((folder / "trail").rglob("verify_export.py")).parent
    key = folder / "key-got-another-way.vkey"
    key.write_text(page.request.get("/compliance/trail/trail.vkey").text())
    checked = subprocess.run(
        [sys.executable, "verify_export.py", ".", "--key", str(key)],
        cwd=inner, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    entries = [json.loads(line) for line in (inner / "entries.jsonl").read_text().split("\n") if line]
    actions = {entry["action"] for entry in entries}
    assert actions >= {"import.finished", "campaign.approved", "campaign.finished", "consent.opted_out"}


def assert_nothing_in_the_clear(files: Files, clinic: Workers, folder: Path, log: str) -> None:
    """Nobody's value lies anywhere in the clear but in the export that was asked for."""
    hits = sweep(
        [*files.canaries, *API_PERSON.values()],
        folders=[HOME, clinic.folder],
        files={"the trail's export": folder / "trail.zip", "the report": folder / "report.csv"},
        texts={"log": log},
        server_files=True,
    )
    asked_for = [str(folder / name) for name in ("consents.csv", "people.csv")]
    assert not (slipped := [hit for hit in hits if hit.place not in asked_for]), slipped[:20]
    if (log := HOME / "test-postgres" / "log").exists():
        assert b"segments_evaluationpart" in log.read_bytes()
    assert sweep(list(files.addresses.values()), files={"consents": folder / "consents.csv"}, database=False)


def export_people(page: Any, approver: Any, segment: str, folder: Path) -> str:
    page.goto("/segments/")
    page.get_by_role("link", name=segment).click()
    page.goto(f"{page.url}/export")
    look(page)
    for column in ("First name", "Email", "Conditions"):
        page.get_by_label(column, exact=True).check()
    page.get_by_label("Purpose").select_option(label="Treatment or care coordination")
    page.get_by_label("What the file is needed for").fill("The nurses call everybody in the programme")
    page.locator("#leaves").get_by_text("Conditions · Health information").wait_for()
    page.get_by_role("button", name="Ask for approval").click()
    page.get_by_text("A second person has to approve this").wait_for()
    look(page)
    approver.goto("/")
    approver.get_by_text("People are to leave as a file").wait_for()
    approver.goto(page.url)
    look(approver)
    approver.get_by_role("button", name=re.compile("Approve for")).click()
    approver.get_by_text("Approved by").wait_for()
    page.reload()
    page.get_by_role("button", name="Download").first.click()
    with page.expect_download() as download:
        page.locator("#download button.danger").click()
    kept = folder / "people.csv"
    download.value.save_as(kept)
    return kept.read_text(encoding="utf-8-sig")


def export_report(page: Any, campaign: str, folder: Path) -> None:
    page.goto(f"/campaigns/{campaign}/report/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export report").click()
    download.value.save_as(folder / "report.csv")
