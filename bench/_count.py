"""One question in a process of its own: `python -m bench._count`, what to ask on standard input, JSON out.

The clock starts when everything is imported and the database answers, before anything was asked of it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def timed(count: Callable[[], int]) -> tuple[int, float]:
    """The answer, and milliseconds."""
    began = time.perf_counter()
    found = count()
    return found, (time.perf_counter() - began) * 1_000


def fresh(asked: dict[str, Any]) -> dict[str, float]:
    """One question in a new process: its answer, milliseconds, and the memory it came to (MB)."""
    from tests.workers import database_url

    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "marketing.settings", "DATABASE_URL": database_url()}
    command = [sys.executable, "-m", "bench._count"]
    done = subprocess.run(command, input=json.dumps(asked), env=environ, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    import django

    django.setup()
    from bench import _plain as plain
    from segments import queries

    asked = json.load(sys.stdin)
    plain.run("SELECT 1")
    if "sql" in asked:
        count, took = timed(lambda: plain.asked(asked["sql"]))
    else:
        count, took = timed(lambda: queries.count(asked["rule"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"count": count, "ms": took, "peak_mb": peak}))


if __name__ == "__main__":
    main()
