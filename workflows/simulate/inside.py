"""Who is on the journey now, where, and what is known of what they wait for: read set-wise, to go on from there."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
from django.db import connection

from segments.columns import Numbers
from workflows import happenings
from workflows.engine import mails, plans
from workflows.entry import Before
from workflows.errors import NotPossibleNow
from workflows.language.definition import (
    BranchMail,
    Definition,
    Enter,
    Mail,
    WaitUntil,
    Webhook,
    from_json,
)
from workflows.models import Call, Enrolment, Happening, Moved, Workflow, WorkflowVersion
from workflows.simulate.assumptions import MAX_PEOPLE, Settings
from workflows.simulate.courses import Course
from workflows.simulate.entries import Entering
from workflows.simulate.history import Occurred, awaited, ids_of
from workflows.simulate.walkers import Letter, Walker
from workflows.simulate.world import World
from workflows.step import Left, Passed, Place
from workflows.versions import mapping

#: Enrolments read together.
CHUNK = 5_000


class Row(NamedTuple):
    """An enrolment, as its columns are called."""

    id: int
    version_id: UUID
    contact_number: int
    sequence: int
    key_index: bytes | None
    happening_id: int | None
    entered_at: datetime
    step: str
    visit: int
    since: datetime
    wake_at: datetime | None
    awaits: UUID | None
    overdue: bool
    status: str
    trouble: str


@dataclass
class Inside:
    """`rows`: everybody who is on the journey now. `older`: the versions some of them finish on, and what they say.

    `moves`: step by step of an older version where people go on in what is simulated; null: they leave.
    """

    rows: list[Row] = field(default_factory=list)
    older: dict[UUID, tuple[WorkflowVersion, Definition]] = field(default_factory=dict)
    moves: dict[tuple[UUID, str], str | None] = field(default_factory=dict)

    @property
    def numbers(self) -> set[int]:
        return {row.contact_number for row in self.rows}

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(row.id for row in self.rows)


def find(workflow: Workflow, definition: Definition, settings: Settings, among: Numbers | None = None) -> Inside:
    """Who is inside; of these people, where some are given. Raises NotPossibleNow where they are too many."""
    if not settings.inside:
        return Inside()
    versions = {v.pk: v for v in workflow.versions.filter(state__in=["LIVE", "CLOSED"])}
    rows = Enrolment.objects.filter(version__in=versions).exclude(status=Enrolment.Status.LEFT).order_by("pk")
    every = (Row(*row) for row in rows.values_list(*Row._fields).iterator(chunk_size=CHUNK))
    found = list(itertools.islice((row for row in every if _of(row, among)), MAX_PEOPLE + 1))
    if len(found) > MAX_PEOPLE:
        raise NotPossibleNow(
            f"More than {MAX_PEOPLE:,} people are on this journey now, and so many are not simulated together. "
            "Choose a segment, for instance a sample of them, or leave out who is inside."
        )
    moves: dict[tuple[UUID, str], str | None] = {}
    if settings.inside == "move" and settings.version is None:
        plan = mapping.complete(workflow, {"how": "move"}, definition)
        moves = {
            (UUID(version), step): to
            for version, steps in plan.steps.items()
            for step, to in steps.items()
            if to != mapping.FINISHES
        }
    stay = {row.version_id for row in found if (row.version_id, row.step) not in moves} - {settings.version}
    # Also of who moves: what they waited for is a mail or a call of the old version.
    olds = {row.version_id for row in found} - {settings.version}
    read = {pk: from_json(versions[pk].definition) for pk in olds}
    kept = {at: to for at, to in moves.items() if at[0] in read}
    return Inside(
        [_as_moved(row, read.get(row.version_id), definition, kept) for row in found],
        {pk: (versions[pk], read[pk]) for pk in sorted(stay, key=str)},
        kept,
    )


def _of(row: Row, among: Numbers | None) -> bool:
    return among is None or bool(among.among(np.array([row.contact_number]))[0])


def _as_moved(row: Row, old: Definition | None, new: Definition, moves: Mapping[tuple[UUID, str], str | None]) -> Row:
    """What is waited for at the old step goes on being waited for only where the new one is of its kind; whoever needed
    attention is tried again."""
    to = moves.get((row.version_id, row.step))
    if to is None or old is None:
        return row
    keeps = mapping.keeps(old.steps.get(row.step), new.steps[to])
    return row._replace(awaits=row.awaits if keeps else None, wake_at=None, status=Enrolment.Status.ACTIVE)


# -- as walkers -------------------------------------------------------------------------------------------------------


@dataclass
class Going:
    """`walkers`: who goes on, with what is past for them. `gone`: who leaves by being moved. `left_out`: how many stay
    out of it by the number of their version, for it cannot be simulated any more."""

    walkers: list[Walker] = field(default_factory=list)
    gone: list[tuple[Walker, Passed]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    finishing: dict[str, int] = field(default_factory=dict)


def going(found: Inside, world: World, settings: Settings) -> Going:
    """The people inside on their courses, at the start of the simulation."""
    places = {number: row for row, number in enumerate(world.people.numbers.tolist())}
    at_start = Going()
    groups: defaultdict[UUID | None, list[tuple[Row, Walker]]] = defaultdict(list)
    numbers = {pk: str(version.number) for pk, (version, _) in found.older.items()}
    for row in found.rows:
        if (place := places.get(row.contact_number)) is None:
            continue
        who = world.people.ids[place]
        moved = (row.version_id, row.step) in found.moves
        main = moved or row.version_id == settings.version
        course = world.main if main else world.older.get(row.version_id)
        if course is None:
            number = numbers[row.version_id]
            at_start.left_out[number] = at_start.left_out.get(number, 0) + 1
            world.before.setdefault(place, []).append(Before(True, row.entered_at, _key(row)))
            continue
        step = found.moves[row.version_id, row.step] if moved else row.step
        if step is None:
            passed = Passed(row.step, row.visit, row.since, settings.start, "", Left.MOVED)
            w = _walker(course, row, row.step, place=place, who=who, start=settings.start)
            w.place, w.due = msgspec.structs.replace(w.place, step=None, left=Left.MOVED), None
            at_start.gone.append((w, passed))
            continue
        if not main:
            at_start.finishing[course.name] = at_start.finishing.get(course.name, 0) + 1
        w = _walker(course, row, step, place=place, who=who, start=settings.start)
        groups[None if main else row.version_id].append((row, w))
        at_start.walkers.append(w)
    for version, some in groups.items():
        course = world.older[version] if version else world.main
        for first in range(0, len(some), CHUNK):
            _fill(course, some[first : first + CHUNK], settings.start)
            _bring(course, some[first : first + CHUNK], found)
    return at_start


def _bring(course: Course, some: Sequence[tuple[Row, Walker]], found: Inside) -> None:
    """What sorted people before they were moved, and before they move now: as effects.entering asks it."""
    if not any(isinstance(step, Enter) for step in course.steps.values()):
        return
    by_id = {row.id: w for row, w in some}
    came = [(row.id, row.version_id, row.step) for row, _ in some if (row.version_id, row.step) in found.moves]
    moved = Moved.objects.filter(enrolment__pk__among=by_id)
    came += moved.values_list("enrolment", "from_version", "from_step")
    for pk in {pk for _, pk, _ in came}:
        plans.running(pk).refresh()
    for who, pk, step in came:
        by_id[who].brought = max(by_id[who].brought, plans.running(pk).sorted_by(step).rank)


def _walker(course: Course, row: Row, step: str, *, place: int, who: UUID, start: datetime) -> Walker:
    awaits = row.awaits is not None
    there = Place(who, step, row.visit, row.entered_at, row.since, row.wake_at, awaits, row.overdue)
    w = Walker(course, place, row.sequence, Entering(row.contact_number, row.entered_at, _key(row)), there)
    w.due = max(row.wake_at, start) if row.wake_at else start
    w.trouble = row.trouble if row.status == Enrolment.Status.ATTENTION else ""
    return w


def _key(row: Row) -> bytes | None:
    return bytes(row.key_index) if row.key_index is not None else None


def _fill(course: Course, some: Sequence[tuple[Row, Walker]], start: datetime) -> None:
    """What was sent to them, what happened to them, and what the event said that let them in."""
    by_id = {row.id: (row, w) for row, w in some}
    steps = course.steps.values()
    if any(s.moment.property if isinstance(s, WaitUntil) else getattr(s, "property", "") for s in steps):
        said = happenings.readable([row.happening_id for row, _ in some if row.happening_id is not None])
        for row, w in some:
            w.properties = said.get(row.happening_id or 0, {})
    for pk, one in _occurred(course, list(by_id)):
        by_id[pk][1].occurs.append(one)
    for step in {s.mail for s in steps if isinstance(s, BranchMail) and isinstance(course.steps.get(s.mail), Mail)}:
        latest = mails.latest(list(by_id), step, {})
        for pk, visit, at in _passed(list(by_id), step):
            if pk in latest:
                by_id[pk][1].letters[step] = _sent(latest[pk].outcome, visit, at, latest[pk].opened, latest[pk].clicked)
    _pending(course, some, start)


def _sent(outcome: str, visit: int, at: datetime, opened: bool, clicked: bool) -> Letter:
    letter = Letter(visit, at)
    letter.outcome = outcome
    letter.opened_at, letter.clicked_at = at if opened else None, at if clicked else None
    return letter


def _pending(course: Course, some: Sequence[tuple[Row, Walker]], start: datetime) -> None:
    """Of what they wait for now: what became of it; a mail that has not left is asked of the gate again."""
    made = [row.awaits for row, _ in some if row.awaits is not None]
    if not made:
        return
    decided = mails.outcomes(made)
    calls = dict(Call.objects.filter(pk__in=made).values_list("pk", "state"))
    for row, w in some:
        step = str(w.place.step)
        if row.awaits is None:
            continue
        if isinstance(course.steps.get(step), Webhook):
            w.call = _CALLS.get(calls.get(row.awaits, ""), "")
        else:
            letter = w.letters[step] = Letter(w.place.visit, start)
            letter.outcome = decided.get(row.awaits, "")


_CALLS = {Call.State.DONE.value: "done", Call.State.FAILED.value: "failed"}
_PASSED = """
SELECT DISTINCT ON (enrolment_id) enrolment_id, visit, at FROM workflows_transition
WHERE enrolment_id = ANY(%s) AND step = %s ORDER BY enrolment_id, visit DESC
"""
# What counts as since they entered: engine.happened.
_HAPPENED = """
SELECT e.id, h.id, h.kind, h.about, greatest(h.at, e.entered_at), h.key_index
FROM workflows_enrolment e JOIN workflows_happening h ON h.contact_id = e.contact_id
    AND h.kind IN ('event', 'attribute') AND h.about = ANY(%s)
    AND (h.at >= e.entered_at OR (h.kind = 'event' AND h.id > e.happening_id))
    AND (e.happening_id IS NULL OR h.id <> e.happening_id)
WHERE e.id = ANY(%s) ORDER BY h.id
"""


def _passed(ids: list[int], step: str) -> list[tuple[int, int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_PASSED, [ids, step])
        return list(cursor.fetchall())


def _occurred(course: Course, ids: list[int]) -> Iterator[tuple[int, Occurred]]:
    names = ids_of(awaited(course.definition))
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute(_HAPPENED, [list(names), ids])
        rows: list[Any] = cursor.fetchall()
    said = happenings.readable([row[1] for row in rows if row[2] == Happening.Kind.ATTRIBUTE])
    for enrolment, pk, _, about, at, key in rows:
        yield enrolment, Occurred(names[about], at, bytes(key) if key is not None else None, said.get(pk, {}), pk)
