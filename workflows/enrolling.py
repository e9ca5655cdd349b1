"""Put people on a journey, and take them off: set-wise, and nobody twice."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from audit import commands as audit
from core import clock
from core.actors import By, actor_of
from workflows import leaving, rules
from workflows.entry import Before, Refusal, may_enter
from workflows.errors import NotComplete, NotPossibleNow
from workflows.language.definition import Definition, Reentry, from_json
from workflows.models import Enrolment, Tally, Workflow, WorkflowVersion
from workflows.step import Left

#: Somebody else may put the same people on at the same time: what they did is looked at again so often.
TRIES = 10


class Entry(NamedTuple):
    """Somebody who is to enter, for what, and when (None: when all of the call do)."""

    contact_id: UUID
    key_index: bytes | None = None
    happening_id: int | None = None
    at: datetime | None = None


@dataclass(slots=True)
class Enrolled:
    """How many entered, and how many did not, by entry.Refusal.

    `who`: enrolment id and contact of those who did; `why`: for those who did not, the last refusal.
    """

    entered: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    who: list[tuple[int, UUID]] = field(default_factory=list)
    why: dict[UUID, Refusal] = field(default_factory=dict)

    def refuse(self, contact_id: UUID, why: Refusal) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1
        self.why[contact_id] = why


@transaction.atomic
def enrol(version: WorkflowVersion, people: Sequence[Entry], *, at: datetime, by: By) -> Enrolled:
    """Have these people enter as of `at`, as far as the journey's rules let them; the same call twice enters once.

    Raises NotPossibleNow where the version lets nobody in, NotComplete where it has no step, RuleError where the rule
    who may enter cannot be read. About eight statements, however many people.
    """
    definition = _open_for_entry(version)
    assert definition.start is not None
    found = Enrolled()
    numbers = _numbers(entry.contact_id for entry in people)
    allowed = set(numbers.values())
    if definition.only is not None and numbers:
        allowed = rules.among(definition.only, numbers.values(), at)
    waiting = []
    for entry in people:
        number = numbers.get(entry.contact_id)
        if number is None:
            found.refuse(entry.contact_id, Refusal.GONE)
        elif number not in allowed:
            found.refuse(entry.contact_id, Refusal.NOT_AMONG)
        else:
            waiting.append(entry)
    for _ in range(TRIES):
        if not waiting:
            break
        places = _places(version.workflow_id, definition.reentry, waiting, at, found)
        waiting = _insert(version, definition.start, places, found)
    if waiting:
        raise NotPossibleNow("Somebody else puts the same people on this journey just now. Try again.")
    found.entered = len(found.who)
    if found.entered:
        what = [Tally(version_id=version.pk, step=definition.start, what=w, count=found.entered) for w in _ENTERED]
        Tally.objects.bulk_create(what)
    if actor_of(by).kind != "system" and people:
        audit.record("workflow.enrolled", by=by, target=version.workflow, people=found.entered, asked=len(people))
    return found


_ENTERED = ("entered", "arrived")


def _open_for_entry(version: WorkflowVersion) -> Definition:
    """The definition of a version that lets people in, which stays so until the transaction ends."""
    with connection.cursor() as cursor:  # whoever publishes, stops or archives locks the row against this
        cursor.execute("SELECT state FROM workflows_workflow WHERE id = %s FOR SHARE", [version.workflow_id])
        row = cursor.fetchone()
        cursor.execute("SELECT state FROM workflows_workflowversion WHERE id = %s", [version.pk])
        live = cursor.fetchone()
    if row is None or row[0] not in (Workflow.State.ACTIVE, Workflow.State.PAUSED):
        raise NotPossibleNow("Nobody can enter this journey: it does not run. Publish or resume it first.")
    if live is None or live[0] != WorkflowVersion.State.LIVE:
        raise NotPossibleNow("Nobody can enter this version of the journey any more: a newer one is live.")
    definition = from_json(version.definition)
    if definition.start is None:
        raise NotComplete("Nobody can enter this journey: it has no step yet.")
    return definition


def _numbers(contact_ids: Iterable[UUID]) -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, number FROM contacts_contact WHERE id = ANY(%s)", [list(set(contact_ids))])
        return dict(cursor.fetchall())


class _Place(NamedTuple):
    entry: Entry
    sequence: int
    at: datetime


_BEFORE = """
SELECT contact_id, sequence, status <> 'left', entered_at, key_index FROM workflows_enrolment
WHERE workflow_id = %s AND contact_id = ANY(%s)
"""


def _places(
    workflow_id: UUID, reentry: Reentry, entries: Sequence[Entry], at: datetime, found: Enrolled
) -> list[_Place]:
    """Who may enter, as their how many-th time; the same person may stand there for several keys."""
    before: defaultdict[UUID, list[Before]] = defaultdict(list)
    last: Counter[UUID] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [workflow_id, list({entry.contact_id for entry in entries})])
        for contact_id, sequence, inside, entered_at, key in cursor.fetchall():
            before[contact_id].append(Before(inside, entered_at, None if key is None else bytes(key)))
            last[contact_id] = max(last[contact_id], sequence)
    places = []
    for entry in entries:
        moment = entry.at or at
        refusal = may_enter(reentry, before[entry.contact_id], entry.key_index, moment)
        if refusal:
            found.refuse(entry.contact_id, refusal)
            continue
        last[entry.contact_id] += 1
        before[entry.contact_id].append(Before(True, moment, entry.key_index))
        places.append(_Place(entry, last[entry.contact_id], moment))
    return places


_INSERT = """
INSERT INTO workflows_enrolment (workflow_id, version_id, contact_id, contact_number, sequence, key_index, happening_id,
    entered_at, status, step, visit, since, wake_at, attempts, trouble, overdue, left_because)
SELECT %s, %s, contact_id, c.number, sequence, key_index, happening_id, at, 'active', %s, 0, at, at, 0, '', false, ''
FROM unnest(%s::uuid[], %s::int[], %s::bytea[], %s::bigint[], %s::timestamptz[])
    n(contact_id, sequence, key_index, happening_id, at) JOIN contacts_contact c ON c.id = n.contact_id
ORDER BY contact_id, sequence ON CONFLICT (workflow_id, contact_id, sequence) DO NOTHING
RETURNING id, contact_id, sequence
"""


def _insert(version: WorkflowVersion, start: str, places: Sequence[_Place], found: Enrolled) -> list[Entry]:
    """Write them; those whose place somebody else took meanwhile are answered, to be looked at again."""
    if not places:
        return []
    params: list[Any] = [version.workflow_id, version.pk, start]
    params.append([place.entry.contact_id for place in places])
    params.append([place.sequence for place in places])
    params.append([place.entry.key_index for place in places])
    params.append([place.entry.happening_id for place in places])
    params.append([place.at for place in places])
    with connection.cursor() as cursor:  # in one order, so that two of these do not wait for each other
        cursor.execute(_INSERT, params)
        rows = cursor.fetchall()
    found.who += [(row[0], row[1]) for row in rows]
    written = {(row[1], row[2]) for row in rows}
    return [place.entry for place in places if (place.entry.contact_id, place.sequence) not in written]


# -- taking off -------------------------------------------------------------------------------------------------------


@transaction.atomic
def remove(workflow: Workflow, contact_ids: Iterable[UUID], *, because: Left = Left.REMOVED, by: By) -> int:
    """Take these people off the journey, wherever they are; how many times somebody was on it.

    Mail of theirs that is not handed over yet does not leave any more. Who is not on it stays off.
    """
    rows = Enrolment.objects.filter(workflow=workflow, contact_id__among=contact_ids)
    ids = list(rows.exclude(status=Enrolment.Status.LEFT).values_list("pk", flat=True))
    gone = leaving.leave(ids, because=because, at=clock.now()) if ids else []
    if gone and actor_of(by).kind != "system":
        audit.record("workflow.removed", by=by, target=workflow, people=len({row.contact_id for row in gone}))
    return len(gone)
