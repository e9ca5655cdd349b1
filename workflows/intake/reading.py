"""Read the rows of transactions that ended, each once, however late somebody commits (core.transactions)."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from core.transactions import Ended, ended
from workflows.models import Cursor
from workflows.watched import Watched, watched

#: Rows of one transaction of ours, but that those of one transaction of theirs stay together.
SIZE = 5_000
#: Of the one process that reads: a session's lock, so that it goes with the process.
LOCK = 0x0B0A


@contextmanager
def alone(key: int = LOCK) -> Iterator[bool]:
    """Be the only one who reads; False where somebody is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@dataclass(frozen=True, slots=True)
class Table:
    """Where a source's rows stand. `wanted`: conditions no two of which hold for one row, each with an index on xid."""

    name: str
    wanted: Sequence[str] = ("true",)

    def new(self, columns: str, *, first: int | None = None) -> str:
        """The rows of a window, or at least the `first` so many by transaction; its params are Window.params."""
        few = "" if first is None else f" ORDER BY xid LIMIT {first}"
        asked = f"SELECT {columns} FROM {self.name} WHERE at >= %(since)s AND"  # noqa: S608  constants of this room
        some = [
            f"({asked} {wanted} AND {which}{few})"
            for wanted in self.wanted
            for which in (
                "xid >= %(first)s AND xid < %(before)s AND xid <> ALL(%(unfinished)s::bigint[])",
                "xid = ANY(%(late)s::bigint[])",
            )
        ]
        return " UNION ALL ".join(some)


@dataclass(slots=True)
class Window:
    """Rows that nobody has read yet: those in [first, before) but for the unfinished, and the late ones."""

    params: dict[str, Any]
    #: There are none.
    empty: bool = False
    #: There are more behind it.
    more: bool = False


@contextmanager
def window(source: str, table: Table, *, since: datetime, young: datetime | None = None) -> Iterator[Window]:
    """The next rows of a source, in one transaction with what is made of them; the cursor moves at its end.

    Rows from before `since` never count; transactions with rows after `young` are taken as not ended yet. Only for
    who reads alone. Where nothing came nothing is written.
    """
    with transaction.atomic():
        kept = Cursor.objects.filter(source=source).first()
        known = Ended(kept.before_xid, tuple(kept.unfinished)) if kept else Ended(0)
        now = ended()
        found = Window(_params(known, now, since))
        if kept is not None and not _any(table, found.params):
            found.empty = True
            yield found
            return
        if young is not None:
            too_young = _xids(table, "at > %(young)s", {**found.params, "young": young})
            now = Ended(now.before, tuple({*now.unfinished, *too_young}))
            found.params = _params(known, now, since)
        last = _last(table, found.params)
        if last is not None:
            found.more = True
            now = _until(last, known, now)
            late = [xid for xid in found.params["late"] if xid <= last]
            found.params |= {"before": now.before, "unfinished": list(now.unfinished), "late": late}
        yield found
        _move(source, now)


def heard(*, hold: bool = False) -> Watched:
    """What journeys listen to, asked after it was settled which rows are read: whoever began before these is heard.

    `hold`: nobody publishes, pauses or stops one until the transaction ends.
    """
    if hold:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM workflows_workflow WHERE state IN ('ACTIVE', 'PAUSED') ORDER BY id FOR SHARE"
            )
    return watched()


def _move(source: str, to: Ended) -> None:
    Cursor.objects.update_or_create(
        source=source, defaults={"before_xid": to.before, "unfinished": sorted(to.unfinished)}
    )


def _params(known: Ended, now: Ended, since: datetime) -> dict[str, Any]:
    late = sorted(set(known.unfinished) - set(now.unfinished))
    return {
        "first": known.before,
        "before": now.before,
        "unfinished": list(now.unfinished),
        "late": late,
        "since": since,
    }


def _any(table: Table, params: dict[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({table.new('xid', first=1)})", params)
        return bool(cursor.fetchone()[0])


def _xids(table: Table, which: str, params: dict[str, Any]) -> Collection[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT xid FROM ({table.new('xid, at')}) n WHERE {which}", params)  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def _last(table: Table, params: dict[str, Any]) -> int | None:
    """The transaction up to which rows are enough for once; None: all are."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT xid FROM ({table.new('xid', first=SIZE + 1)}) n ORDER BY xid OFFSET {SIZE} LIMIT 1",  # noqa: S608
            params,
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _until(last: int, known: Ended, now: Ended) -> Ended:
    """What has been read once the rows of transactions up to this one have."""
    before = max(known.before, last + 1)
    waiting = {xid for xid in now.unfinished if xid < before}
    waiting |= {xid for xid in known.unfinished if xid > last}
    return Ended(before, tuple(sorted(waiting)))


#: Those read by transaction.
SOURCES = ("consent", "tracking", "deliveries", "happenings")


def rest(sources: Collection[str], mark: Ended) -> None:
    """Nobody listened to these at `mark`: what they told until then is read by none.

    Who began to listen since may have read further: nothing is read twice.
    """
    ahead = Cursor.objects.filter(source__in=sources, before_xid__gte=mark.before).values_list("source", flat=True)
    for source in set(sources) - set(ahead):
        _move(source, mark)
