"""The rows an import refused, for whoever corrects them."""

import csv
import io
from collections.abc import Iterator

from django.db import transaction

from accounts.models import User
from accounts.policy import Action
from audit.commands import record as audit
from contacts import chunks
from contacts.csvfile import neutral
from contacts.imports import write_reason
from contacts.models import Import
from core.actors import By


def may_download(owner: Import, user: User) -> bool:
    """The rows are people in the clear: for whoever brought the file, and for those who may reveal anyhow (SEC-04)."""
    return owner.created_by == user.pk or user.may(Action.CONTACTS_REVEAL)


def download(owner: Import, *, reason: str, by: By) -> Iterator[str]:
    """The refused rows as CSV with line and reason first, chunk by chunk. The download itself is recorded.

    Cells that a spreadsheet would take for a formula get an apostrophe (CWE-1236).
    """
    with transaction.atomic():
        note = write_reason("import.refused_downloaded", owner.pk, reason, by)
        audit("import.refused_downloaded", by=by, target=owner, rows=owner.refused_count, reason_id=str(note.pk))
    return _lines(owner)


def _lines(owner: Import) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["line", "reason", *map(neutral, owner.mapping.get("headers", []))])
    box = chunks.Box(owner)
    yield "\ufeff"
    for place in box.positions(chunks.REFUSED):
        for line, reason, cells in box.take_list(chunks.REFUSED, place):
            writer.writerow([line, reason, *map(neutral, cells)])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()
