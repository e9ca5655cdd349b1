"""What keeps a journey from doing what it says: each problem on its step. Drafts are checked as they are drawn."""

import math
from collections import Counter
from collections.abc import Iterator

from workflows.errors import Problem
from workflows.language import checks_parts, checks_steps, choosing, circles, graph, hanging, tiers
from workflows.language import definition as d
from workflows.language.checks_parts import rule_problems
from workflows.language.names import Names
from workflows.models import Workflow

__all__ = ["Problem", "check", "errors"]

MAX_CASES = 20


def check(definition: d.Definition, *, workflow: Workflow | None = None, names: Names | None = None) -> list[Problem]:
    """Everything that is wrong, errors first and then in the order of reading. `workflow`: the journey it is to be."""
    if len(definition.steps) > d.MAX_STEPS:
        return [Problem("", "steps", f"A journey has at most {d.MAX_STEPS} steps. Divide it into two.")]
    names = names or Names.load(definition)
    found = [*_shape(definition), *_frame(definition, names)]
    for step, node in definition.steps.items():
        found += checks_steps.problems(definition, names, step, node, workflow)
    found += tiers.problems(definition, names)
    found += hanging.problems(definition, names, workflow)
    found += choosing.problems(definition, names, workflow)
    found += circles.problems(definition, names, workflow)
    place = {step: n for n, step in enumerate(graph.order(definition), 1)}
    return sorted(dict.fromkeys(found), key=lambda p: (p.level != "error", place.get(p.step, 0)))


def errors(definition: d.Definition, *, workflow: Workflow | None = None) -> list[Problem]:
    """What keeps it from being published."""
    return [problem for problem in check(definition, workflow=workflow) if problem.level == "error"]


# -- the graph -----------------------------------------------------------------------------------------------------


def _shape(definition: d.Definition) -> Iterator[Problem]:
    if not definition.steps:
        yield Problem("", "start", "The journey has no step yet. Add the first one.")
        return
    if definition.start is None:
        yield Problem("", "start", "Nothing says which step comes first. Connect the start with a step.")
    elif definition.start not in definition.steps:
        yield Problem("", "start", f"The first step is to be “{definition.start[:40]}”, and there is no such step.")
    else:
        reached = graph.reachable(definition)
        for step in definition.steps:
            if step not in reached:
                yield Problem(step, "", "Nothing leads here. Connect a way out with this step, or delete it.")
    for step, node in definition.steps.items():
        yield from _exits(definition, step, node)
    for loop in graph.loops_without_wait(definition):
        named = ", ".join(f"“{definition.steps[step].name or step}”" for step in loop[:6])
        more = f" and {len(loop) - 6} more" if len(loop) > 6 else ""
        text = f"One could go round here without ever waiting: {named}{more}. Put a wait of some length into the loop."
        yield Problem(loop[0], "exits", text)


def _exits(definition: d.Definition, step: str, node: d.AnyStep) -> Iterator[Problem]:
    ways = d.ways_out(node)
    for way, to in node.exits.items():
        if way not in ways:
            yield Problem(step, f"exits.{way[:16]}", f"This step has no way out called “{way[:40]}”.")
        elif to is not None and to not in definition.steps:
            yield Problem(step, f"exits.{way}", f"This way leads to step “{to[:40]}”, and there is no such step.")
    match node:
        case d.Branch() if not 1 <= len(node.cases) <= MAX_CASES:
            yield Problem(
                step, "cases", f"A branch has one to {MAX_CASES} ways with a rule, and one for everybody else."
            )
        case d.BranchMail() if not node.cases or len(set(node.cases)) < len(node.cases):
            yield Problem(step, "cases", "Name what to ask of the mail: at least one thing, and each once.")
        case d.Split():
            yield from _shares(step, node)


def _shares(step: str, node: d.Split) -> Iterator[Problem]:
    percents = [share.percent for share in node.shares]
    if not 2 <= len(percents) <= MAX_CASES:
        yield Problem(step, "shares", f"A split has two to {MAX_CASES} ways.")
    elif not all(0 < percent <= 100 for percent in percents):
        yield Problem(step, "shares", "Each share is more than 0 and at most 100 percent.")
    elif abs(math.fsum(percents) - 100) > 1e-6:
        yield Problem(step, "shares", f"The shares come to {math.fsum(percents):g} percent. They have to come to 100.")
    if abs(node.seed) > 2**31:
        yield Problem(step, "seed", "The lot is a number below two billion.")


# -- who comes in, how often, and what takes people out --------------------------------------------------------------


def _frame(definition: d.Definition, names: Names) -> Iterator[Problem]:
    yield from _trigger(definition.trigger, names)
    if definition.only is not None:
        yield from rule_problems("", "only", definition.only, names)
    reentry, keyed = definition.reentry, isinstance(definition.trigger, d.ByEvent | d.ByDate)
    if reentry.kind == "per_key" and not keyed:
        text = "Only an event or a date has a key to enter once for. Choose another rule for entering again."
        yield Problem("", "reentry", text)
    if reentry.kind == "after_days" and not 1 <= reentry.days <= checks_parts.MAX_DAYS:
        yield Problem("", "reentry.days", f"Give 1 to {checks_parts.MAX_DAYS:,} days.")
    if reentry.kind == "never" and isinstance(definition.trigger, d.ByDate) and definition.trigger.yearly:
        text = "The date comes every year, but people enter only once. Let them enter again, once for each date."
        yield Problem("", "reentry", text, "warning")
    yield from _ways_off(definition, names)


def _trigger(trigger: d.AnyTrigger, names: Names) -> Iterator[Problem]:
    match trigger:
        case d.BySegment():
            yield from checks_parts.segment_problems("", "trigger.segment", trigger.segment, names)
        case d.ByAttribute():
            yield from checks_parts.change_problems("", "trigger.", trigger.attribute, trigger, names)
        case d.ByDate():
            if trigger.moment.property:
                yield Problem("", "trigger.moment", "A date that lets people in is an attribute's.")
            yield from checks_parts.moment_problems("", "trigger.moment", trigger.moment, None, names)
        case d.ByEvent():
            yield from _by_event(trigger, names)
        case d.ByConsent():
            yield from checks_parts.topic_problems("", "trigger.topic", trigger.topic, names)
        case d.ByEngagement() | d.BySent():
            if trigger.mailing is not None and trigger.mailing not in names.catalog.mailings:
                text = "There is no such campaign among those that were sent. Choose another one."
                yield Problem("", "trigger.mailing", text)


def _by_event(trigger: d.ByEvent, names: Names) -> Iterator[Problem]:
    yield from checks_parts.event_problems("", "trigger.event", trigger.event, names)
    event = names.event(trigger.event)
    for n, asked in enumerate(trigger.where):
        place = f"trigger.where[{n}]"
        if event is None:
            continue
        if asked.property not in event.properties:
            yield Problem("", place, f"The event has no property “{asked.property[:60]}”.")
        elif not asked.values:
            yield Problem("", place, "Give at least one value that the property may have.")
        elif not all(checks_parts.fits(event.properties[asked.property], value) for value in asked.values):
            yield Problem("", place, f"“{asked.property}” does not have such values.")
    for name, times in Counter(asked.property for asked in trigger.where).items():
        if times > 1:
            yield Problem("", "trigger.where", f"“{name[:60]}” is asked for twice. Give all its values at once.")


def _ways_off(definition: d.Definition, names: Names) -> Iterator[Problem]:
    if len(definition.exits) > MAX_CASES:
        yield Problem("", "exits", f"A journey has at most {MAX_CASES} exit rules.")
    for n, way in enumerate(definition.exits):
        place = f"exits[{n}]"
        match way:
            case d.SegmentLeft():
                yield from checks_parts.segment_problems("", place, way.segment, names)
            case d.EventExit():
                yield from checks_parts.event_problems("", place, way.event, names)
                if way.same_key:
                    yield from checks_parts.key_problems("", place, definition.trigger)
            case d.GoalExit():
                yield from rule_problems("", place, way.rule, names)
