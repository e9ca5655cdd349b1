"""The same people in the clear, as other tools keep them: typed columns with every index a query can use, and JSONB.

Only for comparison: what these tables hold is made up, and they are gone with the scratch database.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import polars as pl
from django.db import connection

from bench import people_columns as made

TYPES = {"text": "text", "choice": "text", "number": "float8", "date": "date", "datetime": "timestamptz"}
LISTS = [key for key, kind in made.KINDS.items() if kind == "coded"]
SCALARS = {key: kind for key, kind in made.KINDS.items() if kind != "coded"}


@contextmanager
def _copy(table: str, columns: list[str]) -> Iterator[io.BytesIO]:
    buffer = io.BytesIO()
    yield buffer
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)") as c,
    ):
        c.write(buffer.getbuffer())


def fill(size: int, first: int, today: date) -> None:
    """Tables plain.person, one for each coded list, plain.document, plain.event and plain.consent, all indexed.

    People bear their contact numbers; events and consents are those the product has.
    """
    typed = ", ".join(f"{key} {TYPES.get(kind, 'boolean')}" for key, kind in SCALARS.items())
    run("CREATE SCHEMA plain")
    run(f"CREATE TABLE plain.person (person int PRIMARY KEY, {typed})")
    for key in LISTS:
        run(f"CREATE TABLE plain.{key} (person int, code text, name text, start date, stop date)")
    for some in made.blocks(size, today=today):
        people = some.table.with_row_index("person", offset=first + some.first).select("person", *SCALARS)
        with _copy("plain.person", people.columns) as buffer:
            people.write_csv(buffer, include_header=False)
        for key in LISTS:
            entries = some.coded[key].with_columns(pl.col("person") + first)
            with _copy(f"plain.{key}", entries.columns) as buffer:
                entries.write_csv(buffer, include_header=False)
    for key in SCALARS:
        run(f"CREATE INDEX ON plain.person ({key})")
    # What one clause after another would want of a scalar table: everything a rule names, in one index.
    run("CREATE INDEX ON plain.person (sex, birth_date, plan, provider) INCLUDE (a1c, state, smoker)")
    run("CREATE INDEX ON plain.person (lower(last_name) text_pattern_ops)")
    for key in LISTS:
        run(f"CREATE INDEX ON plain.{key} (code text_pattern_ops, start) INCLUDE (stop, person)")
        run(f"CREATE INDEX ON plain.{key} (person) INCLUDE (code, start, stop)")
    _documents()
    _events()


def _events() -> None:
    """Who got, opened and clicked what, and who opted in to what, with the narrowest index for each question."""
    run("CREATE TABLE plain.event (origin uuid, kind text, person int, at timestamptz)")
    run(
        "INSERT INTO plain.event SELECT origin_id, kind, c.number, e.at FROM tracking_event e"
        " JOIN contacts_contact c ON c.id = e.contact_id WHERE kind IN ('open', 'click') AND verdict <> 'machine'"
    )
    run(
        "INSERT INTO plain.event SELECT origin_id, 'received', c.number, d.at FROM delivery_delivery d"
        " JOIN contacts_contact c ON c.id = d.contact_id WHERE d.outcome = 'sent'"
    )
    run("CREATE INDEX ON plain.event (origin, kind, person) INCLUDE (at)")
    run("CREATE INDEX ON plain.event (kind, at) INCLUDE (person)")
    run("CREATE INDEX ON plain.event (person, kind, at)")
    run("CREATE TABLE plain.consent (topic uuid, person int, state text)")
    run(
        "INSERT INTO plain.consent SELECT DISTINCT ON (l.topic_id, c.number) l.topic_id, c.number,"
        " CASE l.act WHEN 'opt_in' THEN 'in' ELSE 'out' END FROM consent_ledgerentry l"
        " JOIN contacts_contact c ON c.id = l.contact_id WHERE l.topic_id IS NOT NULL"
        " ORDER BY l.topic_id, c.number, l.number DESC"
    )
    run(
        "DELETE FROM plain.consent p USING contacts_contact c, consent_ledgerentry l"
        " WHERE c.number = p.person AND l.contact_id = c.id AND l.act = 'opt_out_all'"
    )
    run("CREATE INDEX ON plain.consent (topic, state, person)")


def _documents() -> None:
    """Every person as one JSONB document, lists inside, with a GIN index over all of it."""
    lists = " ".join(
        f"LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('code', code, 'start', start, 'stop', stop)) AS {key}"
        f" FROM plain.{key} WHERE person = p.person) AS list_{key} ON true"
        for key in LISTS
    )
    built = " || ".join(f"jsonb_build_object('{key}', {key})" for key in LISTS)
    run("CREATE TABLE plain.document (person int PRIMARY KEY, doc jsonb)")
    run(f"INSERT INTO plain.document SELECT p.person, to_jsonb(p) - 'person' || {built} FROM plain.person p {lists}")
    run("CREATE INDEX ON plain.document USING gin (doc jsonb_path_ops)")
    for key in ("birth_date", "plan", "sex", "provider", "state"):
        run(f"CREATE INDEX ON plain.document ((doc->>'{key}'))")


def settle() -> None:
    """Vacuum and analyze, so that the planner knows all and index-only scans are what they say."""
    for table in ("person", "document", "event", "consent", *LISTS):
        run(f"VACUUM (ANALYZE) plain.{table}")


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def asked(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return int(row[0])


def bytes_of(*tables: str) -> int:
    """On disk, indexes and out-of-line values included."""
    return sum(asked(f"SELECT pg_total_relation_size('{table}')") for table in tables)
