"""The way back. What was before is kept as it was sealed, under each person's own key, so that deleting the person
destroys it here as well."""

from typing import Any
from uuid import UUID

from django.db import connection

from contacts import chunks, locks, upsert
from contacts.chunks import Box
from contacts.models import Import


def remember(item: upsert.Written) -> list[Any]:
    """[id, sealed before or None if created, email index before, digest of the sealed record now]"""
    before = item.before
    return [item.id.bytes, before.row.sealed if before else None, before.email_index if before else None, item.digest]


def take_back(owner: Import) -> tuple[list[UUID], list[UUID]]:
    """Undo the last chunk not yet undone of a locked import; who was restored and who was removed.

    Whoever was changed again since the import is left as they are and counted as kept.
    """
    position = owner.next_position - 1
    entries = Box(owner).take_list(chunks.UNDO, position)
    ids = [UUID(bytes=entry[0]) for entry in entries]
    locks.hold_exclusive(ids)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, sealed FROM contacts_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
        now = {row[0]: upsert.digest_of(bytes(row[1])) for row in cursor.fetchall()}
        remove, restore, kept = [], [], 0
        for raw_id, sealed, email_index, digest in entries:
            contact_id = UUID(bytes=raw_id)
            if contact_id not in now:
                continue
            if now[contact_id] != digest:
                kept += 1
            elif sealed is None:
                remove.append(contact_id)
            else:
                restore.append((contact_id, sealed, email_index))
        if remove:
            cursor.execute("DELETE FROM contacts_contact WHERE id = ANY(%s)", [remove])
        if restore:
            cursor.execute(
                "UPDATE contacts_contact c SET sealed = n.sealed, email_index = n.email_index, updated_at = now()"
                " FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[]) AS n(id, sealed, email_index) WHERE c.id = n.id",
                list(map(list, zip(*restore, strict=True))),
            )
    owner.next_position = position
    owner.problems = {**owner.problems, "kept": owner.problems.get("kept", 0) + kept}
    owner.save()
    return [item[0] for item in restore], remove
