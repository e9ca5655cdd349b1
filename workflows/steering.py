"""Pause, resume and stop a journey; retry, pass over and take off people who need attention."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

import delivery.commands
from audit.commands import record
from core import clock
from core.actors import SYSTEM, By
from core.jobs import enqueue
from delivery.models import Delivery, Origin
from workflows import leaving
from workflows.commands import locked
from workflows.errors import NotPossibleNow
from workflows.intake.reading import alone
from workflows.language.definition import from_json, ways_out
from workflows.models import Call, Enrolment, Move, VersionMail, Workflow, WorkflowVersion
from workflows.step import Left, Note
from workflows.versions import claims

State = Workflow.State
Status = Enrolment.Status
#: People one transaction changes.
CHUNK = 5_000
LONGEST_SPREAD_HOURS = 14 * 24
#: First half of the locks under which one worker has a journey go on.
SPACE = 0x3EB2


def _origins(workflow: Workflow, *states: str) -> list[UUID]:
    mails = VersionMail.objects.filter(version__workflow=workflow, version__state__in=["LIVE", "CLOSED"])
    return list(Origin.objects.filter(pk__in=mails.values("pk"), state__in=states).values_list("pk", flat=True))


# -- pause and resume -------------------------------------------------------------------------------------------------


@transaction.atomic
def pause(workflow: Workflow, *, by: By) -> Workflow:
    """Hold everybody where they are, and mail that has not left; people still enter and wait at the start."""
    workflow = locked(workflow)
    if workflow.state != State.ACTIVE:
        raise NotPossibleNow("Only a journey that runs can be paused.")
    workflow.state, workflow.paused_at, workflow.resuming = State.PAUSED, clock.now(), ""
    workflow.save(update_fields=["state", "paused_at", "resuming", "updated_at"])
    for origin in _origins(workflow, Origin.State.OPEN):
        delivery.commands.hold(origin, by=by)
    record("workflow.paused", by=by, target=workflow)
    return workflow


class Overdue(NamedTuple):
    """What waits for a journey to be resumed. `mails`: handed to delivery before the pause and not sent yet."""

    people: int
    mails: int


def overdue(workflow: Workflow) -> Overdue:
    """How many would go on at once. Two statements, by index."""
    return Overdue(_due(workflow, clock.now()).count(), _unsent(workflow).count())


def _active(workflow: Workflow) -> "QuerySet[Enrolment]":
    versions = list(workflow.versions.filter(state__in=["LIVE", "CLOSED"]).values_list("pk", flat=True))
    return Enrolment.objects.filter(version__in=versions, status=Status.ACTIVE)


def _due(workflow: Workflow, now: datetime) -> "QuerySet[Enrolment]":
    return _active(workflow).filter(wake_at__lte=now)


def _unsent(workflow: Workflow) -> "QuerySet[Enrolment]":
    mails = VersionMail.objects.filter(version=OuterRef("version"), step=OuterRef("step"))
    ended = Delivery.objects.filter(pk=OuterRef("awaits"))
    return _active(workflow).filter(Exists(mails), ~Exists(ended), awaits__isnull=False)


@transaction.atomic
def resume(workflow: Workflow, *, how: str = "catch_up", hours: int = 0, by: By) -> Workflow:
    """Let it go on: `how` "catch_up" (whoever is overdue goes on now, or spread over so many hours) or "skip" (mails
    that are overdue are passed over, until each person waits again). A job sees to the people first."""
    workflow = locked(workflow)
    if workflow.state != State.PAUSED:
        raise NotPossibleNow("Only a paused journey can be resumed.")
    if how not in ("catch_up", "skip") or not 0 <= hours <= LONGEST_SPREAD_HOURS:
        raise NotPossibleNow("Choose to catch up, at once or over up to 14 days, or to skip what is overdue.")
    workflow.resuming = "skip:0" if how == "skip" else f"spread:{hours * 3600}"
    workflow.save(update_fields=["resuming", "updated_at"])
    record("workflow.resumed", by=by, target=workflow, how=how, hours=hours)
    enqueue("workflows.resume", workflow.pk)
    return workflow


def go_on(workflow_id: UUID) -> None:
    """What a resumed journey needs before it runs: people spread or marked, chunk by chunk; then it runs.

    One job at a time: a second one would mark, and take back mail of, who goes on already.
    """
    with alone(SPACE << 32 | int.from_bytes(workflow_id.bytes[-4:], "big")) as mine:
        if mine:
            _go_on(workflow_id)


def _go_on(workflow_id: UUID) -> None:
    workflow = Workflow.objects.get(pk=workflow_id)
    if workflow.state != State.PAUSED or not workflow.resuming:
        return
    how, _, seconds = workflow.resuming.partition(":")
    now = clock.now()
    if how == "skip":
        after = 0
        while rows := list(_unsent(workflow).filter(pk__gt=after).order_by("pk")[:CHUNK]):
            after = rows[-1].pk
            with transaction.atomic():
                leaving.withdraw([_as_gone(row) for row in rows])
        _each_chunk(workflow, "overdue = true", [], "(wake_at <= %s OR awaits IS NOT NULL) AND NOT overdue", now)
    elif int(seconds):
        later = "wake_at = %s + make_interval(secs => 1 + abs(hashint8(id)::bigint) %% %s)"
        _each_chunk(workflow, later, [now, int(seconds)], "wake_at <= %s", now)
    with transaction.atomic():
        workflow = locked(workflow)
        if workflow.state != State.PAUSED or not workflow.resuming:
            return
        workflow.state, workflow.paused_at, workflow.resuming = State.ACTIVE, None, ""
        workflow.save(update_fields=["state", "paused_at", "resuming", "updated_at"])
        for origin in _origins(workflow, Origin.State.HELD):
            if int(seconds):
                delivery.commands.spread(origin, seconds=int(seconds))
            delivery.commands.resume(origin, by=SYSTEM)
        enqueue("workflows.sweep")


def _as_gone(row: Enrolment) -> leaving.Gone:
    return leaving.Gone(row.pk, row.version_id, row.step, row.visit, row.awaits, row.contact_id, row.sequence)


def _each_chunk(workflow: Workflow, change: str, params: list[Any], which: str, now: datetime) -> None:
    """UPDATE whoever is active there and `which`, a chunk a transaction; nobody is found twice."""
    versions = list(workflow.versions.filter(state__in=["LIVE", "CLOSED"]).values_list("pk", flat=True))
    statement = (
        f"UPDATE workflows_enrolment SET {change} WHERE id IN (SELECT id FROM workflows_enrolment"  # noqa: S608
        f" WHERE version_id = ANY(%s) AND status = 'active' AND {which} ORDER BY id LIMIT %s FOR UPDATE)"
    )
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [*params, versions, now, CHUNK])
            if cursor.rowcount < CHUNK:
                return


# -- stop -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def stop(workflow: Workflow, *, by: By) -> Workflow:
    """End it for everybody: nobody enters, whoever is inside leaves, mail that has not left does not leave."""
    workflow = locked(workflow)
    if workflow.state not in (State.ACTIVE, State.PAUSED):
        raise NotPossibleNow("This journey does not run.")
    origins = _origins(workflow, Origin.State.OPEN, Origin.State.HELD)
    workflow.versions.filter(state=WorkflowVersion.State.PROPOSED).update(
        state=WorkflowVersion.State.WITHDRAWN, decided_at=clock.now()
    )
    workflow.versions.filter(state=WorkflowVersion.State.LIVE).update(state=WorkflowVersion.State.CLOSED)
    workflow.state, workflow.paused_at, workflow.resuming = State.STOPPED, None, ""
    workflow.save(update_fields=["state", "paused_at", "resuming", "updated_at"])
    workflow.moves.exclude(state__in=[Move.State.DONE, Move.State.FAILED]).update(state=Move.State.FAILED)
    claims.settle(workflow)
    record("workflow.stopped", by=by, target=workflow)
    for origin in origins:
        delivery.commands.cancel(origin, by=by)
    enqueue("workflows.empty", workflow.pk)
    return workflow


def empty(workflow_id: UUID) -> None:
    """Let everybody leave a stopped journey, a chunk a transaction."""
    while _empty_some(workflow_id):
        pass


@transaction.atomic
def _empty_some(workflow_id: UUID) -> bool:
    workflow = Workflow.objects.get(pk=workflow_id)
    rows = Enrolment.objects.filter(version__workflow=workflow).exclude(status=Status.LEFT)
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if not ids or workflow.state != State.STOPPED:
        return False
    leaving.leave(ids, because=Left.STOPPED, at=clock.now())
    return True


# -- attention --------------------------------------------------------------------------------------------------------


def _stuck(workflow: Workflow, ids: Sequence[int] | None) -> "QuerySet[Enrolment]":
    rows = Enrolment.objects.filter(workflow=workflow, status=Status.ATTENTION)
    return rows if ids is None else rows.filter(pk__in=ids)


@transaction.atomic
def retry(workflow: Workflow, ids: Sequence[int] | None, *, by: By) -> int:
    """Try again whoever needs attention: these, or all (None); how many."""
    now = clock.now()
    rows = list(_stuck(workflow, ids).order_by("pk").select_for_update().values_list("pk", "awaits"))
    calls = Call.objects.filter(pk__in=[awaits for _, awaits in rows if awaits], state=Call.State.FAILED)
    calls.update(state=Call.State.WAITING, attempts=0, due_at=now, trouble="")
    changed = {"status": Status.ACTIVE, "wake_at": now, "attempts": 0, "trouble": ""}
    count = Enrolment.objects.filter(pk__in=[pk for pk, _ in rows]).update(**changed)
    if count:
        record("workflow.retried", by=by, target=workflow, people=count)
        enqueue("workflows.sweep_calls")
        enqueue("workflows.sweep")
    return count


@transaction.atomic
def skip(workflow: Workflow, ids: Sequence[int] | None, *, by: By) -> int:
    """Pass over the step at which these people are stuck: they go on as if it had come to nothing; how many."""
    rows = list(_stuck(workflow, ids).order_by("pk").select_for_update())
    groups: dict[tuple[UUID, str], list[int]] = {}
    for row in rows:
        groups.setdefault((row.version_id, row.step), []).append(row.pk)
    versions = WorkflowVersion.objects.in_bulk({version for version, _ in groups})
    now = clock.now()
    for (version_id, step), some in groups.items():
        node = from_json(versions[version_id].definition).steps[step]
        ways = ways_out(node)
        way = next((way for way in ("next", "else", "timeout") if way in ways), ways[0] if ways else "")
        leaving.pass_on(some, node, way=way, note=Note.SKIPPED, at=now)
    leaving.withdraw([_as_gone(row) for row in rows])  # nobody waits for it any more
    if rows:
        record("workflow.skipped", by=by, target=workflow, people=len(rows))
        enqueue("workflows.sweep")
    return len(rows)


@transaction.atomic
def remove(workflow: Workflow, ids: Sequence[int], *, by: By) -> int:
    """Take these enrolments off the journey; how many. Mail that has not left does not leave."""
    known = Enrolment.objects.filter(workflow=workflow, pk__in=ids).values_list("pk", flat=True)
    gone = leaving.leave(list(known), because=Left.REMOVED, at=clock.now())
    if gone:
        record("workflow.removed", by=by, target=workflow, people=len({row.contact_id for row in gone}))
        claims.settle(workflow)
    return len(gone)
