"""The seal: records opened, keys re-wrapped, tokens made. `make bench BENCH=seal SIZE=50000`."""

import sys
import time
from collections.abc import Callable
from uuid import uuid4

from bench._door import emit, scratch
from consent.models import Topic
from contacts.commands import Person, upsert_many
from contacts.queries import open_many as open_people
from core.actors import SYSTEM
from phi import commands, seal
from phi.tokens import MessageToken


def timed(work: Callable[[], object]) -> float:
    """Seconds, the best of three."""

    def once() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return min(once() for _ in range(3))


def pure(size: int) -> None:
    rows = []
    for n in range(size):
        key, wrapped = seal.new_data_key()
        aad = b"%d" % n
        rows.append((wrapped.kek_id, wrapped.wrapped, seal.seal(b"x" * 500, key=key, aad=aad), aad))
    emit("open a sealed record", timed(lambda: seal.open_many(rows)) / size * 1e6, "µs")
    field = Topic._meta.get_field("name")
    stored = field.encrypt("Diabetes programme")
    emit("encrypt a field", timed(lambda: [field.encrypt("Diabetes programme") for _ in range(2_000)]) / 2e-3, "µs")
    emit("decrypt a field", timed(lambda: [field.decrypt(stored) for _ in range(2_000)]) / 2e-3, "µs")
    token = MessageToken(uuid4(), uuid4(), 1)
    emit("make a token", timed(lambda: [token.encode() for _ in range(2_000)]) / 2e-3, "µs")


def stored(size: int) -> None:
    ids = []
    for first in range(0, size, 5_000):
        people = [
            Person({"email": f"p{n}@example.com", "external_id": f"P{n}"}, {})
            for n in range(first, min(size, first + 5_000))
        ]
        ids += upsert_many(people, by=SYSTEM).created
    emit("fetch and open a person", timed(lambda: open_people(ids)) / size * 1e6, "µs")
    commands.add_key(by=SYSTEM)
    begin = time.perf_counter()
    for _ in commands.rewrap(by=SYSTEM):
        pass
    emit("keys re-wrapped", size / (time.perf_counter() - begin), "/s")


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    pure(size)
    with scratch():
        stored(size)


if __name__ == "__main__":
    main()
