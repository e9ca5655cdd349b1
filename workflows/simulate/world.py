"""Everything a simulation asks about, taken once and set-wise: people, rules, the versions they walk, who was there
before, history."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from core.models import Organization
from delivery.gate import Policy
from segments import catalog as catalogs
from segments.errors import RuleError
from segments.rules import parse
from segments.tree import Rule
from workflows.entry import Before
from workflows.errors import NotComplete
from workflows.language.definition import (
    ByAttribute,
    Definition,
    SegmentLeft,
    SetAttribute,
    WaitEvent,
    WaitUntil,
)
from workflows.language.naming import rules_of
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.simulate import courses, others
from workflows.simulate.assumptions import Settings
from workflows.simulate.courses import Course, segment_rule
from workflows.simulate.gate import Mailed
from workflows.simulate.history import History
from workflows.simulate.others import Others
from workflows.simulate.people import People, kinds_for
from workflows.simulate.rules import Rules, asked


@dataclass
class World:
    """`courses`: what is simulated, and by their version older ones that people finish on."""

    people: People
    rules: Rules
    policy: Policy
    main: Course
    #: Stored values by attribute, then row.
    values: dict[str, list[Any]]
    #: Earlier times on this journey, by row.
    before: dict[int, list[Before]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    older: dict[UUID, Course] = field(default_factory=dict)
    others: Others = field(default_factory=Others)

    @property
    def courses(self) -> list[Course]:
        return [self.main, *self.older.values()]

    @property
    def mails(self) -> dict[str, Mailed]:
        """Of what is simulated, by step."""
        return self.main.mails


def zone() -> ZoneInfo:
    return ZoneInfo(Organization.current().time_zone)


def build(
    workflow: Workflow,
    definition: Definition,
    numbers: Sequence[int],
    settings: Settings,
    *,
    older: Mapping[UUID, tuple[WorkflowVersion, Definition]] | None = None,
    inside: frozenset[int] = frozenset(),
    tick: Callable[[], None] = lambda: None,
) -> World:
    """The world for these people. `older`: versions that people finish on; those that cannot run any more are left out.
    `inside`: enrolments that go on, and so are not of before.

    Raises NotComplete, RuleError, TemplateBroken; `tick` is called now and then.
    """
    catalog = catalogs.load()
    parsed: dict[str, Rule] = {repr(rule): parse(rule, catalog) for rule in _rules(definition)}
    attributes = list(_attributes(definition))
    fit: list[tuple[WorkflowVersion, Definition]] = []
    for version, other in (older or {}).values():
        try:
            parsed |= {repr(rule): parse(rule, catalog) for rule in _rules(other)}
        except RuleError:
            continue
        attributes += _attributes(other)
        fit.append((version, other))
    live = others.versions([definition, *(other for _, other in fit)])
    for pk, rule in others.only_of(live).items():
        try:
            parsed[repr(rule)] = parse(rule, catalog)
        except RuleError:
            del live[pk]
    people = People(numbers, kinds_for(list(parsed.values()), attributes, catalog), zone())
    tick()
    known = {key: asked(rule) for key, rule in parsed.items()}
    found: dict[UUID, Course] = {}
    gates: courses.Gates = {}
    main = courses.course(definition, known, people, settings.version, tick, asked_before=gates)
    for version, other in fit:
        try:
            found[version.pk] = courses.course(
                other, known, people, version.pk, tick, asked_before=gates, name=str(version.number)
            )
        except NotComplete:
            continue
    coming = [("", definition), *((str(version.number), other) for version, other in fit)]
    rules = {pk: known[repr(rule)] for pk, rule in others.only_of(live).items()}
    return World(
        people=people,
        rules=Rules(people),
        policy=_policy(),
        main=main,
        values={key: people.stored(key) for key in dict.fromkeys(attributes)},
        before={} if settings.assumptions.afresh else _before(workflow, people, inside),
        older=found,
        others=others.others(live, rules, people.numbers.tolist(), coming),
    )


def _rules(definition: Definition) -> list[Any]:
    left = [segment_rule(e.segment) for e in definition.exits if isinstance(e, SegmentLeft)]
    return [*rules_of(definition), *left]


def _attributes(definition: Definition) -> Iterator[str]:
    """The attributes whose values themselves are asked for, or set."""
    if isinstance(definition.trigger, ByAttribute):
        yield definition.trigger.attribute
    for step in definition.steps.values():
        match step:
            case WaitUntil() if step.moment.attribute:
                yield step.moment.attribute
            case SetAttribute() | WaitEvent() if step.attribute:
                yield step.attribute


def _policy() -> Policy:
    o = Organization.current()
    return Policy(o.time_zone, o.quiet_from_hour, o.quiet_until_hour, o.cap_messages, o.cap_days)


def _before(workflow: Workflow, people: People, inside: frozenset[int]) -> dict[int, list[Before]]:
    """When these people were on the journey, in the order they entered."""
    rows = {number: row for row, number in enumerate(people.numbers.tolist())}
    found: defaultdict[int, list[Before]] = defaultdict(list)
    earlier = Enrolment.objects.filter(workflow=workflow).order_by("entered_at")
    fields = ("pk", "contact_number", "status", "entered_at", "key_index")
    for pk, number, status, entered_at, key in earlier.values_list(*fields).iterator(chunk_size=10_000):
        if number in rows and pk not in inside:
            before = Before(status != Enrolment.Status.LEFT, entered_at, bytes(key) if key is not None else None)
            found[rows[number]].append(before)
    return dict(found)
