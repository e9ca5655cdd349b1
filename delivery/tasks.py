"""Wake the engine. Tasks carry ids and stream names, may run twice, and are found again by the sweep."""

from datetime import datetime, timedelta
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db.models import Q

from consent import queries as consents
from core import clock
from core.jobs import enqueue
from core.purposes import Stream
from delivery import bounces, commands, engine, leases
from delivery.models import Origin, Retry, SendBatch
from delivery.origins import drained

#: A request to confirm that nobody wrote to for so long is written to no more.
CONFIRM_WITHIN = timedelta(days=3)
#: Its own job is given this long before the sweep takes it for lost.
CONFIRM_AFTER = timedelta(seconds=30)


# A wake-up that waited this long is worth nothing: the sweep has sent others since.
@shared_task(name="delivery.drain", expires=60)
def drain(stream: str) -> None:
    """Send for a slice of time, then make room for other jobs and come back if there is more."""
    with leases.place(stream) as found:
        more = found and engine.drain(stream, seconds=settings.DELIVERY_SLICE_SECONDS)
    if more and not current_app.conf.task_always_eager:
        enqueue("delivery.drain", stream, queue=stream)


@shared_task(name="delivery.settle_cancelled")
def settle_cancelled(origin_id: str) -> None:
    commands.settle_cancelled(UUID(origin_id))


@shared_task(name="delivery.send_confirmation")
def send_confirmation(contact_id: str, topic_id: str) -> None:
    commands.send_confirmation(UUID(contact_id), UUID(topic_id))


@shared_task(name="delivery.sweep_bounces")
def sweep_bounces() -> None:
    """Suppress what bounced where the worker ended between the outcome and the suppression."""
    bounces.suppress_forgotten()


@shared_task(name="delivery.sweep")
def sweep() -> None:
    """Find what nobody works on: due batches, expired leases, due retries, origins drained or cancelled unnoticed.

    And people who asked for a mail to confirm and got none: its job was lost, or there was no sender yet.
    """
    now = clock.now()
    for stream in Stream.values:
        live = SendBatch.objects.filter(stream=stream, done_at__isnull=True, origin__state=Origin.State.OPEN)
        idle = live.filter(Q(leased_until__isnull=True) | Q(leased_until__lt=now), due_at__lte=now)
        retries = Retry.objects.filter(due_at__lte=now, batch__stream=stream, batch__origin__state=Origin.State.OPEN)
        if (idle.exists() or retries.exists()) and live.filter(
            leased_until__gt=now
        ).count() < settings.DELIVERY_PARALLEL:
            enqueue("delivery.drain", stream, queue=stream)
    unsettled = Origin.objects.filter(drained_at__isnull=True)
    for origin_id in unsettled.filter(state=Origin.State.CANCELLED).values_list("pk", flat=True):
        enqueue("delivery.settle_cancelled", origin_id)
    for origin_id in drained(unsettled.filter(batches__isnull=False).distinct()).values_list("pk", flat=True):
        commands.settle(origin_id)
    if commands.can_confirm():
        for contact_id, topic_id in _unanswered(now):
            enqueue("delivery.send_confirmation", contact_id, topic_id)


def _unanswered(now: datetime) -> list[tuple[UUID, UUID]]:
    asked = consents.pending_requests(now - CONFIRM_WITHIN, now - CONFIRM_AFTER)
    known = set(Origin.objects.filter(pk__in=[request for request, _, _ in asked]).values_list("pk", flat=True))
    return [(contact_id, topic_id) for request, contact_id, topic_id in asked if request not in known]
