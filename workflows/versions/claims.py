"""Which segments a journey relies on: told to the segments room, so that they are kept up to date and not archived."""

from uuid import UUID

from segments import catalog as catalogs
from segments import uses
from segments.errors import RuleError
from segments.models import Segment, Use
from segments.rules import parse
from workflows.language.definition import BySegment, ChangeList, Definition, SegmentLeft, from_json
from workflows.language.naming import rules_of
from workflows.models import Enrolment, Workflow, WorkflowVersion


def segments_in(definition: Definition) -> set[UUID]:
    """The segments it names itself: trigger, exits, lists it changes, rules."""
    found: set[UUID] = set()
    if isinstance(definition.trigger, BySegment):
        found.add(definition.trigger.segment)
    found |= {way.segment for way in definition.exits if isinstance(way, SegmentLeft)}
    found |= {step.segment for step in definition.steps.values() if isinstance(step, ChangeList) and step.segment}
    rules = list(rules_of(definition))
    catalog = catalogs.load() if rules else None
    for rule in rules:
        try:
            found |= uses.parts_of(parse(rule, catalog).root)
        except RuleError:  # an attribute was removed meanwhile: said on the journey's page
            continue
    return found


def settle(workflow: Workflow) -> None:
    """Claim what the live version and those people are still on rely on, and release the rest."""
    wanted: set[UUID] = set()
    if workflow.state != Workflow.State.STOPPED:
        inside = Enrolment.objects.exclude(status=Enrolment.Status.LEFT)
        versions = WorkflowVersion.objects.filter(workflow=workflow, state__in=["LIVE", "CLOSED"])
        for version in versions:
            if version.state == "LIVE" or inside.filter(version=version).exists():
                wanted |= segments_in(from_json(version.definition))
    held = {use.segment_id for use in Use.objects.filter(kind=uses.WORKFLOW, used_by=workflow.pk)}
    Use.objects.filter(kind=uses.WORKFLOW, used_by=workflow.pk, segment__in=held - wanted).delete()
    for segment in Segment.objects.filter(pk__in=wanted - held):
        uses.claim(segment, kind=uses.WORKFLOW, used_by=workflow.pk)
