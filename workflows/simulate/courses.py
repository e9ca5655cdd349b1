"""A version as simulated people walk it: its steps, what its rules and exits ask, and what its mails are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from content.models import Template, TemplateVersion
from content.queries import build_version, tier_now
from core import clock
from core.purposes import MessageClass
from core.sensitivity import Sensitivity, highest
from delivery import facts as delivering
from delivery import queries as delivery
from delivery.gate import RecipientFacts
from delivery.models import Sender
from workflows.engine.exits import unsubscribed
from workflows.errors import NotComplete
from workflows.language import tiers
from workflows.language.definition import (
    AnyExit,
    Branch,
    BranchMail,
    ByDate,
    Definition,
    Goal,
    GoalExit,
    Mail,
    SegmentLeft,
    SetAttribute,
    Unsubscribed,
    WaitEvent,
    WaitUntil,
    Webhook,
)
from workflows.models import VersionMail, WorkflowVersion
from workflows.simulate.gate import Mailed
from workflows.simulate.people import People
from workflows.simulate.rules import Asked

#: People whose gate facts are fetched together.
CHUNK = 2_000
#: Topic, whether it says something of health, whether it is commercial → what the gate asks about each person.
Gates = dict[tuple[UUID | None, bool, bool], Sequence[RecipientFacts]]
_ASKING = (Branch, Goal, BranchMail, WaitUntil, WaitEvent, SetAttribute, Webhook)


@dataclass(eq=False)
class Course:
    """`cases`: the rules of each Branch or Goal; `exits`: each with its rule, where it has one; `unsubscribed`: rows of
    those who are out of everything, or of a topic of one of its mails. `name`: "", or the number of an older version.
    """

    definition: Definition
    mails: dict[str, Mailed]
    cases: Mapping[str, tuple[Asked, ...]]
    exits: Sequence[tuple[AnyExit, Asked | None]]
    only: Asked | None
    unsubscribed: set[int]
    name: str = ""

    def __post_init__(self) -> None:
        self.steps = self.definition.steps
        #: Before the names of its steps in a trace.
        self.prefix = f"{self.name}/" if self.name else ""
        #: A date is no key that an event could have, too.
        self.keyed = not isinstance(self.definition.trigger, ByDate)
        #: The steps that ask something of a person, mails apart.
        self.asking = {key for key, step in self.steps.items() if isinstance(step, _ASKING)}

    @cached_property
    def rules(self) -> list[Asked]:
        found = [*(r for some in self.cases.values() for r in some), *(r for _, r in self.exits if r)]
        return [*found, self.only] if self.only else found


def segment_rule(segment: UUID) -> dict[str, Any]:
    """The rule that asks for who is in a segment."""
    return {"version": 2, "root": {"all": [{"segment": str(segment), "op": "in"}]}}


def course(
    definition: Definition,
    known: Mapping[str, Asked],
    people: People,
    version: UUID | None,
    tick: Callable[[], None],
    *,
    asked_before: Gates,
    name: str = "",
) -> Course:
    """Of a published version, or (None) of a draft. `known`: its rules by their repr; `asked_before`: what the gate
    asks of people, kept for the next course. Raises NotComplete, TemplateBroken."""

    def of(rule: Any) -> Asked:
        return known[repr(rule)]

    cases: dict[str, tuple[Asked, ...]] = {}
    for key, step in definition.steps.items():
        if isinstance(step, Branch):
            cases[key] = tuple(of(case.rule) for case in step.cases)
        elif isinstance(step, Goal):
            cases[key] = (of(step.rule),)
    exits = [
        (
            e,
            of(e.rule)
            if isinstance(e, GoalExit)
            else of(segment_rule(e.segment))
            if isinstance(e, SegmentLeft)
            else None,
        )
        for e in definition.exits
    ]
    only = of(definition.only) if definition.only is not None else None
    mails = _mails(definition, version, people, asked_before, tick)
    return Course(definition, mails, cases, exits, only, _unsubscribed(definition, people), name)


def _mails(
    definition: Definition, version: UUID | None, people: People, known: Gates, tick: Callable[[], None]
) -> dict[str, Mailed]:
    steps = {key: step for key, step in definition.steps.items() if isinstance(step, Mail)}
    senders = Sender.objects.select_related("domain").in_bulk([s.sender for s in steps.values() if s.sender])
    templates = Template.objects.in_bulk([s.template for s in steps.values() if s.template])
    frozen: dict[str, TemplateVersion] = {}
    if version:
        tier = Sensitivity(WorkflowVersion.objects.values_list("tier", flat=True).get(pk=version))
        rows = VersionMail.objects.filter(version=version).select_related("template_version")
        frozen = {mail.step: mail.template_version for mail in rows}
    else:
        tier = Sensitivity(tiers.tier_of(definition))
    found: dict[str, Mailed] = {}
    for key, step in steps.items():
        template = templates.get(step.template) if step.template else None
        sender = senders.get(step.sender) if step.sender else None
        if template is None or sender is None:
            raise NotComplete(f"The mail “{step.name or key}” still needs a template and a sender.")
        content = frozen.get(key) or build_version(template)
        about = delivery.message_facts(
            stream=step.stream,
            template_version=content,
            sender=sender,
            tier=highest(tier, tier_now(content)),
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
            content,
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
