"""What this room hears from below. Signals only wake: what happened is read from rows."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from tracking.signals import events_forgotten
from workflows.intake import forgetting


@receiver(events_forgotten)
def forget_events(origins: dict[str, list[UUID]], **_: Any) -> None:
    """What is forgotten there is forgotten here, at once (TRK-05)."""
    forgetting.forget_events(origins)
