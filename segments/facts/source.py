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

from segments.facts import rows, statements, words
from segments.facts.rows import Ints, Later, Subject
from segments.facts.words import Words
from tracking.verdict import BURST

RECEIVED, OPEN, CLICK, TOPIC = "received", "open", "click", "topic"
#: delivery.Origin.kind of the origins that are a subject each.
OWN = ("campaign", "workflow")
POOL = UUID(int=0)
#: Above every transaction.
ALL = 2**62
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
    """Rows at or before `until` of transactions below `below`; of each subject those from its position on."""

    positions: Mapping[Subject, int] = field(default_factory=dict)
    until: datetime | None = None
    below: int = ALL


def read(span: Span) -> dict[Subject, Found]:
    """What there is from these positions on, a position of 0 meaning everything; nothing for whom nothing is there.

    At most three statements each for deliveries and events and two for the ledger, however many subjects.
    """
    found: dict[Subject, Found] = {}
    for kinds, sql, _ in _TABLES:
        asked = {subject: at for subject, at in span.positions.items() if subject[0] in kinds}
        for which, some in _ways(asked, kinds):
            found |= _read(sql, which, some, span)
    return found


def growth(positions: Mapping[Subject, int]) -> dict[Subject, int]:
    """How many rows each of these subjects got from its position on. A statement a table."""
    found: dict[Subject, int] = {}
    for kinds, _, sql in _TABLES:
        asked = {subject: at for subject, at in positions.items() if subject[0] in kinds}
        if not asked:
            continue
        with connection.cursor() as cursor:
            cursor.execute(sql, _params(asked))
            found |= {(kind, subject): count for kind, subject, count in cursor.fetchall()}
    return found


def xmin() -> int:
    """Every transaction below it is over. Ask before reading what shall be complete."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT carillon_xmin()")
        return int(cursor.fetchone()[0])


def _ways(asked: Mapping[Subject, int], kinds: Sequence[str]) -> Iterator[tuple[str, dict[Subject, int]]]:
    """How best to come by which of them."""
    ledger = TOPIC in kinds
    later = {subject: at for subject, at in asked.items() if at > 0}
    whole = {s: at for s, at in asked.items() if s not in later and (ledger or s[1] != POOL)}
    pooled = {s: at for s, at in asked.items() if s not in later and s not in whole}
    table = {RECEIVED: "d", OPEN: "e", TOPIC: "l"}[kinds[0]]
    if later:
        yield statements.LATER.format(table=table), later
    if whole:
        yield "true" if ledger else statements.WHOLE.format(table=table), whole
    if pooled:
        yield statements.POOLED.format(table=table), pooled


def _read(sql: str, which: str, asked: Mapping[Subject, int], span: Span) -> dict[Subject, Found]:
    clicks = "false"
    if any(kind == CLICK for kind, _ in asked):
        clicks = statements.THEIRS if which == statements.LATER.format(table="e") else which.replace("e.", "", 1)
    params = _params(asked) | {"below": span.below, "until": span.until or _EVER, "burst": BURST.total_seconds()}
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


def _params(asked: Mapping[Subject, int]) -> dict[str, Any]:
    return {
        "kinds": [kind for kind, _ in asked],
        "subjects": [subject for _, subject in asked],
        "positions": list(asked.values()),
        "low": min(asked.values()),
        "pool": POOL,
        "own": list(OWN),
    }
