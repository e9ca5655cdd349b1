"""By what people are chosen who come onto a journey from elsewhere: by another journey, or as everybody of a segment.

What sorts them there must not be more sensitive than what the journey itself says that lets people in; else its mails
would rest on something that neither its checks nor its approver ever saw (PRV-01, SND-08).
"""

from collections.abc import Iterator
from uuid import UUID

from core.sensitivity import Sensitivity, highest
from workflows import uses
from workflows.errors import ChosenByMore, Problem
from workflows.language import definition as d
from workflows.language import graph, tiers
from workflows.language.names import Names
from workflows.models import Workflow, WorkflowVersion


def sorted_by(definition: d.Definition, names: Names, step: str) -> Sensitivity:
    """How sensitive what is that sorts whom this step has enter another journey: what let them in, asked them on the
    way, or would have taken them out before."""
    before = graph.before_step(graph.edges(definition), step)
    return highest(
        tiers.let_in(definition, names),
        *(tiers.exit_tier(way, names) for way in definition.exits),
        *(tiers.step_tier(definition.steps[one], names) for one in before),
    )


def problems(definition: d.Definition, names: Names, workflow: Workflow | None) -> Iterator[Problem]:
    """Steps that have people enter a journey that says less; and other journeys that have them enter this one so."""
    reached = graph.reachable(definition)
    for step, node in definition.steps.items():
        if step in reached and isinstance(node, d.Enter) and node.workflow and node.workflow in names.workflows:
            yield from _too_little(step, node.workflow, sorted_by(definition, names, step), names)
    if workflow is not None:
        yield from _led_here(definition, names, workflow)


def _too_little(step: str, target: UUID, tier: Sensitivity, names: Names) -> Iterator[Problem]:
    live = WorkflowVersion.objects.filter(workflow=target, state=WorkflowVersion.State.LIVE).first()
    if live is None:  # which is said already
        return
    there = d.from_json(live.definition)
    says = tiers.let_in(there, Names.load(there))
    if tier.rank > says.rank:
        what = tier.label.lower()
        yield Problem(
            step,
            "workflow",
            f"What sorts people on their way here is {what}, and “{names.workflows[target].name}” counts whom it takes "
            f"only as {says.label.lower()}: its mails would rest on {what} that nobody reviewed there. "
            f"{_help(there, what)} there and publish it first, or have them enter before they are sorted.",
        )


def _help(there: d.Definition, what: str) -> str:
    """What to do where people would enter."""
    if isinstance(there.trigger, d.ByHand):
        return f"Say under “People are chosen by” {what}"
    return f"Ask for it ({what}) in “only” or in what lets people in"


def _led_here(definition: d.Definition, names: Names, workflow: Workflow) -> Iterator[Problem]:
    says = tiers.let_in(definition, names)
    if says == Sensitivity.SPECIAL:
        return
    told = set()
    for other, theirs in uses.running():
        steps = [s for s, node in theirs.steps.items() if isinstance(node, d.Enter) and node.workflow == workflow.pk]
        if not steps or other.pk in told:
            continue
        their_names = Names.load(theirs)
        tier = highest(*(sorted_by(theirs, their_names, step) for step in steps))
        if tier.rank > says.rank:
            told.add(other.pk)
            what = tier.label.lower()
            yield Problem(
                "",
                "trigger.chosen_by" if isinstance(definition.trigger, d.ByHand) else "trigger",
                f"“{other.name}” has people enter this journey, and sorts them there by {what}. "
                f"{_help(definition, what)} here, or take the step out of “{other.name}” first.",
            )


def refuse_segment(version: WorkflowVersion, segment_id: UUID) -> None:
    """Raises ChosenByMore where being in the segment says more of people today than this version says that lets in."""
    definition = d.from_json(version.definition)
    names = Names.load(definition)
    tier, says = tiers.segment_tier(segment_id, names), tiers.let_in(definition, names)
    if tier.rank > says.rank:
        what = tier.label.lower()
        raise ChosenByMore(
            f"Being in this segment is {what}, and the journey counts whom it takes only as {says.label.lower()}: its "
            f"mails would rest on {what} that nobody reviewed. {_help(definition, what)} and publish it, or choose "
            "another segment."
        )
