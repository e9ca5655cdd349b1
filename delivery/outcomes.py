"""Outcome rows: appended many in one statement, never edited."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from delivery.models import Retry, SmtpSession
from delivery.transports.wire import SessionFacts


@dataclass(frozen=True, slots=True)
class Row:
    """One Delivery to be appended."""

    id: UUID
    contact_id: UUID
    outcome: str
    at: datetime
    decision: dict[str, object] | None = None
    reasons: tuple[str, ...] = ()
    method: str = ""
    session_id: UUID | None = None
    smtp_code: int | None = None
    smtp_status: str = ""
    content_sha256: bytes | None = None
    merge_values: bytes | None = None


@dataclass(frozen=True, slots=True)
class PutOff:
    """One Retry to be written or moved."""

    id: UUID
    contact_id: UUID
    attempts: int
    due_at: datetime
    reason: str
    smtp_code: int | None = None
    smtp_status: str = ""


@dataclass(slots=True)
class Outcomes:
    """What one window settled."""

    rows: list[Row] = field(default_factory=list)
    put_off: list[PutOff] = field(default_factory=list)
    sessions: dict[UUID, SessionFacts] = field(default_factory=dict)
    #: These people stood in Retry, and whoever has an outcome now leaves it.
    were_waiting: bool = False


APPEND = """
INSERT INTO delivery_delivery (id, origin_id, batch_id, visit, contact_id, outcome, at, decision, reasons, method,
    session_id, smtp_code, smtp_status, content_sha256, merge_values)
SELECT r.id, %s, %s, %s, r.contact_id, r.outcome, r.at, r.decision, r.reasons, r.method, r.session_id, r.smtp_code,
    r.smtp_status, decode(r.content_sha256, 'hex'), decode(r.merge_values, 'base64')
FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, contact_id uuid, outcome text, at timestamptz, decision jsonb,
    reasons text[], method text, session_id uuid, smtp_code smallint, smtp_status text, content_sha256 text,
    merge_values text)
ON CONFLICT DO NOTHING
"""


def append(origin_id: UUID, batch_id: UUID, visit: str, rows: Sequence[Row]) -> int:
    """Append outcomes of one batch; whoever has one already keeps it. How many were new."""
    if not rows:
        return 0
    # One JSON parameter: a dozen arrays cost psycopg ten times as much to quote.
    values = [
        {
            "id": row.id.hex,
            "contact_id": row.contact_id.hex,
            "outcome": row.outcome,
            "at": row.at.isoformat(),
            "decision": row.decision,
            "reasons": row.reasons,
            "method": row.method,
            "session_id": row.session_id.hex if row.session_id else None,
            "smtp_code": row.smtp_code,
            "smtp_status": row.smtp_status,
            "content_sha256": row.content_sha256.hex() if row.content_sha256 else None,
            "merge_values": b64encode(row.merge_values).decode() if row.merge_values else None,
        }
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.execute(APPEND, [origin_id, batch_id, visit, json.dumps(values)])
        return int(cursor.rowcount)


def save_sessions(sessions: Sequence[SessionFacts]) -> None:
    """Write the sessions not yet written, in one order for everybody, so that two windows never wait in a ring."""
    new = sorted((session for session in sessions if not session.saved), key=lambda session: session.id)
    if not new:
        return
    SmtpSession.objects.bulk_create(
        [
            SmtpSession(
                id=session.id,
                relay_id=session.relay_id,
                host=session.host,
                address=session.address,
                tls_version=session.tls_version,
                cipher=session.cipher,
                certificate_sha256=session.certificate_sha256,
                certificate_subject=session.certificate_subject,
                basis=session.basis,
                started_at=session.started_at,
            )
            for session in new
        ],
        ignore_conflicts=True,
    )


def saved(sessions: Sequence[SessionFacts]) -> None:
    """Their rows are committed: the next window need not write them again."""
    for session in sessions:
        session.saved = True


def put_off(batch_id: UUID, waits: Sequence[PutOff]) -> None:
    """Write or move what waits for another attempt."""
    if not waits:
        return
    Retry.objects.bulk_create(
        [
            Retry(
                id=wait.id,
                batch_id=batch_id,
                contact_id=wait.contact_id,
                attempts=wait.attempts,
                due_at=wait.due_at,
                smtp_code=wait.smtp_code,
                smtp_status=wait.smtp_status,
                reason=wait.reason,
            )
            for wait in waits
        ],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["attempts", "due_at", "smtp_code", "smtp_status", "reason"],
    )


def settle(origin_id: UUID, batch_id: UUID, visit: str, found: Outcomes) -> None:
    """Everything one window found out, in its transaction: sessions, outcomes, waits."""
    save_sessions(list(found.sessions.values()))
    append(origin_id, batch_id, visit, found.rows)
    put_off(batch_id, found.put_off)
    if found.were_waiting:
        Retry.objects.filter(pk__among=[row.id for row in found.rows]).delete()
