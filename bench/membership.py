"""What keeping a membership costs: a fifth of SIZE numbers in a segment. `make bench BENCH=membership SIZE=1000000`.

Evaluating the rule is not in it (bench/segments.py): this is reading what was, comparing, sealing, telling.
"""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from bench._door import emit, scratch


@contextmanager
def took(name: str, times: int = 1) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    emit(name, (time.perf_counter() - begin) * 1e3 / times, "ms")


def _contacts(size: int) -> None:
    """Rows with nothing in them: an id and a number."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE contacts_contact DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO contacts_contact (id, number, kek_id, data_key, sealed, created_at, updated_at)"
            " SELECT gen_random_uuid(), n, 'k1', '\\x00', '\\x00', now(), now() FROM generate_series(0, %s - 1) n",
            [size],
        )
        cursor.execute("ANALYZE contacts_contact")


def main() -> None:
    # After bench._door, which readies Django.
    from pyroaring import BitMap

    from core import clock
    from segments import membership
    from segments.models import Membership, Segment
    from segments.signals import membership_changed

    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    chance = random.Random(1)
    told: list[int] = []

    def hear(entered: list[object], left: list[object], **kwargs: object) -> None:
        told.append(len(entered) + len(left))

    membership_changed.connect(hear)
    with scratch():
        _contacts(size)
        segment = Segment.objects.create(name="Bench", rule={})
        at = clock.now()

        def look(members: BitMap, minutes: int) -> Membership:
            with membership.alone_on(segment.pk):
                before = membership.newest(segment)
                return membership.keep(segment, members, before, at=at + timedelta(minutes=minutes), told=True).kept.row

        def moved(members: BitMap, count: int) -> BitMap:
            return members ^ BitMap(chance.sample(range(size), count))

        members = BitMap(chance.sample(range(size), size // 5))
        with took("first look, a fifth of all"):
            row = look(members, 0)
        emit("sealed, a fifth of all", len(row.members), "bytes")
        with took("look, nobody moved"):
            look(members, 1)
        minute = 1
        for count in (100, 10_000, size // 20):
            members, minute = moved(members, count), minute + 1
            told.clear()
            with took(f"look, {count} moved and were told"):
                row = look(members, minute)
            assert sum(told) == count
            emit(f"sealed, {count} moved", len(row.members), "bytes")
        for _ in range(110):
            members, minute = moved(members, 10), minute + 1
            look(members, minute)
        with took("who was in, 20 moments of the last two hours", 20):
            for back in range(0, 100, 5):
                found = membership.who_was_in(segment, at + timedelta(minutes=minute - back))
        assert abs(len(found) - len(members)) < 1_200
        rows = Membership.objects.filter(entered__gt=0).values_list("members", flat=True)
        emit("sealed, all looks", sum(map(len, rows)), "bytes")


if __name__ == "__main__":
    main()
