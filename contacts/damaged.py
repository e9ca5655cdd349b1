"""Records that do not open: noted where they are found, shown to staff until they open again or are gone.

Who cannot be read matches no rule and gets no mail. That must not be known to a log alone (SEC-17).
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import connection, transaction

from audit.commands import build, record_many
from contacts.models import Contact, Damaged
from contacts.seal import SealedRow, open_record
from core import clock
from core.actors import SYSTEM
from core.jobs import enqueue
from phi.errors import SealBroken

#: So many are noted at most, and told to the trail: if more are damaged, it is not records that are to be mended.
MOST = 1_000
#: Ids in one job.
BATCH = 100


def found(ids: Collection[UUID]) -> None:
    """Have it noted that these records did not open. One statement, nothing written where it is known; for readers,
    who may be amid anything: what notes it is a job of its own."""
    known = set(Damaged.objects.filter(pk__among=ids).values_list("pk", flat=True))
    news = [pk for pk in dict.fromkeys(ids) if pk not in known]
    if news and Damaged.objects.count() < MOST:
        for start in range(0, min(len(news), MOST), BATCH):
            enqueue("contacts.note_damaged", *news[start : start + BATCH])


@transaction.atomic
def note(ids: Iterable[UUID]) -> int:
    """Note those of these records that really do not open, once each; how many are new. Raises KeyUnavailable."""
    room = max(MOST - Damaged.objects.count(), 0)
    broken = sorted(_unreadable(ids))[:room]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_damaged (contact_id, since) SELECT unnest(%s::uuid[]), %s"
            " ON CONFLICT DO NOTHING RETURNING contact_id",
            [broken, clock.now()],
        )
        new = [row[0] for row in cursor.fetchall()]
    record_many(build("contact.unreadable", by=SYSTEM, target=Contact(pk=pk), subject=pk) for pk in new)
    return len(new)


@transaction.atomic
def look_again() -> int:
    """Forget those who open again, or were deleted; how many. Raises KeyUnavailable."""
    noted = set(Damaged.objects.select_for_update(skip_locked=True).values_list("pk", flat=True))
    if not noted:
        return 0
    there = set(Contact.objects.filter(pk__among=noted).values_list("pk", flat=True))
    mended = there - _unreadable(there)
    gone = [*mended, *(noted - there)]
    Damaged.objects.filter(pk__among=gone).delete()
    record_many(build("contact.readable", by=SYSTEM, target=Contact(pk=pk), subject=pk) for pk in sorted(mended))
    return len(gone)


def is_so(contact: Contact) -> bool:
    """Whether this record does not open, as it is now."""
    try:
        open_record(SealedRow(contact.pk, contact.kek_id, bytes(contact.data_key), bytes(contact.sealed)))
    except SealBroken:
        return True
    return False


def _unreadable(ids: Iterable[UUID]) -> set[UUID]:
    rows = Contact.objects.filter(pk__among=ids).only("id", "kek_id", "data_key", "sealed")
    return {row.pk for row in rows if is_so(row)}
