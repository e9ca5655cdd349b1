"""What the journeys that run listen to: nothing is read, kept or compared that none of them asks for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from contacts.models import Attribute
from segments.errors import RuleError
from segments.rules import parse
from segments.tree import About, evaluated_clauses
from workflows.happenings import name_index
from workflows.language.definition import (
    WAITS,
    ByAttribute,
    ByConsent,
    ByDate,
    ByEngagement,
    ByEvent,
    BySegment,
    BySent,
    Definition,
    EventExit,
    GoalExit,
    Mail,
    Unsubscribed,
    WaitEvent,
    WaitUntil,
    from_json,
)
from workflows.models import EventType, Happening, WorkflowVersion

Kind = Happening.Kind
#: A kind of happening and what it is about; None: whatever it is about.
Topic = tuple[str, UUID | None]
ZONE = "time_zone"


@dataclass(frozen=True, slots=True)
class Version:
    """One version that somebody is on or may enter."""

    id: UUID
    workflow_id: UUID
    #: The live one lets people in; the others only take those who are on them further.
    lets_in: bool
    live_at: datetime
    #: When the journey first ran: what is older lets nobody in.
    since: datetime
    definition: Definition

    def row(self) -> WorkflowVersion:
        return WorkflowVersion.objects.select_related("workflow").get(pk=self.id)


@dataclass(slots=True)
class Watched:
    """What to look for; empty where no journey runs."""

    versions: tuple[Version, ...] = ()
    #: Who lets people in for what.
    triggers: dict[Topic, list[Version]] = field(default_factory=lambda: defaultdict(list))
    #: In which versions somebody may wait for it, or leave by it.
    wakes: dict[Topic, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    #: Of which attributes a change is kept as a happening: key -> id of the attribute.
    attributes: dict[str, UUID] = field(default_factory=dict)
    #: In which versions somebody may be due at another time, or leave, once this attribute (by key) changed.
    moved_by: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    #: Versions that people who unsubscribe leave.
    leaving: set[UUID] = field(default_factory=set)
    #: Those that let people in by a date.
    dated: list[Version] = field(default_factory=list)
    #: Versions that send mail.
    mailing: set[UUID] = field(default_factory=set)

    def since(self, *kinds: str, woken: Collection[UUID] = ()) -> datetime | None:
        """When the first of those began that let people in for one of these kinds, or are among the `woken`.

        None: there is none, and nothing to read.
        """
        asked = {version.id for (kind, _), some in self.triggers.items() if kind in kinds for version in some}
        return min((v.since for v in self.versions if v.id in asked or v.id in woken), default=None)

    def about(self, *kinds: str) -> list[UUID]:
        """What journeys want to know these kinds of things about."""
        return sorted({about for kind, about in (*self.triggers, *self.wakes) if kind in kinds and about})

    def of_all(self, kind: str) -> bool:
        """Whether some journey wants to know this of whatever it is about."""
        return (kind, None) in self.triggers


_RUNNING = """
SELECT v.id, v.workflow_id, v.state = 'LIVE', v.live_at,
    (SELECT min(live_at) FROM workflows_workflowversion o WHERE o.workflow_id = v.workflow_id)
FROM workflows_workflowversion v JOIN workflows_workflow w ON w.id = v.workflow_id
WHERE w.state IN ('ACTIVE', 'PAUSED') AND v.live_at IS NOT NULL AND (v.state = 'LIVE' OR v.state = 'CLOSED'
    AND EXISTS (SELECT FROM workflows_enrolment e WHERE e.version_id = v.id AND e.status <> 'left'))
ORDER BY v.id
"""
_Row = tuple[UUID, UUID, bool, datetime, datetime]


#: What this process read last, replaced as a whole: threads share it. Definitions never change.
_known: tuple[tuple[_Row, ...], Watched] = ((), Watched())


def watched() -> Watched:
    """What journeys listen to now; not to be changed. One statement where nothing was published, stopped or left."""
    global _known  # noqa: PLW0603  one for the process
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        rows: tuple[_Row, ...] = tuple(cursor.fetchall())
    if not rows:
        return Watched()
    known, found = _known
    if rows != known:
        found, whole = _made(rows, {version.id: version.definition for version in found.versions})
        _known = (rows if whole else (), found)
    return found


def _made(rows: Iterable[_Row], known: Mapping[UUID, Definition]) -> tuple[Watched, bool]:
    """What these versions listen to; False where something they name is not there (yet)."""
    versions = tuple(Version(*row, known.get(row[0]) or _definition(row[0])) for row in rows)
    names = {name for version in versions for name in _events(version.definition)}
    keys = {key for version in versions for key in _heard_attributes(version.definition)}
    events = _types(names)
    attributes = _attributes(keys)
    found = Watched(versions)
    for version in versions:
        _add(found, version, events, attributes)
    return found, None not in events.values() and keys == attributes.keys()


def _definition(version_id: UUID) -> Definition:
    return from_json(WorkflowVersion.objects.values_list("definition", flat=True).get(pk=version_id))


def _types(names: set[str]) -> dict[str, UUID | None]:
    by_index = {name_index(name): name for name in names}
    found = EventType.objects.filter(name_index__in=list(by_index)).values_list("name_index", "pk")
    return dict.fromkeys(names) | {by_index[bytes(index)]: pk for index, pk in found}


def _attributes(keys: set[str]) -> dict[str, UUID]:
    return dict(Attribute.objects.filter(key__in=keys).values_list("key", "pk"))


def _events(definition: Definition) -> Iterator[str]:
    if isinstance(definition.trigger, ByEvent):
        yield definition.trigger.event
    yield from (rule.event for rule in definition.exits if isinstance(rule, EventExit))
    yield from (step.event for step in definition.steps.values() if isinstance(step, WaitEvent) and step.event)


def _heard_attributes(definition: Definition) -> Iterator[str]:
    """Those whose changes are happenings."""
    match definition.trigger:
        case ByAttribute(attribute=key):
            yield key
        case ByDate(moment=moment, late="enter"):
            yield moment.attribute
    yield from (step.attribute for step in definition.steps.values() if isinstance(step, WaitEvent) and step.attribute)


def _moving_attributes(definition: Definition) -> Iterator[str]:
    """Those whose changes make somebody due at another time, or have them leave."""
    for step in definition.steps.values():
        if isinstance(step, WAITS):
            yield ZONE
        if isinstance(step, WaitUntil) and step.moment.attribute:
            yield step.moment.attribute
    for rule in definition.exits:
        if isinstance(rule, GoalExit):
            yield from attributes_of(rule.rule)


def attributes_of(rule: object) -> set[str]:
    """The attributes that a rule asks for, also by the segments it names; none where it cannot be read."""
    try:
        clauses = evaluated_clauses(parse(rule).root)
    except RuleError:
        return set()
    return {clause.attribute for clause in clauses if isinstance(clause, About)}


def topic_of(definition: Definition) -> Topic | None:
    """The happening that lets people in by itself. A statement or two."""
    return _trigger(definition, _types(set(_events(definition))), _attributes(set(_heard_attributes(definition))))


def _trigger(definition: Definition, events: dict[str, UUID | None], attributes: dict[str, UUID]) -> Topic | None:  # noqa: PLR0911  one case a kind
    """What lets people in; None: a date, somebody's hand, or what is not there."""
    match definition.trigger:
        case ByEvent(event=name):
            return (Kind.EVENT, about) if (about := events.get(name)) else None
        case ByAttribute(attribute=key):
            return (Kind.ATTRIBUTE, attributes[key]) if key in attributes else None
        case ByDate(moment=moment, late="enter"):
            return (Kind.ATTRIBUTE, attributes[moment.attribute]) if moment.attribute in attributes else None
        case BySegment(segment=segment, change=change):
            return (Kind.ENTERED if change == "enters" else Kind.LEFT, segment)
        case ByConsent(topic=topic, change=change):
            return (Kind.GIVEN if change == "given" else Kind.WITHDRAWN, topic)
        case ByEngagement(event=event, mailing=mailing):
            return (Kind.OPENED if event == "opened" else Kind.CLICKED, mailing)
        case BySent(mailing=mailing):
            return (Kind.SENT, mailing)
    return None


def _add(found: Watched, version: Version, events: dict[str, UUID | None], attributes: dict[str, UUID]) -> None:
    definition, steps = version.definition, version.definition.steps.values()
    trigger = _trigger(definition, events, attributes)
    if version.lets_in and trigger is not None:
        found.triggers[trigger].append(version)
    if version.lets_in and isinstance(definition.trigger, ByDate):
        found.dated.append(version)
    names = {rule.event for rule in definition.exits if isinstance(rule, EventExit)}
    names |= {step.event for step in steps if isinstance(step, WaitEvent) and step.event}
    for about in filter(None, map(events.get, names)):
        found.wakes[Kind.EVENT, about].add(version.id)
    for step in steps:
        if isinstance(step, WaitEvent) and step.attribute in attributes:
            found.wakes[Kind.ATTRIBUTE, attributes[step.attribute]].add(version.id)
    for key in _heard_attributes(definition):
        if key in attributes:
            found.attributes[key] = attributes[key]
    for key in _moving_attributes(definition):
        found.moved_by[key].add(version.id)
    if any(isinstance(rule, Unsubscribed) for rule in definition.exits):
        found.leaving.add(version.id)
    if any(isinstance(step, Mail) for step in steps):
        found.mailing.add(version.id)
