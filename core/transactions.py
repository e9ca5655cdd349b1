"""Which transaction wrote a row, so that a reader of what is new misses none that committed late.

`carillon_xid()` is the number of the writing transaction. Every transaction below `carillon_xmin()` is over: read that
number first, then all rows below it, and what is at or above it is what may still be to come.
`carillon_xid_base()` is added to both. It is 0 until a dump is restored where numbers begin anew.
"""

from django.db import models
from django.db.migrations import RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations import AddField
from django.db.models import Func

FUNCTIONS = """
DO $do$ BEGIN
  IF to_regprocedure('carillon_xid_base()') IS NULL THEN
    CREATE FUNCTION carillon_xid_base() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint';
    CREATE FUNCTION carillon_xid() RETURNS bigint LANGUAGE sql VOLATILE
      AS 'SELECT pg_current_xact_id()::text::bigint + carillon_xid_base()';
    CREATE FUNCTION carillon_xmin() RETURNS bigint LANGUAGE sql STABLE
      AS 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + carillon_xid_base()';
  END IF;
END $do$;
"""


def xid() -> "models.BigIntegerField[int, int]":
    """The transaction that wrote the row; 0 in rows older than the column."""
    return models.BigIntegerField(db_default=Func(function="carillon_xid"), editable=False)


def add_xid(table: str, model: str) -> SeparateDatabaseAndState:
    """Add the column without rewriting the table: old rows get a constant, new ones their transaction's number."""
    return SeparateDatabaseAndState(
        [
            RunSQL(
                f"{FUNCTIONS}ALTER TABLE {table} ADD COLUMN xid bigint NOT NULL DEFAULT 0;"
                f"ALTER TABLE {table} ALTER COLUMN xid SET DEFAULT carillon_xid();",
                f"ALTER TABLE {table} DROP COLUMN xid",
            )
        ],
        [AddField(model, "xid", xid())],
    )
