"""Key rotation: add a key, move everything under it while the product runs, destroy the old one (KEY-03).

Safe to stop at any moment and to start again: every batch commits by itself, and every row stays readable throughout.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from audit.commands import record
from core import clock
from core.actors import By
from phi.errors import KeyInUse
from phi.fields import EncryptedTextField
from phi.keyring import keyring
from phi.queries import kek_usage, rewritable_fields, wrapping_models

#: How long a superseded key must rest: a transaction begun under it has committed or died by then.
REST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows moved so far in one column."""

    place: str
    done: int
    total: int
    step: int


@transaction.atomic
def add_key(*, by: By) -> str:
    """Make a new key-encryption key the current one. Returns its id."""
    kek_id = keyring().add_kek()
    record("keys.added", by=by, kek=kek_id)
    return kek_id


@transaction.atomic
def add_field_key(*, by: By) -> str:
    """Make a new key for encrypted scalars the current one. Returns its id."""
    key_id = keyring().add_field_key()
    record("keys.field_key_added", by=by, key=key_id)
    return key_id


def rewrap(*, by: By, batch: int = 2_000) -> Iterator[Progress]:
    """Wrap every data key under the current key-encryption key. Sealed data is not touched."""
    current, moved = keyring().current_kek(), 0

    def again(old: bytes, kek_id: str) -> tuple[bytes, str]:
        return keyring().wrap(keyring().unwrap(bytes(old), kek_id), current), current

    for model, field in wrapping_models():
        writes = {field: "bytea", "kek_id": "text"}
        for progress in _walk(Column(model, (field, "kek_id"), again, writes, "kek_id", current), batch):
            yield progress
            moved += progress.step
    record("keys.rewrapped", by=by, kek=current, rows=moved)


def rewrite_fields(*, by: By, batch: int = 500) -> Iterator[Progress]:
    """Encrypt every encrypted scalar anew under the current field key, but for append-only tables."""
    current, moved = keyring().current_field_key(), 0
    for model, field in rewritable_fields():
        name = field.column
        column = Column(model, (name,), partial(_again, field), {name: "text"}, f"split_part({name}, '.', 2)", current)
        for progress in _walk(column, batch):
            yield progress
            moved += progress.step
    record("keys.fields_rewritten", by=by, key=current, rows=moved)


def _again(field: EncryptedTextField, stored: str) -> tuple[str]:
    return (field.encrypt(field.decrypt(stored)),)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that rotation moves: what is read of a row, how it is made anew, and the SQL of its key's id."""

    model: type[Model]
    reads: tuple[str, ...]
    again: Callable[..., tuple[str | bytes, ...]]
    writes: dict[str, str]
    key_id: str
    current: str

    @property
    def table(self) -> str:
        return self.model._meta.db_table


def _left(column: Column) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {column.table} WHERE {column.key_id} <> %s AND {column.reads[0]} IS NOT NULL",  # noqa: S608
            [column.current],
        )
        return int(cursor.fetchone()[0])


def _walk(column: Column, batch: int) -> Iterator[Progress]:
    """Pass over the table by primary key until nothing is left under another key; rows in use are met again later."""
    left = total = _left(column)
    after = None
    while left > 0:
        count, after = _move(column, batch, after)
        left -= count
        if count:
            yield Progress(f"{column.table}.{column.reads[0]}", total - left, total, count)
        if after is None:  # the end of a pass
            left = _left(column)
            total = max(total, left)
            if left:
                time.sleep(0.2)


@transaction.atomic
def _move(column: Column, batch: int, after: Any) -> tuple[int, Any]:
    """One batch. Never waits for a row (SKIP LOCKED), so it can be in nobody's way for longer than itself."""
    pk = column.model._meta.pk
    key, key_type = pk.column, pk.rel_db_type(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, {', '.join(column.reads)} FROM {column.table}"  # noqa: S608
            f" WHERE {column.key_id} <> %s AND {column.reads[0]} IS NOT NULL AND (%s::{key_type} IS NULL OR {key} > %s)"
            f" ORDER BY {key} LIMIT %s FOR UPDATE SKIP LOCKED",
            [column.current, after, after, batch],
        )
        rows = cursor.fetchall()
        if not rows:
            return 0, None
        values = [list(value) for value in zip(*(column.again(*row[1:]) for row in rows), strict=True)]
        sets = ", ".join(f"{name} = v.{name}" for name in column.writes)
        arrays = ", ".join(f"%s::{kind}[]" for kind in column.writes.values())
        cursor.execute(
            f"UPDATE {column.table} t SET {sets}"  # noqa: S608
            f" FROM unnest(%s::text[], {arrays}) AS v(id, {', '.join(column.writes)}) WHERE t.{key} = v.id::{key_type}",
            [[str(row[0]) for row in rows], *values],
        )
    return len(rows), rows[-1][0]


@transaction.atomic
def retire_key(kek_id: str, *, by: By, rest: timedelta = REST) -> None:
    """Destroy a superseded key-encryption key; KeyInUse while anything is, or might be, wrapped by it."""
    kek = next((kek for kek in keyring().keks() if kek.id == kek_id), None)
    if kek is None:
        raise KeyInUse(f"There is no key {kek_id}.")
    if kek.superseded_at is None:
        raise KeyInUse("This key is the current one. Rotate first; then it can be retired.")
    if (until := kek.superseded_at + rest) > clock.now():
        raise KeyInUse(f"Running work may still use this key. It can be retired from {until:%H:%M} UTC on.")
    if in_use := kek_usage()[kek_id]:
        raise KeyInUse(f"{in_use:,} data keys are still wrapped by this key. Run rotate_keys again first.")
    record("keys.retired", by=by, kek=kek_id)
    keyring().retire_kek(kek_id)
