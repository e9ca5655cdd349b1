"""Which journeys name something: an endpoint, an event. Few rows, opened one by one."""

from collections.abc import Iterator

from workflows.language.definition import ByEvent, Definition, EventExit, SetAttribute, WaitEvent, WaitUntil, from_json
from workflows.models import Enrolment, Workflow, WorkflowVersion


def running() -> Iterator[tuple[Workflow, Definition]]:
    """What is live or still has people on it, of journeys that are not stopped."""
    inside = Enrolment.objects.exclude(status=Enrolment.Status.LEFT)
    versions = WorkflowVersion.objects.filter(state__in=["LIVE", "CLOSED"]).exclude(workflow__state="STOPPED")
    for version in versions.select_related("workflow"):
        if version.state == WorkflowVersion.State.LIVE or inside.filter(version=version).exists():
            yield version.workflow, from_json(version.definition)


def drawn() -> Iterator[tuple[Workflow, Definition]]:
    """What runs, and what is being drawn."""
    yield from running()
    for workflow in Workflow.objects.filter(archived_at=None):
        yield workflow, from_json(workflow.draft)


def events_in(definition: Definition) -> set[str]:
    """The names of the events that a journey listens to."""
    found = {definition.trigger.event} if isinstance(definition.trigger, ByEvent) else set()
    found |= {way.event for way in definition.exits if isinstance(way, EventExit)}
    return found | {step.event for step in definition.steps.values() if isinstance(step, WaitEvent) and step.event}


def properties_in(definition: Definition, event: str) -> set[str]:
    """The properties of this event that a journey asks for: it is asked only of the one that lets people in."""
    trigger = definition.trigger
    if not isinstance(trigger, ByEvent) or trigger.event != event:
        return set()
    found = {part.property for part in trigger.where}
    for step in definition.steps.values():
        if isinstance(step, WaitUntil):
            found.add(step.moment.property)
        elif isinstance(step, SetAttribute):
            found.add(step.property)
    return found - {""}
