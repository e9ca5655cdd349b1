"""What a leaf commits to: one line of canonical JSON."""

from datetime import UTC
from typing import Any

from audit import canonical
from audit.models import Entry, Leaf


def actor_key(entry: Entry) -> str:
    return f"{entry.actor_kind}:{entry.actor_id}"


def content(entry: Entry, leaf: Leaf) -> dict[str, Any]:
    return {
        "v": 1,
        "index": leaf.index,
        "id": str(entry.pk),
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "action": entry.action,
        "actor": {
            "kind": entry.actor_kind,
            "id": entry.actor_id,
            "roles": entry.actor_roles,
            "source": entry.source,
        },
        "actor_seq": leaf.actor_seq,
        "target": {"kind": entry.target_kind, "id": entry.target_id},
        "subject": str(entry.subject_id) if entry.subject_id else None,
        "subject_seq": leaf.subject_seq,
        "details": entry.details,
    }


def encode(entry: Entry, leaf: Leaf) -> bytes:
    return canonical.encode(content(entry, leaf))
