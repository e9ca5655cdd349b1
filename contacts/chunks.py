"""Pieces of an import, each sealed under the import's own data key and bound to its place."""

import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contacts.models import Import, ImportChunk
from phi import seal

SOURCE, ROWS, PEOPLE, REFUSED, UNDO = "source", "rows", "people", "refused", "undo"
#: The file itself, in all the forms it goes through.
FILE = (SOURCE, ROWS, PEOPLE)


class Box:
    """The chunks of one import: put bytes or plain structures in, take them out."""

    def __init__(self, owner: Import) -> None:
        self.owner = owner
        self.key = seal.unwrap(seal.WrappedKey(owner.kek_id, bytes(owner.data_key)))

    def _aad(self, kind: str, position: int) -> bytes:
        return seal.aad("contacts_importchunk", self.owner.pk.bytes + kind.encode() + position.to_bytes(4, "big"))

    def put(self, kind: str, position: int, data: bytes, rows: int = 0) -> None:
        sealed = seal.seal(data, key=self.key, aad=self._aad(kind, position))
        ImportChunk.objects.create(owner=self.owner, kind=kind, position=position, rows=rows, sealed=sealed)

    def take(self, kind: str, position: int) -> bytes | None:
        """The bytes at this place, None past the end."""
        found = self.owner.chunks.filter(kind=kind, position=position).values_list("sealed", flat=True).first()
        return None if found is None else seal.open_sealed(bytes(found), key=self.key, aad=self._aad(kind, position))

    def put_list(self, kind: str, position: int, items: Sequence[Any]) -> None:
        self.put(kind, position, msgspec.msgpack.encode(items), len(items))

    def take_list(self, kind: str, position: int, item: Any = Any) -> list[Any]:
        """What was put there, each as an `item`; nothing past the end."""
        raw = self.take(kind, position)
        return msgspec.msgpack.decode(raw, type=list[item]) if raw else []

    def positions(self, kind: str) -> list[int]:
        return list(self.owner.chunks.filter(kind=kind).order_by("position").values_list("position", flat=True))

    def drop(self, *kinds: str) -> None:
        self.owner.chunks.filter(kind__in=kinds).delete()

    def source(self) -> io.BufferedReader:
        """The uploaded file as a byte stream; one chunk in memory at a time."""
        return io.BufferedReader(_Source(self), 1 << 16)


class _Source(io.RawIOBase):
    def __init__(self, box: Box) -> None:
        self._box, self._position, self._rest = box, 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            piece = self._box.take(SOURCE, self._position)
            if piece is None:
                return 0
            self._position += 1
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def new_import(**fields: Any) -> Import:
    """An import row with a data key of its own, not yet saved."""
    _, wrapped = seal.new_data_key()
    return Import(kek_id=wrapped.kek_id, data_key=wrapped.wrapped, **fields)


def forget(owner: Import, kinds: Iterable[str]) -> None:
    """Destroy what is no longer needed of an import."""
    ImportChunk.objects.filter(owner=owner, kind__in=list(kinds)).delete()
