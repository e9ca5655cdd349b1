"""A restored dump: rows know transactions of a server whose numbers went further than those of this one."""

from django.db import connection, transaction

from audit.commands import record
from core.actors import SYSTEM
from segments.models import FactFile

_LOCK = 0xFAC9
_HIGHEST = """
SELECT greatest((SELECT max(xid) FROM delivery_delivery WHERE outcome = 'sent'), (SELECT max(xid) FROM tracking_event),
                (SELECT max(xid) FROM consent_ledgerentry), (SELECT max(before_xid) - 1 FROM segments_factfile)),
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint, carillon_xid_base()
"""


def heal() -> bool:
    """Where a row or file knows a transaction that this server has yet to begin, count on from there.

    Until then no answer is wrong: files that know more than this server are not used.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HIGHEST)
        highest, next_own, base = cursor.fetchone()
        if highest is None or highest < next_own + base:
            return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_HIGHEST)
        highest, next_own, base = cursor.fetchone()
        if highest < next_own + base:
            return False
        base = int(highest) + 1 - int(next_own)
        cursor.execute(
            "CREATE OR REPLACE FUNCTION carillon_xid_base() RETURNS bigint LANGUAGE sql IMMUTABLE"
            f" AS 'SELECT {base}::bigint'"
        )
        gone, _ = FactFile.objects.all().delete()
        record("segments.facts_restored", by=SYSTEM, files=gone)
    return True
