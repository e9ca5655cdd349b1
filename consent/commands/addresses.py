"""An opt-out kept with the address itself, so that it survives the contact and binds a re-import (CAN-13)."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Q

import contacts.queries
from consent.models import Suppression, Topic
from contacts.models import Contact
from core import clock
from phi import blind


def hash_of(address: str) -> bytes:
    return blind.index("suppression", address)


def index_of(contact_id: UUID) -> bytes | None:
    """What ADDRESS_CONFIRMED remembers of the address: the contact's own email index."""
    index = Contact.objects.filter(pk=contact_id).values_list("email_index", flat=True).first()
    return bytes(index) if index else None


def neighbours(contact_id: UUID, address: str) -> set[UUID]:
    """This contact and everybody with the same address."""
    return {contact_id, *(contacts.queries.by_email(address) if address else ())}


def remember(pairs: Iterable[tuple[bytes, UUID | None]]) -> None:
    """Keep opt-outs with their addresses: (hash, topic or None for everything). Other reasons stand beside them."""
    now, wanted = clock.now(), set(pairs)
    rows = [
        Suppression(address_hash=h, topic_id=t, reason=Suppression.Reason.UNSUBSCRIBED, opted_out=True, at=now)
        for h, t in wanted
    ]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)
    known = Suppression.objects.filter(address_hash__in={h for h, _ in wanted}, opted_out=False)
    found = [row.pk for row in known if (bytes(row.address_hash), row.topic_id) in wanted]
    # What had been released earlier holds again.
    Suppression.objects.filter(pk__in=found, released_at__isnull=False).update(
        released_at=None, reason=Suppression.Reason.UNSUBSCRIBED, at=now, release_note=""
    )
    Suppression.objects.filter(pk__in=found).update(opted_out=True)


def forgive(address: str, topic_id: UUID | None) -> None:
    """A new yes of the person lifts their own earlier no, for this topic only; a bounce or complaint stays."""
    if not address:
        return
    now, own = clock.now(), hash_of(address)
    held = Suppression.objects.filter(address_hash=own, opted_out=True)
    about = Q(topic__isnull=True) if topic_id is None else Q(topic__isnull=True) | Q(topic_id=topic_id)
    everything = held.filter(topic__isnull=True).exists()
    held.filter(about, reason=Suppression.Reason.UNSUBSCRIBED).update(released_at=now, opted_out=False)
    held.filter(about).update(opted_out=False)
    if everything and topic_id:
        others = Topic.objects.filter(removed_at__isnull=True).exclude(pk=topic_id).values_list("pk", flat=True)
        remember((own, other) for other in others)


def kept_out(hashes: Collection[bytes], topic_ids: Collection[UUID]) -> set[tuple[bytes, UUID]]:
    """Of these addresses and topics, the pairs an import may not opt in."""
    rows = Suppression.objects.filter(address_hash__among=hashes, released_at__isnull=True).values_list(
        "address_hash", "topic_id"
    )
    out: set[tuple[bytes, UUID]] = set()
    for address_hash, topic_id in rows:
        for each in topic_ids if topic_id is None else (topic_id,):
            out.add((bytes(address_hash), each))
    return out
