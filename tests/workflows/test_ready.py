"""Ready-made journeys: each passes the checks on the demo clinic, and mails whom it should, when it should."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Min

import consent.commands
import contacts.commands
from accounts.models import User
from consent.models import LedgerEntry, Source, Topic
from contacts.models import Contact, Lowering
from contacts.records import Coded
from content.models import Template
from core import clock
from core.actors import PATIENT, SYSTEM
from core.purposes import Stream
from delivery import engine as door
from delivery.models import Relay
from marketing.demo import clinic
from segments import commands as segments
from segments import membership
from segments.models import Segment
from tests.consent.factories import EVIDENCE
from tests.contacts.factories import make_people
from tests.delivery.factories import SenderFactory
from tests.delivery.smtp import Catcher
from tests.workflows.factories import approver, marketer, organization
from tracking.models import Event
from workflows import event_types, events, notices, tasks_intake
from workflows.engine.run import run
from workflows.enrolling import Entry, enrol
from workflows.language import checks
from workflows.language.definition import from_json
from workflows.models import Enrolment, EventType, Notice, Workflow, WorkflowVersion
from workflows.ready import journeys as ready
from workflows.versions import publishing

#: A Tuesday, nine in the morning in New York.
START = datetime(2026, 12, 1, 14, tzinfo=UTC)
ZONE = "America/New_York"
KEYS = [one.key for one in ready.READY]


def the_clinic() -> User:
    """What the demo clinic has, without its people."""
    organization()
    SenderFactory()
    author = marketer()
    clinic.attributes()
    clinic.topics(author)
    return author


# -- as they are taken ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("key", KEYS)
def test_each_passes_the_checks_on_the_demo_clinic(key: str) -> None:
    author = the_clinic()
    workflow = ready.start(key, by=author)
    definition = from_json(workflow.draft)
    assert checks.errors(definition, workflow=workflow) == []
    assert definition.trigger.__struct_config__.tag != "manual"
    made = Template.objects.count(), EventType.objects.count(), Segment.objects.count(), Topic.objects.count()
    again = ready.start(key, by=author)
    assert made == (
        Template.objects.count(), EventType.objects.count(), Segment.objects.count(), Topic.objects.count()
    )  # fmt: skip
    assert again.pk != workflow.pk
    assert again.draft == workflow.draft


@pytest.mark.django_db
def test_a_clinic_that_has_nothing_yet_gets_what_is_missing() -> None:
    organization()
    SenderFactory()
    author = marketer()
    for key in KEYS:
        workflow = ready.start(key, by=author)
        assert checks.errors(from_json(workflow.draft), workflow=workflow) == [], key


@pytest.mark.django_db
def test_a_ready_journey_that_adds_to_an_event_takes_back_nothing_that_was_asked_for_it() -> None:
    the_clinic()
    event = event_types.declare(name="prescription_filled", by=SYSTEM)
    why = "It says nothing of what was filled"
    event_types.change(event, label="Filled", properties={}, sensitivity="identity", reason=why, by=marketer())
    ready.start("refill", by=marketer())
    event.refresh_from_db()
    assert (event.properties, event.sensitivity) == ({"runs_out_on": "date"}, "phi")
    assert Lowering.objects.get().target_id == event.pk


# -- as they run ------------------------------------------------------------------------------------------------------

runs = pytest.mark.django_db(transaction=True)


class Days:
    """The faked clock: everything that is due on the way happens when it is due, and mails go through the real door."""

    def __init__(self, catcher: Catcher) -> None:
        self.catcher = catcher
        self.now = START

    def act(self, then: Any) -> Any:
        """Do something at this moment, and let everybody hear of it."""
        with clock.set_to(self.now):
            done = then()
            self._work()
        self.now += timedelta(minutes=2)
        return done

    def until(self, moment: datetime) -> None:
        while (due := self._next()) is not None and due <= moment:
            self.now = max(self.now, due)
            with clock.set_to(self.now):
                self._work()
            self.now += timedelta(seconds=10)
        self.now = moment
        with clock.set_to(moment):
            self._work()

    def _work(self) -> None:
        for _ in range(2):
            tasks_intake.look()
            tasks_intake.listen()
            run(seconds=5)
            while door.drain(Stream.MARKETING, seconds=5):
                pass
        tasks_intake.listen()
        run(seconds=5)

    def _next(self) -> datetime | None:
        active = Enrolment.objects.filter(status="active")
        found: datetime | None = active.aggregate(first=Min("wake_at"))["first"]
        return found

    def mails(self) -> list[tuple[str, str]]:
        """To whom, and its subject, in order; those told of are forgotten."""
        found = [(m.recipients[0].partition("@")[0], str(m.parsed["Subject"])) for m in self.catcher.messages]
        self.catcher.messages.clear()
        return found


@pytest.fixture
def days(relay: Relay, catcher: Catcher) -> Days:
    return Days(catcher)


def people(*names: str, **values: Any) -> list[UUID]:
    """Known by the first part of their address, which they have confirmed."""
    made = make_people(len(names), email=lambda i: f"{names[i]}@example.com", time_zone=ZONE, **values)
    for who in made:
        consent.commands.confirm_address(who, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    return made


def live(key: str, author: User) -> Workflow:
    workflow = ready.start(key, by=author)
    version = publishing.publish(workflow, by=author)
    if version.state == WorkflowVersion.State.PROPOSED:
        publishing.approve(version, by=approver(), seen=bytes(version.digest))
    workflow.refresh_from_db()
    assert workflow.state == Workflow.State.ACTIVE
    return workflow


def send(event: str, whom: Sequence[UUID], key: str = "K1", **properties: Any) -> None:
    made = [{"event": event, "person": {"id": str(who)}, "key": key, "properties": properties} for who in whom]
    assert {one.status for one in events.take(made, by=SYSTEM)} == {"taken"}


def left(who: UUID) -> str:
    return Enrolment.objects.get(contact_id=who).left_because


REFILL, REFILL_AGAIN = "A reminder from Elm Street Clinic", "A second reminder from Elm Street Clinic"
REMIND, REMIND_AGAIN = "Your visit with Elm Street Clinic", "Tomorrow: your visit with Elm Street Clinic"


@runs
def test_the_appointment_reminder(days: Days) -> None:
    author = the_clinic()
    visit = "2026-12-10T19:00:00Z"
    quiet, confirms, cancels, leaves = people("quiet", "confirms", "cancels", "leaves", next_visit_at=visit)
    people("later", next_visit_at="2026-12-30T19:00:00Z")
    people("none")
    days.act(lambda: live("appointment", author))
    days.until(datetime(2026, 12, 7, 14, 59, tzinfo=UTC))
    assert days.mails() == []
    days.act(lambda: send("appointment_cancelled", [cancels]))
    days.until(datetime(2026, 12, 7, 15, 2, tzinfo=UTC))  # three days before, ten in the morning
    mails = days.mails()
    assert {who for who, _ in mails} == {"quiet", "confirms", "cancels", "leaves"}
    assert {subject for _, subject in mails} == {REMIND}
    days.until(datetime(2026, 12, 8, 15, tzinfo=UTC))
    days.act(lambda: send("appointment_confirmed", [confirms]))
    days.act(lambda: send("appointment_cancelled", [cancels], key="K2"))
    days.act(lambda: consent.commands.opt_out(leaves, None, source=Source.ONE_CLICK, by=PATIENT))
    days.until(datetime(2026, 12, 20, 15, tzinfo=UTC))
    assert days.mails() == [("quiet", REMIND_AGAIN)]
    assert [left(who) for who in (quiet, confirms, cancels, leaves)] == ["end", "end", "event", "unsubscribed"]


@runs
def test_the_refill_reminder(days: Days) -> None:
    author = the_clinic()
    orders, waits, short, past = people("orders", "waits", "short", "past")
    days.act(lambda: live("refill", author))
    days.act(lambda: send("prescription_filled", [orders, waits], runs_out_on="2026-12-31"))
    days.act(lambda: send("prescription_filled", [short], runs_out_on="2026-12-04"))
    days.act(lambda: send("prescription_filled", [past], runs_out_on="2026-11-04"))
    days.until(datetime(2026, 12, 24, 14, 59, tzinfo=UTC))
    assert days.mails() == [("short", REFILL), ("short", REFILL_AGAIN)]  # that one at ten on the day it runs out
    days.until(datetime(2026, 12, 24, 15, 2, tzinfo=UTC))
    assert sorted(days.mails()) == [("orders", REFILL), ("waits", REFILL)]
    days.act(lambda: send("prescription_refilled", [orders]))
    days.act(lambda: send("prescription_refilled", [waits], key="another"))
    days.until(datetime(2027, 1, 10, 15, tzinfo=UTC))
    assert days.mails() == [("waits", REFILL_AGAIN)]
    assert left(past) == "end"


def mammogram(day: date) -> dict[str, Any]:
    return {"coded": {"procedures": [Coded("77067", "Screening mammogram", day.isoformat(), day.isoformat())]}}


@runs
def test_the_screening_gap(days: Days) -> None:
    author = the_clinic()
    known = {"sex": "female", "birth_date": "1966-05-01"}
    due, goes, off = people("due", "goes", "off", **known, **mammogram(date(2024, 12, 2)))
    people("fresh", **known, **mammogram(date(2026, 6, 1)))
    people("young", **{**known, "birth_date": "1990-05-01"})
    days.act(lambda: live("screening", author))
    segment = Segment.objects.get()
    days.act(lambda: membership.refresh(segment))
    days.until(datetime(2026, 12, 3, 14, tzinfo=UTC))  # a Thursday: two years and a day
    days.act(lambda: membership.refresh(segment))
    days.until(datetime(2026, 12, 3, 15, 2, tzinfo=UTC))
    mails = days.mails()
    assert sorted(who for who, _ in mails) == ["due", "goes", "off"]
    had = {"procedures": [Coded("77067", "Screening mammogram", "2026-12-10", "2026-12-10")]}
    days.until(datetime(2026, 12, 11, 15, tzinfo=UTC))
    days.act(lambda: contacts.commands.update(Contact.objects.get(pk=goes), values={}, coded=had, by=SYSTEM))
    reminders = Topic.objects.get(public_name="Reminders")
    days.act(lambda: consent.commands.opt_out(off, reminders, source=Source.ONE_CLICK, by=PATIENT))
    days.until(datetime(2027, 2, 1, 15, tzinfo=UTC))
    assert days.mails() == [("due", "Still time for your check-up")]
    assert [left(who) for who in (due, goes, off)] == ["end", "goal", "unsubscribed"]
    assert Notice.objects.get().contact_id == due
    assert notices.open_count(author) == 1


@runs
def test_the_welcome_with_double_opt_in(days: Days) -> None:
    author = the_clinic()
    confirms, silent = people("confirms", "silent")
    topic = Topic.objects.get(public_name="News and tips")
    days.act(lambda: live("welcome", author))
    for who in (confirms, silent):
        days.act(
            lambda who=who: consent.commands.request_opt_in(
                who, topic, source=Source.FORM, evidence=EVIDENCE, by=PATIENT
            )
        )
    days.until(START + timedelta(days=1))
    assert days.mails() == []
    request = LedgerEntry.objects.get(contact_id=confirms, act="opt_in_requested")
    days.act(lambda: consent.commands.confirm_opt_in(request.pk, evidence={}, by=PATIENT))
    assert days.mails() == [("confirms", "Welcome to Elm Street Clinic")]
    days.until(START + timedelta(days=9))
    [(who, subject)] = days.mails()
    assert who == "confirms"
    assert subject in {"The people who look after you", "Five things worth knowing"}


@runs
def test_the_re_engagement(days: Days) -> None:
    author = the_clinic()
    silent, reads, _never = people("silent", "reads", "never")
    topic = Topic.objects.get(public_name="News and tips")
    for who in (silent, reads):
        consent.commands.opt_in(who, topic, source=Source.FORM, evidence=EVIDENCE, by=PATIENT)
    workflow = days.act(lambda: live("reengage", author))
    version = workflow.versions.get()
    days.act(lambda: membership.refresh(Segment.objects.get(kind="rule")))
    # Who is in the segment since before the journey began is put on by hand.
    days.act(lambda: enrol(version, [Entry(silent), Entry(reads)], at=clock.now(), by=SYSTEM))
    days.until(START + timedelta(days=1))
    assert sorted(days.mails()) == [("reads", "Shall we keep writing?"), ("silent", "Shall we keep writing?")]
    enrolment = Enrolment.objects.get(contact_id=reads)
    origin = version.mails.get(step="ask").pk
    sent = enrolment.transitions.get(step="ask").made
    at = START + timedelta(days=2)
    Event.objects.create(
        kind="open", at=at, verdict="human", client="phone", delivery_id=sent, contact_id=reads, origin_id=origin
    )
    days.until(START + timedelta(days=45))
    assert days.mails() == [("silent", "The last one for now")]
    group = Segment.objects.get(kind="snapshot")
    assert membership.who_was_in(group, clock.now() + timedelta(days=60)) == membership.numbers_of([silent])
    assert [left(who) for who in (silent, reads)] == ["end", "goal"]
    assert segments.remove_people(group, [silent], by=SYSTEM) == 1


@runs
def test_the_survey_after_a_visit(days: Days) -> None:
    author = the_clinic()
    answers, silent = people("answers", "silent")
    days.act(lambda: live("survey", author))
    days.until(datetime(2026, 12, 4, 15, tzinfo=UTC))  # a Friday
    days.act(lambda: send("visit_completed", [answers, silent], provider="Dr. Lee"))
    days.until(datetime(2026, 12, 7, 20, 59, tzinfo=UTC))
    assert days.mails() == []
    days.until(datetime(2026, 12, 7, 21, 2, tzinfo=UTC))  # Monday, four in the afternoon
    assert sorted(days.mails()) == [("answers", "How was your visit?"), ("silent", "How was your visit?")]
    days.act(lambda: send("survey_answered", [answers]))
    days.until(datetime(2026, 12, 20, 15, tzinfo=UTC))
    assert days.mails() == [("silent", "Two minutes for us?")]


@runs
def test_the_plan_enrolment(days: Days) -> None:
    author = the_clinic()
    slow, quick = people("slow", "quick")
    days.act(lambda: live("plan", author))
    days.act(lambda: send("plan_application_started", [slow, quick], deadline="2026-12-31", plan="Silver"))
    assert {who for who, _ in days.mails()} == {"slow", "quick"}
    days.until(datetime(2026, 12, 10, 15, tzinfo=UTC))
    days.act(lambda: send("plan_application_submitted", [quick]))
    days.until(datetime(2027, 1, 2, 15, tzinfo=UTC))
    assert days.mails() == [
        ("slow", "Two weeks left for your application"),
        ("slow", "The last days for your application"),
    ]
    assert Notice.objects.get().contact_id == slow
    assert [left(who) for who in (slow, quick)] == ["end", "event"]
