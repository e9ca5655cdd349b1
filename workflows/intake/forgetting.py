"""Forget what nothing needs any more: after so long, or with the rows it was made from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from tracking.models import Event
from workflows.models import Happening, Simulation

#: Rows of one statement: nobody waits long for it.
SIZE = 20_000
# Not what somebody came in by who is still on the way: its date may be what they wait for.
_PURGE = """
DELETE FROM workflows_happening WHERE id IN (SELECT id FROM workflows_happening h WHERE at < %s AND NOT EXISTS (
    SELECT FROM workflows_enrolment e
    WHERE e.contact_id = h.contact_id AND e.happening_id = h.id AND e.status <> 'left') LIMIT %s)
"""
_KINDS = {Event.Kind.OPEN.value: Happening.Kind.OPENED.value, Event.Kind.CLICK.value: Happening.Kind.CLICKED.value}
# Of one person and mailing: whoever has another event of theirs left keeps what was made from both.
_FORGET = """
DELETE FROM workflows_happening h WHERE h.kind = %s AND h.about = ANY(%s) AND NOT EXISTS (
    SELECT FROM tracking_event e WHERE e.contact_id = h.contact_id AND e.origin_id = h.about AND e.kind = ANY(%s))
"""


# How a call ended stands on the person's path. But whoever still waits for it may have staff try it again.
_CALLS = """
DELETE FROM workflows_call WHERE id IN (SELECT id FROM workflows_call c WHERE state <> 'waiting' AND at < %s
    AND NOT EXISTS (SELECT FROM workflows_enrolment e WHERE e.awaits = c.id) ORDER BY at LIMIT %s)
"""
_NOTICES = "DELETE FROM workflows_notice WHERE id IN (SELECT id FROM workflows_notice WHERE done_at < %s LIMIT %s)"


def purge(before: datetime) -> int:
    """How many happenings were forgotten that are older than that."""
    return _purged(_PURGE, before)


def purge_calls(before: datetime) -> int:
    """How many calls were forgotten that have ended and were made before that."""
    return _purged(_CALLS, before)


def purge_notices(before: datetime) -> int:
    """How many notices were forgotten that somebody had seen to before that."""
    return _purged(_NOTICES, before)


def purge_simulations(before: datetime) -> int:
    """How many simulations were forgotten that were over before that; each with its paths, in its own transaction."""
    over = list(Simulation.objects.filter(finished_at__lt=before).values_list("pk", flat=True))
    for pk in over:
        Simulation.objects.filter(pk=pk).delete()
    return len(over)


def _purged(statement: str, before: datetime) -> int:
    gone = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [before, SIZE])
            rows = int(cursor.rowcount)
            gone += rows
            if rows < SIZE:
                return gone


def forget_events(origins: Mapping[str, Sequence[UUID]]) -> None:
    """What was made from opens and clicks that tracking forgets (TRK-05), in its transaction."""
    with connection.cursor() as cursor:
        for kind, ids in origins.items():
            if kind in _KINDS:
                made_from = ["click"] if kind == "click" else ["open", "click"]
                cursor.execute(_FORGET, [_KINDS[kind], sorted(set(ids)), made_from])
