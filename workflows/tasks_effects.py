"""Jobs that tell other systems what journeys tell them."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db.models import Min

from core import clock
from core.jobs import enqueue
from workflows.models import Call
from workflows.webhooks import sending


@shared_task(name="workflows.call")
def call(endpoint_id: str) -> None:
    """Carry out what is due for one endpoint, for a slice of time; the sweep goes on with the rest."""
    sending.work(UUID(endpoint_id), seconds=settings.WORKFLOWS_SLICE_SECONDS)


@shared_task(name="workflows.sweep_calls")
def sweep_calls() -> None:
    """Find endpoints with calls that are due: first attempts that were missed, and later ones."""
    due = Call.objects.filter(state=Call.State.WAITING, due_at__lte=clock.now())
    for endpoint_id in due.values_list("endpoint", flat=True).annotate(first=Min("due_at")).order_by("first"):
        enqueue("workflows.call", endpoint_id)
