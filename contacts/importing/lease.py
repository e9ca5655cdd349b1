"""Who may work on an import, until when."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q

from contacts.errors import LeaseLost
from contacts.models import Import
from core import clock

State = Import.State
WORKING = (State.CHECKING, State.RUNNING, State.UNDOING)
LEASE = timedelta(seconds=90)


def take(import_id: UUID) -> int | None:
    """Take the import over; the epoch to prove it with, or None if somebody is at work or nothing is to do."""
    moment = clock.now()
    free = Q(leased_until=None) | Q(leased_until__lt=moment)
    taken = Import.objects.filter(free, pk=import_id, state__in=WORKING).update(
        leased_until=moment + LEASE, lease_epoch=F("lease_epoch") + 1
    )
    return Import.objects.values_list("lease_epoch", flat=True).get(pk=import_id) if taken else None


def prove(import_id: UUID, epoch: int, state: str) -> Import:
    """Lock the import's row, prove the lease and lengthen it. Raises LeaseLost. Inside a transaction only."""
    owner = Import.objects.select_for_update().get(pk=import_id)
    if owner.lease_epoch != epoch or owner.state != state:
        raise LeaseLost("Another worker has taken this import over.")
    owner.leased_until = clock.now() + LEASE
    return owner


def give_back(import_id: UUID, epoch: int) -> None:
    Import.objects.filter(pk=import_id, lease_epoch=epoch).update(leased_until=None)
