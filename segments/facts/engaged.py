"""Who received, opened and clicked, as clauses ask it. Machines do not count (TRK-06)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection

from segments import calendar
from segments.columns import Numbers
from segments.context import Context
from segments.facts import answers, rows
from segments.facts.answers import Facts
from segments.facts.files import Head
from segments.facts.rows import Ints, Later, Rows, Subject, When
from segments.facts.source import CLICK, OPEN, OWN, POOL, RECEIVED
from segments.store.memory import memory
from segments.tree import Engaged

KINDS = {"received": RECEIVED, "opened": OPEN, "clicked": CLICK}
_MOST_SECONDS = 2**32 - 1


class Origin(NamedTuple):
    id: UUID
    campaign: bool
    topic_id: UUID | None
    #: Somebody has received it.
    sent: bool


# The least moment is one look into an index for each; EXISTS would make a set of all deliveries.
_ORIGINS = """
SELECT o.id, o.kind = 'campaign', o.topic_id, coalesce(
    (SELECT min(d.at) FROM delivery_delivery d WHERE d.origin_id = o.id AND d.outcome = 'sent') <= %s, false)
FROM delivery_origin o WHERE o.kind = ANY(%s) ORDER BY o.created_at DESC, o.id DESC
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A clause as it is looked up; `counting`: the files with anything that may count."""

    subjects: Sequence[Subject]
    when: When
    least: int
    counting: Sequence[Head]
    #: The people whose rows in a subject's file no longer count.
    anew: dict[Subject, Ints]

    @property
    def key(self) -> tuple[object, ...]:
        """What the files say to this holds as long as they do."""
        return ("counts", self.when, tuple(sorted(head.key for head in self.counting)))


def sets(clauses: Sequence[Engaged], context: Context, *, by_files: bool) -> dict[Engaged, Numbers]:
    """The contact numbers each clause holds for at `context.now`. Raises files.Moved."""
    if not clauses:
        return {}
    origins = _origins(context.now) if any(clause.mailing is None for clause in clauses) else []
    about = {clause: [(KINDS[clause.event], i) for i in _mailings(clause, origins)] for clause in clauses}
    facts = answers.of(sorted({s for some in about.values() for s in some}), context.now, by_files=by_files)
    asked = {clause: _asked(clause, subjects, context, facts) for clause, subjects in about.items()}
    bases: dict[Engaged, Ints | None] = {clause: memory.peek(one.key) for clause, one in asked.items()}
    unknown = {(h.kind, h.subject) for clause, one in asked.items() if bases[clause] is None for h in one.counting}
    facts.open(unknown.union(*(one.anew for one in asked.values())))
    return {clause: Numbers(_at_least(one, bases[clause], facts)) for clause, one in asked.items()}


def _origins(now: datetime) -> list[Origin]:
    """Campaigns and workflow steps, the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINS, [now, list(OWN)])
        return [Origin(*row) for row in cursor.fetchall()]


def _mailings(clause: Engaged, origins: Sequence[Origin]) -> list[UUID]:
    """The campaign a clause names, or the latest that anybody received, or those on a topic, or all mail."""
    if clause.mailing is not None:
        return [clause.mailing]
    if clause.topic is None and not clause.last:
        return [*(origin.id for origin in origins), POOL]
    campaigns = [o for o in origins if o.campaign and clause.topic in (None, o.topic_id)]
    if clause.last:
        campaigns = [o for o in campaigns if o.sent][:1]
    return [origin.id for origin in campaigns]


def _when(clause: Engaged, context: Context) -> When:
    def start(day: date) -> int:
        seconds = datetime(day.year, day.month, day.day, tzinfo=context.zone).timestamp()
        return min(max(int(seconds), 0), _MOST_SECONDS)

    since = until = None
    if clause.span is not None:
        since = start(calendar.moved(context.today, clause.span, -1))
    if clause.first is not None:
        since = start(context.day(clause.first))
    if clause.second is not None:
        until = start(context.day(clause.second) + timedelta(days=1))
    return When(since, until, clause.link)


def _asked(clause: Engaged, subjects: Sequence[Subject], context: Context, facts: Facts) -> _Asked:
    when = _when(clause, context)
    known = [facts.heads[subject] for subject in subjects if subject in facts.heads]
    # Of many mailings few are of the last days: what ended before is not even opened.
    counting = [
        h for h in known if h.rows and h.last_at and (when.since is None or h.last_at.timestamp() >= when.since)
    ]
    found = {(head.kind, head.subject): answers.later(facts, (head.kind, head.subject), Later) for head in counting}
    anew = {subject: what.instead for subject, what in found.items() if what is not None and len(what.instead)}
    return _Asked(subjects, when, clause.times.least, counting, anew)


def _at_least(asked: _Asked, base: Ints | None, facts: Facts) -> rows.Flags:
    """Everybody with so many events that count."""
    if base is None:
        held = [facts.opened[head.kind, head.subject] for head in asked.counting]
        base = rows.counts([asked.when.among(some) for some in held if isinstance(some, Rows)])
        memory.put(asked.key, base, base.nbytes)
    flags: rows.Flags = base >= asked.least
    whom, change = _changes(asked, facts)
    if len(whom) == 0:
        return flags
    if whom[-1] >= len(flags):
        flags = np.concatenate([flags, np.zeros(int(whom[-1]) + 1 - len(flags), dtype=np.bool_)])
    before = np.zeros(len(whom), dtype=np.int64)
    counted = whom < len(base)
    before[counted] = base[whom[counted]]
    flags[whom] = before + change >= asked.least
    return flags


def _changes(asked: _Asked, facts: Facts) -> tuple[Ints, Ints]:
    """The people whose counts are not what the files say, and by how much."""
    found = [answers.later(facts, subject, Later) for subject in asked.subjects]
    more = [asked.when.among(what.rows) for what in found if what is not None]
    replaced = [(facts.opened[subject], whom) for subject, whom in asked.anew.items()]
    less = [asked.when.among(rows.only(some, whom)) for some, whom in replaced if isinstance(some, Rows)]
    whom, places = np.unique(np.concatenate([*more, *less, rows.nobody()]), return_inverse=True)
    signs = np.repeat([1, -1], [sum(map(len, more)), sum(map(len, less))])
    return whom, np.bincount(places, weights=signs, minlength=len(whom)).astype(np.int64)
