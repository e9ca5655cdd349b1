"""Who waits for whom: a sender never overlaps on the same person with what would stop or redirect it (docs/adr/0031).

Every withdrawal and suppression holds its people exclusively until it commits, and so does whoever deletes people or
changes their address. A sender holds its recipients shared from its last read of the facts until its outcome rows
commit, and so does whoever records a yes after reading that there is no no. So once a withdrawal has committed,
nothing leaves that was decided before it, and once an address is changed, nothing leaves to the old one.

These locks come before any lock on rows of contacts, and a transaction takes all of them in one pass: nobody who holds
some waits for others.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

#: First key of these locks.
SPACE = 0x0C05
#: People share this many locks, so that a chunk of any size fits PostgreSQL's lock table.
BUCKETS = 2048


def buckets(contact_ids: Iterable[UUID]) -> list[int]:
    """The locks these people stand behind, in the one order everybody takes them in."""
    return sorted({contact_id.int % BUCKETS for contact_id in contact_ids})


#: The sort keeps two transactions from waiting for each other; unnest keeps the order of its arrays.
HOLD = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock(%s, key) ELSE pg_advisory_xact_lock_shared(%s, key) END
FROM unnest(%s::int[], %s::bool[]) AS wanted(key, alone)
"""


def hold(*, shared: Iterable[UUID] = (), exclusive: Iterable[UUID] = ()) -> None:
    """Take both kinds in one pass, each lock once and in its stronger kind: no one ever turns shared into exclusive."""
    alone = set(buckets(exclusive))
    keys = sorted(alone.union(buckets(shared)))
    if not keys:
        return
    if not connection.in_atomic_block:
        raise RuntimeError("A lock on people lives and dies with a transaction: open one first.")
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [SPACE, SPACE, keys, [key in alone for key in keys]])


def hold_shared(contact_ids: Iterable[UUID]) -> None:
    """Keep withdrawals and changes of address of these people waiting until this transaction ends. Inside one only."""
    hold(shared=contact_ids)


def hold_exclusive(contact_ids: Iterable[UUID]) -> None:
    """Wait for senders to these people, then keep them waiting until this transaction ends. Inside one only."""
    hold(exclusive=contact_ids)
