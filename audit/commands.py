"""Write the trail. Callers use `audit.commands.record` inside their own transaction."""

from collections.abc import Iterable
from uuid import UUID

from django.db import models

from audit.models import Entry
from core import clock
from core.actors import By, actor_of

Detail = str | int | float | bool | None | list[str] | list[int] | dict[str, int] | dict[str, str]


def build(
    action: str,
    *,
    by: By,
    target: models.Model | None = None,
    subject: UUID | None = None,
    **details: Detail,
) -> Entry:
    actor = actor_of(by)
    return Entry(
        at=clock.now(),
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_roles=list(actor.roles),
        source=actor.source,
        target_kind=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        subject_id=subject,
        details=details,
    )


def record(
    action: str, *, by: By, target: models.Model | None = None, subject: UUID | None = None, **details: Detail
) -> Entry:
    """Append one event to the trail, in the caller's transaction. `details` are ids, enum values and numbers only."""
    entry = build(action, by=by, target=target, subject=subject, **details)
    entry.save(force_insert=True)
    return entry


def record_many(entries: Iterable[Entry]) -> None:
    """Append many events (from `build`) in one statement."""
    Entry.objects.bulk_create(entries)
