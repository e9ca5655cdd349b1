"""What this room hears from below."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from consent.signals import withdrawn
from tracking import sums
from tracking.commands import append
from tracking.models import Event
from tracking.resolvers import resolve
from tracking.signals import events_forgotten
from tracking.verdict import Judged


@receiver(withdrawn)
def unsubscribed(contact_id: UUID, delivery_id: UUID | None, at: datetime, **_: Any) -> None:
    """A withdrawal by a mail's own link counts as that mail's unsubscribe."""
    message = resolve(delivery_id) if delivery_id else None
    if delivery_id and message is not None and message.contact_id == contact_id:
        judged = Judged(Event.Verdict.HUMAN, "")
        append(Event.Kind.UNSUBSCRIBE, delivery_id=delivery_id, message=message, judged=judged, at=at)


@receiver(events_forgotten)
def forgotten(origins: dict[str, list[UUID]], **_: Any) -> None:
    """Sums hold no more than what is left of the events."""
    sums.sum_again(origin_id for ids in origins.values() for origin_id in ids)
