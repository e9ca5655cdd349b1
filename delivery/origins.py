"""When everybody of an origin has an outcome."""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from core import clock
from delivery.models import Origin, Retry, SendBatch
from delivery.signals import origin_drained


def drained(origins: "QuerySet[Origin]") -> "QuerySet[Origin]":
    """Those with no open batch and nobody waiting in Retry."""
    return origins.filter(
        ~Exists(SendBatch.objects.filter(origin=OuterRef("pk"), done_at__isnull=True)),
        ~Exists(Retry.objects.filter(batch__origin=OuterRef("pk"))),
    )


@transaction.atomic
def settle(origin_id: UUID) -> bool:
    """Say so, once, if an origin is drained; under its lock, so that nobody adds batches between."""
    origins = Origin.objects.filter(pk=origin_id)
    if not origins.filter(drained_at__isnull=True).select_for_update(no_key=True).values_list("pk").first():
        return False
    # A statement of its own: the one that waited for the lock sees no rows that were committed meanwhile.
    if not drained(origins).update(drained_at=clock.now()):
        return False
    transaction.on_commit(lambda: origin_drained.send(sender=Origin, origin_id=origin_id))
    return True
