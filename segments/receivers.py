"""What this room hears from below."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from segments.facts import writing
from tracking.signals import events_forgotten


@receiver(events_forgotten)
def forget_events(origins: dict[str, list[UUID]], **_: Any) -> None:
    """What is forgotten there is forgotten here, at once (TRK-05)."""
    writing.forget(origins)
