"""Who was in a segment, as Roaring bitmaps of contact numbers, sealed (docs/adr/0072).

Kept as a chain: now and then everybody who is in it, and between who differs from the row before, so that a minute in
which ten people moved costs ten people. Each row is bound to its segment, its moment and the row before it: one that
was altered, moved or left without its predecessor does not open.

The numbers fit 32 bits: four billion people were ever added before one does not, and then pyroaring refuses it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.db.models import Subquery
from django.db.models.functions import Coalesce
from pyroaring import BitMap

from phi import seal
from phi.errors import SealBroken
from segments.errors import MembershipUnreadable
from segments.models import Membership

#: After so many rows, or so long, everybody is written again: reading stays short, and what is old can go.
MAX_STEPS = 100
WHOLE_EVERY = timedelta(days=7)
#: The least length of what is sealed, in bytes.
LEAST = 256
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row and who was in the segment by it."""

    row: Membership
    members: BitMap
    #: When everybody was written last.
    whole_at: datetime


def padded(length: int) -> int:
    """The length that so many bytes are padded to: at most an eighth more, of which few bits tell (Padmé, IDX-07)."""
    if length <= LEAST:
        return LEAST
    magnitude = length.bit_length() - 1
    step = 1 << (magnitude - magnitude.bit_length())
    return -(-length // step) * step


def sealed(some: Sequence[BitMap], *, key: bytes, aad: bytes) -> bytes:
    """Bitmaps as they are stored, in one ciphertext."""
    copies = [bitmap.copy() for bitmap in some]
    for copy in copies:
        copy.run_optimize()
    plain = msgspec.msgpack.encode([copy.serialize() for copy in copies])
    return seal.seal(plain, key=key, aad=aad, sizes=(padded(len(plain) + 4),))


def opened(data: bytes, *, key: bytes, aad: bytes) -> list[BitMap]:
    """The bitmaps; SealBroken where they are not those that were sealed for this place."""
    plain = seal.open_sealed(data, key=key, aad=aad)
    return [BitMap.deserialize(one) for one in msgspec.msgpack.decode(plain, type=list[bytes])]


def read(segment_id: UUID, at: datetime | None = None) -> Kept | None:
    """Who was in by the newest row, or by the newest until `at`; None where there is none. One statement.

    Raises MembershipUnreadable where a row was altered or lost: it is never trusted.
    """
    rows = Membership.objects.filter(segment=segment_id)
    if at is not None:
        rows = rows.filter(taken_at__lte=at)
    whole = rows.filter(steps=0).order_by("-taken_at").values("taken_at")[:1]
    chain = list(rows.filter(taken_at__gte=Coalesce(Subquery(whole), EPOCH)).order_by("taken_at"))
    if not chain:
        return None
    members = BitMap()
    for difference in _differences(chain):
        members ^= difference
    return Kept(chain[-1], members, chain[0].taken_at)


def moves(chain: Sequence[Membership], number: int) -> tuple[datetime | None, datetime | None] | None:
    """When somebody entered and left last within a chain, from its whole row on; None where they never were in.

    An entry before the chain is None, and so is a departure that has not come.
    """
    since: datetime | None = None
    until: datetime | None = None
    inside = found = False
    for row, difference in zip(chain, _differences(chain), strict=True):
        if number in difference:
            inside, found = not inside, True
            if not inside:
                until = row.taken_at
            else:
                since, until = row.taken_at if row.steps else None, None
    return (since, until) if found else None


def _differences(chain: Sequence[Membership]) -> Iterator[BitMap]:
    """What each row of a chain holds: first everybody, then who moved. Raises MembershipUnreadable."""
    try:
        for row, before in zip(chain, [None, *chain], strict=False):
            if row.steps != (before.steps + 1 if before else 0):
                raise SealBroken("A row of a membership is missing.")
            yield _opened(row, before)
    except SealBroken:
        raise MembershipUnreadable(
            "Who was in this segment then cannot be read: what was kept was altered or damaged."
        ) from None


def write(row: Membership, members: BitMap, before: Kept | None) -> Kept:
    """Append a row, as the difference from `before` where that is short. Nobody else may do so at the same time."""
    row.count = len(members)
    if before is not None and _goes_on(before, row.taken_at):
        difference = before.members ^ members
        if _is_short(difference, members):
            _write(row, difference, before.row)
            return Kept(row, members, before.whole_at)
    _write(row, members, None)
    return Kept(row, members, row.taken_at)


def _is_short(difference: BitMap, members: BitMap) -> bool:
    step, whole = (padded(len(bitmap.serialize()) + 4) for bitmap in (difference, members))
    return step == LEAST or 2 * step <= whole


def _goes_on(before: Kept, at: datetime) -> bool:
    return before.row.steps < MAX_STEPS and at - before.whole_at < WHOLE_EVERY


def _write(row: Membership, members: BitMap, before: Membership | None) -> None:
    row.steps = before.steps + 1 if before else 0
    key, wrapped = seal.new_data_key()
    row.kek_id, row.data_key = wrapped
    row.members = sealed([members], key=key, aad=_aad(row, before))
    row.save(force_insert=True)


def _opened(row: Membership, before: Membership | None) -> BitMap:
    key = seal.unwrap(seal.WrappedKey(row.kek_id, bytes(row.data_key)))
    [members] = opened(bytes(row.members), key=key, aad=_aad(row, before))
    return members


def _aad(row: Membership, before: Membership | None) -> bytes:
    """What a row is bound to: all it says but `seen_at`, which moves."""
    moment = (row.taken_at - EPOCH) // timedelta(microseconds=1)
    numbers = (row.revision, moment, row.count, row.entered, row.left, row.told, row.steps)
    bound = b"".join(int(n).to_bytes(8, "big") for n in numbers) + (before.pk.bytes if before else b"")
    return seal.aad("segments_membership", row.pk.bytes + row.segment_id.bytes + bound)
