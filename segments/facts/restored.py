"""A restored dump: rows know transactions of a server whose numbers went further than those of this one.

Until it is seen to, no fact is wrong, for files that know more than this server are not used; afterwards nothing that
was kept up to some transaction is.
"""

from django.db import connection, transaction

from audit.commands import record
from consent.models import TopicCount
from core.actors import SYSTEM
from segments.models import FactFile
from tracking.models import Mark, Sum

_LOCK = 0xFAC9
#: What was kept up to a transaction, and is counted again from rows where it is missing.
_KEPT = (FactFile, TopicCount, Sum, Mark)
_HIGHEST = """
SELECT greatest((SELECT max(xid) FROM delivery_delivery WHERE outcome = 'sent'), (SELECT max(xid) FROM tracking_event),
                (SELECT max(xid) FROM consent_ledgerentry), (SELECT max(before_xid) - 1 FROM segments_factfile),
                (SELECT max(before_xid) - 1 FROM consent_topiccount), (SELECT max(before_xid) - 1 FROM tracking_mark)),
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint, carillon_xid_base()
"""


def heal() -> bool:
    """Where a row knows a transaction that this server has yet to begin, count on from there, and keep nothing."""
    if _base() is None:
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if (base := _base()) is None:
            return False
        cursor.execute(
            "CREATE OR REPLACE FUNCTION carillon_xid_base() RETURNS bigint LANGUAGE sql IMMUTABLE"
            f" AS 'SELECT {base}::bigint'"
        )
        for model in _KEPT:
            model._default_manager.all().delete()
        record("segments.facts_restored", by=SYSTEM)
    return True


def _base() -> int | None:
    """What to add to this server's numbers; None where what is added will do."""
    with connection.cursor() as cursor:
        cursor.execute(_HIGHEST)
        highest, next_own, base = cursor.fetchone()
    return None if highest is None or highest < next_own + base else int(highest) + 1 - int(next_own)
