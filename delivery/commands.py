"""Hand work to the door, and stop it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from audit.commands import record
from consent import queries as consents
from content.models import TemplateVersion
from core import clock
from core.actors import SYSTEM, By
from core.jobs import enqueue
from core.purposes import Stream
from core.sensitivity import Sensitivity
from delivery import builtin, outcomes
from delivery.errors import NoSuchOrigin, OriginCancelled, OriginDiffers
from delivery.ids import delivery_id
from delivery.models import Delivery, Origin, Retry, SendBatch, Sender
from delivery.origins import settle
from delivery.withdrawals import withdraw_messages

__all__ = [
    "add_batches",
    "cancel",
    "hold",
    "open_origin",
    "resume",
    "send_confirmation",
    "settle",
    "settle_cancelled",
    "withdraw_messages",
]

BATCH = 500


@transaction.atomic
def open_origin(
    origin_id: UUID,
    *,
    kind: str,
    stream: str,
    purpose: str,
    message_class: str,
    topic_id: UUID | None,
    template_version: TemplateVersion,
    sender: Sender,
    tier: str,
    approved_digest: bytes,
    track_opens: bool = False,
    track_clicks: bool = False,
    by: By,
) -> Origin:
    """Make known what decided to write; called again with the same facts, the same row. Raises OriginDiffers."""
    fixed = {
        "kind": kind,
        "stream": stream,
        "purpose": purpose,
        "message_class": message_class,
        "topic_id": topic_id,
        "template_version": template_version,
        "sender": sender,
        "tier": tier,
        "track_opens": track_opens,
        "track_clicks": track_clicks,
        "approved_digest": bytes(approved_digest),
    }
    origin, created = Origin.objects.get_or_create(pk=origin_id, defaults=fixed)
    if created:
        record("delivery.opened", by=by, target=origin, stream=stream, tier=tier)
        return origin
    same = {name: getattr(origin, name) for name in fixed} | {"approved_digest": bytes(origin.approved_digest)}
    if same != fixed:
        raise OriginDiffers("This sending was opened before with other content or another sender. Start a new one.")
    return origin


@transaction.atomic
def add_batches(
    origin: Origin, contact_ids: Sequence[UUID], *, due_at: datetime, visit: str = "", start: bool = True
) -> int:
    """Queue messages to these people, each once per visit; how many batches. Raises OriginCancelled.

    `start` False: another call in the same transaction has the sending begin, or the sweep.
    """
    origin = _locked(origin.pk)
    if origin.state == Origin.State.CANCELLED:
        raise OriginCancelled("This sending was cancelled. Start a new one.")
    ids = list(dict.fromkeys(contact_ids))
    batches = [
        SendBatch(origin=origin, stream=origin.stream, visit=visit, contact_ids=ids[at : at + BATCH], due_at=due_at)
        for at in range(0, len(ids), BATCH)
    ]
    SendBatch.objects.bulk_create(batches)
    if batches:
        Origin.objects.filter(pk=origin.pk).update(drained_at=None)
    if batches and start:
        enqueue("delivery.drain", str(origin.stream), queue=str(origin.stream))
    return len(batches)


def _locked(origin_id: UUID) -> Origin:
    # No key lock: outcome rows refer to the origin and to their batch, and must not wait for whoever pauses or cancels.
    try:
        return Origin.objects.select_for_update(no_key=True).get(pk=origin_id)
    except Origin.DoesNotExist:
        raise NoSuchOrigin("There is nothing to send under this id.") from None


@transaction.atomic
def hold(origin_id: UUID, *, by: By) -> Origin:
    """Pause: what is being handed over this second still leaves, nothing after it."""
    origin = _locked(origin_id)
    if origin.state == Origin.State.CANCELLED:
        raise OriginCancelled("This sending was cancelled and cannot be paused.")
    origin.state = Origin.State.HELD
    origin.save(update_fields=["state"])
    record("delivery.held", by=by, target=origin)
    return origin


@transaction.atomic
def resume(origin_id: UUID, *, by: By) -> Origin:
    """Go on where it stopped."""
    origin = _locked(origin_id)
    if origin.state == Origin.State.CANCELLED:
        raise OriginCancelled("This sending was cancelled and cannot go on. Start a new one.")
    origin.state = Origin.State.OPEN
    origin.save(update_fields=["state"])
    record("delivery.resumed", by=by, target=origin)
    enqueue("delivery.drain", str(origin.stream), queue=str(origin.stream))
    return origin


@transaction.atomic
def spread(origin_id: UUID, *, seconds: int) -> int:
    """Let what waits in batches leave over so many seconds instead of at once; how many batches."""
    now = clock.now()
    batches = SendBatch.objects.filter(origin_id=origin_id, done_at__isnull=True).order_by("pk")
    waiting = list(batches.select_for_update(no_key=True))
    for number, batch in enumerate(waiting):
        batch.due_at = max(batch.due_at, now + timedelta(seconds=seconds * number / len(waiting)))
    return SendBatch.objects.bulk_update(waiting, ["due_at"], batch_size=1000)


@transaction.atomic
def cancel(origin_id: UUID, *, by: By) -> Origin:
    """Stop for good: whoever has no outcome gets "cancelled", by a job that waits for windows under way."""
    origin = _locked(origin_id)
    if origin.state != Origin.State.CANCELLED:
        origin.state = Origin.State.CANCELLED
        origin.save(update_fields=["state"])
        record("delivery.cancelled", by=by, target=origin)
    enqueue("delivery.settle_cancelled", origin_id)
    return origin


def settle_cancelled(origin_id: UUID) -> int:
    """Give everybody of a cancelled origin who has no outcome that of CANCELLED, batch by batch; how many."""
    open_batches = SendBatch.objects.filter(origin_id=origin_id, done_at__isnull=True)
    waiting = Retry.objects.filter(batch__origin_id=origin_id)
    count = 0
    for batch_id in {*open_batches.values_list("pk", flat=True), *waiting.values_list("batch_id", flat=True)}:
        count += _cancel_batch(batch_id)
    with transaction.atomic():
        settle(origin_id)
    return count


@transaction.atomic
def _cancel_batch(batch_id: UUID) -> int:
    # A window under way holds this lock, and the locks of the retries it tries, until its outcomes are committed. A
    # window of retries holds only those, and its outcomes refer to the batch: a key lock on it would be a deadlock.
    batch = SendBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
    list(Retry.objects.select_for_update().filter(batch=batch).values_list("pk", flat=True))
    now = clock.now()
    rows = [
        outcomes.Row(
            delivery_id(batch.origin_id, contact_id, batch.visit),
            contact_id,
            Delivery.Outcome.CANCELLED,
            now,
            reasons=("cancelled",),
        )
        for contact_id in batch.contact_ids
    ]
    added = outcomes.append(batch.origin_id, batch.pk, batch.visit, rows)
    Retry.objects.filter(batch=batch).delete()
    SendBatch.objects.filter(pk=batch_id).update(done_at=now, leased_until=None)
    return added


def _sender_to_confirm() -> Sender | None:
    return Sender.objects.filter(removed_at__isnull=True, domain__verified_at__isnull=False).first()


def can_confirm() -> bool:
    """Whether there is somebody in whose name a double opt-in mail can go out."""
    return _sender_to_confirm() is not None


@transaction.atomic
def send_confirmation(contact_id: UUID, topic_id: UUID) -> Origin | None:
    """Send the double opt-in mail for the request that is pending; None if there is none, or no sender to send it.

    The origin's id is the request's, so the same request never makes two mails.
    """
    request = consents.pending_request(contact_id, topic_id)
    sender = _sender_to_confirm()
    if request is None or sender is None or Origin.objects.filter(pk=request.pk).exists():
        return None
    version = builtin.version()
    origin = open_origin(
        request.pk,
        kind=Origin.Kind.CALL,
        stream=Stream.TRANSACTIONAL,
        purpose=version.purpose,
        message_class=version.message_class,
        topic_id=topic_id,
        template_version=version,
        sender=sender,
        tier=Sensitivity.IDENTITY,
        approved_digest=bytes(version.digest),
        by=SYSTEM,
    )
    # Two at once both saw no origin: the second waits here for the first, and sees its batch.
    if _locked(origin.pk).batches.exists():
        return None
    add_batches(origin, [contact_id], due_at=clock.now())
    return origin
