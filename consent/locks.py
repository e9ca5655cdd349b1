"""Who waits for whom: a withdrawal and a sender never overlap on the same person (docs/adr/0031).

Every withdrawal and suppression holds its people exclusively until it commits. A sender holds its recipients shared
from its last read of the facts until its outcome rows commit, and so does whoever records a yes after reading that
there is no no. So once a withdrawal has committed, nothing leaves that was decided before it.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

#: First key of all advisory locks of this room.
SPACE = 0x0C05
#: People share this many locks, so that a chunk of any size fits PostgreSQL's lock table.
BUCKETS = 2048


def buckets(contact_ids: Iterable[UUID]) -> list[int]:
    """The locks these people stand behind, in the one order everybody takes them in."""
    return sorted({contact_id.int % BUCKETS for contact_id in contact_ids})


def _hold(contact_ids: Iterable[UUID], function: str) -> None:
    keys = buckets(contact_ids)
    if not keys:
        return
    if not connection.in_atomic_block:
        raise RuntimeError("A lock on people lives and dies with a transaction: open one first.")
    with connection.cursor() as cursor:
        # The sort keeps two transactions from waiting for each other; unnest keeps the order of its array.
        cursor.execute(f"SELECT {function}(%s, key) FROM unnest(%s::int[]) AS key", [SPACE, keys])  # noqa: S608


def hold_shared(contact_ids: Iterable[UUID]) -> None:
    """Keep withdrawals of these people waiting until this transaction ends. Must be called inside one."""
    _hold(contact_ids, "pg_advisory_xact_lock_shared")


def hold_exclusive(contact_ids: Iterable[UUID]) -> None:
    """Wait for senders to these people, then keep them waiting until this transaction ends. Inside one only."""
    _hold(contact_ids, "pg_advisory_xact_lock")
