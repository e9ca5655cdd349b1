"""The store's rows, read and written as bytes: no hexadecimal, no copies of megabytes in the text of a statement."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.json import Jsonb

from core import clock
from phi.seal import WrappedKey
from segments.store.files import FOOTER, Places, Slices

#: First key of the advisory locks: whoever writes a partition holds the lock of its number until it commits.
LOCKS = 0x5EE7


@dataclass(frozen=True, slots=True)
class Head:
    """What of a partition lies beside its files."""

    number: int
    generation: int
    key: WrappedKey
    people: int


@contextmanager
def cursor() -> Iterator["psycopg.Cursor[Any]"]:
    """A cursor of this connection that sends and receives in binary."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as opened:
        opened.format = psycopg.pq.Format.BINARY
        yield opened


def lock(number: int) -> None:
    """Wait for whoever else writes this partition, then keep others waiting until this transaction ends."""
    if not connection.in_atomic_block:
        raise RuntimeError("The lock of a partition lives and dies with a transaction: open one first.")
    with connection.cursor() as plain:
        plain.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, number])


_HEADS = "SELECT number, generation, kek_id, data_key, people FROM segments_partition"


def _head(row: Sequence[Any]) -> Head:
    return Head(row[0], row[1], WrappedKey(row[2], bytes(row[3])), row[4])


def heads(only: range | None = None) -> dict[int, Head]:
    """The partitions there are, by number."""
    first, stop = (only.start, only.stop) if only is not None else (0, 2**31 - 1)
    with cursor() as opened:
        opened.execute(f"{_HEADS} WHERE number >= %s AND number < %s ORDER BY number", [first, stop])
        return {row[0]: _head(row) for row in opened}


def head(number: int) -> Head | None:
    return heads(range(number, number + 1)).get(number)


def whole_files(number: int) -> dict[str, bytes]:
    """Every file of a partition by table."""
    with cursor() as opened:
        opened.execute('SELECT "table", data FROM segments_partitionfile WHERE partition_id = %s', [number])
        return dict(opened.fetchall())


#: One row a file: the bytes of its footer and of those columns asked for that it has.
_SLICES = """
SELECT f.partition_id, f."table", p.data_key, octet_length(f.data), s.columns, s.spans, s.bytes
FROM segments_partitionfile f
JOIN segments_partition p ON p.number = f.partition_id
CROSS JOIN LATERAL (
  SELECT array_agg(w.name) AS columns, array_agg(ARRAY[(span->>0)::int, (span->>1)::int]) AS spans,
         string_agg(substring(f.data FROM (span->>0)::int + 1 FOR (span->>1)::int), ''::bytea) AS bytes
  FROM unnest(%s::text[], %s::text[]) AS w("table", name)
  CROSS JOIN LATERAL jsonb_array_elements(f.places->w.name) AS span
  WHERE w."table" = f."table"
) s
WHERE f.partition_id = ANY(%s) AND f."table" = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Part of a file of a partition, as one statement found it; `columns` are those it has of those asked for."""

    partition: int
    table: str
    data_key: bytes
    columns: frozenset[str]
    slices: Slices


def slices(partitions: Sequence[int], wanted: Mapping[str, Iterable[str]]) -> Iterator[Fetched]:
    """These columns (by table) of these partitions, one statement; each file is yielded as soon as it has arrived."""
    pairs = [(table, name) for table, names in wanted.items() for name in (FOOTER, *names)]
    params = [[t for t, _ in pairs], [n for _, n in pairs], list(partitions), list(wanted)]
    with cursor() as opened:
        for number, table, key, length, columns, spans, data in opened.stream(_SLICES, params, binary=True):
            names = frozenset(columns or ()) - {FOOTER}
            yield Fetched(number, table, bytes(key), names, Slices(length, spans or (), data or b""))


def put(head: Head, files: Mapping[str, tuple[bytes, Places]]) -> None:
    """Put these files in the place of those the partition has."""
    with cursor() as opened:
        opened.execute(
            "INSERT INTO segments_partition (number, generation, kek_id, data_key, people, written_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (number) DO UPDATE SET generation = EXCLUDED.generation,"
            " kek_id = EXCLUDED.kek_id, data_key = EXCLUDED.data_key, people = EXCLUDED.people,"
            " written_at = EXCLUDED.written_at",
            [head.number, head.generation, head.key.kek_id, head.key.wrapped, head.people, clock.now()],
        )
        opened.execute("DELETE FROM segments_partitionfile WHERE partition_id = %s", [head.number])
        for table, (data, places) in files.items():
            opened.execute(
                'INSERT INTO segments_partitionfile (partition_id, "table", data, places) VALUES (%s, %s, %b, %s)',
                [head.number, table, data, Jsonb(places)],
            )


# -- changes -----------------------------------------------------------------------------------------------------------


def changes(first: int, stop: int) -> tuple[list[int], list[int]]:
    """Of changes to contacts with these numbers (`stop` not among them) their ids, and the numbers."""
    with cursor() as opened:
        opened.execute(
            "SELECT array_agg(id), array_agg(number) FROM segments_contactchange WHERE number >= %s AND number < %s",
            [first, stop],
        )
        row = opened.fetchone()
    return (list(row[0] or ()), list(row[1] or ())) if row else ([], [])


def forget_changes(ids: Sequence[int]) -> None:
    """Take away changes that a partition now holds."""
    with connection.cursor() as plain:
        plain.execute("DELETE FROM segments_contactchange WHERE id = ANY(%s)", [list(ids)])


def state(first: int, stop: int) -> str:
    """How many contacts have these numbers and when they changed, as one text: another one where any differs."""
    with connection.cursor() as plain:
        plain.execute(
            "SELECT count(*), coalesce(sum(extract(epoch FROM updated_at) * 1000000)::numeric(40), 0)"
            " FROM contacts_contact WHERE number >= %s AND number < %s",
            [first, stop],
        )
        return " ".join(map(str, plain.fetchone()))
