"""What leaves as a file, streamed to nowhere: rows a second, and how much the process grew from the first megabyte on.

`make bench BENCH=exports SIZE=n`, or with DATABASE_URL of a seeded database `python -m bench.exports`. JSON lines.
"""

import json
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench._seeded import run


def emit(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": f"exports.{name}", "value": round(value, 2), "unit": unit}), flush=True)


def rss() -> float:
    """Resident memory of this process now, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def drained(name: str, pieces: Iterable[bytes]) -> None:
    """Take all of it, as a browser would."""
    began, size, early, most = time.perf_counter(), 0, 0.0, 0.0
    for piece in pieces:
        size += len(piece)
        if not early and size > 1_000_000:
            early = rss()
        most = max(most, rss()) if early else 0.0
    emit(f"{name}.size", size / 1e6, "MB")
    emit(f"{name}.seconds", time.perf_counter() - began, "s")
    emit(f"{name}.growth", most - early, "MB")


def measure() -> None:
    from accounts.models import User
    from audit.commands import build, record_many, seal
    from audit.models import Entry
    from consent import commands, exports
    from core import clock
    from core.actors import SYSTEM
    from trail import bundle
    from trail.commands import export
    from trail.queries import Filter

    by = User.objects.order_by("created_at").first()
    assert by is not None
    asked = commands.start_export(format="csv", as_of=clock.now() - timedelta(minutes=1), purpose="Bench", by=by)

    def done(rows: int, sha256: str) -> None:
        emit("consents.rows", rows, "rows")

    drained("consents", exports.stream(asked, done))
    for _ in range(max(0, 20 - Entry.objects.count() // 5_000)):
        record_many([build("bench.looked", by=SYSTEM, place=place) for place in range(5_000)])
    while Entry.objects.filter(leaf=None).exists():
        seal()
    found: Any = export(Filter(), by=by)
    emit("trail.rows", found.entries, "rows")
    drained("trail", bundle.stream(found))


if __name__ == "__main__":
    run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
