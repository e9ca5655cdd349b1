"""Cut an uploaded file into sealed chunks of parsed rows, in constant memory."""

from typing import Any

from django.db import transaction

from contacts import chunks, csvfile
from contacts.chunks import Box
from contacts.csvfile import Row
from contacts.errors import BadFile
from contacts.importing import lease
from contacts.models import Import

#: A chunk is one transaction of the import: at most so many rows and characters.
CHUNK_ROWS = 2_000
CHUNK_CHARACTERS = 4_000_000


def parse(import_id: Any, epoch: int) -> None:
    """Parse the whole file under the lease. Begun again from the start if it was interrupted. Raises BadFile."""
    state = Import.State.CHECKING
    with transaction.atomic():
        owner = lease.prove(import_id, epoch, state)
        owner.save(update_fields=["leased_until"])
        chunks.forget(owner, [chunks.ROWS, chunks.PEOPLE])
    box, width = Box(owner), len(owner.mapping["columns"])
    total = position = size = 0
    batch: list[Row] = []

    def flush() -> None:
        nonlocal position, size, batch
        with transaction.atomic():
            lease.prove(import_id, epoch, state).save(update_fields=["leased_until"])
            box.put_list(chunks.ROWS, position, batch)
        position, size, batch = position + 1, 0, []

    found = csvfile.rows(box.source(), encoding=owner.encoding, delimiter=owner.delimiter)
    if owner.mapping.get("header", True):
        next(found, None)
    for raw in found:
        row = csvfile.checked(raw, width)
        batch.append(row)
        total += 1
        size += sum(map(len, row.cells))
        if len(batch) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            flush()
    if batch:
        flush()
    if not total:
        raise BadFile("The file has a header but no rows. Export it again with its rows and upload the new file.")
    with transaction.atomic():
        owner = lease.prove(import_id, epoch, state)
        owner.rows_total, owner.row_chunks = total, position
        owner.save(update_fields=["rows_total", "row_chunks", "leased_until"])
