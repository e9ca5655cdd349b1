"""Synthea's encounters as appointments to come, and the clinic whose journey reminds of them."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

from consent.commands import confirm_address
from consent.models import Source
from contacts.models import Kind
from core.actors import SYSTEM
from core.purposes import MessageClass, Purpose
from tests.consent.factories import EVIDENCE, TopicFactory
from tests.contacts.factories import AttributeFactory, make_people
from tests.content.factories import TemplateFactory, organization
from tests.data import SHARED
from tests.delivery.factories import SenderFactory

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "Europe/Berlin",
    "America/Chicago",
    "America/Denver",
    "Asia/Kolkata",
)
#: On machines without a copy of Synthea: first and last name, and when they came last.
MADE_ALIKE = [
    ("Jorge Luis88", "Vela532", "2021-09-27T03:26:50Z"),
    ("Mária12", "O'Keefe4", "2020-02-29T17:05:00Z"),
    ("Bao341", "Nguyen77", "2019-10-27T22:40:10Z"),
    ("Zoë9", "Müller31", "2021-03-14T09:30:00Z"),
    ("Ali302", "Haddad5", "2018-12-31T23:59:59Z"),
    ("Ines44", "Álvarez8", "2020-07-04T12:00:00Z"),
]


@dataclass(frozen=True)
class Appointment:
    """One person's next visit; `reminded`: three days before it, at ten in their morning."""

    contact: UUID
    first_name: str
    email: str
    external_id: str
    at: datetime
    zone: ZoneInfo

    @property
    def reminded(self) -> datetime:
        day = self.at.astimezone(self.zone).date() - timedelta(days=3)
        return datetime(day.year, day.month, day.day, 10, tzinfo=self.zone).astimezone(UTC)

    @property
    def texted(self) -> datetime:
        """Two days later, at ten in their morning again."""
        day = self.reminded.astimezone(self.zone).date() + timedelta(days=2)
        return datetime(day.year, day.month, day.day, 10, tzinfo=self.zone).astimezone(UTC)


def _people() -> list[tuple[str, str, str]]:
    """Six people with a name each, and when they last came."""
    folder = SHARED / "synthea" / "csv"
    if not folder.exists():
        return MADE_ALIKE
    with (folder / "encounters.csv").open(encoding="utf-8-sig", newline="") as file:
        last = {row["PATIENT"]: row["START"] for row in csv.DictReader(file)}
    with (folder / "patients.csv").open(encoding="utf-8-sig", newline="") as file:
        alive = (row for row in csv.DictReader(file) if not row["DEATHDATE"] and row["Id"] in last)
        return [(row["FIRST"], row["LAST"], last[row["Id"]]) for row in islice(alive, len(ZONES))]


def moved(start: str, week: date) -> datetime:
    """An encounter on the same weekday and hour, in the week that begins on this Monday."""
    was = datetime.fromisoformat(start)
    return datetime.combine(week + timedelta(days=was.weekday()), was.timetz())


def book(week: date) -> list[Appointment]:
    """Six people, each in another zone, with a visit in that week."""
    AttributeFactory(key="next_visit_at", label="Next visit", kind=Kind.DATETIME)
    people = _people()
    at = [moved(start, week) for _, _, start in people]
    emails = [f"visit{n}@patients.example" for n in range(len(people))]
    ids = make_people(
        len(people),
        first_name=lambda n: people[n][0],
        last_name=lambda n: people[n][1],
        email=lambda n: emails[n],
        external_id=lambda n: f"MRN-{n}",
        time_zone=lambda n: ZONES[n],
        next_visit_at=lambda n: at[n].isoformat(),
    )
    for who in ids:
        confirm_address(who, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    rows = zip(ids, people, emails, at, ZONES, strict=True)
    return [
        Appointment(who, person[0], email, f"MRN-{n}", when.astimezone(UTC), ZoneInfo(zone))
        for n, (who, person, email, when, zone) in enumerate(rows)
    ]


HTML = (
    "<html><body><h1>{{ first_name }}</h1><p>%s {{ next_visit_at }}</p>"
    "<p>{{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>Stop these mails</a></p></body></html>"
)


def clinic() -> None:
    """What is there before anybody draws: an organization, who writes, one topic, and two mails."""
    organization(time_zone="America/New_York")
    SenderFactory()
    TopicFactory(name="Visits", public_name="Your visits", requires_opt_in=False)
    for name, text in (("Visit reminder", "We expect you:"), ("Please answer", "Will you come?")):
        TemplateFactory(
            name=name,
            subject=name,
            html=HTML % text,
            purpose=Purpose.TREATMENT,
            message_class=MessageClass.TRANSACTIONAL,
        )
