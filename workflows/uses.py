"""Which journeys name something: an endpoint, an event. Few rows, opened once and one by one."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from workflows.language.definition import ByEvent, Definition, EventExit, SetAttribute, WaitEvent, WaitUntil, from_json
from workflows.models import Enrolment, Workflow, WorkflowVersion


class Running(NamedTuple):
    """A version that is live or still has people on it. Of the journey only what pages say of it is read."""

    version_id: UUID
    workflow: Workflow
    definition: Definition
    #: It lets people in.
    live: bool


#: What this process opened last, replaced as a whole: threads share it. Versions never change.
_known: dict[UUID, Definition] = {}


def versions() -> list[Running]:
    """What is live or still has people on it, of journeys that are not stopped. Three statements, two where nothing
    was published since."""
    global _known  # noqa: PLW0603  one for the process
    inside = Enrolment.objects.filter(version=OuterRef("pk")).exclude(status=Enrolment.Status.LEFT)
    found = WorkflowVersion.objects.filter(Q(state="LIVE") | Q(state="CLOSED") & Exists(inside))
    rows = list(found.exclude(workflow__state="STOPPED").order_by("pk").values_list("pk", "workflow_id", "state"))
    known = _known
    if missing := [pk for pk, _, _ in rows if pk not in known]:
        new = WorkflowVersion.objects.filter(pk__in=missing).values_list("pk", "definition")
        known = known | {pk: from_json(raw) for pk, raw in new}
        _known = {pk: known[pk] for pk, _, _ in rows}
    workflows = Workflow.objects.defer("draft", "description").in_bulk({pk for _, pk, _ in rows})
    return [Running(pk, workflows[workflow_id], known[pk], state == "LIVE") for pk, workflow_id, state in rows]


def running() -> Iterator[tuple[Workflow, Definition]]:
    """The journeys of these versions and what they do; one with several of them several times."""
    return ((one.workflow, one.definition) for one in versions())


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
