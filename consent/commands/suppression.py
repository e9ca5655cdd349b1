"""Addresses that get nothing, whoever they belong to."""

from django.db import transaction

import contacts.queries
from audit.commands import record
from consent import locks
from consent.commands import addresses
from consent.errors import BadAddress, NotSuppressed, OptedOutByPerson
from consent.models import Suppression
from contacts.addresses import clean
from contacts.errors import BadValue
from core import clock
from core.actors import By


@transaction.atomic
def suppress(address: str, *, reason: str, note: str = "", by: By) -> Suppression:
    """Let nothing reach this address any more; only its keyed hash is kept. Raises BadAddress.

    Waits for senders to whoever has the address: never call it where `locks.hold_shared` is held.
    """
    try:
        address = clean(address)
    except BadValue as problem:
        raise BadAddress(str(problem)) from None
    locks.hold_exclusive(contacts.queries.by_email(address))
    held, _ = Suppression.objects.select_for_update().get_or_create(
        address_hash=addresses.hash_of(address),
        topic=None,
        defaults={"reason": reason, "note": note, "at": clock.now()},
    )
    if held.released_at is not None:
        held.reason, held.note, held.at = reason, note, clock.now()
        held.released_at, held.release_note = None, ""
        held.save()
    record("suppression.added", by=by, target=held, reason=reason)
    return held


@transaction.atomic
def release(suppression: Suppression, *, note: str, by: By) -> Suppression:
    """Let an address be written to again, and keep why. Raises OptedOutByPerson for a person's own opt-out."""
    held = Suppression.objects.select_for_update().get(pk=suppression.pk)
    if held.released_at is not None:
        raise NotSuppressed("This address is not suppressed any more. Reload the list.")
    if held.reason == Suppression.Reason.UNSUBSCRIBED:
        raise OptedOutByPerson(
            "The person opted out themselves, so only they can take it back: record their new opt-in on their page."
        )
    if not note.strip():
        raise NotSuppressed("Say why this address may be written to again.")
    held.released_at, held.release_note = clock.now(), note.strip()
    held.save(update_fields=["released_at", "release_note"])
    record("suppression.released", by=by, target=held, reason=held.reason)
    return held
