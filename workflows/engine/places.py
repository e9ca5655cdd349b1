"""How many work at a time: so that journeys never take all of a worker, and one that ends makes room at once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DatabaseError, connection

#: First key of these advisory locks.
SPACE = 0x0C08

_TAKEN = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def place() -> Iterator[bool]:
    """One of the WORKFLOWS_PARALLEL places to work at, or False. Whoever finds none goes: others are at it."""
    mine = next((key for key in range(settings.WORKFLOWS_PARALLEL) if _asked("pg_try_advisory_lock", key)), None)
    try:
        yield mine is not None
    finally:
        if mine is not None:
            with suppress(DatabaseError):  # a lost connection has lost its locks, too
                _asked("pg_advisory_unlock", mine)


def free() -> int:
    """How many places are free."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, [SPACE])
        return max(0, settings.WORKFLOWS_PARALLEL - int(cursor.fetchone()[0]))


def _asked(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [SPACE, key])
        return bool(cursor.fetchone()[0])
