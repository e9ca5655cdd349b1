from collections import Counter
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count

from accounts.models import User
from accounts.policy import Role
from campaigns.models import Campaign
from consent.models import Act, LedgerEntry
from contacts.models import Contact
from contacts.queries import iter_open
from content.models import Template
from content.starters import STARTERS
from core.purposes import Stream
from delivery.models import Delivery, Relay, SendBatch, SmtpSession
from marketing.demo.people import people
from marketing.models import CapturedMail
from tests.marketing.ports import free_port
from tracking.models import Event
from workflows.language import checks
from workflows.language.definition import from_json
from workflows.models import Enrolment, Notice, Workflow
from workflows.ready.mails import MAILS

TODAY = date(2026, 11, 20)


def test_the_same_people_every_time() -> None:
    assert people(TODAY) == people(TODAY)


def test_nobody_can_be_reached_outside() -> None:
    made = people(TODAY)
    domains = {p.values["email"].rpartition("@")[2] for p in made if "email" in p.values}
    assert all(d.rpartition(".")[2] == "example" or ".example." in d or d.startswith("example.") for d in domains)
    assert all(p.values["phone"].startswith("+1 555 01") for p in made)


def test_the_clinic_has_old_and_young_ill_and_well_reachable_and_not() -> None:
    made = people(TODAY)
    born = [int(p.values["birth_date"][:4]) for p in made]
    assert min(born) < 1940 and max(born) > 2018  # noqa: PT018
    codes = Counter(entry.code for p in made for entry in p.coded["conditions"])
    assert codes["I10"] > 150
    assert codes["E11.9"] > 60
    assert 40 < sum("email" not in p.values for p in made) < 200
    addresses = Counter(p.values["email"] for p in made if "email" in p.values)
    assert any(n > 1 for n in addresses.values())


@pytest.mark.django_db(transaction=True)
def test_the_first_run_is_worth_looking_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_MAIL_PORT", str(free_port()))
    call_command("seed_demo", verbosity=0)
    assert Contact.objects.count() == 2_000
    assert sum(len(page) for page in iter_open()) == 2_000
    assert {role for user in User.objects.all() for role in user.roles} == set(Role.values)
    assert Template.objects.filter(starter=True).count() == len(STARTERS) + len(MAILS)
    assert sorted(Campaign.objects.values_list("state", flat=True)) == ["DRAFT", "FINISHED", "FINISHED", "IN_REVIEW"]
    acts = dict(LedgerEntry.objects.values_list("act").annotate(n=Count("pk")))
    assert acts[Act.OPT_IN] > 1_000
    assert acts[Act.OPT_OUT] > 20
    said = list(LedgerEntry.objects.order_by("number").values_list("at", flat=True))
    assert said == sorted(said)
    assert sorted(Relay.objects.values_list("name", flat=True)) == [
        f"Local mail catcher ({stream.label.lower()})" for stream in sorted(Stream, key=lambda s: s.label)
    ]

    # The finished ones really went out: each recipient has one outcome, each mail lies in the mailbox.
    ours = Delivery.objects.filter(origin__kind="campaign")
    assert ours.count() == sum(Campaign.objects.values_list("audience_size", flat=True))
    outcomes = dict(Delivery.objects.values_list("outcome").annotate(n=Count("pk")))
    assert CapturedMail.objects.count() == outcomes["sent"]
    assert outcomes["failed"] > 0
    assert set(SmtpSession.objects.values_list("tls_version", flat=True)) == {"TLSv1.3"}
    kinds = dict(Event.objects.values_list("kind").annotate(n=Count("pk")))
    assert outcomes["sent"] * 0.3 < kinds["open"]
    assert kinds["click"] > 20
    assert kinds["unsubscribe"] > 0

    # Journeys have run for weeks: people are on their way, have left, and some need somebody.
    states = Counter(Workflow.objects.values_list("state", flat=True))
    assert states == {"ACTIVE": 5, "DRAFT": 2}
    statuses = Counter(Enrolment.objects.values_list("status", flat=True))
    assert statuses["active"] > 50
    assert statuses["left"] > 50
    assert statuses["attention"] > 0
    assert {"end", "event"} <= set(Enrolment.objects.filter(status="left").values_list("left_because", flat=True))
    assert set(Enrolment.objects.filter(status="attention").values_list("trouble", flat=True)) == {"call_failed"}
    assert Notice.objects.exists()
    assert not SendBatch.objects.filter(done_at=None).exists()
    for workflow in Workflow.objects.all():
        assert checks.errors(from_json(workflow.draft), workflow=workflow) == [] or workflow.state == "ACTIVE"

    with pytest.raises(CommandError, match="empty database"):
        call_command("seed_demo")


@pytest.mark.django_db
def test_there_is_no_demo_but_on_a_local_run(settings) -> None:  # type: ignore[no-untyped-def]
    settings.LOCAL_RUN = False
    for command in ("seed_demo", "prepare"):
        with pytest.raises(CommandError, match="local run"):
            call_command(command)
