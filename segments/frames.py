"""Opened records as typed columns: the form in which rules see people. Pure.

Types: text and choice String · number Float64 · date Date · date-time Datetime(UTC) · yes/no Boolean ·
coded list List(Struct(code, start, stop)). A value that does not have its type counts as missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import polars as pl

from contacts.models import Kind
from contacts.records import Record

ENTRY = pl.Struct({"code": pl.String, "start": pl.Date, "stop": pl.Date})
TYPES: dict[str, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.CHOICE: pl.String(),
    Kind.NUMBER: pl.Float64(),
    Kind.DATE: pl.Date(),
    Kind.DATETIME: pl.Datetime("us", "UTC"),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.CODED: pl.List(ENTRY),
}


def frame(people: Sequence[tuple[UUID, Record]], kinds: Mapping[str, str]) -> pl.DataFrame:
    """One row a person, in the given order; one column per attribute key of `kinds`."""
    columns = [pl.Series("id", [i.bytes for i, _ in people], dtype=pl.Binary)]
    records = [record for _, record in people]
    for key, kind in kinds.items():
        columns.append(_coded(key, records) if kind == Kind.CODED else _scalar(key, kind, records))
    return pl.DataFrame(columns)


def _scalar(key: str, kind: str, records: Sequence[Record]) -> pl.Series:
    raw = [record.values.get(key) for record in records]
    if kind == Kind.NUMBER:
        typed: list[Any] = [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None for v in raw]
        return pl.Series(key, typed, dtype=pl.Float64)
    stored = bool if kind == Kind.BOOLEAN else str
    typed = [v if isinstance(v, stored) else None for v in raw]
    if kind == Kind.DATE:
        return pl.Series(key, typed, dtype=pl.String).str.to_date("%Y-%m-%d", strict=False)
    if kind == Kind.DATETIME:
        moments = pl.Series(key, typed, dtype=pl.String)
        return moments.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return pl.Series(key, typed, dtype=TYPES[kind])


def _coded(key: str, records: Sequence[Record]) -> pl.Series:
    """Built flat and folded by Polars: many times faster than nested Python lists."""
    entries = [(n, e.code, e.start, e.stop) for n, record in enumerate(records) for e in record.coded.get(key, ())]
    flat = pl.DataFrame(
        entries, schema={"row": pl.Int64, "code": pl.String, "start": pl.String, "stop": pl.String}, orient="row"
    ).with_columns(pl.col("start", "stop").str.to_date("%Y-%m-%d", strict=False))
    lists = flat.group_by("row", maintain_order=True).agg(pl.struct("code", "start", "stop").alias(key))
    rows = pl.DataFrame({"row": pl.Series(range(len(records)), dtype=pl.Int64)})
    return rows.join(lists, on="row", how="left", maintain_order="left")[key].cast(TYPES[Kind.CODED])
