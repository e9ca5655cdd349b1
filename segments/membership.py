"""Who is in a segment, who entered and who left, and who was in it at a moment (docs/segments.md, "Membership")."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Min, OuterRef, Q, Subquery
from pyroaring import BitMap

from audit import commands as audit
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from core.models import Organization
from phi import blind
from segments import bitmaps, fanout
from segments.bitmaps import Kept
from segments.errors import MembershipUnreadable, NotKept
from segments.models import Membership, Segment, Use
from segments.signals import membership_changed

#: First key of the locks of `alone_on`.
SPACE = 0x5E60
#: Ids in one signal.
BATCH = 1_000
#: Uses that keep a membership up to date; a segment within another is looked at as a part of that one's rule.
LIVE = ("campaign", "workflow", "watch")
#: Between two looks so far apart nobody can say who was in.
LOOKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Change:
    """What a look found: who is in, and who moved since the look before."""

    kept: Kept
    entered: BitMap
    left: BitMap


@contextmanager
def alone_on(segment_id: UUID, *, wait: bool = True, space: int = SPACE) -> Iterator[bool]:
    """Be the only one who looks at a segment; False where somebody is and `wait` is not wanted.

    Another `space` is for something else that one at a time does with it.
    Two looks at once could tell of the same people twice, or an older one could undo a newer one.
    """
    key = int.from_bytes(segment_id.bytes[-4:], "big", signed=True)
    scope = "_xact" if connection.in_atomic_block else ""
    name = f"pg_advisory{scope}_lock" if wait else f"pg_try_advisory{scope}_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name}(%s, %s)", [space, key])
        held = wait or bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and not scope:
            with suppress(DatabaseError), connection.cursor() as cursor:  # a lost connection has lost its locks, too
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [space, key])


def refresh(segment: Segment, *, at: datetime | None = None) -> Change:
    """Look who is in a segment and keep it; who entered and who left is told on commit. Raises RuleError.

    Told are the differences from the look before, also where the rule was changed in between, for that is what people
    see. The first look since somebody relies on the segment tells nothing: it is where they begin.
    """
    with alone_on(segment.pk):
        return _refresh(segment.pk, at)


def refresh_if_idle(segment_id: UUID) -> bool:
    """The same for the sweep; False where somebody is at it."""
    with alone_on(segment_id, wait=False) as mine:
        if mine:
            _refresh(segment_id, None)
        return mine


def _refresh(segment_id: UUID, at: datetime | None) -> Change:
    segment = Segment.objects.get(pk=segment_id)  # read under the lock: the rule as it stands
    before = newest(segment)
    if segment.kind == Segment.Kind.SNAPSHOT:
        if before is None:
            raise NotKept("Nobody was ever put into this snapshot.")
        return Change(before, BitMap(), BitMap())
    at = at or clock.now()
    members = fanout.members(segment.rule, at)
    return keep(segment, members, before, at=at, told=before is not None and _relied_on_since(segment, before))


def newest(segment: Segment) -> Kept | None:
    """The newest row; None where there is none, or where it cannot be read, which the trail then says."""
    try:
        return bitmaps.read(segment.pk)
    except MembershipUnreadable:
        audit.record("segment.membership_unreadable", by=SYSTEM, target=segment)
        return None


def _relied_on_since(segment: Segment, before: Kept) -> bool:
    """Whether somebody relied on the segment at the last look and ever since."""
    since = Use.objects.filter(segment=segment, kind__in=LIVE).aggregate(since=Min("since"))["since"]
    return since is not None and since <= before.row.seen_at


@transaction.atomic
def keep(segment: Segment, members: BitMap, before: Kept | None, *, at: datetime, told: bool) -> Change:
    """Keep who is in; a row is appended where somebody moved or the rule was changed. Only under `alone_on`.

    `told`: tell who entered and who left since `before`, too.
    """
    entered = members - before.members if before else BitMap()
    left = before.members - members if before else BitMap()
    Segment.objects.filter(pk=segment.pk).update(last_count=len(members), counted_at=at)
    if before is not None and before.members == members and before.row.revision == segment.revision:
        before.row.seen_at = max(at, before.row.seen_at)
        before.row.save(update_fields=["seen_at"])
        return Change(before, entered, left)
    if before is not None:  # one moment, one row
        at = max(at, before.row.seen_at, before.row.taken_at + timedelta(microseconds=1))
    row = Membership(segment_id=segment.pk, revision=segment.revision, taken_at=at, seen_at=at, told=told)
    row.entered, row.left = len(entered), len(left)
    kept = bitmaps.write(row, members, before)
    if told:
        for ids in ids_of(entered):
            _tell(segment.pk, ids, [])
        for ids in ids_of(left):
            _tell(segment.pk, [], ids)
    return Change(kept, entered, left)


def _tell(segment_id: UUID, entered: list[UUID], left: list[UUID]) -> None:
    if entered or left:
        send = partial(membership_changed.send_robust, sender=Segment, segment_id=segment_id)
        transaction.on_commit(partial(send, entered=entered, left=left))


def ids_of(numbers: BitMap) -> Iterator[list[UUID]]:
    """Ids of these people, at most BATCH a time, in the order of their numbers; who was deleted is left out."""
    listed = numbers.to_array().tolist()
    for start in range(0, len(listed), BATCH):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM contacts_contact WHERE number = ANY(%s) ORDER BY number",
                [listed[start : start + BATCH]],
            )
            yield [row[0] for row in cursor.fetchall()]


def numbers_of(ids: Iterable[UUID]) -> BitMap:
    """Numbers of these people; who was deleted has none."""
    return BitMap(Contact.objects.filter(pk__among=ids).values_list("number", flat=True))


def people_named(names: Iterable[str]) -> tuple[list[UUID], list[str]]:
    """Everybody with one of these email addresses or external ids, and the names nobody has. One statement."""
    names = sorted({name.strip() for name in names} - {""})
    addresses = [name for name in names if "@" in name]
    by_email = dict(zip(blind.indexes("email", addresses), addresses, strict=True))
    by_external = dict(zip(blind.indexes("external_id", names), names, strict=True))
    wanted = Q(email_index__among=by_email) | Q(external_index__among=by_external)
    found, known = [], set()
    for pk, email, external in Contact.objects.filter(wanted).values_list("id", "email_index", "external_index"):
        found.append(pk)
        known |= {by_email.get(bytes(email or b"")), by_external.get(bytes(external or b""))}
    return found, [name for name in names if name not in known]


def told_after(row: Membership) -> Iterator[tuple[Membership, list[UUID], list[UUID]]]:
    """What was told since a row: each later one with who entered and who left, for listeners that missed a signal.

    Raises MembershipUnreadable where a row was altered.
    """
    before = bitmaps.read(row.segment_id, row.taken_at)
    for later in Membership.objects.filter(segment=row.segment_id, taken_at__gt=row.taken_at).order_by("taken_at"):
        kept = bitmaps.read(row.segment_id, later.taken_at)
        assert kept is not None
        if before is not None and later.told:
            entered, left = kept.members - before.members, before.members - kept.members
            yield later, [i for ids in ids_of(entered) for i in ids], [i for ids in ids_of(left) for i in ids]
        before = kept


def _said(at: datetime) -> str:
    """A moment in words, where the organization is."""
    return f"{at.astimezone(ZoneInfo(Organization.current().time_zone)):%d %b %Y, %H:%M %Z}"


def who_was_in(segment: Segment, at: datetime) -> BitMap:
    """Numbers of who was in a segment at a moment, as it was seen then; who was deleted since is among them.

    Raises NotKept, MembershipUnreadable.
    """
    kept = bitmaps.read(segment.pk, at)
    if kept is None:
        first = Membership.objects.filter(segment=segment).aggregate(first=Min("taken_at"))["first"]
        raise NotKept(
            f"Who was in this segment is known from {_said(first)} on."
            if first
            else "Nobody has kept who is in this segment. Watch it, and it will be known from then on."
        )
    looked_on = segment.kind == Segment.Kind.SNAPSHOT or at <= kept.row.seen_at + LOOKS_APART
    if not looked_on:
        raise NotKept(f"Nobody looked who was in this segment then: it was in no use after {_said(kept.row.seen_at)}.")
    return kept.members


def was_in(segment: Segment, contact_id: UUID, at: datetime) -> bool:
    """Whether this person was in at that moment. Raises what `who_was_in` raises."""
    members = who_was_in(segment, at)
    return any(number in members for number in numbers_of([contact_id]))


@dataclass(frozen=True, slots=True)
class Stay:
    """A person in a segment: since when (at least, where that is not known `exactly`), and until when (None: still)."""

    segment: Segment
    since: datetime
    exactly: bool
    until: datetime | None


def segments_of(contact_id: UUID) -> list[Stay]:
    """Where a person is, or was lately: of each kept segment since everybody in it was written last. Three statements.

    A segment that cannot be read is left out; so is an archived one.
    """
    numbers = list(numbers_of([contact_id]))
    if not numbers:
        return []
    whole = Membership.objects.filter(segment=OuterRef("segment"), steps=0).order_by("-taken_at").values("taken_at")[:1]
    rows = Membership.objects.filter(segment__archived_at=None, taken_at__gte=Subquery(whole))
    chains: dict[UUID, list[Membership]] = {}
    for row in rows.select_related("segment").order_by("segment", "taken_at"):
        chains.setdefault(row.segment_id, []).append(row)
    stays: list[Stay] = []
    for chain in chains.values():
        with suppress(MembershipUnreadable):
            moves = bitmaps.moves(chain, numbers[0])
            if moves is not None:
                since, until = moves
                stays.append(Stay(chain[-1].segment, since or chain[0].taken_at, since is not None, until))
    return sorted(stays, key=lambda stay: (stay.until is not None, stay.segment.name.casefold()))


def purge(before: datetime) -> int:
    """Forget who was in when, but for the newest of each segment and what is younger than `before`.

    A row can go when everybody was written anew later, and that is old enough as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM segments_membership m USING (SELECT segment_id, max(taken_at) AS kept FROM segments_membership"
            " WHERE steps = 0 AND taken_at <= %s GROUP BY segment_id) k"
            " WHERE m.segment_id = k.segment_id AND m.taken_at < k.kept",
            [before],
        )
        return int(cursor.rowcount)


def due() -> list[UUID]:
    """Segments somebody relies on, those looked at longest ago first."""
    seen = Membership.objects.filter(segment=OuterRef("pk")).order_by("-taken_at").values("seen_at")[:1]
    rows = Segment.objects.filter(kind=Segment.Kind.RULE, uses__kind__in=LIVE).annotate(seen=Subquery(seen))
    ordered = rows.order_by(F("seen").asc(nulls_first=True), "pk").values_list("pk", flat=True)
    return list(dict.fromkeys(ordered))
