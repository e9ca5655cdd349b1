"""Addresses that bounced and are not suppressed, because the worker ended between the outcome and the suppression."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import consent.commands
from consent.errors import BadAddress
from consent.models import Suppression
from contacts.models import Contact
from contacts.seal import SealedRow, key_of
from core import clock
from core.actors import SYSTEM
from delivery.messages import open_merged
from delivery.models import Delivery
from phi import blind
from phi.errors import SealBroken

log = logging.getLogger(__name__)

#: How far back the sweep looks: longer than any outage of all workers should last.
SINCE = timedelta(days=3)


def suppress(addresses: Sequence[str]) -> None:
    """Each by itself: one that cannot be suppressed keeps no other from it."""
    for address in addresses:
        try:
            consent.commands.suppress(address, reason="bounced", by=SYSTEM)
        except BadAddress:
            log.warning("a bounced address was no address to suppress")


def suppress_forgotten() -> int:
    """Suppress every address that bounced lately and that nobody suppressed since; how many. Four statements."""
    bounced = _addresses(clock.now() - SINCE)
    standing = Suppression.objects.filter(address_hash__in=list(bounced), topic__isnull=True)
    for address_hash, released_at in standing.values_list("address_hash", "released_at"):
        at = bounced[bytes(address_hash)][1]
        if released_at is None or released_at >= at:  # somebody has decided since that it may be written to
            del bounced[bytes(address_hash)]
    suppress([address for address, _ in bounced.values()])
    return len(bounced)


def _addresses(since: datetime) -> dict[bytes, tuple[str, datetime]]:
    """Where the bounced messages went to (not where their contacts are reached now), and when, by keyed hash."""
    rows = Delivery.objects.filter(
        at__gte=since, outcome=Delivery.Outcome.FAILED, smtp_status="5.1.1", merge_values__isnull=False
    ).values_list("pk", "contact_id", "at", "merge_values")
    found = list(rows)
    keys = _keys({contact_id for _, contact_id, _, _ in found})
    addresses: dict[bytes, tuple[str, datetime]] = {}
    for number, contact_id, at, sealed in found:
        if contact_id not in keys:
            continue  # deleted since: nothing is left that could be written to
        try:
            address = open_merged(number, bytes(sealed or b""), key=keys[contact_id]).to
        except SealBroken:
            log.warning("a bounced message does not open: %s", number)
            continue
        known = blind.index("suppression", address)
        addresses[known] = max(addresses.get(known, (address, at)), (address, at), key=lambda pair: pair[1])
    return addresses


def _keys(contact_ids: set[UUID]) -> dict[UUID, bytes]:
    rows = Contact.objects.filter(pk__in=contact_ids).only("id", "kek_id", "data_key", "sealed")
    return {row.pk: key_of(SealedRow(row.pk, row.kek_id, bytes(row.data_key), bytes(row.sealed))) for row in rows}
