"""What hangs on an open or a click (TRK-06): those can come from a scanner, so nothing about health may.

It goes from step to step, and from one journey to the next: by whom one has enter another, by the lists it changes and
by the values it sets.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from core.sensitivity import Sensitivity
from segments.errors import RuleError
from segments.tree import VERSION, About, Engaged, InSegment, clauses_of
from workflows import uses
from workflows.errors import Problem
from workflows.language import definition as d
from workflows.language import graph
from workflows.language.names import Names
from workflows.language.tiers import attribute_tier
from workflows.models import Workflow

_PHI = Sensitivity.PHI.rank
_OPEN = (
    "Whether this leaves would hang on an open or a click: {}. Those can come from a scanner, so nothing that says "
    "health information may depend on them (TRK-06). Wait for an event that confirms it instead, or use a template "
    "without health information."
)
_ELSEWHERE = (
    "This hangs on an open or a click, and by it so would what the journey “{}” says of somebody's health. Those can "
    "come from a scanner (TRK-06). Wait for an event that confirms it instead."
)


class Touched(NamedTuple):
    """What opens and clicks change: who enters these journeys, who is on these lists, what these attributes say."""

    journeys: frozenset[UUID] = frozenset()
    lists: frozenset[UUID] = frozenset()
    attributes: frozenset[str] = frozenset()

    def also(self, more: "Touched") -> "Touched":
        return Touched(self.journeys | more.journeys, self.lists | more.lists, self.attributes | more.attributes)


class Journey(NamedTuple):
    workflow: Workflow | None
    definition: d.Definition


def problems(definition: d.Definition, names: Names, workflow: Workflow | None) -> Iterator[Problem]:
    """Mails and calls about health that would hang on one; and steps that would make those of other journeys do so."""
    reached = graph.reachable(definition)
    own = Journey(workflow, definition)
    telling = [step for step, node in definition.steps.items() if step in reached and _reveals(node, names)]
    acting = [step for step, node in definition.steps.items() if step in reached and _touches(node) != Touched()]
    if not telling and not acting:
        return
    others = [Journey(*one) for one in uses.running() if workflow is None or one[0].pk != workflow.pk]
    hanging = _hanging(own, names, _spread([*others, own], names, Touched()))
    for step in telling:
        if step in hanging:
            field = "template" if isinstance(definition.steps[step], d.Mail) else "attributes"
            yield Problem(step, field, hanging[step])
    if any(step in hanging for step in acting):
        yield from _elsewhere(definition, names, [step for step in acting if step in hanging], others)


def _elsewhere(
    definition: d.Definition, names: Names, acting: Sequence[str], others: Sequence[Journey]
) -> Iterator[Problem]:
    before = _spread(others, names, Touched())
    telling = [(other, told) for other in others if (told := _telling(other))]
    for step in acting:
        node = definition.steps[step]
        after = _spread(others, names, before.also(_touches(node)))
        for other, told in telling:
            if told & (_hanging(other, names, after).keys() - _hanging(other, names, before).keys()):
                assert other.workflow is not None
                yield Problem(step, _FIELD[type(node)], _ELSEWHERE.format(other.workflow.name))
                break


_FIELD: dict[type, str] = {d.Enter: "workflow", d.ChangeList: "segment", d.SetAttribute: "attribute"}


def _telling(journey: Journey) -> set[str]:
    """Its steps that say something of somebody's health to somebody."""
    steps = journey.definition.steps
    if not any(isinstance(node, d.Mail | d.Webhook) for node in steps.values()):
        return set()
    names = Names.load(journey.definition)
    return {step for step, node in steps.items() if _reveals(node, names)}


def _reveals(node: d.AnyStep, names: Names) -> bool:
    match node:
        case d.Mail():
            template = names.templates.get(node.template) if node.template else None
            return template is not None and template.tier.rank >= _PHI
        case d.Webhook():
            return any(attribute_tier(key, names).rank >= _PHI for key in node.attributes)
    return False


def _touches(node: d.AnyStep) -> Touched:
    match node:
        case d.Enter() if node.workflow:
            return Touched(journeys=frozenset({node.workflow}))
        case d.ChangeList() if node.segment:
            return Touched(lists=frozenset({node.segment}))
        case d.SetAttribute() if node.attribute:
            return Touched(attributes=frozenset({node.attribute}))
    return Touched()


def _spread(journeys: Iterable[Journey], names: Names, touched: Touched) -> Touched:
    """Everything that comes of it, through all of these journeys."""
    journeys = list(journeys)
    while True:
        before = touched
        for journey in journeys:
            for step in _hanging(journey, names, touched):
                touched = touched.also(_touches(journey.definition.steps[step]))
        if touched == before:
            return touched


def _hanging(journey: Journey, names: Names, touched: Touched) -> dict[str, str]:
    """For each step that depends on an open or a click: what it hangs on, in words."""
    definition = journey.definition
    if whole := _whole(journey, names, touched):
        return dict.fromkeys(definition.steps, _OPEN.format(whole))
    found, because = graph.edges(definition), dict[str, str]()
    for step, node in definition.steps.items():
        if _asks(node, names, touched):
            for later in graph.after_step(found, step):
                because.setdefault(later, _OPEN.format(f"step “{node.name or step}” before it asks for one"))
    return because


def _whole(journey: Journey, names: Names, touched: Touched) -> str:
    """How the whole journey hangs on one; "": it does not."""
    definition = journey.definition
    if isinstance(definition.trigger, d.ByEngagement):
        return "one lets people in"
    if journey.workflow is not None and journey.workflow.pk in touched.journeys:
        return "another journey has people enter because of one"
    if _lets_in(definition.trigger, names, touched) or _about(definition.only, names, touched):
        return "who may enter depends on one"
    if any(_exit(way, names, touched) for way in definition.exits):
        return "an exit of the journey asks for one"
    return ""


def _lets_in(trigger: d.AnyTrigger, names: Names, touched: Touched) -> bool:
    match trigger:
        case d.BySegment():
            return _about(_in(trigger.segment), names, touched)
        case d.ByAttribute():
            return trigger.attribute in touched.attributes
        case d.ByDate():
            return trigger.moment.attribute in touched.attributes
    return False


def _exit(way: d.AnyExit, names: Names, touched: Touched) -> bool:
    match way:
        case d.GoalExit():
            return _about(way.rule, names, touched)
        case d.SegmentLeft():
            return _about(_in(way.segment), names, touched)
    return False


def _asks(node: d.AnyStep, names: Names, touched: Touched) -> bool:
    match node:
        case d.BranchMail():
            return bool({"opened", "clicked"} & set(node.cases))
        case d.Branch():
            return any(_about(case.rule, names, touched) for case in node.cases)
        case d.Goal():
            return _about(node.rule, names, touched)
        case d.WaitEvent() if node.attribute:
            return node.attribute in touched.attributes
    return False


def _in(segment: object) -> object:
    return {"version": VERSION, "root": {"all": [{"segment": str(segment), "op": "in"}]}}


def _about(raw: object, names: Names, touched: Touched) -> bool:
    if raw is None:
        return False
    try:
        clauses = clauses_of(names.rule(raw).root)
    except RuleError:
        return False
    for clause in clauses:
        match clause:
            case Engaged():
                found = clause.event in ("opened", "clicked")
            case InSegment():
                found = clause.segment in touched.lists
            case _:
                found = isinstance(clause, About) and clause.attribute in touched.attributes
        if found:
            return True
    return False
