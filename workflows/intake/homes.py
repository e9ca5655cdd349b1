"""Look for moments around dates and for who waits, by where the organization is: also once that is elsewhere."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection, transaction
from pyroaring import BitMap

from contacts.models import Kind
from core import clock
from segments import people
from segments.dates import TIME_ZONE
from workflows.enrolling import Entry
from workflows.intake import dates
from workflows.models import Cursor, Enrolment, WorkflowVersion
from workflows.watched import ZONE, Version, Watched

#: A version that follows another takes over where that one had looked last, but for what is older.
TAKEN_OVER = timedelta(minutes=5)


# -- moments around dates ---------------------------------------------------------------------------------------------


@transaction.atomic
def looked(version: Version, until: datetime, enter: Callable[[Version, Sequence[Entry]], int]) -> int:
    """Have everybody enter whose moment came since the last look; the cursor moves in the same transaction."""
    source, here = f"date:{version.id}", dates.home()
    kept = Cursor.objects.select_for_update().filter(source=source).first()
    after, then = (kept.at, kept.about) if kept and kept.at else _begin(version)
    was = ZoneInfo(then) if then and then != str(here) else None
    found = dates.due(version, after, until, here=here, was=was)
    entered = sum(enter(version, once(version, entries)) for entries in found)
    Cursor.objects.update_or_create(source=source, defaults={"at": max(after, until), "about": str(here)})
    return entered


def _begin(version: Version) -> tuple[datetime, str]:
    """From when on to look, and where the organization was then ("": where it is)."""
    others = WorkflowVersion.objects.filter(workflow=version.workflow_id).exclude(pk=version.id)
    sources = [f"date:{pk}" for pk in others.values_list("pk", flat=True)]
    last = Cursor.objects.filter(source__in=sources, at__isnull=False).order_by("-at").first()
    if last is None or last.at is None:
        return version.live_at, ""
    begin = version.live_at - TAKEN_OVER
    # Where it was at a look of long ago says nothing of where it was at the beginning.
    return (last.at, last.about) if last.at >= begin else (begin, "")


def once(version: Version, entries: Sequence[Entry]) -> list[Entry]:
    """Without those who came by the same value of their date just before: where somebody moves on to a later zone, or
    the organization does, the moment comes again."""
    if not entries or version.definition.reentry.kind in ("never", "per_key"):
        return list(entries)
    rows = Enrolment.objects.filter(
        workflow=version.workflow_id,
        contact_id__among=[entry.contact_id for entry in entries],
        key_index__isnull=False,
        entered_at__gt=min(entry.at or clock.now() for entry in entries) - dates.FARTHEST,
    )
    before = {(who, bytes(key or b"")) for who, key in rows.values_list("contact_id", "key_index")}
    return [entry for entry in entries if (entry.contact_id, entry.key_index) not in before]


# -- who waits --------------------------------------------------------------------------------------------------------

#: Enrolments of one transaction.
SIZE = 20_000

# Also whom a worker holds, who may have read where the organization was: the wake-up waits for it.
_NEXT = """
SELECT id, contact_number FROM workflows_enrolment
WHERE id > %s AND version_id = ANY(%s) AND status = 'active' AND wake_at IS NOT NULL ORDER BY id LIMIT %s
"""
_WAKE = """
UPDATE workflows_enrolment SET wake_at = LEAST(wake_at, %s) WHERE id IN (
    SELECT id FROM workflows_enrolment WHERE id = ANY(%s) AND status = 'active' ORDER BY id FOR UPDATE)
"""


def look(watched: Watched) -> int:
    """Once the organization is in another zone: have those looked at again who wait by where it was; how many.

    A slice a transaction, with how far it came: goes on where it was killed, and begins anew where it moves again.
    """
    here = str(dates.home())
    mark, _ = Cursor.objects.get_or_create(source="home", defaults={"about": here, "at": clock.now()})
    if mark.about != here:
        mark.about, mark.before_xid, mark.at = here, 0, None
        mark.save()
    if mark.at is not None:
        return 0
    at_home, woken = _at_home(), 0
    versions = list(watched.moved_by.get(ZONE, ()))
    while (some := _slice(mark, versions, at_home)) is not None:
        woken += some
    return woken


@transaction.atomic
def _slice(mark: Cursor, versions: list[UUID], at_home: BitMap) -> int | None:
    """How many of the next were woken; None: there are no more."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [mark.before_xid, versions, SIZE])
        rows = cursor.fetchall()
        theirs = [pk for pk, number in rows if number in at_home]
        cursor.execute(_WAKE, [clock.now(), theirs])
        woken = int(cursor.rowcount)
    if rows:
        mark.before_xid = rows[-1][0]
    else:
        mark.at = clock.now()
    mark.save(update_fields=["before_xid", "at"])
    return woken if rows else None


def _at_home() -> BitMap:
    """The numbers of those who are not known to be anywhere."""
    found = BitMap()
    for frame in people.frames_of({TIME_ZONE: Kind.TEXT}):
        _, places, nowhere = dates.zones(frame.columns[TIME_ZONE], dates.home())
        found |= BitMap(frame.numbers[frame.present & np.isin(places, list(nowhere))].tolist())
    return found
