"""How many people are in and how many out of each topic: counted once, kept, and what was said since laid over it.

What is kept holds every word of transactions before its mark (TopicCount.before_xid, the same in all rows). Whoever
spoke since is looked up with and without that, and the difference is added: the answer is exact at any moment.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from consent.models import Topic, TopicCount

#: topic -> (in, out)
People = dict[UUID, tuple[int, int]]

_WORDS = "('opt_in', 'opt_in_voided', 'opt_out')"
_EVERYBODY = f"""
SELECT topic_id, count(*) FILTER (WHERE act = 'opt_in'), count(*) FILTER (WHERE act = 'opt_out') FROM (
    SELECT DISTINCT ON (topic_id, contact_id) topic_id, contact_id, act FROM consent_ledgerentry
    WHERE topic_id = ANY(%(topics)s) AND act IN {_WORDS} AND (%(below)s::bigint IS NULL OR xid < %(below)s)
    ORDER BY topic_id, contact_id, number DESC
) last GROUP BY topic_id
"""  # noqa: S608 -- made of constants of this module
_LAST = f"""(SELECT l.act FROM consent_ledgerentry l
    WHERE l.contact_id = n.contact_id AND l.topic_id = n.topic_id AND l.act IN {_WORDS}
      AND (%({{bound}})s::bigint IS NULL OR l.xid < %({{bound}})s) ORDER BY l.number DESC LIMIT 1)"""  # noqa: S608
_SINCE = f"""
WITH news AS MATERIALIZED (
    SELECT DISTINCT topic_id, contact_id FROM consent_ledgerentry
    WHERE xid >= %(mark)s AND (%(below)s::bigint IS NULL OR xid < %(below)s)
      AND topic_id = ANY(%(topics)s) AND act IN {_WORDS}
), words AS (
    SELECT n.topic_id, {_LAST.format(bound="below")} AS now, {_LAST.format(bound="mark")} AS was FROM news n
)
SELECT topic_id, count(*) FILTER (WHERE now = 'opt_in') - count(*) FILTER (WHERE was = 'opt_in'),
       count(*) FILTER (WHERE now = 'opt_out') - count(*) FILTER (WHERE was = 'opt_out')
FROM words GROUP BY topic_id
"""  # noqa: S608


def people_in(topic_ids: Iterable[UUID]) -> People:
    """How many are in and how many out of each topic by their last word on it, in at most three statements."""
    return _counted(list(topic_ids), None)


@transaction.atomic
def count_topics() -> None:
    """Keep the counts of all topics as of the transactions that are over. One process at a time."""
    with connection.cursor() as cursor:
        # Whoever waits for this finds the mark moved, and adds only what came since.
        cursor.execute("LOCK TABLE consent_topiccount IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT carillon_xmin()")
        (below,) = cursor.fetchone()
    keep(below)


def keep(below: int) -> None:
    """Keep the counts as of the transactions before this one, which are all over."""
    topics = list(Topic.objects.values_list("pk", flat=True))
    kept = [
        TopicCount(topic_id=topic, people_in=found[0], people_out=found[1], before_xid=below)
        for topic, found in _counted(topics, below).items()
    ]
    TopicCount.objects.bulk_create(
        kept,
        update_conflicts=True,
        unique_fields=["topic"],
        update_fields=["people_in", "people_out", "before_xid"],
    )


def _counted(topics: list[UUID], below: int | None) -> People:
    """As of all that is committed, or of the transactions before `below`."""
    rows = {row.topic_id: row for row in TopicCount.objects.filter(topic_id__in=topics)}
    found: People = dict.fromkeys(topics, (0, 0))
    found |= {topic: (row.people_in, row.people_out) for topic, row in rows.items()}
    unknown = [topic for topic in topics if topic not in rows]
    if unknown:
        found |= _read(_EVERYBODY, {"topics": unknown, "below": below})
    for mark in {row.before_xid for row in rows.values()}:
        marked = [topic for topic, row in rows.items() if row.before_xid == mark]
        for topic, (more_in, more_out) in _read(_SINCE, {"topics": marked, "below": below, "mark": mark}).items():
            found[topic] = (found[topic][0] + more_in, found[topic][1] + more_out)
    return found


def _read(statement: str, params: dict[str, Any]) -> People:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
