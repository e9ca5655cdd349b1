"""Consents, opens and clicks, mails sent and mails that ended: rows of other rooms, taken over within PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from core import clock
from tracking.sums import JUDGED
from tracking.verdict import BURST
from workflows.intake.reading import Table, heard, window
from workflows.models import Cursor
from workflows.watched import Kind, Watched

EVER = datetime(1970, 1, 1, tzinfo=UTC)
CONSENT = Table("consent_ledgerentry")
TRACKING = Table("tracking_event")
#: Two partial indexes on xid.
DELIVERIES = Table("delivery_delivery", ("outcome = 'sent'", "outcome <> 'sent'"))
#: A click is a person's only once no other link was clicked right after it (TRK-06).
SETTLED = BURST + timedelta(seconds=1)


def listened(source: str, watched: Watched) -> datetime | None:
    """From when on journeys want to know what this source tells; None: none of them does."""
    match source:
        case "consent":
            return watched.since(Kind.GIVEN, Kind.WITHDRAWN, woken=watched.leaving)
        case "tracking":
            return watched.since(Kind.OPENED, Kind.CLICKED)
        case "deliveries":
            return watched.since(Kind.SENT, woken=watched.mailing)
    return min((version.since for version in watched.versions), default=None)


# Materialized: where a row is changed meanwhile PostgreSQL looks again whether it is meant, and finds nothing behind a
# UNION ALL that it joined by a nested loop. The wake-up would be lost.
_WAKE = """
WITH n AS MATERIALIZED ({whom})
UPDATE workflows_enrolment e SET wake_at = LEAST(e.wake_at, %(now)s) FROM n
WHERE e.contact_id = n.contact_id AND e.version_id = ANY(%(versions)s::uuid[]) AND e.status <> 'left'
"""

_WORDS = """
INSERT INTO workflows_happening (kind, about, contact_id, at)
SELECT kind, about, contact_id, at FROM (
    SELECT number, CASE act WHEN 'opt_in' THEN 'given' ELSE 'withdrawn' END AS kind, topic_id AS about, contact_id, at
    FROM ({new}) n WHERE topic_id IS NOT NULL AND act IN ('opt_in', 'opt_out')
    UNION ALL
    SELECT number, 'withdrawn', t.id, contact_id, at FROM ({new}) n CROSS JOIN unnest(%(withdrawn)s::uuid[]) t(id)
    WHERE act = 'opt_out_all'
) words
WHERE kind = 'given' AND about = ANY(%(given)s::uuid[]) OR kind = 'withdrawn' AND about = ANY(%(withdrawn)s::uuid[])
ORDER BY number
"""
_WHO_LEFT = "SELECT DISTINCT contact_id FROM ({new}) n WHERE act IN ('opt_out', 'opt_out_all')"


def consents(watched: Watched) -> bool:
    """Consents given and withdrawn; whoever withdrew one is looked at. True: there is more to read."""
    since = listened("consent", watched)
    if since is None:
        return False
    with window("consent", CONSENT, since=since) as found:
        if found.empty:
            return False
        watched = heard()
        given, withdrawn = watched.about(Kind.GIVEN), watched.about(Kind.WITHDRAWN)
        params = {**found.params, "given": given, "withdrawn": withdrawn}
        if given or withdrawn:
            _run(_WORDS.format(new=CONSENT.new("number, act, topic_id, contact_id, at")), params)
        if watched.leaving:
            whom = _WHO_LEFT.format(new=CONSENT.new("contact_id, act"))
            _run(_WAKE.format(whom=whom), {**params, "versions": list(watched.leaving), "now": clock.now()})
    return found.more


# Whoever clicked has opened. Of one person and mailing the first is told, for pictures are fetched again and again.
_READERS = """
INSERT INTO workflows_happening (kind, about, contact_id, at)
SELECT kind, origin_id, contact_id, min(at) FROM (
    SELECT k.kind, j.origin_id, j.contact_id, j.at FROM ({judged}) j
    CROSS JOIN unnest(%(kinds)s::text[]) k(kind)
    JOIN delivery_origin o ON o.id = j.origin_id AND o.kind = 'campaign'
    WHERE j.verdict = 'human' AND j.at <= %(young)s AND (j.kind = 'click' OR j.kind = 'open' AND k.kind = 'opened')
      AND (%(all)s OR j.origin_id = ANY(%(mailings)s::uuid[]))
) n
WHERE NOT EXISTS (SELECT FROM workflows_happening h
                  WHERE h.contact_id = n.contact_id AND h.kind = n.kind AND h.about = n.origin_id)
GROUP BY 1, 2, 3 ORDER BY 4, 3, 1
"""
_THEIRS = "(origin_id, contact_id) IN (SELECT origin_id, contact_id FROM ({new}) n)"


def engagement(watched: Watched) -> bool:
    """Opens and clicks of people, never of machines. True: there is more to read."""
    since = listened("tracking", watched)
    if since is None:
        return False
    young = clock.now() - SETTLED
    with window("tracking", TRACKING, since=since, young=young) as found:
        if found.empty:
            return False
        watched = heard()
        kinds = sorted({kind for kind, _ in watched.triggers if kind in (Kind.OPENED, Kind.CLICKED)})
        theirs = _THEIRS.format(new=TRACKING.new("origin_id, contact_id"))
        params = {
            **found.params,
            "young": young,
            "kinds": kinds,
            "burst": BURST.total_seconds(),
            "mailings": watched.about(*kinds),
            "all": any(watched.of_all(kind) for kind in kinds),
        }
        _run(_READERS.format(judged=JUDGED.format(where=theirs)), params)
    return found.more


_SENT = """
INSERT INTO workflows_happening (kind, about, contact_id, at)
SELECT 'sent', origin_id, contact_id, at FROM ({new}) n
WHERE outcome = 'sent' AND origin_id = ANY(%(mailings)s::uuid[]) ORDER BY at, contact_id
"""
# Materialized: see _WAKE.
_ENDED = """
WITH n AS MATERIALIZED ({new})
UPDATE workflows_enrolment e SET wake_at = LEAST(e.wake_at, %(now)s) FROM n
WHERE e.awaits = n.id AND e.status = 'active'
"""


def deliveries(watched: Watched) -> bool:
    """Mails of campaigns that journeys begin with, and the ends of their own that people wait for. True: more."""
    since = listened("deliveries", watched)
    if since is None:
        return False
    # Whoever waits for the end of a mail has nothing else to wake them: also where a clock was set back.
    begun = Cursor.objects.filter(source="deliveries").exists()
    with window("deliveries", DELIVERIES, since=EVER if begun else since) as found:
        if found.empty:
            return False
        watched = heard()
        mailings = watched.about(Kind.SENT)
        if mailings:
            _run(
                _SENT.format(new=DELIVERIES.new("origin_id, contact_id, outcome, at")),
                {**found.params, "mailings": mailings},
            )
        if watched.mailing:  # also mails of versions that people were moved from
            _run(_ENDED.format(new=DELIVERIES.new("id")), {**found.params, "now": clock.now()})
    return found.more


def _run(statement: str, params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
