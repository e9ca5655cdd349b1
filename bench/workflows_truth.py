"""Journeys against the slow and obvious interpreter: SIZE random worlds. `python -m bench.workflows_truth [SIZE [SEED]]`.

Each world is two random journeys with four people, and sixty things that befall them, workers that are killed or come
between among them; the traces must be the same after each. Then as many journeys foretold for ten people each, and
lived. JSON a line, with what came to pass how often; the first that differs is told and ends it.
"""

import json
import random
import sys
import time
import traceback
from collections import Counter
from typing import Any

from bench import _door as door

DEEDS = 60


def world(setting: Any, seed: int) -> "Counter[str]":
    from tests.workflows.worlds import Drawn

    return Drawn(setting, seed).pass_by(DEEDS)


def foretold(setting: Any, seed: int) -> "Counter[str]":
    from tests.workflows.ahead import compared

    said, done, definition = compared(setting, random.Random(seed))
    for who, trace in said.items():
        assert done[who] == trace, f"{definition}\nsimulator: {trace}\nengine: {done[who]}"
    return Counter(definition["steps"][row[1]]["kind"] for trace in said.values() for row in trace)


def main(size: int, first: int) -> None:
    with door.scratch():
        from tests.workflows.truth import Setting
        from tests.workflows.worlds import wanted

        setting = Setting()
        for name, one in (("worlds", world), ("foretold", foretold)):
            passed, began = Counter[str](), time.perf_counter()
            for seed in range(first, first + size):
                try:
                    passed += one(setting, seed)
                except AssertionError as difference:
                    said = str(difference)[:20_000] or traceback.format_exc()
                    print(json.dumps({"seed": seed, "differs": said}), flush=True)
                    sys.exit(1)
            seconds = round(time.perf_counter() - began)
            line = {name: size, "seconds": seconds, "differences": 0, "passed": dict(sorted(passed.items()))}
            if name == "worlds":
                line["never"] = sorted(wanted() - set(passed))
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    numbers = [int(given) for given in sys.argv[1:]]
    main(numbers[0] if numbers else 20, numbers[1] if len(numbers) > 1 else 0)
