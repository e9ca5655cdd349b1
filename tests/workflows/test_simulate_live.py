"""What the simulator foresees is what the engine does with the same people, dates, events and gate."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Min, QuerySet

from contacts.models import Contact, Kind
from contacts.persons import known_of
from core import clock
from core.actors import SYSTEM
from core.models import Organization
from delivery import facts, outcomes
from delivery.gate import Verdict, decide
from delivery.ids import delivery_id
from delivery.models import Delivery, Origin, SendBatch
from segments import commands as segments
from tests.workflows import factories as make
from tests.workflows.traced import all_mails, all_visits
from workflows import enrolling, happenings
from workflows.engine.run import run
from workflows.enrolling import Entry
from workflows.language.definition import from_json
from workflows.models import Enrolment, EventType, Happening, Transition, Workflow
from workflows.simulate import entries, history, world
from workflows.simulate.assumptions import Assumptions, Settings
from workflows.simulate.run import simulate
from workflows.simulate.trace import Trace

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unstarted")]

DAYS = 28
ZONES = ("America/New_York", "Europe/Berlin", "Pacific/Auckland", "Asia/Kolkata", None)
#: (contact, sequence, visit, step, arrived, at, way, note)
Row = tuple[UUID, int, int, str, datetime, datetime, str, str]


class Door:
    """Stands for delivery: the gate decides at the virtual moment; what may leave is handed over."""

    def __init__(self) -> None:
        self.later: dict[tuple[UUID, UUID], datetime] = {}

    def work(self, now: datetime) -> bool:
        """Whether a mail has an outcome now that had none."""
        new = 0
        for batch in SendBatch.objects.filter(done_at=None).select_related("origin"):
            new += self._batch(batch, list(batch.contact_ids), now)
            SendBatch.objects.filter(pk=batch.pk).update(done_at=now)
        for (batch_id, who), due in list(self.later.items()):
            if due <= now:
                del self.later[batch_id, who]
                new += self._batch(SendBatch.objects.select_related("origin").get(pk=batch_id), [who], now)
        return new > 0

    def _batch(self, batch: SendBatch, ids: list[UUID], now: datetime) -> int:
        origin = Origin.objects.select_related("template_version", "sender__domain").get(pk=batch.origin_id)
        about, rows = facts.of_origin(origin, now), []
        for who, person in facts.people(ids, about, now).items():
            answer = decide(about.facts, person.facts, about.policy, now)
            if answer.verdict == Verdict.DEFER:
                assert answer.until is not None
                self.later[batch.pk, who] = answer.until
                continue
            # "unknown" counts as sent for journeys and for the frequency, and needs no connection to prove.
            outcome = "unknown" if answer.verdict == Verdict.ALLOW else "refused"
            number = delivery_id(origin.pk, who, batch.visit)
            if Delivery.objects.filter(pk=number).exists():  # taken back meanwhile
                continue
            rows.append(outcomes.Row(number, who, outcome, now, answer.as_row(), tuple(answer.reasons)))
        return outcomes.append(origin.pk, batch.pk, batch.visit, rows)


class News(NamedTuple):
    """What comes at a moment: a happening, or (None) that somebody's date lets them in."""

    at: datetime
    who: UUID
    happening: happenings.New | None = None
    key: bytes | None = None
    enters: bool = False


def live(workflow: Workflow, news: list[News], settings: Settings, door: Door | None = None) -> None:
    """The real engine over the span: it is woken when something is due, happens, or a day begins."""
    door, waiting, version = door or Door(), sorted(news, key=lambda one: (one.at, not one.enters)), make.live(workflow)
    inside = Enrolment.objects.filter(workflow=workflow, status=Enrolment.Status.ACTIVE)
    days = [at for zone in {"UTC", *filter(None, ZONES)} for at in entries.midnights(settings, ZoneInfo(zone))]
    days.sort()
    while True:
        moments = [inside.aggregate(first=Min("wake_at"))["first"], *door.later.values()]
        moments += [one.at for one in waiting[:1]] + days[:1]
        now = min((moment for moment in moments if moment is not None), default=settings.end)
        if now >= settings.end:
            return
        while waiting and waiting[0].at <= now:
            one = waiting.pop(0)
            pk = happenings.write([one.happening])[0][0] if one.happening else None
            if one.enters:
                enrolling.enrol(version, [Entry(one.who, one.key, pk, one.at)], at=now, by=SYSTEM)
            inside.filter(contact_id=one.who).update(wake_at=now)
        if days and days[0] <= now:
            days.pop(0)
            inside.update(wake_at=now)
        _go(inside, now)
        while door.work(now):
            made = Delivery.objects.filter(at=now).values_list("id", flat=True)
            inside.filter(awaits__in=list(made)).update(wake_at=now)
            _go(inside, now)


def _go(inside: "QuerySet[Enrolment]", now: datetime) -> None:
    """What is set of somebody on one of their ways wakes them on the others, as intake does."""
    run(seconds=60, now=now)
    gone = Transition.objects.filter(at=now).values_list("enrolment__contact_id", flat=True)
    inside.filter(contact_id__in=list(gone)).update(wake_at=now)
    run(seconds=60, now=now)


def as_it_was(workflow: Workflow) -> list[Row]:
    rows = Transition.objects.filter(enrolment__workflow=workflow).select_related("enrolment")
    return sorted(
        (t.enrolment.contact_id, t.enrolment.sequence, t.visit, t.step, t.arrived_at, t.at, t.way, _sent(t.note))
        for t in rows
    )


def _sent(note: str) -> str:
    return "sent" if note == "unknown" else note


def as_foreseen(trace: Trace, ids: list[UUID]) -> list[Row]:
    return sorted(
        (ids[v.person], v.sequence, v.visit, v.step, v.arrived_at, v.at, v.way, v.note) for v in all_visits(trace)
    )


def people(chance: random.Random) -> list[UUID]:
    """A dozen of all kinds: in several zones, without an address, about to be fifty, with dates all over the span."""
    first = clock.now().date() - timedelta(days=DAYS)
    return make.make_people(
        12,
        email=lambda n: None if n == 3 else f"walker{n}-{chance.random()}@example.com",
        time_zone=lambda n: ZONES[n % len(ZONES)],
        birth_date=lambda n: (
            (first + timedelta(days=n)).replace(year=first.year - 50).isoformat() if n % 2 else "1999-05-05"
        ),
        visit=lambda n: f"{first + timedelta(days=chance.randrange(4, DAYS))}T{chance.randrange(24):02}:30:00Z",
    )


def journey(chance: random.Random, marked: str, *, booked: bool) -> dict[str, Any]:
    """A random graph of ten steps: ways lead on, one back over a wait. `booked`: an event lets people in."""
    listed = str(segments.start_list(name="Marked", by=make.marketer()).pk)
    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    rules = [
        fifty,
        make.rule({"attribute": "mark", "op": "is", "value": marked}),
        {"version": 2, "root": {"all": [{"segment": listed, "op": "in"}]}},
        {"version": 2, "root": {"any": [fifty["root"], {"none": [{"attribute": "mark", "op": "is_empty"}]}]}},
    ]
    kinds: list[Any] = [
        make.mail,
        lambda: make.wait(days=chance.randrange(3), hours=chance.randrange(1, 40)),
        lambda: make.wait_until("visit", days=chance.randrange(-2, 3), at=chance.choice(["", "02:30", "10:00"])),
        lambda: {"kind": "wait_weekday", "weekdays": [chance.randrange(7)], "at": "09:15"},
        lambda: {
            "kind": "wait_event",
            "event": "confirmed",
            "same_key": booked,
            "since": chance.choice(["entered", "here"]),
            "timeout": {"days": chance.randrange(1, 5)},
        },
        lambda: make.branch(*chance.sample(rules, 2)),
        lambda: {"kind": "split", "seed": chance.randrange(9), "shares": [{"percent": 30}, {"percent": 70}]},
        lambda: {"kind": "set_attribute", "attribute": "mark", "value": marked},
        lambda: {"kind": "list", "segment": listed, "change": chance.choice(["add", "remove"])},
    ]
    if booked:
        kinds.append(
            lambda: {
                "kind": "wait_until",
                "moment": {"property": "when", "days": -1, "at": chance.choice(["", "11:00"])},
            }
        )
    order = [f"a{n}" for n in range(10)]
    steps: dict[str, Any] = {"m": {**make.mail(), "exits": {"next": "a0"}}}
    for n, key in enumerate(order):
        made = chance.choice(kinds)()
        later = [*order[n + 1 :], "e"]
        ways = {
            "mail": ("next", "refused"),
            "wait_until": ("next", "past"),
            "wait_event": ("happened", "timeout"),
            "branch": ("1", "2", "else"),
            "split": ("1", "2"),
        }.get(made["kind"], ("next",))
        steps[key] = {**made, "exits": {way: chance.choice(later[:3]) for way in ways}}
    steps["a9"] = {"kind": "branch_mail", "mail": "m", "cases": ["refused"], "exits": {"refused": "e", "else": "back"}}
    steps["back"] = {**make.wait(days=6, hours=5), "exits": {"next": "m"}}
    steps["e"] = make.end()
    exits = [
        {"kind": "unsubscribed"},
        {"kind": "event", "event": "cancelled", "same_key": booked},
        {"kind": "goal", "rule": {"version": 2, "root": {"all": [fifty["root"], rules[1]["root"]]}}},
    ]
    trigger: Any = {"kind": "date", "moment": {"attribute": "visit", "days": -3, "at": "10:00"}}
    if booked:
        trigger = {"kind": "event", "event": "booked"}
    again = chance.choice([{"kind": "per_key"}, {"kind": "after_leaving"}, {"kind": "after_days", "days": 6}])
    reachable = set(walks({"start": "m", "steps": steps}))
    steps = {key: step for key, step in steps.items() if key in reachable}
    return make.graph("m", steps, trigger=trigger, exits=exits, reentry=again)


def happening(chance: random.Random, who: UUID, kind: EventType, start: datetime) -> News:
    """Some event of theirs, about one of two things; who books one says when it is."""
    at = start + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
    key, sealed = happenings.key_index(who, f"appointment {chance.randrange(2)}"), None
    if kind.properties:
        when = {"when": (at + timedelta(days=chance.randrange(1, 12))).isoformat()}
        sealed = happenings.sealed(who, when, key=known_of(Contact.objects.get(pk=who)).key)
    new = happenings.New(Happening.Kind.EVENT, kind.pk, who, at, key, None, sealed)
    return News(at, who, new, key, enters=bool(kind.properties))


def walks(definition: dict[str, Any]) -> Iterator[str]:
    """The steps that can be come to: others must not be there."""
    seen, waiting = set(), [definition["start"]]
    while waiting:
        key = waiting.pop()
        if key and key not in seen:
            seen.add(key)
            waiting += list(definition["steps"][key].get("exits", {}).values())
    yield from seen


@pytest.mark.parametrize(("seed", "booked"), [(4, False), (1, True), (2, True)])
def test_the_simulator_foresees_exactly_what_the_engine_does(seed: int, booked: bool) -> None:
    chance = random.Random(seed)
    make.organization(time_zone="America/New_York")
    Organization.objects.update(quiet_from_hour=20, quiet_until_hour=9, cap_messages=2, cap_days=4)
    make.RelayFactory()
    make.AttributeFactory(key="visit", kind=Kind.DATETIME)
    make.AttributeFactory(key="mark")
    kinds = {name: EventType.objects.create(name=name, name_index=happenings.name_index(name)) for name in NAMES}
    kinds["booked"].properties = {"when": "datetime"}
    kinds["booked"].save()
    ids = people(chance)
    workflow = make.make_workflow(journey(chance, "seen", booked=booked))
    version = make.live(workflow)
    start = (clock.now() - timedelta(days=DAYS + 1)).replace(minute=0, second=0, microsecond=0)
    settings = Settings(start, DAYS, version=version.pk, assumptions=Assumptions(0, 0, replay=True))
    names = NAMES if booked else NAMES[1:]
    news = [
        happening(chance, who, kinds[name], start)
        for who in ids
        for name in chance.choices(names, weights=(6, 8, 1)[-len(names) :], k=5)
    ]

    happenings.write([one.happening for one in sorted(news, key=lambda one: one.at) if one.happening])
    definition = from_json(version.definition)
    entering = entries.find(definition, settings)
    made = world.build(workflow, definition, [one.number for one in entering], settings)
    made.history = history.read(definition, settings, made.people.ids)
    trace = simulate(definition, made, entering, settings)
    Happening.objects.all().delete()

    if not booked:
        numbers = dict(Contact.objects.values_list("number", "pk"))
        news += [News(one.at, numbers[one.number], None, one.key, enters=True) for one in entering]
    live(workflow, news, settings)

    assert not Enrolment.objects.filter(status=Enrolment.Status.ATTENTION).exists()
    assert as_foreseen(trace, made.people.ids) == as_it_was(workflow)
    still = Enrolment.objects.filter(status=Enrolment.Status.ACTIVE)
    assert sorted((made.people.ids[t.person], t.sequence, t.visit, t.step, t.since) for t in trace.there) == sorted(
        still.values_list("contact_id", "sequence", "visit", "step", "since")
    )
    mails = Delivery.objects.exclude(outcome="cancelled").values_list("contact_id", "at", "outcome")
    foreseen = sorted((made.people.ids[mail.person], mail.at, mail.outcome) for mail in all_mails(trace))
    assert foreseen == sorted((who, at, _sent(outcome)) for who, at, outcome in mails)
    assert len(trace.visits) > 20, "nothing went on in this journey"


NAMES = ("booked", "confirmed", "cancelled")
