"""The store, ten times as large: partitions of made-up people written beside those there are, and counted again.

These people have no records, only columns: what is measured is the store, and how its cost grows. Also the same count
cut into parts for several workers.
"""

import os
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from django.test import override_settings

from bench import people_columns as made
from bench._count import fresh, timed
from segments.columns import ALWAYS, STILL, Column, Entries, words
from segments.store import files, rows, tables
from segments.store.part import NEARLY_UNIQUE, SIZE, Listed, Part

#: Those of bench._rules that ask nothing of mails and topics, which people without records never got.
NAMES = ("one_clause", "four_clauses", "coded_lists")
WARM = 5


def to(size: int, rules: list[Any], emit: Callable[..., None]) -> None:
    """Grow to `size` people, then emit each rule, in the first count of a process and in later ones."""
    from segments import queries
    from segments.models import Partition

    before = {asked.name: middle(lambda asked=asked: queries.count(asked.rule)) for asked in rules}
    heads = Partition.objects.order_by("-number")
    number, people = heads[0].number + 1, sum(heads.values_list("people", flat=True))
    base, known = people, _known()
    while people < size:
        block = made.block(number, min(SIZE, size - people))
        _write(_part(number, block), known)
        people, number = people + len(block), number + 1
    _somebody_at(number * SIZE - 1)
    emit("grown.people", people, "people")
    counts: dict[str, int] = {}
    with override_settings(SEGMENTS_FAN_OUT=10_000):
        for asked in rules:
            first = fresh({"rule": asked.rule})
            counts[asked.name], warm = middle(lambda asked=asked: queries.count(asked.rule))
            emit(f"grown.{asked.name}.fresh", first["ms"], "ms")
            emit(f"grown.{asked.name}.warm", warm, "ms", before[asked.name][1] * people / base)
            emit(f"grown.{asked.name}.peak_memory", first["peak_mb"], "MB")
    _by_workers(rules, counts, emit)


def middle(count: Callable[[], int]) -> tuple[int, float]:
    runs = [timed(count) for _ in range(WARM + 1)][1:]
    return runs[0][0], median(took for _, took in runs)


def _by_workers(rules: list[Any], counts: dict[str, int], emit: Callable[..., None]) -> None:
    """The same counts shared with two Celery workers; the answers must be the same."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from segments import queries
    from tests.workers import Workers

    with TemporaryDirectory() as folder:
        workers = Workers(Path(folder))
        workers.open()
        try:
            workers.start(2, threads=1)
            for asked in rules:
                count, warm = middle(lambda asked=asked: queries.count(asked.rule))
                assert count == counts[asked.name], (asked.name, count, counts[asked.name])
                emit(f"grown.{asked.name}.two_workers", warm, "ms")
        finally:
            workers.close()


def _somebody_at(number: int) -> None:
    """A person with a record and the highest number: the partitions up to there are those there should be."""
    from django.db import connection

    from contacts.commands import create
    from core.actors import SYSTEM

    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('contact_number', %s)", [number])
    create(values={"external_id": "LAST", "first_name": "Last"}, by=SYSTEM)


def _known() -> list[str]:
    from contacts.models import Attribute

    return sorted(Attribute.objects.values_list("key", flat=True))


def _write(part: Part, known: list[str]) -> None:
    from django.db import transaction

    from phi import seal

    key, wrapped = seal.new_data_key()
    first = part.number * SIZE
    written = {}
    for name, table in tables.of_part(part):
        note = tables.Note(part.number, 1, name, dict(part.kinds), known, rows.state(first, first + SIZE))
        written[name] = files.write(tables.noted(table, note), key)
    with transaction.atomic():
        rows.put(rows.Head(part.number, 1, wrapped, len(part)), written)


def _part(number: int, some: made.Columns) -> Part:
    size = len(some)
    ids = pl.Series("id", [os.urandom(16) for _ in range(size)], dtype=pl.Binary)
    columns = {key: _column(some.table[key], kind) for key, kind in made.KINDS.items() if kind != "coded"}
    listed = {key: _listed(frame, some.first) for key, frame in some.coded.items()}
    return Part(number, np.ones(size, dtype=np.bool_), ids, dict(made.KINDS), columns, listed)


def _column(series: pl.Series, kind: str) -> Column:
    if kind not in ("text", "choice"):
        return series
    texts = series.cast(pl.String)
    return texts if texts.n_unique() > NEARLY_UNIQUE * len(texts) else words(texts)


def _listed(frame: pl.DataFrame, first: int) -> Listed:
    held = frame.with_columns(pl.col("code").str.to_uppercase()).sort("code", "person", "start")
    runs = held["code"].rle().struct.unnest()
    bounds = np.concatenate([[0], runs["len"].to_numpy().astype(np.int64).cumsum()])
    days = [held[key].to_physical().fill_null(missing) for key, missing in (("start", ALWAYS), ("stop", STILL))]
    people = (held["person"] - first).to_numpy().astype(np.int32)
    entries = Entries(tuple(runs["value"]), bounds, people, *(day.to_numpy().astype(np.int32) for day in days))
    return Listed(entries, words(held["name"]))
