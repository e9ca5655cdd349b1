"""The statements facts are read by. Nothing but ids, kinds and moments stands in them (IDX-03)."""

from segments.facts import words
from tracking.sums import JUDGED

SUBJECT = "coalesce(o.id, %(pool)s::uuid)"
ORIGIN = "LEFT JOIN delivery_origin o ON o.id = {table}.origin_id AND o.kind = ANY(%(own)s)"
ASKED = """asked AS MATERIALIZED (
    SELECT kind, subject, position, unfinished::bigint[]
    FROM unnest(%(kinds)s::text[], %(subjects)s::uuid[], %(positions)s::bigint[], %(unfinished)s::text[])
        a(kind, subject, position, unfinished)
)"""
#: Of transactions that had not ended when the file was written; of those that have now.
NEW = "({table}.xid >= a.position OR {table}.xid = ANY(a.unfinished))"
ENDED = "{table}xid < %(before)s AND {table}xid <> ALL(%(not_ended)s)"
PACKED = """string_agg(int4send(number), ''::bytea), string_agg(timestamptz_send(at), ''::bytea),
    string_agg(int2send(coalesce(link, -1)::int2), ''::bytea), min(at), max(at)"""
#: Which rows: those of origins with a position that came later (by the index on xid), all of some origins (by the
#: index on origin_id), or all of the pool (by looking at every row).
LATER = "({table}.xid >= %(low)s OR {table}.xid = ANY(%(waited_for)s))"
WHOLE = "{table}.origin_id = ANY(%(subjects)s)"
POOLED = "{table}.origin_id NOT IN (SELECT id FROM delivery_origin WHERE kind = ANY(%(own)s))"

RECEIVED = f"""
WITH {ASKED}
SELECT 'received', subject, {PACKED} FROM (
    SELECT a.subject, c.number::int AS number, d.at, NULL::int2 AS link
    FROM delivery_delivery d {ORIGIN.format(table="d")}
    JOIN asked a ON a.subject = {SUBJECT} AND {NEW.format(table="d")}
    JOIN contacts_contact c ON c.id = d.contact_id
    WHERE d.outcome = 'sent' AND d.at <= %(until)s AND {ENDED.format(table="d.")} AND {{which}}
) r GROUP BY subject
"""  # noqa: S608 -- constants of this module

# Opens are what they are. A click may make a machine's of clicks before it: whoever clicked later is judged anew, as
# a whole, and what was known of their clicks before no longer counts ("instead").
CLICKS = f"kind = 'click' AND at <= %(until)s AND {ENDED.format(table='')} AND {{clicks}}"
EVENTS = f"""
WITH {ASKED},
later AS MATERIALIZED (
    SELECT e.kind, a.subject, e.contact_id, c.number::int AS number, e.at, e.link, e.verdict
    FROM tracking_event e {ORIGIN.format(table="e")}
    JOIN asked a ON a.kind = e.kind AND a.subject = {SUBJECT} AND {NEW.format(table="e")}
    JOIN contacts_contact c ON c.id = e.contact_id
    WHERE e.kind = ANY(%(kinds)s) AND e.at <= %(until)s AND {ENDED.format(table="e.")} AND {{which}}
),
clicked AS MATERIALIZED (
    SELECT subject, contact_id, number, min(at) AS first_at, max(at) AS last_at
    FROM later WHERE kind = 'click' GROUP BY subject, contact_id, number
)
SELECT 'open', subject, {PACKED} FROM later WHERE kind = 'open' AND verdict <> 'machine' GROUP BY subject
UNION ALL
SELECT 'instead', subject, string_agg(int4send(number), ''::bytea), NULL, NULL, min(first_at), max(last_at)
FROM clicked GROUP BY subject
UNION ALL
SELECT 'click', subject, {PACKED} FROM (
    SELECT k.subject, k.number, e.at, e.link
    FROM ({JUDGED.format(where=CLICKS)}) e
    {ORIGIN.format(table="e")} JOIN clicked k ON k.contact_id = e.contact_id AND k.subject = {SUBJECT}
    WHERE e.verdict <> 'machine'
) c GROUP BY subject
"""  # noqa: S608 -- constants of this module
#: The clicks to judge anew.
THEIRS = "contact_id IN (SELECT contact_id FROM clicked)"

# Every word, for whoever asked takes the last of each person in a moment, and sorting a million here takes seconds.
SAID = f"""
WITH {ASKED}
SELECT 'topic', subject, string_agg(int4send(number), ''::bytea), string_agg(int8send(said), ''::bytea), NULL,
    min(at), max(at)
FROM (
    SELECT a.subject, c.number::int AS number, l.at,
        l.number * 4 + CASE l.act WHEN 'opt_in' THEN {words.IN} WHEN 'opt_in_voided' THEN {words.VOIDED}
                       ELSE {words.OUT} END AS said
    FROM consent_ledgerentry l
    JOIN asked a ON a.subject = coalesce(l.topic_id, %(pool)s::uuid) AND {NEW.format(table="l")}
    JOIN contacts_contact c ON c.id = l.contact_id
    WHERE (l.topic_id IS NOT NULL AND l.act IN ('opt_in', 'opt_in_voided', 'opt_out')
           OR l.topic_id IS NULL AND l.act IN ('opt_in', 'opt_out_all'))
      AND l.at <= %(until)s AND {ENDED.format(table="l.")} AND {{which}}
) s GROUP BY subject
"""  # noqa: S608 -- constants of this module

SENT_SINCE = f"""
WITH {ASKED}
SELECT a.kind, a.subject, count(*) FROM delivery_delivery d {ORIGIN.format(table="d")}
JOIN asked a ON a.subject = {SUBJECT} AND {NEW.format(table="d")}
WHERE d.outcome = 'sent' AND {LATER.format(table="d")} GROUP BY 1, 2
"""  # noqa: S608 -- constants of this module
EVENTS_SINCE = f"""
WITH {ASKED}
SELECT a.kind, a.subject, count(*) FROM tracking_event e {ORIGIN.format(table="e")}
JOIN asked a ON a.kind = e.kind AND a.subject = {SUBJECT} AND {NEW.format(table="e")}
WHERE {LATER.format(table="e")} GROUP BY 1, 2
"""  # noqa: S608 -- constants of this module
SAID_SINCE = f"""
WITH {ASKED}
SELECT a.kind, a.subject, count(*) FROM consent_ledgerentry l
JOIN asked a ON a.subject = coalesce(l.topic_id, %(pool)s::uuid) AND {NEW.format(table="l")}
WHERE {LATER.format(table="l")} GROUP BY 1, 2
"""  # noqa: S608 -- constants of this module
