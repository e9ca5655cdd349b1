"""Who entered and who left the segments that journeys listen to, from the rows a look left behind."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from segments.errors import MembershipUnreadable
from segments.membership import told_after
from segments.models import Membership
from workflows import happenings
from workflows.happenings import New
from workflows.models import Cursor
from workflows.watched import Kind, Watched

log = logging.getLogger(__name__)

_NEWEST = """
SELECT s.id, (SELECT max(taken_at) FROM segments_membership m WHERE m.segment_id = s.id), c.at
FROM unnest(%s::uuid[]) s(id) LEFT JOIN workflows_cursor c ON c.source = 'segment:' || s.id
"""


def memberships(watched: Watched) -> None:
    """Each look once, in the order they were taken; what was before somebody listened to a segment is not told."""
    segments = watched.about(Kind.ENTERED, Kind.LEFT)
    if not segments:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [segments])
        rows = cursor.fetchall()
    for segment_id, newest, read in rows:
        if newest is not None and (read is None or newest > read):
            _take(segment_id, newest, _since(watched, segment_id))


def _since(watched: Watched, segment_id: UUID) -> datetime:
    """When the first of the versions that listen to it now went live. Those before them have left a cursor."""
    listening = [watched.triggers.get((kind, segment_id), ()) for kind in (Kind.ENTERED, Kind.LEFT)]
    return min(version.live_at for some in listening for version in some)


def rest(watched: Watched, mark: datetime) -> None:
    """Nobody listened to other segments at `mark`: who moved in or out until then is told to none."""
    others = Cursor.objects.filter(source__startswith="segment:", at__lt=mark)
    heard = [f"segment:{pk}" for pk in watched.about(Kind.ENTERED, Kind.LEFT)]
    others.exclude(source__in=heard).update(at=mark)


@transaction.atomic
def _take(segment_id: UUID, newest: datetime, since: datetime) -> None:
    source = f"segment:{segment_id}"
    kept = Cursor.objects.select_for_update().filter(source=source).first()
    # What was read last counts, also where a newer version went live since: those of its journey listened before.
    row = _begin(segment_id, kept.at if kept and kept.at else since)
    if row is None:
        return
    last = newest
    try:
        for later, entered, left in told_after(row):
            last = max(last, later.taken_at)
            news = [New(Kind.ENTERED, segment_id, who, later.taken_at) for who in entered]
            happenings.write(news + [New(Kind.LEFT, segment_id, who, later.taken_at) for who in left])
    except MembershipUnreadable:  # its page and the trail say so; journeys go on behind what cannot be read
        log.warning("segment %s cannot be read until %s", segment_id, newest)
    Cursor.objects.update_or_create(source=source, defaults={"at": last})


def _begin(segment_id: UUID, at: datetime) -> Membership | None:
    """The look to go on from: the newest until then, or the first."""
    rows = Membership.objects.filter(segment=segment_id)
    return rows.filter(taken_at__lte=at).order_by("-taken_at").first() or rows.order_by("taken_at").first()
