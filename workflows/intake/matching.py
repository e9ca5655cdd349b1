"""From what happened to who enters and who is woken."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from audit import commands as audit
from core import clock
from core.actors import SYSTEM
from core.errors import DomainError
from workflows import enrolling, happenings
from workflows.enrolling import Entry
from workflows.intake import dates
from workflows.intake.reading import Table, heard, window
from workflows.intake.waking import wake
from workflows.language import fits
from workflows.language.definition import ByAttribute, ByDate, ByEvent
from workflows.models import Cursor, Workflow
from workflows.watched import Topic, Version, Watched

log = logging.getLogger(__name__)

HAPPENINGS = Table("workflows_happening")
#: What a sender dates long ago still wakes.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Happened(NamedTuple):
    id: int
    kind: str
    about: UUID
    contact_id: UUID
    key_index: bytes | None
    at: datetime


def matched(watched: Watched) -> bool:
    """Match the next happenings; each is matched once. True: there is more to read."""
    begun = Cursor.objects.filter(source="happenings").exists()
    first = min(version.since for version in watched.versions)
    with window("happenings", HAPPENINGS, since=EVER if begun else first) as found:
        if found.empty:
            return False
        columns = "id, kind, about, contact_id, key_index, at"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({HAPPENINGS.new(columns)}) n ORDER BY id", found.params)  # noqa: S608
            rows = [Happened(*row) for row in cursor.fetchall()]
        match(rows, heard(hold=True))
    return found.more


@transaction.atomic
def match(rows: Sequence[Happened], watched: Watched) -> None:
    """Let people in where this is what a journey begins with; wake those who may wait for it, or leave by it."""
    by_topic: defaultdict[Topic, list[Happened]] = defaultdict(list)
    for row in rows:
        by_topic[row.kind, row.about].append(row)
        if watched.of_all(row.kind):
            by_topic[row.kind, None].append(row)
    for topic in sorted(set(by_topic) & set(watched.triggers), key=str):
        for version in watched.triggers[topic]:
            let_in(version, _entries(version, [row for row in by_topic[topic] if row.at >= version.since]))
    woken: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for topic in set(by_topic) & set(watched.wakes):
        for row in by_topic[topic]:
            woken[row.contact_id] |= watched.wakes[topic]
    wake(woken)


def let_in(version: Version, entries: Sequence[Entry]) -> None:
    """One journey's trouble never holds others: the trail and the log say it."""
    try:
        with transaction.atomic():
            enter(version, entries)
    except DomainError as refusal:
        log.warning("nobody entered version %s: %s", version.id, refusal.code)
        workflow = Workflow.objects.get(pk=version.workflow_id)
        audit.record("workflow.entry_refused", by=SYSTEM, target=workflow, reason=refusal.code, people=len(entries))


def enter(version: Version, entries: Sequence[Entry]) -> int:
    """How many of these entered. Raises what enrolling.enrol raises."""
    if not entries:
        return 0
    return enrolling.enrol(version.row(), entries, at=clock.now(), by=SYSTEM).entered


def _entries(version: Version, rows: Sequence[Happened]) -> list[Entry]:
    trigger = version.definition.trigger
    match trigger:
        case ByEvent(where=where):
            said = _said(rows) if where else {}
            rows = [row for row in rows if not where or fits.event(where, said.get(row.id, {}))]
            return [Entry(row.contact_id, row.key_index, row.id, row.at) for row in rows]
        case ByAttribute(was=was, becomes=becomes):
            said = _said(rows)
            some = [(row, said[row.id]) for row in rows if row.id in said]
            return [Entry(row.contact_id, None, row.id, row.at) for row, one in some if fits.change(was, becomes, one)]
        case ByDate():
            said = _said(rows)
            values = {row.contact_id: said[row.id].get("is") for row in rows if row.id in said}
            return dates.late(trigger, values, clock.now())
    return [Entry(row.contact_id, None, row.id, row.at) for row in rows]


def _said(rows: Sequence[Happened]) -> dict[int, dict[str, Any]]:
    return happenings.readable([row.id for row in rows])
