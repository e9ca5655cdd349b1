"""What the tables say: who received, opened, clicked and said what, packed by PostgreSQL, one row a subject.

A subject is a campaign (or workflow step). What single calls and test mails brought is one subject together, and so
is what people said about everything: POOL. People deleted since are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from core.transactions import Ended
from segments.facts import rows, statements, words
from segments.facts.rows import Ints, Later, Subject
from segments.facts.words import Words
from tracking.verdict import BURST

RECEIVED, OPEN, CLICK, TOPIC = "received", "open", "click", "topic"
#: delivery.Origin.kind of the origins that are a subject each.
OWN = ("campaign", "workflow")
POOL = UUID(int=0)
#: Every transaction there ever will be; and none.
ALL, NONE = Ended(2**62), Ended(0)
_INSTEAD = "instead"
_EVER = datetime.max.replace(tzinfo=UTC)
#: The kinds of each table, how to read them, and how to count what came.
_TABLES = (
    ((RECEIVED,), statements.RECEIVED, statements.SENT_SINCE),
    ((OPEN, CLICK), statements.EVENTS, statements.EVENTS_SINCE),
    ((TOPIC,), statements.SAID, statements.SAID_SINCE),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a table holds of a subject, with the moments of its oldest and newest row."""

    what: Later | Words
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Rows at or before `until` of transactions in `within`; of each subject those of transactions that had not ended
    when its file was written (NONE: all)."""

    known: Mapping[Subject, Ended] = field(default_factory=dict)
    until: datetime | None = None
    within: Ended = ALL


def read(span: Span) -> dict[Subject, Found]:
    """What there is beside the files; subjects about whom nothing is there are left out.

    At most three statements each for deliveries and events and two for the ledger, however many subjects.
    """
    found: dict[Subject, Found] = {}
    for kinds, sql, _ in _TABLES:
        asked = {subject: known for subject, known in span.known.items() if subject[0] in kinds}
        for which, some in _ways(asked, kinds):
            found |= _read(sql, which, some, span)
    return found


def growth(known: Mapping[Subject, Ended]) -> dict[Subject, int]:
    """How many rows there are beside each of these subjects' files. A statement a table."""
    found: dict[Subject, int] = {}
    for kinds, _, sql in _TABLES:
        asked = {subject: at for subject, at in known.items() if subject[0] in kinds}
        if not asked:
            continue
        with connection.cursor() as cursor:
            cursor.execute(sql, _params(asked))
            found |= {(kind, subject): count for kind, subject, count in cursor.fetchall()}
    return found


def _ways(asked: Mapping[Subject, Ended], kinds: Sequence[str]) -> Iterator[tuple[str, dict[Subject, Ended]]]:
    """How best to come by which of them."""
    ledger = TOPIC in kinds
    later = {subject: at for subject, at in asked.items() if at != NONE}
    whole = {s: at for s, at in asked.items() if s not in later and (ledger or s[1] != POOL)}
    pooled = {s: at for s, at in asked.items() if s not in later and s not in whole}
    table = {RECEIVED: "d", OPEN: "e", TOPIC: "l"}[kinds[0]]
    if later:
        yield statements.LATER.format(table=table), later
    if whole:
        yield "true" if ledger else statements.WHOLE.format(table=table), whole
    if pooled:
        yield statements.POOLED.format(table=table), pooled


def _read(sql: str, which: str, asked: Mapping[Subject, Ended], span: Span) -> dict[Subject, Found]:
    clicks = "false"
    if any(kind == CLICK for kind, _ in asked):
        clicks = statements.THEIRS if which == statements.LATER.format(table="e") else which.replace("e.", "", 1)
    params = _params(asked) | {
        "before": span.within.before,
        "not_ended": list(span.within.unfinished),
        "until": span.until or _EVER,
        "burst": BURST.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("{which}", which).replace("{clicks}", clicks), params)
        answers = cursor.fetchall()
    found: dict[Subject, Found] = {}
    anew: dict[Subject, Ints] = {}
    # Clicks of machines count for the moments: as of one before them, clicks are judged without them.
    for kind, subject, numbers, one, other, first_at, last_at in sorted(answers, key=lambda a: bool(a[0] != _INSTEAD)):
        if kind == _INSTEAD:
            anew[CLICK, subject] = rows.people(bytes(numbers))
            found[CLICK, subject] = Found(Later(rows.empty(), anew[CLICK, subject]), first_at, last_at)
        elif kind == TOPIC:
            found[kind, subject] = Found(words.unpacked(bytes(numbers), bytes(one)), first_at, last_at)
        else:
            some = rows.unpacked(bytes(numbers), bytes(one), bytes(other))
            known = found.get((kind, subject), Found(Later(some), first_at, last_at))
            what = Later(some, anew.get((kind, subject), rows.nobody()))
            found[kind, subject] = Found(what, known.first_at, known.last_at)
    return found


def _params(asked: Mapping[Subject, Ended]) -> dict[str, Any]:
    return {
        "kinds": [kind for kind, _ in asked],
        "subjects": [subject for _, subject in asked],
        "positions": [known.before for known in asked.values()],
        "unfinished": [f"{{{','.join(map(str, known.unfinished))}}}" for known in asked.values()],
        "low": min(known.before for known in asked.values()),
        "waited_for": sorted({number for known in asked.values() for number in known.unfinished}),
        "pool": POOL,
        "own": list(OWN),
    }
