"""Facts as sealed files in the database: one a kind and subject, under a data key of its own.

Arrow's own form, compressed, as one AES-256-GCM blob: a file is only ever read whole (docs/adr/0073). A file that does
not open is thrown away, with a line in the trail, and written anew from the tables; meanwhile they answer.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import transaction
from django.db.models.expressions import RawSQL

from audit.commands import record
from core import clock
from core.actors import SYSTEM
from core.transactions import Ended
from phi import seal
from phi.errors import SealBroken
from segments.facts.rows import Rows, Subject
from segments.facts.source import TOPIC
from segments.facts.words import Words
from segments.models import FactFile
from segments.store.rows import cursor

Held = Rows | Words


class Moved(Exception):
    """A file was written anew or thrown away between two statements: ask again."""


@dataclass(frozen=True, slots=True)
class Head:
    """All there is to know of a file without opening it."""

    id: UUID
    kind: str
    subject: UUID
    generation: int
    before_xid: int
    unfinished: list[int]
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    written_at: datetime
    kek_id: str
    data_key: memoryview | bytes

    @property
    def key(self) -> tuple[str, UUID, int]:
        """What was read from it is good for as long as there is a file of this key."""
        return ("fact", self.id, self.generation)

    @property
    def known(self) -> Ended:
        """The transactions whose rows are in it."""
        return Ended(self.before_xid, tuple(self.unfinished))


#: A file that says it knows transactions yet to begin is from before a dump was restored here.
_NEXT = RawSQL("pg_snapshot_xmax(pg_current_snapshot())::text::bigint + carillon_xid_base()", [])


def heads(kinds: Iterable[str], about: Iterable[UUID] | None = None) -> dict[Subject, Head]:
    """The files of these kinds (about these)."""
    fields = [field.name for field in dataclasses.fields(Head)]
    found = FactFile.objects.filter(kind__in=list(kinds), before_xid__lte=_NEXT)
    if about is not None:
        found = found.filter(subject__in=list(about))
    return {(row[1], row[2]): Head(*row) for row in found.values_list(*fields)}


def _aad(file: FactFile | Head) -> bytes:
    bound = file.id.bytes + file.subject.bytes + file.kind.encode() + file.generation.to_bytes(8, "big")
    return seal.aad("segments_factfile", bound)


def _packed(held: Held) -> bytes:
    """Numbers as steps from one to the next: most fit few bits, which is what compression is after.

    LZ4 reads five times as fast as zstd, at half as many bytes again.
    """
    steps = np.diff(held.numbers, prepend=held.numbers.dtype.type(0))
    rest = {"said": held.said} if isinstance(held, Words) else {"at": held.at, "links": held.links}
    batch = pa.record_batch({"steps": steps, **rest})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _unpacked(kind: str, plain: bytes) -> Held:
    with pa.ipc.open_stream(plain) as reader:
        batch = reader.read_next_batch()
    columns: dict[str, Any] = {name: batch.column(name).to_numpy() for name in batch.schema.names}
    numbers = np.cumsum(columns["steps"], dtype=np.uint32)
    return Words(numbers, columns["said"]) if kind == TOPIC else Rows(numbers, columns["at"], columns["links"])


def write(subject: Subject, held: Held, *, known: Ended, span: tuple[datetime | None, datetime | None]) -> None:
    """Write a file under a new data key, in the place of the one there is. The caller holds the subject's lock."""
    file = FactFile.objects.filter(kind=subject[0], subject=subject[1]).defer("data").first()
    file = file or FactFile(kind=subject[0], subject=subject[1], generation=0, data=b"")
    file.generation += 1
    key, (file.kek_id, file.data_key) = seal.new_data_key()
    data = seal.seal(_packed(held), key=key, aad=_aad(file))
    file.before_xid, file.unfinished = known.before, list(known.unfinished)
    file.rows, file.written_at = len(held), clock.now()
    file.first_at, file.last_at = span
    file.save()
    with cursor() as binary:  # in binary: megabytes do not become the text of a statement
        binary.execute("UPDATE segments_factfile SET data = %s WHERE id = %s", [data, file.pk])


def opened(wanted: Iterable[Head]) -> dict[Subject, Held]:
    """What these files hold, in one statement. Raises Moved, also after throwing away what does not open."""
    by_id = {head.id: head for head in wanted}
    found: dict[Subject, Held] = {}
    broken = []
    with cursor() as binary:
        binary.execute("SELECT id, generation, data FROM segments_factfile WHERE id = ANY(%s)", [list(by_id)])
        files = binary.fetchall()
    for pk, generation, data in files:
        head = by_id[pk]
        if generation != head.generation:
            raise Moved
        try:
            key = seal.unwrap(seal.WrappedKey(head.kek_id, bytes(head.data_key)))
            plain = seal.open_sealed(bytes(data), key=key, aad=_aad(head))
            found[head.kind, head.subject] = _unpacked(head.kind, plain)
        except SealBroken:
            broken.append(head)
    for head in broken:
        throw_away(head)
    if len(found) < len(by_id):
        raise Moved
    return found


@transaction.atomic
def throw_away(head: Head) -> None:
    """A file that was altered is never trusted: the tables answer until it is written anew."""
    gone, _ = FactFile.objects.filter(pk=head.id, generation=head.generation).delete()
    if gone:
        record("segments.facts_rebuilt", by=SYSTEM, kind=head.kind, about=str(head.subject), reason="did not open")
