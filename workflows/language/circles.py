"""Journeys that would let the same person in again at once, round and round: by the values they set, the lists they
change and the journeys they have people enter, with no wait on the way.

Only a journey that lets people in again after leaving goes round: days pass before `after_days` does, and a key comes
once. A value that is set lets in only where it was another one before, and so somebody on the way has to set that; of
a segment, where its rule answers otherwise by it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from contacts.models import Kind
from contacts.records import Record
from core import clock
from segments import evaluate
from segments.columns import of_people
from segments.context import Context
from segments.dates import TIME_ZONE
from segments.errors import RuleError
from segments.tree import VERSION, About, Clause, InSegment, evaluated_clauses
from workflows import uses
from workflows.errors import Problem
from workflows.language import definition as d
from workflows.language import fits, graph
from workflows.language.checks_parts import value_problem
from workflows.language.names import Names
from workflows.models import Workflow

_WAYS_OUT = (
    "Put a wait into the journey, set something that lets nobody in, or let people enter again only after some days."
)
_ALONE = f"This lets the same person in here again at once, round and round without ever waiting. {_WAYS_OUT}"
_TOGETHER = (
    "By way of the journey “{}” this lets the same person in here again at once, round and round without ever waiting. "
    f"{_WAYS_OUT}"
)
_FIELD: dict[type, str] = {d.Enter: "workflow", d.ChangeList: "segment", d.SetAttribute: "attribute"}
#: What a property of an event says: whatever.
_ANY = object()


class Change(NamedTuple):
    """What a step makes of somebody: the value of this attribute, on this list or not; on this journey."""

    of: str | UUID
    to: object = True


class Round(NamedTuple):
    """A journey that people enter again after leaving, and what its steps change on a way through without a wait."""

    name: str
    trigger: d.AnyTrigger
    changes: Mapping[str, Change]


def problems(definition: d.Definition, names: Names, workflow: Workflow | None) -> Iterator[Problem]:
    """The steps of this journey by which it, or a circle of it and others that run, feeds itself."""
    own = None if workflow is None else workflow.pk
    mine = _round("", definition)
    if not mine.changes:
        return
    rounds: dict[UUID | None, Round] = {own: mine}
    found = [one for one in uses.versions() if one.live and one.workflow.pk != own]
    for one in found:
        if (other := _round(str(one.workflow.name), one.definition)).changes:
            rounds[one.workflow.pk] = other
    names.open_segments(one.definition for one in found if one.workflow.pk in rounds)
    while True:  # whom nobody in the circle leads on to is not in it, and so does not change anything on the way
        leads = _leads(rounds, names)
        circle = _reached(leads, own) & _reached([(to, step, of) for of, step, to in leads], own)
        if len(circle) == len(rounds):
            break
        if own not in circle:
            return
        rounds = {pk: rounds[pk] for pk in circle}
    told = set()
    for of, step, to in sorted(leads, key=lambda lead: lead[2] != own):
        if of == own and step not in told:
            told.add(step)
            text = _ALONE if to == own else _TOGETHER.format(rounds[to].name)
            yield Problem(step, _FIELD[type(definition.steps[step])], text)


_Lead = tuple[UUID | None, str, UUID | None]


def _leads(rounds: Mapping[UUID | None, Round], names: Names) -> list[_Lead]:
    """Which step of which of these lets people into which."""
    changes = {change for one in rounds.values() for change in one.changes.values()}
    return [
        (of, step, to)
        for to, other in rounds.items()
        for of, one in rounds.items()
        for step, change in one.changes.items()
        if change.of == to or _lets_in(other.trigger, change, changes, names)
    ]


def _lets_in(trigger: d.AnyTrigger, change: Change, changes: Iterable[Change], names: Names) -> bool:
    """Whether this change does, after one of the others."""
    others = [other for other in changes if other.of == change.of and (other.to != change.to or other.to is _ANY)]
    if isinstance(trigger, d.BySegment) and trigger.segment != change.of:
        clauses = _clauses(trigger.segment, names) if others else []
        return any(_tells_apart(clause, change, other, names) for clause in clauses for other in others)
    of: str | UUID
    was: Iterable[d.Value]
    becomes: Iterable[d.Value]
    match trigger:
        case d.BySegment():
            of, was, becomes = trigger.segment, [trigger.change == "leaves"], [trigger.change == "enters"]
        case d.ByAttribute():
            of, was, becomes = trigger.attribute, trigger.was, trigger.becomes
        case d.ByDate(late="enter") if change.to is not None:
            of, was, becomes = trigger.moment.attribute, (), ()
        case _:
            return False
    return change.of == of and _among(change.to, becomes) and any(_among(other.to, was) for other in others)


def _among(value: object, asked: Iterable[d.Value]) -> bool:
    some = list(asked)
    return not some or value is _ANY or any(fits.same(value, one) for one in some)


def _clauses(segment: UUID, names: Names) -> list[Clause]:
    try:
        rule = names.rule({"version": VERSION, "root": {"all": [{"segment": str(segment), "op": "in"}]}})
    except RuleError:
        return []
    return evaluated_clauses(rule.root)


def _tells_apart(clause: Clause, one: Change, other: Change, names: Names) -> bool:
    """Whether this part of a rule answers otherwise by the one than by the other."""
    if isinstance(clause, InSegment):
        return clause.segment == one.of
    if not isinstance(clause, About) or clause.attribute != one.of or clause.attribute not in names.attributes:
        return False
    if _ANY in (one.to, other.to):
        return True
    if any(value_problem(clause.attribute, change.to, names) for change in (one, other)):  # type: ignore[arg-type]
        return False
    kinds = {TIME_ZONE: Kind.TEXT.value, clause.attribute: names.attributes[clause.attribute].kind}
    records = [Record({} if change.to is None else {clause.attribute: change.to}) for change in (one, other)]
    frame = of_people([(n, UUID(int=n), record) for n, record in enumerate(records)], kinds)
    (mask,) = evaluate.masks([clause], frame, Context(clock.now(), ZoneInfo("UTC")))
    return bool(mask[0] != mask[1])


def _reached(leads: Iterable[_Lead], start: UUID | None) -> set[UUID | None]:
    """What is come to from there; the start itself only by way of a circle."""
    edges: graph.Edges = {}
    for of, step, to in leads:
        edges.setdefault(str(of), []).append((step, str(to)))
    found = graph.after_step(edges, str(start))
    return {to for _, _, to in leads if str(to) in found}


# -- one journey ------------------------------------------------------------------------------------------------------


def _round(name: str, definition: d.Definition) -> Round:
    changes = {step: change for step, node in definition.steps.items() if (change := _change(node))}
    if not changes or definition.reentry.kind != "after_leaving":
        return Round(name, definition.trigger, {})
    on_the_way = _at_once(definition)
    return Round(name, definition.trigger, {step: one for step, one in changes.items() if step in on_the_way})


def _change(node: d.AnyStep) -> Change | None:
    match node:
        case d.Enter() if node.workflow:
            return Change(node.workflow)
        case d.ChangeList() if node.segment:
            return Change(node.segment, node.change == "add")
        case d.SetAttribute() if node.attribute:
            return Change(node.attribute, _ANY if node.property else node.value)
    return None


def _at_once(definition: d.Definition) -> set[str]:
    """The steps that somebody can come to, and leave the journey behind them, at the moment they enter."""
    start = definition.start
    if start is None or start not in definition.steps:
        return set()
    quick: graph.Edges = {
        step: [(way, to) for way, to in ways if not _waits(definition.steps[step], way)]
        for step, ways in graph.edges(definition).items()
    }
    reached = graph.reached_from(quick, [start])
    if any(isinstance(way, d.GoalExit | d.SegmentLeft) for way in definition.exits):
        return reached  # they may take people out wherever they are
    last = [step for step, node in definition.steps.items() if _may_be_last(node)]
    return reached & graph.reached_from(graph.turned(quick), last)


def _may_be_last(node: d.AnyStep) -> bool:
    if isinstance(node, d.End | d.Goal):
        return True
    return any(d.after(node, way) is None and not _waits(node, way) for way in d.ways_out(node))


def _waits(node: d.AnyStep, way: str) -> bool:
    """Whoever enters again awaits another event; a change of a value may be one of the circle's own."""
    return graph.takes_time(node, way) or (isinstance(node, d.WaitEvent) and bool(node.event))
