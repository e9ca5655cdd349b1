"""Who is due, taken so that nobody else takes them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from workflows.models import Workflow, WorkflowVersion
from workflows.step import Place


class Row(NamedTuple):
    """An enrolment as it is read; its columns by these names."""

    id: int
    workflow_id: UUID
    version_id: UUID
    contact_id: UUID
    contact_number: int
    sequence: int
    key_index: bytes | None
    happening_id: int | None
    entered_at: datetime
    step: str
    visit: int
    since: datetime
    wake_at: datetime | None
    awaits: UUID | None
    status: str
    trouble: str
    attempts: int
    overdue: bool

    @property
    def place(self) -> Place:
        """Where they are, as the pure step knows it."""
        return Place(
            contact=self.contact_id,
            step=self.step,
            visit=self.visit,
            entered_at=self.entered_at,
            since=self.since,
            wake_at=self.wake_at,
            awaits=self.awaits is not None,
            overdue=self.overdue,
        )


_COLUMNS = ", ".join(Row._fields)
_DUE = """
SELECT v.id FROM workflows_workflowversion v JOIN workflows_workflow w ON w.id = v.workflow_id
WHERE w.state = %s AND v.state = ANY(%s) AND EXISTS (
    SELECT FROM workflows_enrolment e WHERE e.version_id = v.id AND e.status <> 'left' AND e.wake_at <= %s)
ORDER BY v.id
"""
# Whoever pauses, stops or publishes waits for claims under way, and claims after it see what it did.
_HOLD = """
SELECT FROM workflows_workflow w JOIN workflows_workflowversion v ON v.workflow_id = w.id
WHERE v.id = %s AND w.state = %s FOR SHARE OF w
"""
# No key lock: rows that refer to the enrolment need not wait.
_CLAIM = f"""
SELECT {_COLUMNS} FROM workflows_enrolment WHERE version_id = %s AND status <> 'left' AND wake_at <= %s
ORDER BY wake_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 -- names of this module
_ROWS = f"SELECT {_COLUMNS} FROM workflows_enrolment WHERE id = ANY(%s)"  # noqa: S608 -- names of this module

RUNNING = (WorkflowVersion.State.LIVE, WorkflowVersion.State.CLOSED)


def due(now: datetime) -> list[UUID]:
    """The versions somebody is due on."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [Workflow.State.ACTIVE, list(RUNNING), now])
        return [row[0] for row in cursor.fetchall()]


def hold(version_id: UUID) -> bool:
    """Keep the journey running until the transaction ends; False: it does not run."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [version_id, Workflow.State.ACTIVE])
        return cursor.fetchone() is not None


def claim(version_id: UUID, now: datetime, most: int) -> list[Row]:
    """Up to so many who are due on a version and that nobody else holds, the longest due first."""
    return _rows(_CLAIM, [version_id, now, most])


def rows(ids: Iterable[int]) -> list[Row]:
    """These enrolments as they are, held by nobody: to see what would happen to them."""
    return _rows(_ROWS, [list(ids)])


def _rows(sql: str, params: list[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [Row._make(row) for row in cursor.fetchall()]
