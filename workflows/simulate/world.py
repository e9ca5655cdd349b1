"""Everything a simulation asks about, taken once and set-wise: people, rules, mails, who was there before, history."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from content.models import Template
from content.queries import build_version, tier_now
from core import clock
from core.models import Organization
from core.purposes import MessageClass
from core.sensitivity import Sensitivity, highest
from delivery import facts as delivering
from delivery import queries as delivery
from delivery.gate import Policy, RecipientFacts
from delivery.models import Sender
from segments import catalog as catalogs
from segments.rules import parse
from segments.tree import Rule
from workflows.engine.exits import unsubscribed
from workflows.entry import Before
from workflows.errors import NotComplete
from workflows.language import tiers
from workflows.language.definition import (
    Branch,
    ByAttribute,
    Definition,
    Goal,
    GoalExit,
    Mail,
    SegmentLeft,
    SetAttribute,
    Unsubscribed,
    WaitEvent,
    WaitUntil,
)
from workflows.models import Enrolment, VersionMail, Workflow, WorkflowVersion
from workflows.simulate.assumptions import Settings
from workflows.simulate.gate import Mailed
from workflows.simulate.history import History
from workflows.simulate.people import People, kinds_for
from workflows.simulate.rules import Asked, Rules, asked
from workflows.versions.approval import rules_of

#: People whose gate facts are fetched together.
CHUNK = 2_000


@dataclass
class World:
    """`cases`: the rules of each Branch or Goal; `exits`: for each exit of the definition its rule, or None."""

    people: People
    rules: Rules
    policy: Policy
    mails: dict[str, Mailed]
    cases: dict[str, tuple[Asked, ...]]
    exits: tuple[Asked | None, ...]
    only: Asked | None
    #: Stored values by attribute, then row.
    values: dict[str, list[Any]]
    #: Rows of those who are out of everything, or of a topic of one of the mails.
    unsubscribed: set[int]
    #: Earlier times on this journey, by row.
    before: dict[int, list[Before]] = field(default_factory=dict)
    history: History = field(default_factory=History)


def segment_rule(segment: UUID) -> dict[str, Any]:
    """The rule that asks for who is in a segment."""
    return {"version": 2, "root": {"all": [{"segment": str(segment), "op": "in"}]}}


def zone() -> ZoneInfo:
    return ZoneInfo(Organization.current().time_zone)


def build(
    workflow: Workflow,
    definition: Definition,
    numbers: Sequence[int],
    settings: Settings,
    *,
    tick: Callable[[], None] = lambda: None,
) -> World:
    """The world for these people. Raises NotComplete, RuleError, TemplateBroken; `tick` is called now and then."""
    catalog = catalogs.load()
    raw = [*rules_of(definition), *(segment_rule(e.segment) for e in definition.exits if isinstance(e, SegmentLeft))]
    attributes = list(_attributes(definition))
    parsed: dict[str, Rule] = {repr(rule): parse(rule, catalog) for rule in raw}
    people = People(numbers, kinds_for(list(parsed.values()), attributes, catalog), zone())
    tick()
    known = {key: asked(rule) for key, rule in parsed.items()}

    def of(rule: Any) -> Asked:
        return known[repr(rule)]

    cases: dict[str, tuple[Asked, ...]] = {}
    for key, step in definition.steps.items():
        if isinstance(step, Branch):
            cases[key] = tuple(of(case.rule) for case in step.cases)
        elif isinstance(step, Goal):
            cases[key] = (of(step.rule),)
    exits = tuple(
        of(e.rule) if isinstance(e, GoalExit) else of(segment_rule(e.segment)) if isinstance(e, SegmentLeft) else None
        for e in definition.exits
    )
    mails = _mails(definition, settings, people, tick)
    return World(
        people=people,
        rules=Rules(people),
        policy=_policy(),
        mails=mails,
        cases=cases,
        exits=exits,
        only=of(definition.only) if definition.only is not None else None,
        values={key: people.stored(key) for key in dict.fromkeys(attributes)},
        unsubscribed=_unsubscribed(definition, people),
        before={} if settings.assumptions.afresh else _before(workflow, people),
    )


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


def _mails(definition: Definition, settings: Settings, people: People, tick: Callable[[], None]) -> dict[str, Mailed]:
    steps = {key: step for key, step in definition.steps.items() if isinstance(step, Mail)}
    senders = Sender.objects.select_related("domain").in_bulk([s.sender for s in steps.values() if s.sender])
    templates = Template.objects.in_bulk([s.template for s in steps.values() if s.template])
    frozen: dict[str, Any] = {}
    if settings.version:
        tier = Sensitivity(WorkflowVersion.objects.values_list("tier", flat=True).get(pk=settings.version))
        rows = VersionMail.objects.filter(version=settings.version).select_related("template_version")
        frozen = {mail.step: mail.template_version for mail in rows}
    else:
        tier = Sensitivity(tiers.tier_of(definition))
    known: dict[tuple[UUID | None, bool, bool], Sequence[RecipientFacts]] = {}
    found: dict[str, Mailed] = {}
    for key, step in steps.items():
        template = templates.get(step.template) if step.template else None
        sender = senders.get(step.sender) if step.sender else None
        if template is None or sender is None:
            raise NotComplete(f"The mail “{step.name or key}” still needs a template and a sender.")
        version = frozen.get(key) or build_version(template)
        about = delivery.message_facts(
            stream=step.stream,
            template_version=version,
            sender=sender,
            tier=highest(tier, tier_now(version)),
            topic_id=step.topic,
        )
        sensitive = Sensitivity(about.facts.tier).rank >= Sensitivity.PHI.rank
        commercial = about.facts.message_class == MessageClass.COMMERCIAL
        group = (about.facts.topic_id, sensitive, commercial)
        if group not in known:
            known[group] = _recipients(people.ids, about, tick)
        special = tier == Sensitivity.SPECIAL
        found[key] = Mailed(
            about.facts,
            known[group],
            step.stream,
            step.topic,
            opens=step.track_opens and not special,
            clicks=step.track_clicks and not special,
        )
    return found


def _recipients(ids: Sequence[UUID], about: Any, tick: Callable[[], None]) -> list[RecipientFacts]:
    now, found = clock.now(), []
    for at in range(0, len(ids), CHUNK):
        some = ids[at : at + CHUNK]
        known = delivering.people(some, about, now)
        found += [known[i].facts if i in known else delivering.gone(i) for i in some]
        tick()
    return found


def _unsubscribed(definition: Definition, people: People) -> set[int]:
    if not any(isinstance(way, Unsubscribed) for way in definition.exits):
        return set()
    out = unsubscribed(definition, people.ids)
    return {row for row, who in enumerate(people.ids) if who in out}


def _before(workflow: Workflow, people: People) -> dict[int, list[Before]]:
    """When these people were on the journey, in the order they entered."""
    rows = {number: row for row, number in enumerate(people.numbers.tolist())}
    found: defaultdict[int, list[Before]] = defaultdict(list)
    earlier = Enrolment.objects.filter(workflow=workflow).order_by("entered_at")
    fields = ("contact_number", "status", "entered_at", "key_index")
    for number, status, entered_at, key in earlier.values_list(*fields).iterator(chunk_size=10_000):
        if number in rows:
            before = Before(status != Enrolment.Status.LEFT, entered_at, bytes(key) if key is not None else None)
            found[rows[number]].append(before)
    return dict(found)
