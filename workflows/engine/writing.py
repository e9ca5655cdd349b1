"""What came of a claim, as rows: a COPY of what they passed, one UPDATE of where they are, and the numbers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from workflows.engine.travel import Traveller

_TRANSITIONS = """
COPY workflows_transition (enrolment_id, visit, version_id, step, arrived_at, at, way, note, made) FROM STDIN
"""
# One JSON parameter: a dozen arrays cost psycopg ten times as much to quote.
_ENROLMENTS = """
UPDATE workflows_enrolment e SET status = r.status, step = r.step, visit = r.visit, since = r.since,
    wake_at = r.wake_at, awaits = r.awaits, attempts = r.attempts, trouble = r.trouble, overdue = r.overdue,
    left_because = r.left_because, left_at = r.left_at
FROM jsonb_to_recordset(%s::jsonb) AS r(id bigint, status text, step text, visit int, since timestamptz,
    wake_at timestamptz, awaits uuid, attempts smallint, trouble text, overdue boolean, left_because text,
    left_at timestamptz)
WHERE e.id = r.id
"""
_TALLIES = """
INSERT INTO workflows_tally (version_id, step, what, count)
SELECT %s, t.step, t.what, t.count FROM unnest(%s::text[], %s::text[], %s::int[]) AS t(step, what, count)
"""
_encode = msgspec.json.Encoder().encode


def write(version_id: UUID, travellers: Sequence[Traveller], now: datetime) -> None:
    """In the transaction of the claim."""
    with connection.cursor() as cursor:
        with cursor.copy(_TRANSITIONS) as copy:
            version = str(version_id)
            lines = [
                f"{t.row.id}\t{p.visit}\t{version}\t{_escaped(p.step)}\t{p.arrived_at}\t{p.at}\t{p.way}\t{p.note}"
                f"\t{made or _NULL}\n"
                for t in travellers
                for p, made in t.passed
            ]
            copy.write("".join(lines))
        cursor.execute(_ENROLMENTS, [_encode([_row(t, now) for t in travellers]).decode()])
        counts = Counter(one for t in travellers for one in t.counted())
        if counts:
            steps, whats = zip(*counts, strict=True)
            cursor.execute(_TALLIES, [version_id, list(steps), list(whats), list(counts.values())])


_NULL = "\\N"


def _escaped(text: str) -> str:
    """As COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _row(traveller: Traveller, now: datetime) -> dict[str, object]:
    place = traveller.place
    return {
        "id": traveller.row.id,
        "status": traveller.status,
        "step": traveller.step_id,
        "visit": place.visit,
        "since": place.since,
        "wake_at": place.wake_at,
        "awaits": traveller.awaits,
        "attempts": traveller.attempts,
        "trouble": traveller.trouble,
        "overdue": place.overdue,
        "left_because": place.left or "",
        "left_at": now if place.left is not None else None,
    }
