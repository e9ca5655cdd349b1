"""What this room hears from below."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from consent.signals import withdrawn
from tracking.commands import append
from tracking.models import Event
from tracking.resolvers import resolve
from tracking.verdict import Judged


@receiver(withdrawn)
def unsubscribed(contact_id: UUID, delivery_id: UUID | None, at: datetime, **_: Any) -> None:
    """A withdrawal by a mail's own link counts as that mail's unsubscribe."""
    message = resolve(delivery_id) if delivery_id else None
    if delivery_id and message is not None and message.contact_id == contact_id:
        judged = Judged(Event.Verdict.HUMAN, "")
        append(Event.Kind.UNSUBSCRIBE, delivery_id=delivery_id, message=message, judged=judged, at=at)
