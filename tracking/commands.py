"""Append what came back. One INSERT, no lock, no read: a busy campaign opens thousands of mails a minute."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from core import clock
from core.sensitivity import Sensitivity
from tracking.models import Event
from tracking.resolvers import Resolved
from tracking.signals import events_forgotten
from tracking.verdict import Judged


def may_record(message: Resolved, kind: str) -> bool:
    """Whether an open or click of this message may be kept: never for special categories (TRK-02)."""
    if message.tier == Sensitivity.SPECIAL:
        return False
    return message.track_opens if kind == Event.Kind.OPEN else message.track_clicks


def append(
    kind: str,
    *,
    delivery_id: UUID,
    message: Resolved,
    judged: Judged,
    link: int | None = None,
    at: datetime | None = None,
) -> None:
    """Keep one event: what was concluded, not what it was concluded from (TRK-05)."""
    Event.objects.bulk_create(
        [
            Event(
                delivery_id=delivery_id,
                origin_id=message.origin_id,
                contact_id=message.contact_id,
                kind=kind,
                link=link,
                at=at or clock.now(),
                verdict=judged.verdict,
                client=judged.client,
            )
        ]
    )


_PURGE = """
WITH gone AS (DELETE FROM tracking_event WHERE at < %s RETURNING origin_id, kind)
SELECT kind, origin_id, count(*) FROM gone GROUP BY 1, 2
"""


@transaction.atomic
def purge(before: datetime) -> int:
    """Forget events older than that (TRK-05), and what was made from them; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE, [before])
        gone = cursor.fetchall()
    origins: dict[str, list[UUID]] = {}
    for kind, origin_id, _ in gone:
        origins.setdefault(kind, []).append(origin_id)
    if origins:
        events_forgotten.send(sender=Event, origins=origins)
    return sum(count for _, _, count in gone)
