"""Addresses that get nothing, whoever they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q

import contacts.queries
from audit.commands import record
from consent import queries
from consent.commands import addresses
from consent.errors import BadAddress, NotSuppressed, OptedOutByPerson
from consent.ledger import NewAct, append_many
from consent.models import Act, Source, Suppression
from contacts import locks
from contacts.addresses import clean
from contacts.errors import BadValue
from contacts.models import Contact
from core import clock
from core.actors import By
from phi import blind


def _by_person(reason: str) -> bool:
    return reason == Suppression.Reason.UNSUBSCRIBED


@transaction.atomic
def suppress(address: str, *, reason: str, note: str = "", by: By) -> Suppression:
    """Let nothing reach this address any more; only its keyed hash is kept. Raises BadAddress.

    After a bounce the address must be confirmed anew before health information goes there again (PRV-24).
    Waits for senders to whoever has the address: never call it where `locks.hold_shared` is held.
    """
    try:
        address = clean(address)
    except BadValue as problem:
        raise BadAddress(str(problem)) from None
    holders = contacts.queries.by_email(address)
    locks.hold_exclusive(holders)
    if reason == Suppression.Reason.BOUNCED:
        facts = queries.facts_for(holders, None)
        confirmed = [i for i in holders if facts[i].address_confirmed]
        append_many([NewAct(i, Act.ADDRESS_UNCONFIRMED, Source.BOUNCE) for i in confirmed], by=by)
    held, _ = Suppression.objects.select_for_update().get_or_create(
        address_hash=addresses.hash_of(address),
        topic=None,
        defaults={"reason": reason, "note": note, "at": clock.now(), "opted_out": _by_person(reason)},
    )
    # A complaint, a bounce or the staff's word outlasts the person's next yes, which their own opt-out would not.
    if held.released_at is not None or held.reason == Suppression.Reason.UNSUBSCRIBED:
        held.reason, held.note, held.at = reason, note, clock.now()
        held.released_at, held.release_note = None, ""
        held.opted_out = held.opted_out or _by_person(reason)
        held.save()
    record("suppression.added", by=by, target=held, reason=reason)
    return held


@dataclass(slots=True)
class Taken:
    """What became of a list of addresses. `refused`: positions (from 1) of what is no address."""

    added: int = 0
    already: int = 0
    refused: list[int] = field(default_factory=list)


@transaction.atomic
def suppress_many(addresses_given: Sequence[str], *, reason: str, by: By) -> Taken:
    """Suppress a whole list, set-wise: what another system kept of opt-outs comes along (CAN-12)."""
    taken, cleaned = Taken(), {}
    for place, text in enumerate(addresses_given, 1):
        try:
            address = clean(text)
        except BadValue:
            taken.refused.append(place)
            continue
        cleaned[addresses.hash_of(address)] = blind.index("email", address)
    holders = Contact.objects.filter(email_index__in=list(cleaned.values())).values_list("pk", flat=True)
    locks.hold_exclusive(holders)
    now = clock.now()
    known = Suppression.objects.filter(address_hash__in=list(cleaned), topic=None)
    standing = {bytes(row) for row in known.filter(released_at=None).values_list("address_hash", flat=True)}
    weaker = Q(released_at__isnull=False)
    if _by_person(reason):
        known.update(opted_out=True)
    else:
        weaker |= Q(reason=Suppression.Reason.UNSUBSCRIBED)
    again = known.filter(weaker).update(reason=reason, at=now, released_at=None, note="", release_note="")
    new = [
        Suppression(address_hash=h, reason=reason, opted_out=_by_person(reason), at=now)
        for h in cleaned
        if h not in standing
    ]
    Suppression.objects.bulk_create(new, batch_size=5000, ignore_conflicts=True)
    taken.already, taken.added = len(standing), len(cleaned) - len(standing)
    record("suppression.imported", by=by, added=taken.added, again=again, already=taken.already, reason=reason)
    return taken


@transaction.atomic
def release(suppression: Suppression, *, note: str, by: By) -> Suppression:
    """Let an address be written to again, and keep why. Raises OptedOutByPerson for a person's own opt-out."""
    held = Suppression.objects.select_for_update().get(pk=suppression.pk)
    if held.released_at is not None:
        raise NotSuppressed("This address is not suppressed any more. Reload the list.")
    if held.opted_out:
        raise OptedOutByPerson(
            "The person opted out themselves, so only they can take it back: record their new opt-in on their page."
        )
    if not note.strip():
        raise NotSuppressed("Say why this address may be written to again.")
    held.released_at, held.release_note = clock.now(), note.strip()
    held.save(update_fields=["released_at", "release_note"])
    record("suppression.released", by=by, target=held, reason=held.reason)
    return held
