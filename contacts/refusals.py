"""The rows an import refused, for whoever corrects them."""

import csv
import io
from collections.abc import Iterator

from django.db import transaction

from audit.commands import record as audit
from contacts import chunks
from contacts.csvfile import neutral
from contacts.models import Import
from core.actors import By


def download(owner: Import, *, by: By) -> Iterator[str]:
    """The refused rows as CSV with line and reason first, chunk by chunk. The download itself is recorded.

    Cells that a spreadsheet would take for a formula get an apostrophe (CWE-1236).
    """
    with transaction.atomic():
        audit("import.refused_downloaded", by=by, target=owner, rows=owner.refused_count)
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
