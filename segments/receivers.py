"""What this room hears from below."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from contacts.signals import attributes_changed, contacts_deleted
from core.jobs import enqueue
from segments.facts import writing
from tracking.signals import events_forgotten


@receiver(events_forgotten)
def forget_events(origins: dict[str, list[UUID]], **_: Any) -> None:
    """What is forgotten there is forgotten here, at once (TRK-05)."""
    writing.forget(origins)


@receiver(contacts_deleted)
def shred(**_: Any) -> None:
    """Write the partitions of deleted people at once, without them (KEY-06)."""
    enqueue("segments.sweep_store")


@receiver(attributes_changed)
def complete(**_: Any) -> None:
    """An attribute that came back is in the records, and not in partitions written without it."""
    enqueue("segments.check_store")
