"""Put everybody of a segment on a journey by hand: many people, so a job does it and goes on where it was killed."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.commands import record
from core import clock
from core.actors import SYSTEM, By
from core.errors import DomainError
from core.jobs import enqueue
from segments import queries as segments
from segments.models import Segment
from workflows import enrolling, queries
from workflows.errors import NotPossibleNow
from workflows.intake.reading import alone
from workflows.language import choosing
from workflows.models import Cursor, Enrolment, Workflow

#: People one transaction puts on.
CHUNK = 5_000
_SOURCE = "put:"
#: First half of the locks under which one worker puts on a segment.
SPACE = 0x3EB1


def _source(workflow_id: UUID, segment_id: UUID) -> str:
    return f"{_SOURCE}{workflow_id}:{segment_id}"


@transaction.atomic
def begin(workflow: Workflow, segment: Segment, *, by: By) -> None:
    """Have a job put on whoever is in the segment then, all as of now. Raises NotPossibleNow, ChosenByMore."""
    version = queries.live_version(workflow)
    if version is None:
        raise NotPossibleNow("Nobody can enter this journey now: publish it first.")
    choosing.refuse_segment(version, segment.pk)
    _, new = Cursor.objects.get_or_create(source=_source(workflow.pk, segment.pk), defaults={"at": clock.now()})
    if not new:
        raise NotPossibleNow("The people of this segment are being put on already. Look again in a minute.")
    record("workflow.put_on", by=by, target=workflow, segment=str(segment.pk))
    enqueue("workflows.put_on", workflow.pk, segment.pk)


def carry_out(workflow_id: UUID, segment_id: UUID) -> int:
    """Put on who is not yet; how many entered. Said twice, nobody enters twice; one job does it at a time."""
    with alone(SPACE << 32 | int.from_bytes(segment_id.bytes[-4:], "big")) as mine:
        return _put_on(workflow_id, segment_id) if mine else 0


def _put_on(workflow_id: UUID, segment_id: UUID) -> int:
    begun = Cursor.objects.filter(source=_source(workflow_id, segment_id)).first()
    if begun is None or begun.at is None:
        return 0
    entered = 0
    try:
        workflow = Workflow.objects.get(pk=workflow_id)
        people = segments.audience(segments.rule_of(Segment.objects.get(pk=segment_id)))
        for start in range(0, len(people), CHUNK):
            entered += _some(workflow, segment_id, people[start : start + CHUNK], begun.at)
    except (DomainError, Segment.DoesNotExist):  # stopped, archived or made senseless meanwhile: it ends here
        pass
    begun.delete()
    return entered


@transaction.atomic
def _some(workflow: Workflow, segment_id: UUID, people: list[UUID], at: datetime) -> int:
    version = queries.live_version(workflow)
    if version is None:
        raise NotPossibleNow("Nobody can enter this journey now.")
    choosing.refuse_segment(version, segment_id)  # another version may be live by now, or the segment another one
    there = Enrolment.objects.filter(workflow=workflow, contact_id__in=people, entered_at=at)
    done = set(there.values_list("contact_id", flat=True))
    entries = [enrolling.Entry(who) for who in people if who not in done]
    return enrolling.enrol(version, entries, at=at, by=SYSTEM).entered


def sweep() -> None:
    """Start again what was lost."""
    for source in Cursor.objects.filter(source__startswith=_SOURCE).values_list("source", flat=True):
        _, workflow, segment = source.split(":")
        enqueue("workflows.put_on", workflow, segment)
