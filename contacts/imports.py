"""What people decide about an import: columns, consent, dry run, start, release, cancel, undo, discard."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from audit.commands import record as audit
from contacts import chunks, csvfile, mapping, queries
from contacts.chunks import Box
from contacts.errors import BadFile, NeedsReason, WrongState
from contacts.importing import head
from contacts.models import Attribute, Import, ImportChunk, Reason
from core import clock
from core.actors import SYSTEM, By, actor_of
from core.jobs import enqueue

State, Shape = Import.State, Import.Shape
#: Where the mapping and the consent may still be changed.
OPEN = (State.UPLOADED, State.CHECKED, State.STOPPED, State.FAILED)
#: Key of the advisory lock under which imports are started and undone.
ONE_AT_A_TIME = 0x0CA12


@transaction.atomic
def receive(owner: Import, *, shape: str, by: By) -> Import:
    """Look at a file that has just come: its delimiter, header and the likely meaning of its columns."""
    raw = (Box(owner).take(chunks.SOURCE, 0) or b"")[: csvfile.HEAD]
    text = csvfile.decode_head(raw, owner.encoding)
    owner.delimiter, owner.shape = csvfile.guess_delimiter(text), shape
    first = csvfile.head_rows(raw, whole=False, encoding=owner.encoding, delimiter=owner.delimiter, count=1)
    header = bool(first) and csvfile.looks_like_header(first[0])
    head.guess(owner, header=header)
    owner.save()
    audit("import.uploaded", by=by, target=owner, shape=owner.shape, encoding=owner.encoding)
    return owner


def _open(owner: Import) -> Import:
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    if locked.state not in OPEN or locked.started_at:
        raise WrongState("This import can no longer be changed. Upload the file again to import it differently.")
    return locked


def _rewind(owner: Import) -> None:
    """Forget the last pass: counts, refusals, samples. What was parsed stays."""
    owner.rows_done = owner.created_count = owner.changed_count = owner.unchanged_count = 0
    owner.refused_count = owner.address_changes = owner.known_count = owner.next_position = 0
    owner.problems = {}
    owner.keys.all().delete()
    chunks.forget(owner, [chunks.REFUSED])


@transaction.atomic
def reread(owner: Import, *, encoding: str, delimiter: str, header: bool, by: By) -> Import:
    """Read the file another way than was guessed. The columns are guessed anew."""
    owner = _open(owner)
    if encoding not in csvfile.ENCODINGS or delimiter not in csvfile.DELIMITERS:
        raise BadFile("Choose one of the encodings and delimiters offered.")
    owner.encoding, owner.delimiter, owner.row_chunks, owner.state = encoding, delimiter, None, State.UPLOADED
    _rewind(owner)
    head.guess(owner, header=header)
    owner.save()
    return owner


@transaction.atomic
def set_columns(
    owner: Import, *, columns: Sequence[str], day_first: bool, coded_attribute: Attribute | None = None, by: By
) -> Import:
    """Say what each column means; remembered for the next file with these columns. Raises BadMapping."""
    owner = _open(owner)
    if len(columns) != len(owner.mapping["headers"]):
        raise WrongState("The columns of the file have changed meanwhile. Load the page again.")
    mapping.check(columns, owner.shape, queries.attributes(), coded_attribute.key if coded_attribute else None)
    owner.coded_attribute = coded_attribute if owner.shape == Shape.CODED else None
    owner.mapping = {**owner.mapping, "columns": list(columns), "day_first": day_first}
    owner.state = State.UPLOADED
    _rewind(owner)
    owner.save()
    saved = {"columns": list(columns), "day_first": day_first, "coded": coded_attribute.key if coded_attribute else ""}
    mapping.remember(owner.mapping["headers"], owner.shape, saved)
    return owner


@transaction.atomic
def set_consent(owner: Import, *, consent: Mapping[str, Any], by: By) -> Import:
    """State what these people consented to, with its evidence; empty states nothing. Nothing is ever assumed."""
    owner = _open(owner)
    owner.consent = dict(consent)
    owner.save(update_fields=["consent"])
    return owner


@transaction.atomic
def check(owner: Import, *, by: By) -> Import:
    """Begin the dry run: nothing is written to any person."""
    owner = _open(owner)
    mapping.check(
        owner.mapping["columns"],
        owner.shape,
        queries.attributes(),
        owner.coded_attribute.key if owner.coded_attribute else None,
    )
    _rewind(owner)
    chunks.forget(owner, [chunks.PEOPLE])
    owner.state, owner.tripwire_released_by, owner.leased_until = State.CHECKING, None, None
    owner.save()
    enqueue("contacts.run_import", owner.pk)
    return owner


@transaction.atomic
def start(owner: Import, *, by: By) -> Import:
    """Import for good, after a dry run. From here on no earlier import can be undone any more."""
    _alone()
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    if locked.state != State.CHECKED:
        raise WrongState("Only a file whose dry run is complete can be imported. Start the dry run first.")
    if locked.problems.get("meanings") != mapping.meanings(locked.mapping["columns"], queries.attributes()):
        raise WrongState(
            "An attribute was changed since the dry run. Look at the columns again and repeat the dry run."
        )
    _none_running(locked)
    ImportChunk.objects.filter(kind=chunks.UNDO).exclude(owner=locked).delete()
    seen: dict[str, Any] = {
        key: locked.problems[key] for key in ("known", "shared_addresses") if key in locked.problems
    }
    _rewind(locked)
    locked.problems = seen
    locked.state, locked.started_at, locked.leased_until = State.RUNNING, clock.now(), None
    locked.started_by = _staff_id(by)
    locked.save()
    audit("import.started", by=by, target=locked, rows=locked.rows_total, consent=bool(locked.consent))
    enqueue("contacts.run_import", locked.pk)
    return locked


def _staff_id(by: By) -> Any:
    actor = actor_of(by)
    return actor.id if actor.kind == "staff" and actor.id else None


def _alone() -> None:
    """Let one person at a time start or undo an import, until commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])


def _none_running(owner: Import) -> None:
    """Refuse while another import runs or is half undone: what it needs for its way back must stay."""
    others = Import.objects.exclude(pk=owner.pk)
    if others.filter(state__in=(State.RUNNING, State.UNDOING)).exists():
        raise WrongState("Another import is running. Wait until it has finished, then start this one.")
    last = others.filter(started_at__isnull=False).order_by("-started_at").first()
    if last and _half_undone(last):
        raise WrongState(
            "The undo of an earlier import failed half-way. Open that import and let it go on where it stopped;"
            " then come back to this one."
        )


def _half_undone(owner: Import) -> bool:
    return owner.state == State.FAILED and owner.problems.get("failed_in") == State.UNDOING


def _is_last(owner: Import) -> bool:
    """Whether nothing was started since: only then what was before it is still kept."""
    return not Import.objects.filter(started_at__gt=owner.started_at).exists()


@transaction.atomic
def release(owner: Import, *, reason: str, by: By) -> Import:
    """Say that the many changes of address are right, and why (SND-04). Then it can be imported."""
    _alone()
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    if locked.state != State.STOPPED:
        raise WrongState("This import is not stopped.")
    in_run = locked.problems.get("stopped_in") == State.RUNNING
    if in_run:
        _none_running(locked)
    note = write_reason("import.released", locked.pk, reason, by)
    actor = actor_of(by)
    locked.tripwire_released_by = actor.id or None
    locked.state = State.RUNNING if in_run else State.CHECKED
    locked.save()
    audit("import.released", by=by, target=locked, reason_id=str(note.pk), address_changes=locked.address_changes)
    if in_run:
        enqueue("contacts.run_import", locked.pk)
    return locked


@transaction.atomic
def resume(owner: Import, *, by: By) -> Import:
    """Go on with an import that failed half-way; no row is taken twice."""
    _alone()
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    failed_in = locked.problems.get("failed_in")
    if locked.state != State.FAILED or failed_in not in (State.RUNNING, State.UNDOING):
        raise WrongState("This import did not fail half-way.")
    if failed_in == State.UNDOING and not _is_last(locked):
        raise WrongState(
            "Another import was started since, so what was before this one is no longer kept and its undo cannot go"
            " on. Whom it added is still there: delete them one by one, or correct them with a new file."
        )
    _none_running(locked)
    locked.state, locked.leased_until = failed_in, None
    locked.problems = {key: value for key, value in locked.problems.items() if key not in ("message", "failed_in")}
    locked.save()
    audit("import.resumed", by=by, target=locked)
    enqueue("contacts.run_import", locked.pk)
    return locked


def may_undo(owner: Import) -> bool:
    """Only the import that ran last: what was before it is still kept."""
    return (owner.state in (State.FINISHED, State.CANCELLED) or _half_way(owner)) and _is_last(owner)


def _half_way(owner: Import) -> bool:
    """Whether it rests with some of its rows taken."""
    return owner.state in (State.FAILED, State.STOPPED) and owner.started_at is not None


def may_cancel(owner: Import) -> bool:
    """While it works or rests half-way; an undo that has begun goes through."""
    return owner.state in (State.CHECKING, State.RUNNING) or (_half_way(owner) and not _half_undone(owner))


@transaction.atomic
def cancel(owner: Import, *, undo: bool = False, by: By) -> Import:
    """Stop for good, after the rows in hand. What was taken stays, or is undone; a dry run goes back to its columns."""
    _alone()
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    if not may_cancel(locked):
        raise WrongState("This import is not running any more. Look at it to see what became of it.")
    audit("import.cancelled", by=by, target=locked, rows=locked.rows_done, undo=undo, state=locked.state)
    locked.leased_until = None
    if locked.state == State.CHECKING:
        locked.state = State.UPLOADED
        _rewind(locked)
    elif undo:
        _begin_undo(locked, by)
        return locked
    else:
        locked.state, locked.finished_at = State.CANCELLED, clock.now()
        locked.keys.all().delete()
        chunks.forget(locked, chunks.FILE)
    locked.save()
    return locked


@transaction.atomic
def undo(owner: Import, *, by: By) -> Import:
    """Take the last import back: new people go, changed ones become what they were, unless changed since."""
    _alone()
    locked = Import.objects.select_for_update().get(pk=owner.pk)
    if not may_undo(locked):
        raise WrongState("Only the last import can be undone, and only once.")
    _none_running(locked)
    _begin_undo(locked, by)
    return locked


def _begin_undo(locked: Import, by: By) -> None:
    locked.state, locked.leased_until = State.UNDOING, None
    if staff := _staff_id(by):
        locked.started_by = staff
    locked.save()
    audit("import.undo_started", by=by, target=locked)
    enqueue("contacts.run_import", locked.pk)


@transaction.atomic
def discard(owner: Import, *, by: By) -> Import:
    """Destroy an upload that was not imported."""
    locked = _open(owner)
    locked.state = State.DISCARDED
    _rewind(locked)
    chunks.forget(locked, chunks.FILE)
    locked.save()
    audit("import.discarded", by=by, target=locked)
    return locked


def purge(*, abandoned_before: datetime, refused_before: datetime) -> None:
    """Destroy uploads nobody came back to and refused rows nobody fetched."""
    for owner in Import.objects.filter(state__in=OPEN, started_at=None, created_at__lt=abandoned_before):
        discard(owner, by=SYSTEM)
    ImportChunk.objects.filter(kind=chunks.REFUSED, owner__finished_at__lt=refused_before).delete()


def write_reason(action: str, target_id: Any, text: str, by: By) -> Reason:
    """Keep the words somebody gave for an act, encrypted; the trail gets the id. Raises NeedsReason."""
    if len(text.strip()) < 5:
        raise NeedsReason("Say why, in a few words: it stays with the record.")
    return Reason.objects.create(
        action=action, target_id=target_id, text=text.strip()[:2000], by=actor_of(by).id, at=clock.now()
    )
