"""2,000 patients from one seed: the same people on every machine, older or younger by the day they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from contacts.commands import Person
from contacts.records import Coded
from marketing.catcher import GONE_DOMAIN
from marketing.demo.words import (
    CLINICS,
    CONDITIONS,
    DOCTORS,
    FEMALE,
    INSURANCE,
    LAST,
    MAIL_DOMAINS,
    MALE,
    PLACES,
    PROCEDURES,
    RARE,
    STREETS,
    VISITS,
)

COUNT = 2_000
SEED = 20_260_501


@dataclass(frozen=True, slots=True)
class Household:
    """What people who live together share, now and then an address for mail, too."""

    last_name: str
    street: str
    place: tuple[str, str, str, str]
    phone: str
    mail_domain: str
    shares_address: bool


def people(today: date, count: int = COUNT) -> list[Person]:
    """The clinic's patients as of `today`, in a fixed order."""
    random = Random(SEED)
    made: list[Person] = []
    while len(made) < count:
        home = _household(random)
        members = random.choices((1, 2, 3, 4), (45, 30, 13, 12))[0]
        for place in range(min(members, count - len(made))):
            made.append(_person(random, home, len(made), adult=place < 2, today=today))
    return made


def _household(random: Random) -> Household:
    return Household(
        random.choice(LAST),
        f"{random.randint(1, 990)} {random.choice(STREETS)}",
        random.choices(PLACES, (40, 20, 15, 10, 8, 7))[0],
        f"+1 555 01{random.randint(0, 99):02d}",  # 555-0100 to 0199 are nobody's
        random.choice(MAIL_DOMAINS),
        random.random() < 0.08,
    )


def _person(random: Random, home: Household, number: int, *, adult: bool, today: date) -> Person:
    sex = random.choices(("female", "male"), (53, 47))[0]
    first, last = random.choice(FEMALE if sex == "female" else MALE), home.last_name
    if number % 400 == 7:
        first, last = RARE[number // 400 % len(RARE)]
    age = int(random.triangular(18, 92, 47)) if adult else random.randint(0, 17)
    born = today - timedelta(days=age * 365 + age // 4 + random.randint(0, 364))
    city, state, zip_code, zone = home.place
    conditions, medications = _health(random, age, sex, today)
    visits = list(_visits(random, len(conditions), today))
    values: dict[str, Any] = {
        "external_id": f"LC-{100_000 + number}",
        "first_name": first,
        "last_name": last,
        "birth_date": born.isoformat(),
        "sex": sex,
        "language": random.choices(("en", "es"), (91, 9))[0],
        "time_zone": zone,
        "phone": home.phone,
        "street": home.street,
        "city": city,
        "state": state,
        "zip": zip_code,
        "insurance": _insurance(random, age),
        "clinic": random.choice(CLINICS),
        "smoker": random.random() < (0.13 if age >= 18 else 0.0),
    }
    if address := _address(random, first, home, number):
        values["email"] = address
    if age >= 18 and random.random() < 0.7:
        values["bmi"] = round(random.gauss(28, 5), 1)
    if random.random() < 0.45:
        values["flu_shot_on"] = (today - timedelta(days=random.randint(5, 700))).isoformat()
    if random.random() < 0.3:
        day = today + timedelta(days=random.randint(1, 60))
        values["next_visit_at"] = f"{day}T{random.randint(13, 20):02d}:{random.choice(('00', '20', '40'))}:00Z"
    if random.random() < 0.02:
        values["recovery_program"] = True
    # Of its own, so that what came later to the demo left everybody else as they were.
    later = Random(f"{SEED} {number}")
    if visits:
        values["provider"] = later.choices(DOCTORS, (34, 24, 18, 14, 10))[0]
    done = list(_procedures(later, age, sex, today))
    return Person(values, {"conditions": conditions, "medications": medications, "visits": visits, "procedures": done})


def _procedures(random: Random, age: int, sex: str, today: date) -> Iterator[Coded]:
    """Screenings and tests, the last one up to six years ago."""
    for code, display, youngest, oldest, whose, share in PROCEDURES:
        if youngest <= age <= oldest and whose in ("", sex) and random.random() < share:
            day = (today - timedelta(days=int(random.triangular(5, 2_100, 300)))).isoformat()
            yield Coded(code, display, day, day)


def _address(random: Random, first: str, home: Household, number: int) -> str:
    """Most people have one of their own, a few share the household's, some have none, some have one that is dead."""
    kind = random.choices(("own", "none", "gone"), (93, 5, 2))[0]
    if kind == "none":
        return ""
    plain = "".join(c for c in home.last_name.lower() if c.isascii() and c.isalpha())
    if home.shares_address and random.random() < 0.7:
        return f"the.{plain}.family.{home.street.split()[0]}@{home.mail_domain}"
    given = "".join(c for c in first.lower() if c.isascii() and c.isalpha()) or "patient"
    return f"{given}.{plain}{number}@{GONE_DOMAIN if kind == 'gone' else home.mail_domain}"


def _insurance(random: Random, age: int) -> str:
    if age >= 65:
        return random.choices(INSURANCE, (10, 5, 80, 4, 1))[0]
    return random.choices(INSURANCE, (46, 28, 1, 17, 8))[0]


def _health(random: Random, age: int, sex: str, today: date) -> tuple[list[Coded], list[Coded]]:
    conditions, medications = [], []
    for known in CONDITIONS:
        if age < known.from_age or (known.sex and known.sex != sex):
            continue
        if random.random() >= known.share + known.rise * (age - known.from_age):
            continue
        days = random.randint(20, max(21, min(20, age - known.from_age + 1) * 365))
        start = today - timedelta(days=days)
        over = random.random() < 0.12
        stop = (start + timedelta(days=random.randint(1, days))).isoformat() if over else None
        conditions.append(Coded(known.code, known.display, start.isoformat(), stop))
        if known.medication and random.random() < 0.8:
            code, display = known.medication
            medications.append(Coded(code, display, start.isoformat(), stop))
    return conditions, medications


def _visits(random: Random, illness: int, today: date) -> Iterator[Coded]:
    count = random.choices((0, 1, 2, 3, 4, 5), (10, 22, 24, 20, 14, 10))[0] + illness // 2
    days = sorted((random.randint(1, 1_100) for _ in range(count)), reverse=True)
    for ago in days:
        code, display = random.choices(VISITS, (48, 16, 14, 9, 5, 8))[0]
        day = (today - timedelta(days=ago)).isoformat()
        yield Coded(code, display, day, day)
