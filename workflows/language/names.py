"""What a definition names, as the database has it now: for checks and for words. PHI may be in it: never kept."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

import msgspec

from accounts.models import User
from contacts.models import Attribute
from content import lint
from content.models import Template
from content.queries import draft_of
from core import clock
from core.sensitivity import Sensitivity, highest
from delivery.gate import agreement_in_force
from delivery.models import Sender
from segments import catalog as catalogs
from segments import queries as segments
from segments import sentence as sentences
from segments.catalog import Catalog, SavedSegments
from segments.errors import RuleError
from segments.models import Segment
from segments.rules import Rule, parse
from workflows.language import definition as d
from workflows.language import naming
from workflows.models import Endpoint, EventType, Workflow, WorkflowVersion


@dataclass(frozen=True, slots=True)
class Mailable:
    """A template. `tier`: the highest of the fields it uses; `fields`: those of them that are health information."""

    name: str
    purpose: str
    message_class: str
    remunerated: bool
    tier: Sensitivity
    fields: tuple[str, ...] = ()
    archived: bool = False


@dataclass(frozen=True, slots=True)
class From:
    name: str
    verified: bool


@dataclass(frozen=True, slots=True)
class To:
    """Where webhooks go; values only while the agreement is in force (SEC-09)."""

    name: str
    agreement: bool


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    label: str
    properties: Mapping[str, str]
    tier: Sensitivity


@dataclass(frozen=True, slots=True)
class Journey:
    """Another journey. `enters`: where its live version has people enter in turn."""

    name: str
    state: str
    archived: bool
    live: bool
    enters: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Names:
    catalog: Catalog
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    templates: Mapping[UUID, Mailable] = field(default_factory=dict)
    senders: Mapping[UUID, From] = field(default_factory=dict)
    endpoints: Mapping[UUID, To] = field(default_factory=dict)
    users: Mapping[UUID, str] = field(default_factory=dict)
    #: By name in small letters; what was archived is not among them.
    events: Mapping[str, Event] = field(default_factory=dict)
    workflows: Mapping[UUID, Journey] = field(default_factory=dict)
    #: Lists of people that are changed by hand.
    lists: frozenset[UUID] = frozenset()
    #: Rules that were read already, by their JSON.
    rules: dict[str, Rule | RuleError] = field(default_factory=dict)

    @classmethod
    def load(cls, definition: d.Definition) -> Self:
        """Everything this definition names: a fixed number of statements, and one for each segment and journey."""
        steps = definition.steps.values()
        mails = [step for step in steps if isinstance(step, d.Mail)]
        lists = {step.segment for step in steps if isinstance(step, d.ChangeList) and step.segment}
        attributes = list(Attribute.objects.filter(removed_at=None))
        return cls(
            catalogs.load(),
            {attribute.key: attribute for attribute in attributes},
            _templates({mail.template for mail in mails if mail.template}, attributes),
            _senders({mail.sender for mail in mails if mail.sender}),
            _endpoints({step.endpoint for step in steps if isinstance(step, d.Webhook) and step.endpoint}),
            _users({step.user for step in steps if isinstance(step, d.Tell) and step.user}),
            _events() if _named_events(definition) else {},
            _workflows({step.workflow for step in steps if isinstance(step, d.Enter) and step.workflow}),
            frozenset(
                Segment.objects.filter(pk__in=lists, kind=Segment.Kind.SNAPSHOT, archived_at=None).values_list(
                    "pk", flat=True
                )
            )
            if lists
            else frozenset(),
        )

    @classmethod
    def for_triggers(cls) -> Self:
        """What triggers name, of whatever journeys: for lists. A fixed number of statements."""
        attributes = {attribute.key: attribute for attribute in Attribute.objects.filter(removed_at=None)}
        return cls(catalogs.load(), attributes, events=_events())

    def also_of(self, definitions: Iterable[d.Definition]) -> "Names":
        """With the templates of these journeys: what their mails and calls say. A statement or two for all of them."""
        steps = [step for definition in definitions for step in definition.steps.values()]
        wanted = {step.template for step in steps if isinstance(step, d.Mail) and step.template}
        more = _templates(wanted - self.templates.keys(), list(self.attributes.values()))
        return replace(self, templates={**self.templates, **more})

    def open_segments(self, definitions: Iterable[d.Definition]) -> None:
        """Read the segments that these journeys name at once, and not each by itself as its turn comes."""
        if isinstance(self.catalog.segments, SavedSegments):
            self.catalog.segments.open(segment for one in definitions for segment in naming.segments_in(one))

    def event(self, name: str) -> Event | None:
        return self.events.get(name.strip().lower())

    def rule(self, raw: object) -> Rule:
        """Raises RuleError."""
        key = json.dumps(raw, sort_keys=True, default=str)
        if key not in self.rules:
            try:
                self.rules[key] = parse(raw, self.catalog)
            except RuleError as refusal:
                self.rules[key] = refusal
        found = self.rules[key]
        if isinstance(found, RuleError):
            raise found
        return found

    def sentence(self, raw: object) -> str:
        """The rule as people read it, or what is wrong with it."""
        try:
            rule = self.rule(raw)
        except RuleError as refusal:
            return f"Needs attention: {refusal}"
        return sentences.sentence(rule, self.catalog, segments.code_names(rule))


def _templates(ids: set[UUID], attributes: list[Attribute]) -> dict[UUID, Mailable]:
    tiers = {attribute.key: Sensitivity(attribute.sensitivity) for attribute in attributes}
    found = {}
    for template in Template.objects.filter(pk__in=ids) if ids else ():
        used = [key for key in lint.fields_used(draft_of(template)) if key in tiers]
        found[template.pk] = Mailable(
            str(template.name),
            template.purpose,
            template.message_class,
            template.remunerated,
            highest(Sensitivity.PUBLIC, *(tiers[key] for key in used)),
            tuple(key for key in used if tiers[key].rank >= Sensitivity.PHI.rank),
            template.archived_at is not None,
        )
    return found


def _senders(ids: set[UUID]) -> dict[UUID, From]:
    if not ids:
        return {}
    rows = Sender.objects.filter(pk__in=ids, removed_at=None).select_related("domain")
    return {row.pk: From(row.name, row.domain.verified_at is not None) for row in rows}


def _endpoints(ids: set[UUID]) -> dict[UUID, To]:
    rows = Endpoint.objects.filter(pk__in=ids, removed_at=None) if ids else ()
    today = clock.now().date()
    return {row.pk: To(row.name, agreement_in_force(row, today)) for row in rows}


def _users(ids: set[UUID]) -> dict[UUID, str]:
    return {u.pk: u.name for u in User.objects.filter(pk__in=ids, is_active=True)} if ids else {}


def _named_events(definition: d.Definition) -> bool:
    parts = (definition.trigger, *definition.exits, *definition.steps.values())
    return any(isinstance(part, d.ByEvent | d.EventExit) or getattr(part, "event", "") for part in parts)


def _events() -> dict[str, Event]:
    return {
        str(row.name).strip().lower(): Event(row.name, row.label, dict(row.properties), Sensitivity(row.sensitivity))
        for row in EventType.objects.filter(archived_at=None)
    }


def _workflows(ids: set[UUID]) -> dict[UUID, Journey]:
    """These and those that people are sent on to from there, by whatever way."""
    found: dict[UUID, Journey] = {}
    waiting = deque(ids)
    while waiting:
        row = Workflow.objects.filter(pk=waiting.popleft()).first()
        if row is None or row.pk in found:
            continue
        live = row.versions.filter(state=WorkflowVersion.State.LIVE).first()
        enters = frozenset(entered_by(live.definition)) if live else frozenset()
        found[row.pk] = Journey(str(row.name), row.state, row.archived_at is not None, live is not None, enters)
        waiting.extend(enters - set(found))
    return found


def entered_by(raw: Any) -> set[UUID]:
    """The journeys that a stored definition has people enter."""
    try:
        definition = d.from_json(raw)
    except msgspec.ValidationError:
        return set()
    return {step.workflow for step in definition.steps.values() if isinstance(step, d.Enter) and step.workflow}
