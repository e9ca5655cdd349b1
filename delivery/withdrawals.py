"""Take back single messages that are not handed over yet: whoever they are about has left what decided to write."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

from audit import commands as audit
from core import clock
from core.actors import By
from delivery import outcomes
from delivery.ids import delivery_id
from delivery.models import Delivery, Origin, Retry

#: Origin, contact, visit.
Message = tuple[UUID, UUID, str]

# Batches not done yet are few, whatever their origins sent before.
_OPEN = """
SELECT b.id, b.origin_id, b.visit, m.contact_id
FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS m(origin_id, contact_id, visit)
JOIN delivery_sendbatch b ON b.origin_id = m.origin_id AND b.visit = m.visit AND m.contact_id = ANY(b.contact_ids)
WHERE b.done_at IS NULL
"""
_HOLD_BATCHES = "SELECT id FROM delivery_sendbatch WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_HOLD_RETRIES = "SELECT id, batch_id FROM delivery_retry WHERE id = ANY(%s) ORDER BY id FOR UPDATE"


@transaction.atomic
def withdraw_messages(messages: Iterable[Message], *, by: By) -> int:
    """Give those of these messages that have no outcome yet that of CANCELLED; how many. Doing it again does nothing.

    A window of sending holds its batch, or the retries it tries, until its outcomes are committed: this waits for it.
    Once this has committed none of them leaves any more; a window asks again who has an outcome. No lock on people is
    taken, so that it may stand anywhere in a transaction, but before origins are locked (add_batches).
    """
    wanted = {delivery_id(*message): message for message in messages}
    if not wanted:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [list(column) for column in zip(*wanted.values(), strict=True)])
        found = {delivery_id(origin, contact, visit): batch for batch, origin, visit, contact in cursor.fetchall()}
        cursor.execute(_HOLD_BATCHES, [list(set(found.values()))])
        cursor.execute(_HOLD_RETRIES, [list(wanted)])
        found |= dict(cursor.fetchall())
    groups: dict[tuple[UUID, UUID, str], list[outcomes.Row]] = {}
    now = clock.now()
    for key, batch_id in found.items():
        origin_id, contact_id, visit = wanted[key]
        row = outcomes.Row(key, contact_id, Delivery.Outcome.CANCELLED, now, reasons=("withdrawn",))
        groups.setdefault((origin_id, batch_id, visit), []).append(row)
    withdrawn: Counter[UUID] = Counter()
    for (origin_id, batch_id, visit), rows in groups.items():
        withdrawn[origin_id] += outcomes.append(origin_id, batch_id, visit, rows)
    Retry.objects.filter(pk__among=wanted).delete()
    entries = [
        audit.build("delivery.withdrawn", by=by, target=Origin(pk=origin_id), messages=count)
        for origin_id, count in withdrawn.items()
        if count
    ]
    if entries:
        audit.record_many(entries)
    return withdrawn.total()
