"""Files are written where there is none, where much came since, and where little came long ago."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from consent.models import Topic
from core import clock
from core.transactions import ended
from delivery.models import Origin
from segments.facts import files, rows, source, words
from segments.facts.files import Held, Moved
from segments.facts.rows import Later, Rows, Subject
from segments.facts.source import CLICK, OPEN, OWN, POOL, RECEIVED, TOPIC, Found, Span
from segments.facts.words import Words
from segments.models import FactFile

#: Written anew once so many rows came, or a tenth of what is in it (reading them beside it costs milliseconds), or any
#: that came so long ago that others' newer rows stand between.
MUCH, SHARE, LONG = 2_000, 10, timedelta(minutes=10)
#: So many transactions ago a file that nothing came to may have been looked at last.
BEHIND = 1_000
KINDS = (RECEIVED, OPEN, CLICK, TOPIC)
#: Advisory locks: of all writers, against whoever forgets; and, with the subject's hash, of one subject's writer.
_WRITERS, _WRITER = 0xFAC7, 0xFAC8


def subjects() -> list[Subject]:
    """Everything there should be a file of."""
    origins = [*Origin.objects.filter(kind__in=OWN).values_list("pk", flat=True), POOL]
    topics = [*Topic.objects.values_list("pk", flat=True), POOL]
    return [(kind, i) for kind in (RECEIVED, OPEN, CLICK) for i in origins] + [(TOPIC, i) for i in topics]


def due() -> list[tuple[Subject, int]]:
    """The subjects whose files should be written, each with the generation there is (0: none). Eight statements.

    Files that nothing came to are marked as knowing all until now: nobody looks through others' rows for theirs.
    """
    now = ended()
    heads = files.heads(KINDS)
    grown = source.growth({subject: head.known for subject, head in heads.items()})
    old = clock.now() - LONG
    found = []
    still = []
    for subject in subjects():
        head, came = heads.get(subject), grown.get(subject, 0)
        if head is None:
            found.append((subject, 0))
        elif came >= max(MUCH, head.rows // SHARE) or (came and head.written_at < old):
            found.append((subject, head.generation))
        elif not came:
            still.append(head.id)
    behind = FactFile.objects.filter(pk__in=still, before_xid__lt=now.before - BEHIND)
    behind.update(before_xid=now.before, unfinished=list(now.unfinished))
    return found


@transaction.atomic
def write(subject: Subject, generation: int) -> bool:
    """Write a subject's file unless it is no longer of this generation, or somebody is at it."""
    kind, key = subject
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_WRITERS])
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_WRITER, f"{kind} {key}"])
        if not cursor.fetchone()[0]:
            return False
        # A million ids find their numbers in memory, or they go through temporary files.
        cursor.execute("SET LOCAL work_mem = '128MB'")
    head = files.heads([kind], [key]).get(subject)
    if (head.generation if head else 0) != generation:
        return False
    try:
        base = files.opened([head])[subject] if head else None
    except Moved:  # it did not open and is gone
        head = base = None
    now = ended()
    found = source.read(Span({subject: head.known if head else source.NONE}, within=now)).get(subject)
    held = _with(kind, base, found)
    moments = [m for part in (head, found) if part for m in (part.first_at, part.last_at) if m]
    files.write(subject, held, known=now, span=(min(moments, default=None), max(moments, default=None)))
    return True


def _with(kind: str, base: Held | None, found: Found | None) -> Held:
    """What was in the file and what came since, as one."""
    if kind == TOPIC:
        new = found.what if found and isinstance(found.what, Words) else words.empty()
        return words.joined(base, new) if isinstance(base, Words) else new
    what = found.what if found and isinstance(found.what, Later) else Later(rows.empty())
    return rows.joined([rows.without(base, what.instead), what.rows]) if isinstance(base, Rows) else what.rows


def forget(origins: Mapping[str, Iterable[UUID]]) -> None:
    """Throw away what was made from events (by kind) that are being forgotten; who writes just now is waited for.

    To be called in the transaction that forgets them, after it did: whoever writes next does without them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITERS])
    for kind in (OPEN, CLICK):
        if ids := set(origins.get(kind, ())):
            own = set(Origin.objects.filter(pk__in=ids, kind__in=OWN).values_list("pk", flat=True))
            pooled = {POOL} if ids - own else set()
            FactFile.objects.filter(kind=kind, subject__in=own | pooled).delete()
