"""Journeys against the slow and obvious interpreter: SIZE random worlds. `python -m bench.workflows_truth [SIZE [SEED]]`.

Each world is two random journeys with four people, and forty things that befall them, crashes and several workers
among them; the traces must be the same after each. Then as many journeys foretold for ten people each, and lived. JSON a
line; the first that differs is told and ends it.
"""

import json
import random
import sys
import time
import traceback
from collections import Counter
from datetime import timedelta
from typing import Any

from bench import _door as door

DEEDS = 40


def befall(both: Any, drawer: Any, random_: random.Random) -> str:
    """One thing, drawn by chance; its name."""
    from tests.workflows import drawn

    who = random_.randrange(len(both.people))
    journey = both.world.journeys["main"]

    def event() -> None:
        said = {"place": random_.choice(["here", "there"]), "when": random_.choice(["2026-03-08", "2026-03-12"])}
        both.event(who, random_.choice(drawn.EVENTS), random_.choice(drawn.KEYS), said, random_.choice([0, 0, 90]))

    def change() -> None:
        fresh = drawn.drawn_person(random_)
        name = random_.choice(list(fresh))
        both.change(who, name, fresh[name])

    def later() -> None:
        both.now += timedelta(minutes=random_.choice([1, 29, 300, 1439, 1440, 1441, 2880, 4320, 11520]))

    def earlier() -> None:
        both.now -= timedelta(minutes=random_.choice([1, 61, 600]))

    def move() -> None:
        if len(journey.versions) < 4:
            definition = drawer.definition(trigger=journey.live["trigger"])
            both.move("main", definition, drawn.drawn_plan(random_, journey.versions, definition))

    def delete() -> None:
        if random_.random() < 0.2:
            both.delete(who)

    deeds: list[tuple[int, Any]] = [
        (4, lambda: both.enter("main", who)),
        (5, event),
        (3, change),
        (2, lambda: both.consent(who, random_.choice([None, 0, 1]), random_.random() < 0.5)),
        (8, later),
        (1, earlier),
        (5, both.deliver),
        (3, both.answer),
        (1, lambda: both.pause("main")),
        (2, lambda: both.resume("main", random_.choice(["catch_up", "skip"]))),
        (1, move),
        (1, delete),
    ]
    weights, what = zip(*deeds, strict=True)
    chosen = random_.choices(what, weights)[0]
    chosen()
    both.settle(
        crash=random_.randrange(60) if random_.random() < 0.2 else None,
        workers=3 if random_.random() < 0.1 else 1,
    )
    both.agree()
    return str(chosen.__name__)


def world(setting: Any, seed: int, passed: "Counter[str]") -> None:
    from tests.workflows.drawn import Drawer, drawn_person
    from tests.workflows.truth import Both

    random_ = random.Random(seed)
    both, drawer = Both(setting), Drawer(random_, setting)
    with both.held():
        both.begin("inner", drawer.definition(trigger={"kind": "manual", "chosen_by": "phi"}, inner=True))
        setting.inner_id = str(both.workflows["inner"].pk)
        both.begin("main", drawer.definition())
        both.add_people([drawn_person(random_) for _ in range(4)])
        both.settle()
        for who in range(4):
            both.enter("main", who)
        both.settle()
        both.agree()
        try:
            for _ in range(DEEDS):
                befall(both, drawer, random_)
        finally:
            both.close()
    for stay in both.world.journeys["main"].stays + both.world.journeys["inner"].stays:
        kinds = {name: step["kind"] for version in stay.journey.versions for name, step in version["steps"].items()}
        passed.update(kinds[one.step] for one in stay.passed)
        passed["left: " + stay.left if stay.left else "inside"] += 1


def foretold(setting: Any, seed: int, passed: "Counter[str]") -> None:
    from tests.workflows.ahead import compared

    said, done, definition = compared(setting, random.Random(seed))
    for who, trace in said.items():
        assert done[who] == trace, f"{definition}\nsimulator: {trace}\nengine: {done[who]}"
        passed.update(definition["steps"][row[1]]["kind"] for row in trace)


def main(size: int, first: int) -> None:
    with door.scratch():
        from tests.workflows.truth import Setting

        setting = Setting()
        for name, one in (("worlds", world), ("foretold", foretold)):
            passed, began = Counter[str](), time.perf_counter()
            for seed in range(first, first + size):
                try:
                    one(setting, seed, passed)
                except AssertionError as difference:
                    said = str(difference)[:20_000] or traceback.format_exc()
                    print(json.dumps({"seed": seed, "differs": said}), flush=True)
                    sys.exit(1)
            seconds = round(time.perf_counter() - began)
            line = {name: size, "seconds": seconds, "differences": 0, "passed": dict(passed)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    numbers = [int(given) for given in sys.argv[1:]]
    main(numbers[0] if numbers else 20, numbers[1] if len(numbers) > 1 else 0)
