"""Which transaction wrote a row, so that a reader of what is new misses none that committed late.

`carillon_xid()` is the number of the writing transaction. Ask for `ended()` first, then for the rows: whoever has read
those of transactions that had ended needs to read only the others later, and misses none, however long they take.
(All below `carillon_xmin()` have ended: simpler, but one long transaction holds it back.)
`carillon_xid_base()` is added to all numbers. It is 0 until a dump is restored where numbers begin anew.
"""

from dataclasses import dataclass

from django.db import connection, models
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

_ENDED = """
SELECT pg_snapshot_xmax(s)::text::bigint + carillon_xid_base(), ARRAY(
    SELECT x::text::bigint + carillon_xid_base() FROM pg_snapshot_xip(s) x
    UNION SELECT x::text::bigint + carillon_xid_base() FROM pg_current_xact_id_if_assigned() x WHERE x IS NOT NULL)
FROM pg_current_snapshot() s
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """The transactions that had ended at a moment: those below `before`, but for the `unfinished` ones."""

    before: int
    unfinished: tuple[int, ...] = ()


def ended() -> Ended:
    """Which transactions have ended by now. The caller's own has not."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED)
        before, unfinished = cursor.fetchone()
    return Ended(before, tuple(unfinished))


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
