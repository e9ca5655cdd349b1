"""News of this room. Signals notify; they never decide."""

from django.dispatch import Signal

#: `ids: list[UUID]`, after commit: people were added or changed.
contacts_changed = Signal()
#: `ids: list[UUID]`, after commit: people were deleted; their keys are destroyed.
contacts_deleted = Signal()
#: `keys: list[str]`, after commit: definitions were added, changed or removed.
attributes_changed = Signal()
#: `import_id: UUID, created_ids: list[UUID], matched_ids: list[UUID], consent: dict, by: Actor`, a batch at a time,
#: INSIDE the transaction that writes these people: what the file's owner says they consented to.
#: Never sent where nobody stated a consent.
people_imported = Signal()
#: `import_id: UUID, by: Actor`, inside the transaction that finishes undoing an import.
import_undone = Signal()
#: Asked by the import wizard; each receiver answers with a list of (topic id: str, name: str).
topics_wanted = Signal()
