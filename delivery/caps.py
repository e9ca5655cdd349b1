"""The frequency cap between two sendings: who counts a person's mails keeps others from counting until its own is told.

Withdrawals have nothing to do with it, so these locks are not theirs (contacts.locks): windows of other people go on.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from core.models import Organization
from core.purposes import MessageClass
from delivery.models import Origin

#: First key of these advisory locks.
SPACE = 0x0C06


def hold(origin_id: UUID, contact_ids: Iterable[UUID]) -> None:
    """Where a cap is set and the mail counts, hold these people until the transaction ends. Before other locks."""
    if not Origin.objects.filter(pk=origin_id, message_class=MessageClass.COMMERCIAL).exists():
        return
    if Organization.current().cap_messages is None:
        return
    keys = sorted({contact_id.int % 2**31 for contact_id in contact_ids})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) AS key", [SPACE, keys])
