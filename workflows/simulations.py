"""Run journeys ahead of time: start and cancel a simulation, and the job that works on it. Nothing is sent."""

import csv
import io
import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import msgspec
from django.db import transaction

from accounts.queries import person_of
from audit.commands import record
from core import clock
from core.actors import By
from core.cells import coarse
from core.errors import DomainError
from core.jobs import enqueue
from phi.errors import KeyUnavailable
from workflows.errors import NotComplete, NotPossibleNow
from workflows.language import checks
from workflows.language.definition import ByHand, Definition, from_json
from workflows.language.parsing import parse
from workflows.models import Simulation, Workflow
from workflows.simulate import entries, history, inside, paths, results, trying, world
from workflows.simulate.assumptions import MAX_DAYS, MAX_PEOPLE, Settings
from workflows.simulate.run import simulate

log = logging.getLogger(__name__)
State = Simulation.State

#: A simulation nothing was heard of for so long is taken for lost; one that was begun so often is given up.
LOST, ATTEMPTS = timedelta(minutes=3), 3
#: At most so many wait or run at a time, of one journey; earlier ones beyond so many are forgotten.
AT_ONCE, KEPT = 3, 50
#: The start may lie so far from today.
NEAR = timedelta(days=366)


@transaction.atomic
def start(workflow: Workflow, settings: Settings, *, by: By) -> Simulation:
    """Have the draft (or a published version) run ahead. Raises NotComplete, NotPossibleNow with what to do."""
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    raw = workflow.draft
    if settings.version is not None:
        found = workflow.versions.filter(pk=settings.version).first()
        if found is None:
            raise NotPossibleNow("This version is not one of this journey. Choose another one.")
        raw = found.definition
    definition = parse(raw)
    _check(workflow, definition, settings)
    open_ones = workflow.simulations.filter(state__in=[State.WAITING, State.RUNNING])
    if open_ones.count() >= AT_ONCE:
        raise NotPossibleNow(f"{AT_ONCE} simulations of this journey run already. Wait for one, or cancel it.")
    simulation = Simulation.objects.create(
        workflow=workflow,
        definition=raw,
        settings=msgspec.to_builtins(settings),
        total=settings.days,
        created_by=person_of(by),
    )
    old = workflow.simulations.order_by("-created_at").values_list("pk", flat=True)[KEPT:]
    Simulation.objects.filter(pk__in=list(old)).exclude(state__in=[State.WAITING, State.RUNNING]).delete()
    record("workflow.simulated", by=by, target=workflow, days=settings.days)
    enqueue("workflows.simulate", simulation.pk)
    return simulation


def _check(workflow: Workflow, definition: Definition, settings: Settings) -> None:
    if not 1 <= settings.days <= MAX_DAYS:
        raise NotPossibleNow(f"A simulation spans between 1 and {MAX_DAYS} days. Choose fewer.")
    if abs(settings.start - clock.now()) > NEAR:
        raise NotPossibleNow("A simulation starts within a year of today. Choose another start.")
    if definition.start is None:
        raise NotComplete("This journey has no step yet. Draw its first one.")
    for problem in checks.check(definition, workflow=workflow):
        if problem.level == "error" and settings.version is None:
            raise NotComplete(f"This journey cannot run yet: {problem.text}")
    if needs_segment(definition, settings) and settings.segment is None:
        raise NotComplete("Choose the segment whose people are to enter.")


def needs_segment(definition: Definition, settings: Settings) -> bool:
    """Whether nothing but a segment says who enters."""
    return (settings.entering == "all" or isinstance(definition.trigger, ByHand)) and not settings.inside


@transaction.atomic
def cancel(simulation: Simulation, *, by: By) -> Simulation:
    """Stop it; the job notices within a virtual day. What is finished stays."""
    simulation = Simulation.objects.select_for_update().get(pk=simulation.pk)
    if simulation.state in (State.WAITING, State.RUNNING):
        simulation.state, simulation.finished_at = State.CANCELLED, clock.now()
        simulation.save(update_fields=["state", "finished_at"])
        record("workflow.simulation_cancelled", by=by, target=simulation.workflow)
    return simulation


@transaction.atomic
def export_days(simulation: Simulation, *, exact: bool, by: By) -> str:
    """What a finished one foresees of each day, as CSV. `exact` False: no count from 1 to 10 (PRV-14)."""
    record("workflow.simulation_exported", by=by, target=simulation.workflow, exact=exact)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["day", "people entering", "mails sent", "mails refused"])
    for day, *counts in simulation.result["days"]:
        writer.writerow([day, *(count if exact else coarse(count) for count in counts)])
    return out.getvalue()


# -- the job ----------------------------------------------------------------------------------------------------------


class _Stopped(Exception):
    """Somebody cancelled it, or another worker has begun it anew."""


def work(simulation_id: UUID) -> None:
    """Run one that waits; nothing where it does not wait any more."""
    waiting = Simulation.objects.filter(pk=simulation_id, state=State.WAITING)
    simulation = waiting.first()
    if simulation is None:
        return
    attempt = simulation.attempts + 1
    if not waiting.filter(attempts=simulation.attempts).update(
        state=State.RUNNING, attempts=attempt, done=0, moved_at=clock.now()
    ):
        return
    mine = Simulation.objects.filter(pk=simulation_id, state=State.RUNNING, attempts=attempt)

    def tick(day: int | None = None) -> None:
        moved = {"moved_at": clock.now()} | ({"done": day} if day is not None else {})
        if not mine.update(**moved):
            raise _Stopped

    try:
        _run(simulation, tick)
    except _Stopped:
        return
    except DomainError as refusal:
        mine.update(state=State.FAILED, finished_at=clock.now())
        _say(simulation, str(refusal))
    except KeyUnavailable:
        mine.update(state=State.WAITING)  # the sweep begins it again
    except Exception as exc:
        # Only the type: the text could quote a person.
        log.error("simulation %s failed: %s", simulation_id, type(exc).__name__)
        mine.update(state=State.FAILED, trouble="failed", finished_at=clock.now())


def _say(simulation: Simulation, text: str) -> None:
    """Keep why it could not be run, in words."""
    simulation.result = {"refused": text}
    simulation.save(update_fields=["result"])


def _run(simulation: Simulation, tick: Callable[..., None]) -> None:
    definition = from_json(simulation.definition)
    settings = msgspec.convert(simulation.settings, Settings)
    if settings.inside:  # they go on from where they are now, not from where they were when it was asked for
        settings = msgspec.structs.replace(settings, start=clock.now())
        simulation.settings = msgspec.to_builtins(settings)
        simulation.save(update_fields=["settings"])
    found = entries.find(definition, settings)
    tick()
    among = entries.chosen(settings) if settings.entering == "trigger" else None
    there = inside.find(simulation.workflow, definition, settings, among)
    numbers = sorted({entry.number for entry in found} | there.numbers)
    if len(numbers) > MAX_PEOPLE:
        raise NotPossibleNow(
            f"More than {MAX_PEOPLE:,} people would enter or are inside, and so many are not simulated together. "
            "Choose a segment, for instance a sample of them, or fewer days."
        )
    made = world.build(
        simulation.workflow, definition, numbers, settings, older=there.older, inside=there.ids, tick=tick
    )
    if settings.assumptions.replay:
        olds = [old for _, old in there.older.values()]
        made.history = history.read(definition, settings, made.people.ids, olds)
        tick()
    going = inside.going(there, made, settings)
    tick()
    trace = simulate(definition, made, found, settings, going=going, tick=tick)
    tick(settings.days)
    counted = {**results.of(trace, made, going, settings), "tried": trying.tried(trace, made, tick)}
    with transaction.atomic():
        paths.keep(simulation, trace, made.people.numbers)
        done = Simulation.objects.filter(pk=simulation.pk, state=State.RUNNING, attempts=simulation.attempts + 1)
        if not done.update(result=counted, state=State.FINISHED, finished_at=clock.now()):
            raise _Stopped


def sweep() -> None:
    """Begin anew what a dead worker left, or say that it failed; begin what was never begun."""
    now = clock.now()
    lost = Simulation.objects.filter(state=State.RUNNING, moved_at__lt=now - LOST)
    lost.filter(attempts__gte=ATTEMPTS).update(state=State.FAILED, trouble="crashed", finished_at=now)
    lost.update(state=State.WAITING)
    for pk in Simulation.objects.filter(state=State.WAITING).values_list("pk", flat=True):
        enqueue("workflows.simulate", pk)
