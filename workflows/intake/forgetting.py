"""Forget what happened: after so long, and with the rows it was made from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from tracking.models import Event
from workflows.models import Happening

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


def purge(before: datetime) -> int:
    """How many happenings were forgotten that are older than that."""
    gone = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_PURGE, [before, SIZE])
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
