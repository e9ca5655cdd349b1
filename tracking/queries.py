"""What came back, counted. A click that turns out to be part of a burst counts as machine, whatever it seemed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from core.clock import now as _now
from tracking.models import Event
from tracking.verdict import BURST

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


@dataclass(frozen=True, slots=True)
class Split:
    """Counts by verdict. `people`: each person once, by the best of their events; `total`: every event."""

    human: int = 0
    unknown: int = 0
    machine: int = 0

    @property
    def all(self) -> int:
        return self.human + self.unknown + self.machine


@dataclass(frozen=True, slots=True)
class Figures:
    people: Split = Split()
    total: Split = Split()


@dataclass(frozen=True, slots=True)
class Counts:
    """What came back to one origin. `links` by index of the destination in the template version."""

    opens: Figures = Figures()
    clicks: Figures = Figures()
    unsubscribes: int = 0
    links: dict[int, Figures] = field(default_factory=dict)


def counts_for(origin_id: UUID) -> Counts:
    """Opens, clicks and unsubscribes of one campaign (or other origin), people and machines apart. Two statements."""
    judged = JUDGED.format(where="origin_id = %(origin)s")
    params: dict[str, Any] = {"origin": origin_id, "burst": BURST.total_seconds()}
    # A person counts once, as human if any of their events is (ranked by 'human' < 'unknown' after relabelling).
    best = "min(CASE verdict WHEN 'human' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END)"
    sql = f"""
    WITH judged AS MATERIALIZED ({judged}),
    sides AS (SELECT kind, link, contact_id, verdict FROM judged
              UNION ALL SELECT kind, NULL, contact_id, verdict FROM judged WHERE link IS NOT NULL)
    SELECT kind, link, verdict, count(*) FROM (
        SELECT kind, link, 'total:' || verdict AS verdict FROM sides
        UNION ALL
        SELECT kind, link, 'people:' || (ARRAY['human', 'unknown', 'machine'])[{best}]
        FROM sides GROUP BY kind, link, contact_id
    ) counted GROUP BY kind, link, verdict
    """  # noqa: S608 -- both parts are constants of this module
    found: dict[tuple[str, int | None], dict[str, dict[str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for kind, link, label, count in cursor.fetchall():
            side, _, verdict = label.partition(":")
            found.setdefault((kind, link), {}).setdefault(side, {})[verdict] = count
    figures = {
        key: Figures(Split(**sides.get("people", {})), Split(**sides.get("total", {}))) for key, sides in found.items()
    }
    gone = figures.get((Event.Kind.UNSUBSCRIBE.value, None), Figures())
    return Counts(
        opens=figures.get((Event.Kind.OPEN.value, None), Figures()),
        clicks=figures.get((Event.Kind.CLICK.value, None), Figures()),
        unsubscribes=gone.people.all,
        links={link: f for (kind, link), f in sorted(figures.items(), key=str) if link is not None},
    )


@dataclass(frozen=True, slots=True)
class Returned:
    """How many people opened, clicked and unsubscribed; machines left out."""

    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0


def people_by_origin(origin_ids: Sequence[UUID]) -> dict[UUID, Returned]:
    """People who came back to each of many campaigns, for lists, in one statement; as counts_for counts them."""
    found = dict.fromkeys(origin_ids, Returned())
    judged = JUDGED.format(where="origin_id = ANY(%(origins)s)")
    sql = f"""
    SELECT origin_id, count(DISTINCT contact_id) FILTER (WHERE kind = 'open' AND verdict <> 'machine'),
           count(DISTINCT contact_id) FILTER (WHERE kind = 'click' AND verdict <> 'machine'),
           count(DISTINCT contact_id) FILTER (WHERE kind = 'unsubscribe')
    FROM ({judged}) j GROUP BY origin_id
    """  # noqa: S608 -- a constant of this module
    with connection.cursor() as cursor:
        cursor.execute(sql, {"origins": list(origin_ids), "burst": BURST.total_seconds()})
        found.update((row[0], Returned(*row[1:])) for row in cursor.fetchall())
    return found


@dataclass(frozen=True, slots=True)
class Bucket:
    """First-time opens and clicks by people (and what cannot be told) from `at` on, for one step."""

    at: datetime
    opens: int
    clicks: int
    unsubscribes: int


def over_time(origin_id: UUID, *, step: str = "hour") -> list[Bucket]:
    """When people first opened, clicked and unsubscribed; machines left out. `step`: "hour" or "day" (UTC)."""
    if step not in ("hour", "day"):
        raise ValueError("Events are counted by hour or by day.")
    judged = JUDGED.format(where="origin_id = %(origin)s")
    sql = f"""
    WITH firsts AS (SELECT kind, contact_id, min(at) AS at FROM ({judged}) j
                    WHERE verdict <> 'machine' GROUP BY kind, contact_id)
    SELECT date_trunc(%(step)s, at, 'UTC') AS bucket, count(*) FILTER (WHERE kind = 'open'),
           count(*) FILTER (WHERE kind = 'click'), count(*) FILTER (WHERE kind = 'unsubscribe')
    FROM firsts GROUP BY bucket ORDER BY bucket
    """  # noqa: S608 -- a constant of this module
    with connection.cursor() as cursor:
        cursor.execute(sql, {"origin": origin_id, "burst": BURST.total_seconds(), "step": step})
        return [Bucket(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of one person, for a timeline."""

    id: UUID
    delivery_id: UUID
    origin_id: UUID
    kind: str
    link: int | None
    at: datetime
    verdict: str
    client: str


def events_for_contact(contact_id: UUID, *, limit: int = 200) -> list[Happened]:
    """What one person did with our mails, newest first."""
    judged = JUDGED.format(where="contact_id = %(contact)s")
    sql = f"""SELECT id, delivery_id, origin_id, kind, link, at, verdict, client FROM ({judged}) j
              ORDER BY at DESC, id DESC LIMIT %(limit)s"""  # noqa: S608 -- a constant of this module
    with connection.cursor() as cursor:
        cursor.execute(sql, {"contact": contact_id, "burst": BURST.total_seconds(), "limit": limit})
        return [Happened(*row) for row in cursor.fetchall()]


def engaged(
    kind: str, origin_ids: Iterable[UUID] | None = None, since: datetime | None = None, *, machines: bool = False
) -> set[UUID]:
    """Everybody who opened, clicked or unsubscribed (`kind`) any of these origins (None: any) since then.

    What cannot be told counts, what is probably a machine does not, unless `machines`.
    """
    conditions = ["kind = %(kind)s", "at >= %(since)s", "at <= %(now)s"]
    # A burst may begin just before `since`; the window must see its start, the answer must not.
    params: dict[str, Any] = {
        "kind": kind,
        "since": since - BURST if since else datetime.min.replace(tzinfo=_now().tzinfo),
        "now": _now(),
        "from": since,
        "burst": BURST.total_seconds(),
    }
    if origin_ids is not None:
        conditions.append("origin_id = ANY(%(origins)s)")
        params["origins"] = list(origin_ids)
    judged = JUDGED.format(where=" AND ".join(conditions))
    sql = f"""SELECT DISTINCT contact_id FROM ({judged}) j
              WHERE (%(from)s::timestamptz IS NULL OR at >= %(from)s)"""  # noqa: S608 -- constants of this module
    if not machines:
        sql += " AND verdict <> 'machine'"
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {row[0] for row in cursor.fetchall()}
