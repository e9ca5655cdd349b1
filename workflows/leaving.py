"""Let people leave a journey, and pass a step over: set-wise, by the rows, whatever the engine is doing.

The engine leaves alone what somebody holds; who has left is left.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from workflows.engine import mails
from workflows.language.definition import AnyStep, after
from workflows.models import Enrolment, Tally, WorkflowVersion


class Gone(NamedTuple):
    """Somebody as they were."""

    id: int
    version_id: UUID
    step: str
    visit: int
    awaits: UUID | None
    contact_id: UUID
    sequence: int


def at_step(version: WorkflowVersion, step: str, most: int) -> list[int]:
    rows = Enrolment.objects.filter(version=version, step=step).exclude(status=Enrolment.Status.LEFT)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:most])


_LEAVE = """
WITH there AS MATERIALIZED (
    SELECT id, version_id, step, visit, since, awaits, contact_id, sequence FROM workflows_enrolment
    WHERE id = ANY(%(ids)s) AND status <> 'left' ORDER BY id FOR UPDATE
), gone AS (
    UPDATE workflows_enrolment e SET status = 'left', left_because = %(because)s, left_at = %(at)s, wake_at = NULL,
        awaits = NULL, attempts = 0, trouble = '', overdue = false
    FROM there WHERE e.id = there.id RETURNING e.id
), passed AS (
    INSERT INTO workflows_transition (enrolment_id, visit, version_id, step, arrived_at, at, way, note, made)
    SELECT id, visit, version_id, step, since, %(at)s, '', %(because)s, awaits FROM there
    ON CONFLICT (enrolment_id, visit) DO NOTHING RETURNING id
)
SELECT id, version_id, step, visit, awaits, contact_id, sequence FROM there
"""


def leave(ids: Sequence[int], *, because: str, at: datetime) -> list[Gone]:
    """These enrolments end here; as they were. Mail of theirs that has not been handed over leaves no more."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, {"ids": list(ids), "because": because, "at": at})
        gone = [Gone(*row) for row in cursor.fetchall()]
    tally((row.version_id, row.step) for row in gone)
    withdraw(gone)
    return gone


def tally(places: Iterable[tuple[UUID, str]], what: str = "left") -> None:
    counted = Counter(places)
    Tally.objects.bulk_create(
        Tally(version_id=version, step=step, what=what, count=count) for (version, step), count in counted.items()
    )


def withdraw(gone: Sequence[Gone]) -> None:
    """Take back their mails that are still here. In the caller's transaction; waits for a window under way, seconds."""
    journeys = dict(
        WorkflowVersion.objects.filter(pk__in={row.version_id for row in gone}).values_list("pk", "workflow")
    )
    mails.take_back(
        [
            mails.Awaited(journeys[row.version_id], row.contact_id, mails.visit_of(row.sequence, row.visit), row.awaits)
            for row in gone
            if row.awaits is not None
        ]
    )


_GO_ON = """
WITH there AS MATERIALIZED (
    SELECT id, version_id, step, visit, since, awaits FROM workflows_enrolment
    WHERE id = ANY(%(ids)s) AND status <> 'left' ORDER BY id FOR UPDATE
), gone AS (
    UPDATE workflows_enrolment e SET step = coalesce(%(to)s, e.step), awaits = NULL, attempts = 0, trouble = '',
        visit = CASE WHEN %(to)s::text IS NULL THEN e.visit ELSE e.visit + 1 END,
        since = CASE WHEN %(to)s::text IS NULL THEN e.since ELSE %(at)s END,
        status = CASE WHEN %(to)s::text IS NULL THEN 'left' ELSE 'active' END,
        wake_at = CASE WHEN %(to)s::text IS NULL THEN NULL ELSE %(at)s END,
        left_at = CASE WHEN %(to)s::text IS NULL THEN %(at)s END,
        left_because = CASE WHEN %(to)s::text IS NULL THEN 'end' ELSE '' END
    FROM there WHERE e.id = there.id RETURNING e.id
), passed AS (
    INSERT INTO workflows_transition (enrolment_id, visit, version_id, step, arrived_at, at, way, note, made)
    SELECT id, visit, version_id, step, since, %(at)s, %(way)s, %(note)s, awaits FROM there
    ON CONFLICT (enrolment_id, visit) DO NOTHING RETURNING id
)
SELECT version_id, step FROM there
"""


def pass_on(ids: Sequence[int], node: AnyStep, *, way: str, note: str, at: datetime) -> int:
    """These people, all at this step, go on by this way out; how many."""
    to = after(node, way)
    with connection.cursor() as cursor:
        cursor.execute(_GO_ON, {"ids": list(ids), "to": to, "way": way, "note": note, "at": at})
        places = cursor.fetchall()
    tally(places, "passed")
    if to is not None:
        tally(((version, to) for version, _ in places), "arrived")
    return len(places)
