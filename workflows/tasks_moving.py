"""Jobs of publishing and steering: each takes an id, does what is left to do, and may run twice."""

from uuid import UUID

from celery import shared_task

from core.jobs import enqueue
from workflows import numbers, putting, steering
from workflows.models import Enrolment, Workflow
from workflows.versions import moving


@shared_task(name="workflows.foretell")
def foretell(move_id: str) -> None:
    moving.work_out(UUID(move_id))


@shared_task(name="workflows.move")
def move(move_id: str) -> None:
    moving.carry_out(UUID(move_id))


@shared_task(name="workflows.settle_move")
def settle_move(move_id: str) -> None:
    """What is not settled yet, because the journey is paused or much is due, the sweep looks at again."""
    moving.settle(UUID(move_id))


@shared_task(name="workflows.resume")
def resume(workflow_id: str) -> None:
    steering.go_on(UUID(workflow_id))


@shared_task(name="workflows.empty")
def empty(workflow_id: str) -> None:
    steering.empty(UUID(workflow_id))


@shared_task(name="workflows.put_on")
def put_on(workflow_id: str, segment_id: str) -> None:
    putting.carry_out(UUID(workflow_id), UUID(segment_id))


@shared_task(name="workflows.sweep_moves")
def sweep_moves() -> None:
    """Find what was lost: moves, journeys that are being resumed, stopped journeys with people inside."""
    numbers.sum_up()
    moving.sweep()
    putting.sweep()
    for workflow in Workflow.objects.exclude(resuming=""):
        enqueue("workflows.resume", workflow.pk)
    inside = Enrolment.objects.exclude(status=Enrolment.Status.LEFT)
    for workflow in Workflow.objects.filter(state=Workflow.State.STOPPED):
        if inside.filter(version__workflow=workflow).exists():
            enqueue("workflows.empty", workflow.pk)
