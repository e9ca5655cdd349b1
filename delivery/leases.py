"""Who works on a batch: a lease with a deadline and a fencing epoch; the row itself is locked while a window runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from core import clock
from core.purposes import Stream
from delivery.models import Delivery, Origin, Retry, SendBatch

#: First key of the advisory locks of `place`.
SPACE = 0x0C07


@contextmanager
def place(stream: str) -> Iterator[bool]:
    """One of the DELIVERY_PARALLEL places to drain a stream at, or False: so that no stream takes all of a worker.

    Whoever finds none goes; whoever drains comes back as long as there is more, and the sweep looks after the rest.
    """
    first = Stream.values.index(stream) * 1000
    keys = range(first, first + settings.DELIVERY_PARALLEL)
    mine = next((key for key in keys if _asked("pg_try_advisory_lock", key)), None)
    try:
        yield mine is not None
    finally:
        if mine is not None:
            with suppress(DatabaseError):  # a lost connection has lost its locks, too
                _asked("pg_advisory_unlock", mine)


def _asked(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [SPACE, key])
        return bool(cursor.fetchone()[0])


@dataclass(slots=True)
class Lease:
    """A batch that is ours as long as its row bears this epoch."""

    batch_id: UUID
    origin_id: UUID
    visit: str
    contact_ids: list[UUID]
    epoch: int

    def open_ids(self) -> list[UUID]:
        """Recipients without an outcome that do not wait in Retry, in the batch's order."""
        settled = set(
            Delivery.objects.filter(
                origin_id=self.origin_id, visit=self.visit, contact_id__among=self.contact_ids
            ).values_list("contact_id", flat=True)
        )
        settled.update(Retry.objects.filter(batch_id=self.batch_id).values_list("contact_id", flat=True))
        return [contact_id for contact_id in dict.fromkeys(self.contact_ids) if contact_id not in settled]


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)


def claim(stream: str) -> Lease | None:
    """Take the oldest due batch of an open origin that nobody holds; None if there is none."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT b.id FROM delivery_sendbatch b JOIN delivery_origin o ON o.id = b.origin_id
                WHERE b.done_at IS NULL AND b.stream = %(stream)s AND b.due_at <= %(now)s
                  AND (b.leased_until IS NULL OR b.leased_until < %(now)s) AND o.state = %(open)s
                ORDER BY b.due_at, b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED
            )
            UPDATE delivery_sendbatch b SET leased_until = %(until)s, epoch = b.epoch + 1 FROM due WHERE b.id = due.id
            RETURNING b.id, b.origin_id, b.visit, b.contact_ids, b.epoch
            """,
            {"stream": stream, "now": now, "until": _until(now), "open": Origin.State.OPEN},
        )
        row = cursor.fetchone()
    return Lease(*row) if row else None


def renew(lease: Lease) -> bool:
    """Extend our lease and lock the row until this transaction ends; False where another worker has it since."""
    held = SendBatch.objects.filter(pk=lease.batch_id, epoch=lease.epoch, done_at__isnull=True)
    return held.update(leased_until=_until(clock.now())) == 1


def release(lease: Lease, *, due_at: datetime | None = None) -> None:
    """Give the batch back, due at once or later; nothing if it is no longer ours."""
    changes = {"leased_until": None} | ({"due_at": due_at} if due_at else {})
    SendBatch.objects.filter(pk=lease.batch_id, epoch=lease.epoch).update(**changes)


def finish(lease: Lease) -> bool:
    """Mark the batch done if each recipient has an outcome or waits in Retry. Call inside a transaction."""
    if lease.open_ids():
        return False
    held = SendBatch.objects.filter(pk=lease.batch_id, epoch=lease.epoch)
    return held.update(done_at=clock.now(), leased_until=None) == 1
