"""Work on an import for a while, step by step, under a lease."""

import logging
import time
import traceback
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction

from audit.commands import record as audit
from contacts import chunks, mapping, queries, signals
from contacts.errors import BadFile, LeaseLost
from contacts.importing import lease, undo
from contacts.importing.parse import parse
from contacts.importing.take import Tripped, TryAgain, announce, by_whom, take, trips
from contacts.models import Import
from core import clock
from core.actors import SYSTEM

log = logging.getLogger(__name__)
State = Import.State
#: Seconds of work per task; a task that ran longer than the broker's patience would run twice.
SLICE = 20.0


def work(import_id: UUID, *, seconds: float = SLICE) -> bool:
    """Take the lease and work; True if there is more to do."""
    epoch = lease.take(import_id)
    if epoch is None:
        return False
    until = time.monotonic() + seconds
    try:
        while step(import_id, epoch):
            if time.monotonic() > until:
                lease.give_back(import_id, epoch)
                return True
    except LeaseLost:
        pass
    except Tripped:
        _stop(import_id, epoch)
    except BadFile as problem:
        _fail(import_id, epoch, str(problem))
    except OperationalError:
        raise  # the database went away: the sweep comes back to it
    except Exception as fault:  # an import that fails says so on its page, whatever the fault
        kind = type(fault).__name__
        place = traceback.extract_tb(fault.__traceback__)[-1]
        # Where and what kind, never the message: it may quote a value.
        log.error("Import %s stopped: %s at %s:%s", import_id, kind, Path(place.filename).name, place.lineno)
        _fail(import_id, epoch, f"An unexpected fault stopped it ({kind}). Try again, or ask your administrator.")
    return False


def step(import_id: UUID, epoch: int) -> bool:
    """One transaction's worth of work; False when the import rests."""
    state, row_chunks, position = Import.objects.values_list("state", "row_chunks", "next_position").get(pk=import_id)
    if state not in lease.WORKING:
        return False
    if state == State.CHECKING and row_chunks is None:
        parse(import_id, epoch)
        return True
    try:
        with transaction.atomic():
            owner = lease.prove(import_id, epoch, state)
            if state == State.UNDOING and position > 0:
                restored, removed = undo.take_back(owner)
                announce(signals.contacts_changed, restored)
                announce(signals.contacts_deleted, removed)
            elif state != State.UNDOING and position < (row_chunks or 0):
                take(owner)
            else:
                _finish(owner)
                return False
    except TryAgain:
        pass
    return True


def _finish(owner: Import) -> None:
    counts: dict[str, Any] = {
        "created": owner.created_count,
        "changed": owner.changed_count,
        "unchanged": owner.unchanged_count,
        "refused": owner.refused_count,
    }
    owner.leased_until, moment = None, clock.now()
    owner.keys.all().delete()
    if owner.state == State.CHECKING:
        owner.problems = {**owner.problems, "known": owner.known_count}
        if owner.problems.get("meanings") != mapping.meanings(owner.mapping["columns"], queries.attributes()):
            raise BadFile("An attribute was changed during the dry run. Start the dry run again.")
        if trips(owner):
            _stopped(owner)
        else:
            owner.state = State.CHECKED
            audit("import.checked", by=by_whom(owner), target=owner, **counts)
    elif owner.state == State.RUNNING:
        owner.state, owner.finished_at = State.FINISHED, moment
        chunks.forget(owner, chunks.FILE)
        audit("import.finished", by=by_whom(owner), target=owner, **counts)
    else:
        owner.state = State.UNDONE
        chunks.forget(owner, (*chunks.FILE, chunks.UNDO))
        audit("import.undone", by=by_whom(owner), target=owner, kept=owner.problems.get("kept", 0))
        signals.import_undone.send(sender=Import, import_id=owner.pk, by=by_whom(owner))
    owner.save()


def _stopped(owner: Import) -> None:
    owner.problems = {**owner.problems, "stopped_in": owner.state}
    owner.state, owner.leased_until = State.STOPPED, None
    audit("import.stopped", by=SYSTEM, target=owner, address_changes=owner.address_changes, known=owner.known_count)


def _stop(import_id: UUID, epoch: int) -> None:
    """The tripwire during a run: what the dry run saw is no longer true."""
    with transaction.atomic():
        owner = Import.objects.select_for_update().get(pk=import_id)
        if owner.lease_epoch == epoch and owner.state == State.RUNNING:
            _stopped(owner)
            owner.save()


def _fail(import_id: UUID, epoch: int, message: str) -> None:
    """Leave the import FAILED with a message; what is written stays and can be undone."""
    with transaction.atomic():
        owner = Import.objects.select_for_update().get(pk=import_id)
        if owner.lease_epoch == epoch and owner.state in lease.WORKING:
            owner.problems = {**owner.problems, "message": message, "failed_in": owner.state}
            owner.state, owner.leased_until = State.FAILED, None
            owner.save()
            audit("import.failed", by=SYSTEM, target=owner, failed_in=owner.problems["failed_in"])
