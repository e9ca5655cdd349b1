"""Tables as encrypted Parquet, written whole and read by the columns somebody needs. Pure.

`places` says which bytes of a file hold which column; whoever has only those bytes can read those columns.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.ma
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from phi.errors import SealBroken
from segments.store import kms

#: Both are slow to load, and the first reading would load them in the middle of it.
_NEEDED_LATER = (np.ma, pa.compute)

#: {column: [[offset, length], …]}; FOOTER stands for the end of the file, without which nothing can be read.
Places = dict[str, list[list[int]]]
FOOTER = ""
#: LZ4 reads as fast as nothing at all, at 0.6 of the size; zstd is smaller by a quarter and reads at 0.6 of the speed.
_COMPRESSION = "lz4"
_MAGIC = b"PARE"


@dataclass(frozen=True, slots=True)
class Slices:
    """Some bytes of a file: its length, the spans there are ([offset, length], …) and their bytes one after another."""

    length: int
    spans: Sequence[Sequence[int]]
    data: bytes | memoryview

    def laid_out(self) -> np.ndarray:
        """As much room as the file takes with those bytes in their places, and in between whatever lay there before.

        The room is this thread's, good until its next call: new room for each file would cost more than reading it.
        """
        if sum(length for _, length in self.spans) != len(self.data):
            raise SealBroken("A part of a file of the column store has not the length it should have.")
        room, given, at = _room(self.length), np.frombuffer(self.data, dtype=np.uint8), 0
        for offset, length in self.spans:
            if not 0 <= offset <= offset + length <= self.length:
                raise SealBroken("A part of a file of the column store lies outside of it.")
            room[offset : offset + length] = given[at : at + length]
            at += length
        return room


_rooms = threading.local()


def _room(length: int) -> np.ndarray:
    held: np.ndarray | None = getattr(_rooms, "held", None)
    if held is None or len(held) < length:
        held = _rooms.held = np.zeros(max(length, 4 * 1024 * 1024), dtype=np.uint8)
    return held[:length]


def write(table: pa.Table, key: bytes) -> tuple[bytes, Places]:
    """The table as one encrypted file under a data key, and where its columns lie. Metadata of its schema is kept."""
    sink = pa.BufferOutputStream()
    coded = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(
        table,
        sink,
        row_group_size=max(len(table), 1),
        compression=_COMPRESSION,
        use_dictionary=coded,
        write_statistics=False,
        encryption_properties=kms.encryption(key),
    )
    data = sink.getvalue()
    return data.to_pybytes(), _places(data, key)


def _places(data: pa.Buffer, key: bytes) -> Places:
    metadata = pq.ParquetFile(pa.BufferReader(data), decryption_properties=kms.decryption(key)).metadata
    footer = int.from_bytes(data[-8:-4].to_pybytes(), "little") + 8
    places: Places = {FOOTER: [[len(data) - footer, footer]]}
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for n in range(row_group.num_columns):
            chunk = row_group.column(n)
            start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
            places.setdefault(chunk.path_in_schema, []).append([start, chunk.total_compressed_size])
    return places


def read(data: bytes | memoryview | Slices, key: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """These columns of a file (None: all), with the metadata of its schema. Raises SealBroken on anything altered."""
    try:
        whole = data.laid_out() if isinstance(data, Slices) else data
        source = pa.BufferReader(pa.py_buffer(whole))
        if bytes(whole[-4:]) != _MAGIC:
            raise SealBroken("A file of the column store is not encrypted, or no file.")
        file = pq.ParquetFile(source, decryption_properties=kms.decryption(key), pre_buffer=False)
        table = file.read(columns=None if columns is None else list(columns), use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError):
        raise SealBroken("A file of the column store did not open.") from None
    if columns is not None and set(columns) - set(table.column_names):
        raise SealBroken("A file of the column store does not have a column it should have.")
    return table


def metadata(table: pa.Table) -> Mapping[bytes, bytes]:
    """What the writer noted beside the columns: as secret and as safe from change as they are."""
    return table.schema.metadata or {}
