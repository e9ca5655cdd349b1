"""Everything of the demo clinic that is not its people: staff, topics, attributes, consents, segments, ways out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from uuid import UUID

import consent.commands
import segments.commands
from accounts.commands import invite
from accounts.models import User
from accounts.policy import Role
from consent.commands import NewAct
from consent.models import Act, Source, Topic
from contacts.commands import Person, upsert_many
from contacts.models import Attribute, Contact, Kind
from core import clock
from core.actors import SYSTEM
from core.models import Organization
from core.purposes import Purpose
from core.sensitivity import Sensitivity
from marketing.commands import change_organization
from marketing.demo.people import SEED
from marketing.demo.words import CLINICS, INSURANCE
from segments.models import Segment

STAFF = {
    Role.ADMINISTRATOR: "Alex Moreno",
    Role.MARKETER: "Maria Lindqvist",
    Role.APPROVER: "Dr. Peter Osei",
    Role.COMPLIANCE: "Chandra Iyer",
    Role.ANALYST: "Noor Hassan",
}
PUBLIC, PHI, SPECIAL = Sensitivity.PUBLIC, Sensitivity.PHI, Sensitivity.SPECIAL
ATTRIBUTES: tuple[tuple[str, str, Kind, Sensitivity, list[str]], ...] = (
    ("insurance", "Insurance", Kind.CHOICE, PHI, list(INSURANCE)),
    ("clinic", "Clinic", Kind.CHOICE, PUBLIC, list(CLINICS)),
    ("next_visit_at", "Next visit", Kind.DATETIME, PHI, []),
    ("flu_shot_on", "Last flu shot", Kind.DATE, PHI, []),
    ("smoker", "Smoker", Kind.BOOLEAN, PHI, []),
    ("bmi", "Body mass index", Kind.NUMBER, PHI, []),
    ("provider", "Seen by", Kind.TEXT, PHI, []),
    ("procedures", "Procedures", Kind.CODED, PHI, []),
    ("recovery_program", "In the recovery program", Kind.BOOLEAN, SPECIAL, []),
)
#: key, name for staff, name for the public, needs an opt-in, share of the people it concerns who opted in
TOPICS = (
    ("tips", "Health tips and classes", "News and tips", True, 0.62),
    ("diabetes", "Diabetes program", "Program news", True, 0.70),
    ("offers", "Products and offers", "Offers", True, 0.28),
    ("reminders", "Care reminders", "Reminders", False, 0.0),
    ("surveys", "Satisfaction surveys", "Surveys", False, 0.0),
)
SHOWN = "Yes, send me these emails. I can stop them at any time with the link in every email."


@dataclass(slots=True)
class Clinic:
    """What the campaigns of the demo are made with."""

    staff: dict[str, User]
    topics: dict[str, Topic]
    people: dict[UUID, Person]
    segments: dict[str, Segment]


def organization() -> None:
    change_organization(
        by=SYSTEM,
        name="Lakeside Community Clinic",
        postal_address="100 Harbor Street\nLakeside, OH 44116",
        time_zone="America/New_York",
        contact_email="hello@lakeside-clinic.example",
        contact_phone="+1 555 0100",
        # No quiet hours: whoever tries this at midnight wants to see a mail leave.
        quiet_from_hour=None,
        quiet_until_hour=None,
    )
    assert Organization.current().name


def staff() -> dict[str, User]:
    made = {}
    for role, name in STAFF.items():
        email = f"{name.split()[-2 if name.startswith('Dr.') else 0].lower()}@lakeside-clinic.example"
        made[role.value], _ = invite(email=email, name=name, roles=[role], reason="Demo clinic", by=SYSTEM)
        made[role.value].time_zone = "America/New_York"
        made[role.value].save(update_fields=["time_zone"])
    return made


def attributes() -> None:
    Attribute.objects.bulk_create(
        Attribute(key=key, label=label, kind=kind, sensitivity=tier, choices=choices, position=500 + place)
        for place, (key, label, kind, tier, choices) in enumerate(ATTRIBUTES)
    )


def topics(by: User) -> dict[str, Topic]:
    return {
        key: consent.commands.create_topic(name=name, public_name=public, requires_opt_in=needs, by=by)
        for key, name, public, needs, _ in TOPICS
    }


def contacts(people: list[Person], by: User) -> dict[UUID, Person]:
    result = upsert_many(people, by=by)
    assert not result.refused, next(iter(result.refused.values()))
    return {contact_id: people[place] for place, contact_id in result.ids.items()}


def consents(people: Mapping[UUID, Person], topics: Mapping[str, Topic], by: User) -> None:
    """What people said over the last year: at the desk, on the web form, by double opt-in; some changed their minds."""
    random = Random(SEED + 1)
    indexes = dict(Contact.objects.filter(email_index__isnull=False).values_list("pk", "email_index"))
    rounds: list[list[NewAct]] = [[] for _ in range(8)]
    desk = {"origin": "Registration form, signed at the front desk", "note": "Scanned to the paper archive"}
    web = {"text": SHOWN}
    for contact_id, index in indexes.items():
        person, when = people[contact_id], random.randrange(6)
        source, evidence = random.choice(((Source.FORM, web), (Source.STAFF, desk), (Source.MAIL_LINK, web)))
        double = source == Source.MAIL_LINK
        diabetic = any(entry.code.startswith("E11") for entry in person.coded["conditions"])
        yes = [
            topics[key].pk for key, _, _, needs, share in TOPICS
            if needs and (key != "diabetes" or diabetic) and random.random() < share
        ]  # fmt: skip
        rounds[when] += [NewAct(contact_id, Act.OPT_IN, source, topic, evidence, double=double) for topic in yes]
        if double or random.random() < 0.8:
            confirmed = NewAct(
                contact_id, Act.ADDRESS_CONFIRMED, source, None, evidence, address_index=bytes(index or b"")
            )
            rounds[when].append(confirmed)
        changed = random.random()
        if yes and changed < 0.06:
            rounds[when + 2].append(NewAct(contact_id, Act.OPT_OUT, Source.PREFERENCES, random.choice(yes)))
        elif changed < 0.08:
            rounds[when + 2].append(NewAct(contact_id, Act.OPT_OUT_ALL, Source.ONE_CLICK))
        elif changed < 0.085 and person.values.get("recovery_program"):
            rounds[when + 2].append(NewAct(contact_id, Act.SPECIAL_CONSENT, Source.STAFF, None, desk))
    first = clock.now() - timedelta(days=330)
    for place, acts in enumerate(rounds):
        with clock.set_to(first + timedelta(days=38 * place)):
            consent.commands.record_many(acts, by=by)


def authorizations(people: Mapping[UUID, Person], by: User, count: int = 40) -> None:
    """Some patients signed a HIPAA authorization for marketing."""
    document = {
        "information": "My name, my email address and the conditions I am treated for",
        "discloser": "Lakeside Community Clinic",
        "recipient": "Lakeside Community Clinic's own mail service",
        "purpose": "To tell me about products and services for my health",
        "signature": "Signed on paper, kept in the archive",
        "signed_on": (clock.now() - timedelta(days=30)).date().isoformat(),
        "expires_on": (clock.now() + timedelta(days=640)).date().isoformat(),
        "right_to_revoke": "I may revoke this at any time in writing, except where it has been relied on",
        "conditioning": "My treatment, payment, enrollment and benefits do not depend on signing this",
        "redisclosure": "What is disclosed may be disclosed again by the recipient and no longer be protected",
        "remuneration": "The clinic may be paid by the makers of products it writes about",
    }
    diabetics = [i for i, p in people.items() if any(e.code.startswith("E11") for e in p.coded["conditions"])]
    for contact_id in diabetics[:count]:
        consent.commands.authorize(
            contact_id, document=document, purposes=[Purpose.MARKETING], source=Source.STAFF, by=by
        )


def segments_of(topics: Mapping[str, Topic], by: User) -> dict[str, Segment]:
    diabetes = {"attribute": "conditions", "op": "has", "value": ["E11.*"], "when": "active"}
    tips = {"topic": str(topics["tips"].pk), "op": "opted_in"}
    rules = {
        "tips": (
            "Adults who want health tips", "For the monthly letter.",
            [{"attribute": "birth_date", "op": "age_between", "value": {"from": 18, "to": 120}}, tips],
        ),
        "diabetes": (
            "Diabetes, yearly check due", "Active type 2 diabetes and no eye screening in a year.",
            [diabetes, {"attribute": "visits", "op": "has_none", "value": ["92250"], "when": {"in_last": 365}}],
        ),
        "pressure": (
            "High blood pressure, 50 and older", "",
            [
                {"attribute": "conditions", "op": "has", "value": ["I10"], "when": "active"},
                {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 120}},
            ],
        ),
        "flu": (
            "No flu shot this season", "Never had one here, or not within 300 days.",
            [{"any": [
                {"attribute": "flu_shot_on", "op": "is_empty"},
                {"attribute": "flu_shot_on", "op": "more_than_ago", "value": 300},
            ]}],
        ),
        "birthday": (
            "Birthday in the next 30 days", "",
            [{"attribute": "birth_date", "op": "anniversary_in_next", "value": 30}],
        ),
    }  # fmt: skip
    return {
        key: segments.commands.create(
            name=name, description=description, rule={"version": 1, "root": {"all": clauses}}, by=by
        )
        for key, (name, description, clauses) in rules.items()
    }


def morning(days_ago: int) -> datetime:
    """Ten o'clock in the clinic's morning (14:00 UTC), so many days ago."""
    day = (clock.now() - timedelta(days=days_ago)).date()
    return datetime.combine(day, time(14, 0), clock.now().tzinfo)
