"""The trail: entries written, sealed, verified, proven, exported. `make bench BENCH=trail SIZE=50000`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench._door import emit, scratch


@contextmanager
def rate(name: str, count: int) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    emit(name, count / (time.perf_counter() - begin), "/s")


def main() -> None:
    # After bench._door, which readies Django.
    from audit.commands import build, record_many, seal, verify
    from audit.queries import Tree
    from core.actors import SYSTEM
    from trail import bundle
    from trail.commands import export
    from trail.queries import Filter

    size = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with scratch():
        with rate("entries written", size):
            record_many(build("bench.happened", by=SYSTEM, n=n) for n in range(size))
        with rate("entries sealed", size):
            seal()
        record_many([build("bench.happened", by=SYSTEM)])
        begin = time.perf_counter()
        seal()
        emit("one more sealed and signed", (time.perf_counter() - begin) * 1e3, "ms")
        with rate("entries verified", size):
            assert verify(limit=size + 1).problem == ""
        tree = Tree()
        with rate("inclusion proofs", size):
            for index in range(size):
                tree.inclusion(index, size)
        with rate("entries exported", size):
            for _ in bundle.stream(export(Filter(), by=SYSTEM)):
                pass


if __name__ == "__main__":
    main()
