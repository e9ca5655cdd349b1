"""Move people to a new version: what it would do, the move itself, and what came of it.

People keep visit, arrival and what is on its way: nothing they had is done again. Only the version and the step change.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F, Q

from accounts.queries import person_of
from core import clock
from core.actors import By
from core.jobs import enqueue
from workflows import leaving
from workflows.engine.plans import Plan
from workflows.errors import ForetoldJustNow
from workflows.language.definition import Definition, from_json
from workflows.models import Enrolment, Move, Moved, Transition, Workflow, WorkflowVersion
from workflows.step import Left
from workflows.versions import fates
from workflows.versions.fates import Fate, Group, Stop
from workflows.versions.foretelling import foretell as foretell_at
from workflows.versions.mapping import FINISHES, Mapping, as_json, inside, keeps

State = Move.State
#: People one transaction looks at or moves.
CHUNK = 5_000
#: A job that said nothing for so long is taken for lost.
LOST = timedelta(seconds=60)
#: A forecast nobody confirmed is kept so long.
KEPT = timedelta(days=1)
#: A forecast is not made anew so soon.
FRESH = timedelta(minutes=1)


# -- foretelling ------------------------------------------------------------------------------------------------------


def foretell(workflow: Workflow, definition: Any, plan: Mapping, *, by: By) -> Move:
    """Begin to work out what this plan would do to whom; a job does it, `state` tells."""
    move = Move.objects.create(
        workflow=workflow,
        definition=definition,
        plan=as_json(plan),
        total=sum(one.people for one in inside(workflow)),
        created_by=person_of(by),
    )
    enqueue("workflows.foretell", move.pk)
    return move


def count_again(move: Move) -> None:
    """Foretell anew as of now, if it has not been carried out. Raises ForetoldJustNow: it is work for everybody."""
    rows = Move.objects.filter(pk=move.pk, state__in=[State.FORETOLD, State.FAILED])
    stale = Q(forecast_at=None) | Q(forecast_at__lte=clock.now() - FRESH)
    if rows.filter(stale).update(state=State.COUNTING, done=0):
        enqueue("workflows.foretell", move.pk)
    elif rows.exists():
        raise ForetoldJustNow("This was worked out within the last minute, and still stands. Try again in a minute.")


def work_out(move_id: UUID) -> None:
    """The forecast: the same functions over the same people with the facts of now; nothing of theirs is written."""
    if not _take(move_id, State.COUNTING):
        return
    move = Move.objects.select_related("workflow").get(pk=move_id)
    now = clock.now()
    found = _forecast(move, now)
    Move.objects.filter(pk=move_id, state=State.COUNTING).update(
        state=State.FORETOLD, forecast=fates.to_json(found), forecast_at=now, seen_at=None
    )


def _forecast(move: Move, now: datetime) -> list[Fate]:
    found: list[Fate] = []
    definition = from_json(move.definition)
    plan = Plan(move.workflow_id, None, definition)
    done = 0
    for old, step, to in _mapped(move):
        kept = to is not None and keeps(from_json(old.definition).steps.get(step), definition.steps[to])
        after = 0
        while ids := _there(old, step, after):
            after, done = ids[-1], done + len(ids)
            gone = Stop(f"{fates.LEFT}{Left.MOVED}")
            stops = dict.fromkeys(ids, gone) if to is None else foretell_at(plan, ids, to, kept=kept, now=now)
            found = fates.merge(found, fates.fold((Group(old.pk, step, to or ""), stop) for stop in stops.values()))
            Move.objects.filter(pk=move.pk).update(done=done, seen_at=clock.now())
    return found


def _mapped(move: Move) -> Iterator[tuple[WorkflowVersion, str, str | None]]:
    """Each step of an older version that the plan takes people from, and where to."""
    plan = msgspec.convert(move.plan, Mapping)
    versions = {str(v.pk): v for v in move.workflow.versions.filter(state__in=["LIVE", "CLOSED"])}
    for version, steps in plan.steps.items():
        if version in versions and versions[version].pk != move.version_id:
            yield from ((versions[version], step, to) for step, to in steps.items() if to != FINISHES)


def _there(version: WorkflowVersion, step: str, after: int) -> list[int]:
    rows = Enrolment.objects.filter(version=version, step=step, pk__gt=after).exclude(status=Enrolment.Status.LEFT)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])


# -- moving -----------------------------------------------------------------------------------------------------------


def attach(version: WorkflowVersion, move: Move | None, *, by: By) -> None:
    """Keep with a version that moves people what was foretold of it; where nothing was, have it foretold."""
    if version.plan["how"] != "move":
        return
    fits = move is not None and move.version_id is None and move.plan == version.plan
    if move is not None and fits and move.definition == version.definition:
        Move.objects.filter(pk=move.pk).update(version=version)
        return
    total = sum(one.people for one in inside(version.workflow))
    made = Move.objects.create(
        workflow=version.workflow,
        version=version,
        definition=version.definition,
        plan=version.plan,
        total=total,
        created_by=person_of(by),
    )
    enqueue("workflows.foretell", made.pk)


def begin(version: WorkflowVersion) -> None:
    """Called in the transaction that makes a version live: have a job move people as its plan says."""
    move = Move.objects.select_for_update().filter(version=version).first()
    if move is not None:
        move.state, move.started_at, move.done, move.seen_at = State.MOVING, clock.now(), 0, None
        move.save(update_fields=["state", "started_at", "done", "seen_at"])
        enqueue("workflows.move", move.pk)


def _take(move_id: UUID, state: str) -> bool:
    """Whether nobody else works on it; says that somebody does now."""
    now = clock.now()
    with transaction.atomic():
        move = Move.objects.select_for_update(of=("self",)).filter(pk=move_id, state=state).first()
        if move is None or (move.seen_at is not None and move.seen_at > now - LOST):
            return False
        move.seen_at = now
        move.save(update_fields=["seen_at"])
    return True


def carry_out(move_id: UUID) -> None:
    """Move everybody, a chunk a transaction; begun again after a crash it goes on with who is left."""
    if not _take(move_id, State.MOVING):
        return
    move = Move.objects.select_related("workflow", "version").get(pk=move_id)
    assert move.version is not None
    if move.forecast_at is None:  # published without a look at it: what would come is kept all the same
        now = clock.now()
        move.forecast, move.forecast_at = fates.to_json(_forecast(move, now)), now
        move.save(update_fields=["forecast", "forecast_at"])
    definition = from_json(move.definition)
    while _move_round(move, definition):  # until a whole round finds nobody: meanwhile the engine moves them, too
        pass
    count = Moved.objects.filter(move=move).count()
    ended = {"state": State.MOVED, "done": count, "total": count, "seen_at": None}
    Move.objects.filter(pk=move.pk, state=State.MOVING).update(**ended)
    enqueue("workflows.run")
    enqueue("workflows.settle_move", move.pk, countdown=5)


def _move_round(move: Move, definition: Definition) -> int:
    count = 0
    for old, step, to in _mapped(move):
        kept = to is not None and keeps(from_json(old.definition).steps.get(step), definition.steps[to])
        while some := _move_some(move, old, step, to, kept):
            Move.objects.filter(pk=move.pk).update(done=F("done") + some, seen_at=clock.now())
            count += some
    return count


_MOVE = """
WITH there AS MATERIALIZED (
    SELECT id, visit, awaits, contact_id, sequence FROM workflows_enrolment
    WHERE version_id = %(old)s AND step = %(step)s AND status <> 'left' ORDER BY id LIMIT %(chunk)s FOR UPDATE
), moved AS (
    UPDATE workflows_enrolment e SET version_id = %(new)s, step = %(to)s, wake_at = %(now)s, status = 'active',
        awaits = CASE WHEN %(kept)s THEN e.awaits END, attempts = 0, trouble = ''
    FROM there WHERE e.id = there.id RETURNING e.id
), noted AS (
    INSERT INTO workflows_moved (move_id, enrolment_id, visit, from_version, from_step, to_step, awaited, at)
    SELECT %(move)s, id, visit, %(old)s, %(step)s, %(to)s, %(kept)s AND awaits IS NOT NULL, %(now)s FROM there
)
SELECT id, %(old)s, %(step)s, visit, awaits, contact_id, sequence FROM there
"""


@transaction.atomic
def _move_some(move: Move, old: WorkflowVersion, step: str, to: str | None, kept: bool) -> int:
    """Move one chunk; how many. The engine leaves rows alone that somebody holds, so nobody waits long."""
    now = clock.now()
    if to is None:
        return _let_leave(move, old, step, now)
    params = {"old": old.pk, "new": move.version_id, "step": step, "to": to, "kept": kept}
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {**params, "now": now, "move": move.pk, "chunk": CHUNK})
        rows = [leaving.Gone(*row) for row in cursor.fetchall()]
    if not kept:  # nobody waits for their mail any more, so nobody could take it back when they leave
        leaving.withdraw(rows)
    return len(rows)


def _let_leave(move: Move, old: WorkflowVersion, step: str, now: datetime) -> int:
    rows = leaving.leave(leaving.at_step(old, step, CHUNK), because=Left.MOVED, at=now)
    Moved.objects.bulk_create(
        Moved(move=move, enrolment_id=row.id, visit=row.visit, from_version=old.pk, from_step=step, at=now)
        for row in rows
    )
    return len(rows)


# -- what came of it --------------------------------------------------------------------------------------------------

_UNSEEN = """
SELECT 1 FROM workflows_moved m JOIN workflows_enrolment e ON e.id = m.enrolment_id
WHERE m.move_id = %s AND e.status = 'active' AND e.wake_at <= m.at LIMIT 1
"""


def settle(move_id: UUID) -> bool:
    """Once the engine has looked at everybody who was moved, keep what came of it; whether it has."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN, [move_id])
        if cursor.fetchone():
            return False
    if not _take(move_id, State.MOVED):
        return False
    move = Move.objects.get(pk=move_id)
    definition = from_json(move.definition)
    found: list[Fate] = []
    after = 0
    moved = Moved.objects.filter(move=move).order_by("enrolment").values_list("enrolment", flat=True)
    while ids := list(moved.filter(enrolment__gt=after)[:CHUNK]):
        after = ids[-1]
        found = fates.merge(found, fates.fold(_tracks(definition, move, ids)))
        Move.objects.filter(pk=move_id).update(seen_at=clock.now())
    now = clock.now()
    Move.objects.filter(pk=move_id).update(state=State.DONE, happened=fates.to_json(found), ended_at=now, seen_at=None)
    return True


_MOVED = ("enrolment", "visit", "from_version", "from_step", "to_step", "awaited")
_NOW = ("pk", "step", "status", "left_because", "awaits", "trouble")
_PASSED = ("enrolment", "visit", "step", "at", "made", "way")


def _tracks(definition: Definition, move: Move, ids: list[int]) -> Iterator[tuple[Group, Stop]]:
    now = {pk: known for pk, *known in Enrolment.objects.filter(pk__in=ids).values_list(*_NOW)}
    moved = list(Moved.objects.filter(move=move, enrolment__in=ids).values_list(*_MOVED))
    start = {enrolment: visit for enrolment, visit, *_ in moved}
    passed: dict[int, list[tuple[str, datetime, UUID | None, str]]] = {}
    rows = Transition.objects.filter(enrolment__in=ids).order_by("enrolment", "visit")
    for enrolment, visit, step, at, made, way in rows.values_list(*_PASSED):
        if visit >= start[enrolment]:
            passed.setdefault(enrolment, []).append((step, at, made, way))
    for enrolment, _, version, old, to, awaited in moved:
        if not to:
            yield Group(version, old, to), Stop(f"{fates.LEFT}{Left.MOVED}")
        elif enrolment in now:  # else the person was deleted meanwhile
            track = fates.Track(passed.get(enrolment, ()), awaited, *now[enrolment])
            yield Group(version, old, to), fates.followed(definition, track)


def sweep() -> None:
    """Start again what was lost: jobs that said nothing for a while. Forecasts nobody confirmed are dropped."""
    Move.objects.filter(version=None, created_at__lt=clock.now() - KEPT).delete()
    for move in Move.objects.filter(state__in=[State.COUNTING, State.MOVING, State.MOVED]):
        if move.seen_at is None or move.seen_at < clock.now() - LOST:
            enqueue(JOBS[State(move.state)], move.pk)


JOBS = {State.COUNTING: "workflows.foretell", State.MOVING: "workflows.move", State.MOVED: "workflows.settle_move"}
