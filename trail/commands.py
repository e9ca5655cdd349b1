"""Export the trail: what leaves is recorded first, and the record is part of what leaves."""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

from django.db import transaction

from audit.commands import record, seal
from audit.models import Checkpoint, Entry, Leaf
from audit.queries import last_head
from core.actors import By
from trail.queries import Filter, names_of

VERIFIER = files("audit").joinpath("verify_export.py").read_bytes()


@dataclass(frozen=True, slots=True)
class Export:
    """What an export holds, settled before its first byte leaves."""

    wanted: Filter
    entries: int
    #: Leaves below this are in reach of the export.
    size: int
    receipt: Leaf
    checkpoint: Checkpoint
    names: bytes


def export(wanted: Filter, *, by: By) -> Export:
    """Record the export with the count and digest of its entries, and sign a head above that record (LOG-13)."""
    size = seal()
    rows = Leaf.objects.filter(wanted.condition("entry__"), index__lt=size).order_by("index")
    digest, count = hashlib.sha256(), 0
    for leaf_hash in rows.values_list("leaf_hash", flat=True).iterator(chunk_size=10_000):
        digest.update(leaf_hash)
        count += 1
    names = _names(wanted, size)
    details = {
        "entries": count,
        "size": size,
        "digest": digest.hexdigest(),
        "filter": wanted.as_dict(),
        "files": {
            "names.json": hashlib.sha256(names).hexdigest(),
            "verify_export.py": hashlib.sha256(VERIFIER).hexdigest(),
        },
    }
    with transaction.atomic():
        entry = record("trail.exported", by=by, **details)  # type: ignore[arg-type]  # two small maps of texts
    seal()
    head = last_head()
    assert head is not None
    return Export(
        wanted,
        count,
        size,
        Leaf.objects.select_related("entry").get(entry=entry),
        Checkpoint.objects.get(size=head.size),
        names,
    )


def _names(wanted: Filter, size: int) -> bytes:
    """Who stands behind the actors' ids today, for people to read; the ids are what is proven."""
    actors = Entry.objects.filter(wanted.condition(), leaf__index__lt=size).order_by()
    entries = [
        Entry(actor_kind=kind, actor_id=i) for kind, i in actors.values_list("actor_kind", "actor_id").distinct()
    ]
    return json.dumps(names_of(entries), ensure_ascii=False, indent=1, sort_keys=True).encode()
