"""Journeys: the engine among SIZE who wait, events matched, and people simulated. `python -m bench.workflows [SIZE]`.

JSON a line. `python -m bench.workflows SIZE engine` (or events, simulate) does only that part.
"""

import json
import subprocess
import sys
from importlib import import_module

#: Part → its module (its `run(size)` yields lines) and the most people it is for.
PARTS = {
    "engine": ("bench._workflows_engine", 10_000_000),
    "events": ("bench._workflows_events", 1_000_000),
    "simulate": ("bench._workflows_simulate", 100_000),
}


def main(size: int, parts: list[str]) -> None:
    if len(parts) > 1:  # each in a process of its own: what one takes of memory is not the next one's
        for part in parts:
            subprocess.run([sys.executable, "-m", "bench.workflows", str(size), part], check=True)
        return
    from bench import _door as door

    module, most = PARTS[parts[0]]
    with door.scratch():
        for line in import_module(module).run(min(size, most)):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2:] or list(PARTS))
