"""Journeys of the demo: five that have run for some weeks, by the real engine on the clock of each day, and two drafts.

People are on their way, were mailed, left or reached the goal. One endpoint's agreement has ended since, so that
somebody needs attention.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import consent.commands
import delivery.engine
import workflows.commands
from consent.commands import NewAct
from consent.models import Act, LedgerEntry, Source
from contacts.commands import update
from contacts.models import Contact
from contacts.queries import open_many
from contacts.records import Coded
from core import clock
from core.actors import PATIENT, SYSTEM
from core.purposes import Stream
from delivery.models import Delivery
from marketing.demo.clinic import SHOWN, Clinic, morning
from marketing.demo.people import SEED
from marketing.demo.timeline import Timeline
from marketing.demo.words import DOCTORS
from segments import membership
from segments.models import Segment
from tracking.models import Event
from workflows import endpoints, enrolling, events, tasks_intake
from workflows.engine import claims
from workflows.engine import run as engine
from workflows.enrolling import Entry
from workflows.models import Call, Enrolment, Workflow, WorkflowVersion
from workflows.ready import journeys as ready
from workflows.versions import publishing
from workflows.webhooks import sending
from workflows.webhooks.address import Target
from workflows.webhooks.wire import Wire

#: Days that the journeys have run for.
DAYS = 28


class _Takes(Wire):
    """The clinic's other system, which is not there: it takes everything."""

    def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        return 204


def journeys_of(clinic: Clinic, timeline: Timeline) -> None:
    """Put down what happened on them."""
    random = Random(SEED + 7)
    house = House()
    timeline.at(morning(DAYS), lambda: _begin(clinic))
    whom = sorted(Contact.objects.filter(email_index__isnull=False).values_list("pk", flat=True))
    random.shuffle(whom)
    for moment, acts in [*_visits(random, whom[60:150]), *_applications(random, whom[150:174])]:
        timeline.at(moment, partial(house.hear, acts))
    for moment, some in _welcomes(clinic, whom[:60]):
        timeline.at(moment, partial(house.ask, clinic, some))
    for day in range(DAYS, -1, -1):
        # Visits are in the days to come: no earlier moment before one has passed.
        timeline.at(morning(day) + timedelta(hours=1, minutes=2), partial(house.work, look=day <= 3))
        timeline.at(morning(day) + timedelta(hours=2, minutes=2), house.work)
        timeline.at(morning(day) + timedelta(hours=7, minutes=2), house.work)
    for days_ago, people in ((15, 9), (5, 8)):
        timeline.at(morning(days_ago) + timedelta(hours=5), partial(house.screen, random, people))
    timeline.at(morning(DAYS - 15), lambda: _read(random))
    for _ in range(2):  # what was sent has arrived
        timeline.at(clock.now(), partial(house.work, look=True))


class House:
    """What workers do by themselves all day, done where there is something to do."""

    def __init__(self) -> None:
        self.news = True

    def hear(self, told: list[dict[str, Any]]) -> None:
        """Events come in."""
        events.take(told, by=SYSTEM)
        self.news = True

    def ask(self, clinic: Clinic, whom: list[UUID]) -> None:
        """People asked for tips on the web, and confirmed it."""
        topic = clinic.topics["tips"].pk
        yes = [NewAct(who, Act.OPT_IN, Source.MAIL_LINK, topic, {"text": SHOWN}, double=True) for who in whom]
        consent.commands.record_many(yes, by=PATIENT)
        self.news = True

    def screen(self, random: Random, people: int) -> None:
        """The records system tells of mammograms that some of the invited had."""
        invited = Enrolment.objects.filter(workflow__versions__mails__step="invite", status="active")
        whom = random.sample(sorted(set(invited.values_list("contact_id", flat=True))), people)
        had = Coded("77067", "Screening mammogram", f"{clock.now():%Y-%m-%d}", f"{clock.now():%Y-%m-%d}")
        for contact_id, record in open_many(whom).items():
            done = [*record.coded.get("procedures", ()), had]
            update(Contact.objects.get(pk=contact_id), values={}, coded={"procedures": done}, by=SYSTEM)
        self.news = True

    def work(self, *, look: bool = False) -> None:
        """Listen and look, take people on, send, and tell others."""
        if look:
            tasks_intake.look()
        if self.news:
            tasks_intake.listen()
            self.news = False
        if not claims.due(clock.now()):
            return
        engine.run(seconds=30)
        while delivery.engine.drain(Stream.MARKETING, seconds=30):
            pass
        self.news = True  # outcomes
        for endpoint in set(Call.objects.filter(state=Call.State.WAITING).values_list("endpoint", flat=True)):
            sending.work(endpoint, seconds=5, wire=_Takes())


def _begin(clinic: Clinic) -> None:
    marketer = clinic.staff["marketer"]
    for key in ("appointment", "welcome", "survey"):
        _live(ready.start(key, by=marketer), clinic)
    screening = _live(ready.start("screening", by=marketer), clinic)
    due = Segment.objects.get(pk=screening.definition["trigger"]["segment"])
    numbers = membership.refresh(due).kept.members
    people = [Entry(who) for ids in membership.ids_of(numbers) for who in ids]
    enrolling.enrol(screening, people[:70], at=clock.now(), by=marketer)
    _live(_told_elsewhere(clinic), clinic)
    refill = ready.start("refill", by=marketer)
    publishing.publish(refill, by=marketer)  # waits for the second person
    ready.start("reengage", by=marketer)
    Workflow.objects.update(created_at=clock.now() - timedelta(days=2), updated_at=clock.now())


def _told_elsewhere(clinic: Clinic) -> Workflow:
    """Plan enrolment, with the enrolment office told of who has not applied on the last morning."""
    marketer = clinic.staff["marketer"]
    office, _ = endpoints.create(
        name="Enrolment office", url="https://hooks.lakeside-clinic.example/carillon",
        baa_party="Lakeside Enrolment Services", baa_signed_on=morning(60).date(),
        baa_expires_on=(clock.now() + timedelta(days=DAYS - 4)).date(), by=clinic.staff["administrator"],
    )  # fmt: skip
    workflow = ready.start("plan", by=marketer)
    draft: dict[str, Any] = workflow.draft
    steps: dict[str, Any] = draft["steps"]
    steps["office"] = {
        "kind": "webhook", "name": "Tell the enrolment office", "endpoint": str(office.pk),
        "attributes": ["external_id", "insurance"], "exits": {"next": "call"},
    }  # fmt: skip
    steps["day"]["exits"]["next"] = steps["three"]["exits"]["past"] = "office"
    return workflows.commands.save_draft(workflow, draft, revision=None, by=marketer)


def _live(workflow: Workflow, clinic: Clinic) -> WorkflowVersion:
    version = publishing.publish(workflow, by=clinic.staff["marketer"])
    if version.state == WorkflowVersion.State.PROPOSED:
        note = "Checked with the care team."
        approver = clinic.staff["approver"]
        version = publishing.approve(version, by=approver, seen=bytes(version.digest), note=note)
    return version


def _sent(event: str, who: UUID, key: str, **properties: Any) -> dict[str, Any]:
    return {"event": event, "person": {"id": str(who)}, "key": key, "id": f"{key}-{event}", "properties": properties}


def _welcomes(clinic: Clinic, whom: list[UUID]) -> Iterator[tuple[datetime, list[UUID]]]:
    """Who has said nothing about tips so far, some at a time."""
    said = set(LedgerEntry.objects.filter(topic=clinic.topics["tips"].pk).values_list("contact_id", flat=True))
    gone = set(LedgerEntry.objects.filter(act=Act.OPT_OUT_ALL).values_list("contact_id", flat=True))
    new = [who for who in whom if who not in said | gone]
    for place, days_ago in enumerate((22, 17, 12, 6, 2)):
        yield morning(days_ago) + timedelta(hours=2.3), new[place::5]


def _visits(random: Random, whom: list[UUID]) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """Visits as the records system tells of them each evening; some answer the survey."""
    for place, days_ago in enumerate((21, 17, 13, 9, 5, 1)):
        there = whom[place::6]
        keys = {who: f"V-{5_000 + 100 * place + number}" for number, who in enumerate(there)}
        yield (
            morning(days_ago) + timedelta(hours=8),
            [_sent("visit_completed", who, key, provider=random.choice(DOCTORS)) for who, key in keys.items()],
        )
        answer = [_sent("survey_answered", who, key) for who, key in keys.items() if random.random() < 0.35]
        yield morning(days_ago - 3) + timedelta(hours=9), answer


def _applications(random: Random, whom: list[UUID]) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """Applications for a plan, some of them finished."""
    for place, days_ago in enumerate((23, 16, 8)):
        keys = {who: f"P-{700 + 100 * place + number}" for number, who in enumerate(whom[place::3])}
        last = [(morning(days_ago) + timedelta(days=random.choice((7, 15, 20, 34)))).date() for _ in keys]
        yield (
            morning(days_ago) + timedelta(hours=3),
            [
                _sent("plan_application_started", who, key, deadline=day.isoformat(), plan="Silver")
                for (who, key), day in zip(keys.items(), last, strict=True)
            ],
        )
        done = [_sent("plan_application_submitted", who, key) for who, key in keys.items() if random.random() < 0.35]
        yield morning(days_ago - 4) + timedelta(hours=4), done


def _read(random: Random) -> None:
    """Opens and clicks in welcomes."""
    version = WorkflowVersion.objects.filter(mails__step="hello").first()
    assert version is not None
    origins = list(version.mails.values_list("pk", flat=True))
    sent = Delivery.objects.filter(origin_id__in=origins, outcome=Delivery.Outcome.SENT).order_by("at", "pk")
    rows = []
    for delivery_id, contact_id, origin_id, at in sent.values_list("id", "contact_id", "origin_id", "at"):
        if random.random() < 0.4:
            about = {"delivery_id": delivery_id, "contact_id": contact_id, "origin_id": origin_id}
            later = at + timedelta(hours=random.expovariate(1 / 9))
            rows.append(
                Event(kind=Event.Kind.CLICK, at=later, verdict=Event.Verdict.HUMAN, client="phone", link=0, **about)
            )
    Event.objects.bulk_create(rows)
