"""What came back to each origin, summed up once and kept, so that a report need not count millions of events anew.

A sum holds exactly the events of transactions before the mark (`Mark.before_xid`). Whoever did something since is
counted anew, with and without it, and the difference is added: what is told is exact at any moment, not as of some.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from tracking.models import Mark, Sum
from tracking.verdict import BURST

#: (kind, link or None, "people:human" | "total:machine" | … | "hour:2026-11-22T10:00:00+00:00") -> how many
Tally = Counter[tuple[str, int | None, str]]

# Every event with its verdict as of now: tracking.verdict.in_burst, asked of PostgreSQL.
JUDGED = """
SELECT id, delivery_id, origin_id, contact_id, kind, link, at, client,
       CASE WHEN kind = 'click' AND min(link) OVER near <> max(link) OVER near THEN 'machine'
            ELSE verdict END AS verdict
FROM tracking_event
WHERE {where}
WINDOW near AS (PARTITION BY delivery_id, kind ORDER BY at
                RANGE BETWEEN make_interval(secs => %(burst)s) PRECEDING
                AND make_interval(secs => %(burst)s) FOLLOWING)
"""
# A person counts once, as human if any of their events is ('human' < 'unknown' < 'machine'), and in the hour of the
# first that is no machine's.
COUNTED = f"""
WITH judged AS MATERIALIZED ({JUDGED}),
sides AS (SELECT origin_id, kind, link, contact_id, verdict FROM judged
          UNION ALL SELECT origin_id, kind, NULL, contact_id, verdict FROM judged WHERE link IS NOT NULL)
SELECT origin_id, kind, link, label, count(*) FROM (
    SELECT origin_id, kind, link, 'total:' || verdict AS label FROM sides
    UNION ALL
    SELECT origin_id, kind, link, 'people:' || (ARRAY['human', 'unknown', 'machine'])[
        min(CASE verdict WHEN 'human' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END)]
    FROM sides GROUP BY origin_id, kind, link, contact_id
    UNION ALL
    SELECT origin_id, kind, NULL, 'hour:' || to_char(date_trunc('hour', min(at), 'UTC') AT TIME ZONE 'UTC',
                                                    'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
    FROM judged WHERE verdict <> 'machine' GROUP BY origin_id, kind, contact_id
) counted GROUP BY origin_id, kind, link, label
"""  # noqa: S608 -- made of constants of this module
# People of these origins who did something since the mark.
_NEWS = """(origin_id, contact_id) IN (
    SELECT origin_id, contact_id FROM tracking_event WHERE xid >= %(mark)s AND origin_id = ANY(%(origins)s))"""
_SINCE = COUNTED.format(where=_NEWS)
_BEFORE = COUNTED.format(where=f"{_NEWS} AND xid < %(mark)s")
_ALL_BEFORE = COUNTED.format(where="origin_id = ANY(%(origins)s) AND xid < %(mark)s")
# Mark and sums are read in one statement: they belong together.
_KEPT = """
SELECT m.before_xid, s.origin_id, s.counts FROM (SELECT coalesce(max(before_xid), 0) AS before_xid FROM tracking_mark) m
LEFT JOIN tracking_sum s ON s.origin_id = ANY(%(origins)s)
"""


def sums_of(origin_ids: Collection[UUID]) -> dict[UUID, Tally]:
    """What came back to each of these origins, exactly. Three statements, however many."""
    found: dict[UUID, Tally] = {origin_id: Counter() for origin_id in origin_ids}
    params: dict[str, Any] = {"origins": list(found), "burst": BURST.total_seconds(), "mark": 0}
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, params)
        for mark, origin_id, counts in cursor.fetchall():
            params["mark"] = mark
            if origin_id is not None:
                found[origin_id].update(_read(counts))
        cursor.execute(_SINCE, params)
        for origin_id, *key, count in cursor.fetchall():
            found[origin_id][tuple(key)] += count
        cursor.execute(_BEFORE, params)
        for origin_id, *key, count in cursor.fetchall():
            found[origin_id][tuple(key)] -= count
    return found


def _read(counts: str) -> Tally:
    return Counter({(kind, link, label): count for kind, link, label, count in json.loads(counts)})


@transaction.atomic
def sum_up() -> int:
    """Take what is new into the sums and move the mark; how many origins had news. One process at a time."""
    mark = _mark()
    if mark is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT carillon_xmin()")
        (before,) = cursor.fetchone()
        cursor.execute(
            "SELECT DISTINCT origin_id FROM tracking_event WHERE xid >= %s AND xid < %s", [mark.before_xid, before]
        )
        origins = [row[0] for row in cursor.fetchall()]
    Mark.objects.filter(pk=1).update(before_xid=before)
    _sum(origins, before)
    return len(origins)


@transaction.atomic
def sum_again(origin_ids: Iterable[UUID]) -> None:
    """Count anew from what is left: some of their events were forgotten (TRK-05)."""
    mark = Mark.objects.select_for_update().filter(pk=1).first()
    if mark is not None:
        _sum(sorted(set(origin_ids)), mark.before_xid)


def _mark() -> Mark | None:
    Mark.objects.get_or_create(pk=1)
    return Mark.objects.select_for_update(skip_locked=True).filter(pk=1).first()


def _sum(origins: list[UUID], before: int) -> None:
    """Origin by origin: one has at most some hundred thousand events, all together have millions."""
    for origin_id in origins:
        params: dict[str, Any] = {"origins": [origin_id], "mark": before, "burst": BURST.total_seconds()}
        with connection.cursor() as cursor:
            cursor.execute(_ALL_BEFORE, params)
            counts = [row[1:] for row in cursor.fetchall()]
        Sum.objects.update_or_create(pk=origin_id, defaults={"counts": counts})
