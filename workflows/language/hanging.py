"""What hangs on an open or a click (TRK-06): those can come from a scanner, so nothing about health may.

It goes from step to step, and from one journey to the next: by whom one has enter another, by the lists it changes and
by the values it sets.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Asks(NamedTuple):
    """What something depends on: an open or a click itself, who is on lists, what attributes say."""

    read: bool = False
    lists: frozenset[UUID] = frozenset()
    attributes: frozenset[str] = frozenset()
    #: False: it may ask for something else another time: it names a segment, or a rule that cannot be read just now.
    fixed: bool = True

    def hangs(self, touched: Touched) -> bool:
        return self.read or bool(self.lists & touched.lists) or bool(self.attributes & touched.attributes)


class Shape(NamedTuple):
    """What of a journey may hang on an open or a click, and what it changes: follows from its definition alone, where
    all that it asks is fixed."""

    entry: Asks
    exits: Asks
    #: Steps that ask something, and what may come after each.
    steps: Mapping[str, Asks]
    later: Mapping[str, frozenset[str]]
    touches: Mapping[str, Touched]

    @property
    def fixed(self) -> bool:
        return all(asks.fixed for asks in (self.entry, self.exits, *self.steps.values()))


class Journey(NamedTuple):
    workflow: Workflow | None
    definition: d.Definition
    shape: Shape


#: Of the versions that ran last, replaced as a whole: threads share it. Versions never change.
_shapes: dict[UUID, Shape] = {}


def _others(workflow: Workflow | None, names: Names) -> list[Journey]:
    """All other journeys that run."""
    global _shapes  # noqa: PLW0603  one for the process
    known, found = _shapes, uses.versions()
    names.open_segments(one.definition for one in found if one.version_id not in known)
    shapes = {one.version_id: known.get(one.version_id) or _shape(one.definition, names) for one in found}
    _shapes = {version: shape for version, shape in shapes.items() if shape.fixed}
    mine = workflow.pk if workflow is not None else None
    return [Journey(one.workflow, one.definition, shapes[one.version_id]) for one in found if one.workflow.pk != mine]


def problems(definition: d.Definition, names: Names, workflow: Workflow | None) -> Iterator[Problem]:
    """Mails and calls about health that would hang on one; and steps that would make those of other journeys do so."""
    reached = graph.reachable(definition)
    telling = [step for step, node in definition.steps.items() if step in reached and _reveals(node, names)]
    acting = [step for step, node in definition.steps.items() if step in reached and _touches(node) != Touched()]
    if not telling and not acting:
        return
    own, others = Journey(workflow, definition, _shape(definition, names)), _others(workflow, names)
    hanging = _hanging(own, _spread([*others, own], Touched()))
    for step in telling:
        if step in hanging:
            field = "template" if isinstance(definition.steps[step], d.Mail) else "attributes"
            yield Problem(step, field, hanging[step])
    if any(step in hanging for step in acting):
        yield from _elsewhere(definition, names, [step for step in acting if step in hanging], others)


def _elsewhere(
    definition: d.Definition, names: Names, acting: Sequence[str], others: Sequence[Journey]
) -> Iterator[Problem]:
    before = _spread(others, Touched())
    for step in acting:
        node = definition.steps[step]
        after = _spread(others, before.also(_touches(node)))
        newly = [(other, _hanging(other, after).keys() - _hanging(other, before).keys()) for other in others]
        changed = [(other, steps) for other, steps in newly if steps]
        if not changed:
            continue
        known = names.also_of([other.definition for other, _ in changed])
        for other, steps in changed:
            if any(_reveals(other.definition.steps[one], known) for one in steps):
                assert other.workflow is not None
                yield Problem(step, _FIELD[type(node)], _ELSEWHERE.format(other.workflow.name))
                break


_FIELD: dict[type, str] = {d.Enter: "workflow", d.ChangeList: "segment", d.SetAttribute: "attribute"}


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


def _spread(journeys: Iterable[Journey], touched: Touched) -> Touched:
    """Everything that comes of it, through all of these journeys."""
    changing = [journey for journey in journeys if journey.shape.touches]
    while True:
        before = touched
        for journey in changing:
            hanging = _hanging(journey, touched)
            for step, touches in journey.shape.touches.items():
                if step in hanging:
                    touched = touched.also(touches)
        if touched == before:
            return touched


def _hanging(journey: Journey, touched: Touched) -> dict[str, str]:
    """For each step that depends on an open or a click: what it hangs on, in words."""
    steps, shape = journey.definition.steps, journey.shape
    if whole := _whole(journey, touched):
        return dict.fromkeys(steps, _OPEN.format(whole))
    because: dict[str, str] = {}
    for step, asks in shape.steps.items():
        if asks.hangs(touched):
            for later in shape.later[step]:
                because.setdefault(later, _OPEN.format(f"step “{steps[step].name or step}” before it asks for one"))
    return because


def _whole(journey: Journey, touched: Touched) -> str:
    """How the whole journey hangs on one; "": it does not."""
    if isinstance(journey.definition.trigger, d.ByEngagement):
        return "one lets people in"
    if journey.workflow is not None and journey.workflow.pk in touched.journeys:
        return "another journey has people enter because of one"
    if journey.shape.entry.hangs(touched):
        return "who may enter depends on one"
    if journey.shape.exits.hangs(touched):
        return "an exit of the journey asks for one"
    return ""


# -- the shape of one -------------------------------------------------------------------------------------------------


def _shape(definition: d.Definition, names: Names) -> Shape:
    asking = {step: asks for step, node in definition.steps.items() if (asks := _asks(node, names)) != Asks()}
    found = graph.edges(definition)
    return Shape(
        _all([_lets_in(definition.trigger, names), _about(definition.only, names)]),
        _all(_exit(way, names) for way in definition.exits),
        asking,
        {step: frozenset(graph.after_step(found, step)) for step in asking},
        {step: touches for step, node in definition.steps.items() if (touches := _touches(node)) != Touched()},
    )


def _all(asked: Iterable[Asks]) -> Asks:
    found = Asks()
    for one in asked:
        found = Asks(
            found.read or one.read,
            found.lists | one.lists,
            found.attributes | one.attributes,
            found.fixed and one.fixed,
        )
    return found


def _lets_in(trigger: d.AnyTrigger, names: Names) -> Asks:
    match trigger:
        case d.BySegment():
            return _about(_in(trigger.segment), names)
        case d.ByAttribute():
            return Asks(attributes=frozenset({trigger.attribute}))
        case d.ByDate():
            return Asks(attributes=frozenset({trigger.moment.attribute}))
    return Asks()


def _exit(way: d.AnyExit, names: Names) -> Asks:
    match way:
        case d.GoalExit():
            return _about(way.rule, names)
        case d.SegmentLeft():
            return _about(_in(way.segment), names)
    return Asks()


def _asks(node: d.AnyStep, names: Names) -> Asks:
    match node:
        case d.BranchMail():
            return Asks(read=bool({"opened", "clicked"} & set(node.cases)))
        case d.Branch():
            return _all(_about(case.rule, names) for case in node.cases)
        case d.Goal():
            return _about(node.rule, names)
        case d.WaitEvent() if node.attribute:
            return Asks(attributes=frozenset({node.attribute}))
    return Asks()


def _in(segment: object) -> object:
    return {"version": VERSION, "root": {"all": [{"segment": str(segment), "op": "in"}]}}


def _about(raw: object, names: Names) -> Asks:
    """What a rule asks for."""
    if raw is None:
        return Asks()
    try:
        clauses = list(clauses_of(names.rule(raw).root))
    except RuleError:
        return Asks(fixed=False)
    lists = frozenset(clause.segment for clause in clauses if isinstance(clause, InSegment))
    return Asks(
        any(isinstance(clause, Engaged) and clause.event in ("opened", "clicked") for clause in clauses),
        lists,
        frozenset(clause.attribute for clause in clauses if isinstance(clause, About)),
        not lists,
    )
