"""Random edits between counts, by the store and by a look at every record: `python -m bench.store_edits [SIZE]`. JSON lines.

Stops with an error at the first count that differs.
"""

import sys
import time
from collections import Counter

from bench import _door as door


def main(size: int, seed: int) -> None:
    with door.scratch():
        from audit.models import Entry
        from segments.models import Partition
        from tests.segments.store_edits import Edits

        edits, done, began = Edits(seed), Counter[str](), time.perf_counter()
        for n in range(size):
            done[edits.edit()] += 1
            edits.count()
            if n % 50 == 0:
                edits.agree()
            if n % 1_000 == 999:
                door.emit("store_edits.so_far", n + 1, "edits")
        edits.agree()
        door.emit("store_edits.edits", size, "edits")
        door.emit("store_edits.disagreements", 0, "counts")
        for deed, count in sorted(done.items()):
            door.emit(f"store_edits.{deed}", count, "times")
        door.emit("store_edits.people", len(edits.ids), "people")
        door.emit("store_edits.writings", sum(Partition.objects.values_list("generation", flat=True)), "partitions")
        rebuilt = Entry.objects.filter(action="segments.store_rebuilt").count()
        door.emit("store_edits.rebuilt", rebuilt, "partitions")
        door.emit("store_edits.seconds", time.perf_counter() - began, "s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
