"""Whoever is inside goes on in a simulation as the engine then takes them on, also where a change moves them."""

import random
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest

from contacts.models import Contact, Kind
from core import clock
from core.models import Organization
from delivery.models import Delivery
from tests.workflows import factories as make
from tests.workflows.test_simulate_live import (
    DAYS,
    NAMES,
    Door,
    News,
    Row,
    _sent,
    happening,
    journey,
    live,
    people,
)
from tests.workflows.traced import all_mails, all_visits
from workflows import commands, happenings
from workflows.language.definition import from_json
from workflows.models import Enrolment, EventType, Happening, Move, Transition, Workflow, WorkflowVersion
from workflows.simulate import entries, history, inside, world
from workflows.simulate.assumptions import Assumptions, Settings
from workflows.simulate.run import simulate
from workflows.simulate.trace import Trace
from workflows.versions import moving

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unstarted")]


def foreseen(workflow: Workflow, settings: Settings) -> tuple[Trace, list[UUID]]:
    version = WorkflowVersion.objects.get(pk=settings.version) if settings.version else None
    definition = from_json(version.definition if version else workflow.draft)
    found = entries.find(definition, settings)
    there = inside.find(workflow, definition, settings)
    numbers = sorted({one.number for one in found} | there.numbers)
    made = world.build(workflow, definition, numbers, settings, older=there.older, inside=there.ids)
    made.history = history.read(definition, settings, made.people.ids, [old for _, old in there.older.values()])
    going = inside.going(there, made, settings)
    assert not going.left_out
    return simulate(definition, made, found, settings, going=going), made.people.ids


def as_it_was(workflow: Workflow, after: int, main: UUID) -> list[Row]:
    """What came since then; steps of versions that people finished on by the number of it."""
    rows = Transition.objects.filter(enrolment__workflow=workflow, pk__gt=after).select_related("enrolment")
    numbers = dict(workflow.versions.values_list("pk", "number"))
    return sorted(
        (
            t.enrolment.contact_id,
            t.enrolment.sequence,
            t.visit,
            t.step if t.version_id == main else f"{numbers[t.version_id]}/{t.step}",
            t.arrived_at,
            t.at,
            t.way,
            _sent(t.note),
        )
        for t in rows
    )


def clinic() -> dict[str, EventType]:
    make.organization(time_zone="America/New_York")
    Organization.objects.update(quiet_from_hour=20, quiet_until_hour=9, cap_messages=2, cap_days=4)
    make.RelayFactory()
    make.AttributeFactory(key="visit", kind=Kind.DATETIME)
    make.AttributeFactory(key="mark")
    kinds = {name: EventType.objects.create(name=name, name_index=happenings.name_index(name)) for name in NAMES}
    kinds["booked"].properties = {"when": "datetime"}
    kinds["booked"].save()
    return kinds


def publish(workflow: Workflow, how: str, at: datetime) -> WorkflowVersion:
    """Make the draft live, then; whoever moves is looked at at once."""
    with clock.set_to(at):
        version = make.publish(workflow, plan={"how": how})
        if how == "move":
            moving.carry_out(Move.objects.get(version=version).pk)
    Enrolment.objects.filter(version=version, wake_at__gt=at).update(wake_at=at)
    return version


@pytest.mark.parametrize(("seed", "booked", "how"), [(4, False, ""), (9, True, "finish"), (8, True, "move")])
def test_people_inside_go_on_as_the_engine_then_has_them(
    seed: int, booked: bool, how: Literal["", "finish", "move"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the span is lived, the rest foreseen from there, and then lived; `how`: a change is published between."""
    for module in (history, entries):  # what comes in the rest of the span is known to both
        monkeypatch.setattr(module, "shift", lambda _: timedelta())
    chance, kinds, door = random.Random(seed), clinic(), Door()
    ids = people(chance)
    workflow = make.make_workflow(stretched(journey(chance, "seen", booked=booked)))
    main = make.live(workflow)
    start = (clock.now() - timedelta(days=DAYS + 1)).replace(minute=0, second=0, microsecond=0)
    middle = start + timedelta(days=DAYS / 2)
    names = NAMES if booked else NAMES[1:]
    news = [
        happening(chance, who, kinds[name], start)
        for who in ids
        for name in chance.choices(names, weights=(6, 8, 1)[-len(names) :], k=5)
    ]
    assumed = Assumptions(0, 0, replay=True)
    before = Settings(start, DAYS // 2, version=main.pk, assumptions=assumed)
    live(workflow, [one for one in _with_dates(workflow, news, before, booked) if one.at < middle], before, door)

    if how:
        definition = stretched(journey(chance, "seen", booked=booked))
        workflow = commands.save_draft(workflow, definition, revision=None, by=make.marketer())
    version = None if how else main.pk
    after = Settings(middle, DAYS // 2, version=version, inside=how or "finish", assumptions=assumed)
    later = sorted((one for one in news if one.at >= middle), key=lambda one: one.at)
    known = set(Happening.objects.values_list("pk", flat=True))
    happenings.write([one.happening for one in later if one.happening])
    with clock.set_to(middle):
        trace, rows = foreseen(workflow, after)
    Happening.objects.exclude(pk__in=known).delete()

    began = Transition.objects.latest("pk").pk
    mailed = set(Delivery.objects.values_list("pk", flat=True))
    main = publish(workflow, how, middle) if how else main
    live(workflow, _with_dates(workflow, later, after, booked), after, door)

    assert not Enrolment.objects.filter(status=Enrolment.Status.ATTENTION).exists()
    lived = as_it_was(workflow, began, main.pk)
    assert lived == sorted(
        (rows[v.person], v.sequence, v.visit, v.step, v.arrived_at, v.at, v.way, v.note) for v in all_visits(trace)
    )
    assert len([row for row in lived if row[4] < middle]) > 3, "nobody was inside"
    mails = Delivery.objects.exclude(outcome="cancelled").exclude(pk__in=mailed)
    assert sorted((rows[one.person], one.at, one.outcome) for one in all_mails(trace)) == sorted(
        (who, at, _sent(outcome)) for who, at, outcome in mails.values_list("contact_id", "at", "outcome")
    )


def _with_dates(workflow: Workflow, news: list[News], settings: Settings, booked: bool) -> list[News]:
    """Where dates let people in: with whom they let in, on the version that is live."""
    if booked:
        return news
    numbers = dict(Contact.objects.values_list("number", "pk"))
    found = entries.find(from_json(make.live(workflow).definition), settings)
    return [*news, *(News(one.at, numbers[one.number], None, one.key, enters=True) for one in found)]


def stretched(definition: dict[str, Any]) -> dict[str, Any]:
    """The same with so long waits that many are inside at a time."""
    for step in definition["steps"].values():
        for part in ("span", "timeout"):
            if part in step:
                step[part]["days"] = step[part].get("days", 0) + 4
    return definition
