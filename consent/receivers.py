"""What this room hears from the people below it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from consent import commands, queries
from contacts.signals import import_undone, people_imported, topics_wanted
from core.actors import By


@receiver(people_imported)
def write_imported_consents(
    import_id: UUID,
    created_ids: Sequence[UUID],
    matched_ids: Sequence[UUID],
    consent: Mapping[str, Any],
    by: By,
    **_: Any,
) -> None:
    """Inside the import's transaction: its people and what they consented to come in together or not at all."""
    commands.record_import(import_id, created_ids=created_ids, matched_ids=matched_ids, consent=consent, by=by)


@receiver(import_undone)
def take_back_imported_consents(import_id: UUID, by: By, **_: Any) -> None:
    commands.undo_import(import_id, by=by)


@receiver(topics_wanted)
def offer_topics(**_: Any) -> list[tuple[str, str]]:
    return [(str(topic.pk), topic.name) for topic in queries.topics()]
