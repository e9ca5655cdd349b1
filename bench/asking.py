"""What it costs to hold a question against 2,000 remembered answers: `make bench BENCH=asking SIZE=1000000`."""

import random
import sys
import time
from array import array
from collections.abc import Callable

import numpy as np
from pyroaring import BitMap

from bench._door import emit, scratch

REMEMBERED = 2_000
#: IDX-09's pairs: the same crowd again, one person less, and what two earlier crowds add up to.
ASKED = 40


def crowd(lot: np.random.Generator, size: int, share: float) -> BitMap:
    numbers = np.flatnonzero(lot.random(size) < share).astype(np.uint32)
    return BitMap(array("I", numbers.tobytes()))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock and of this process's processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - clock) * 1e3, (time.process_time() - processor) * 1e3


def run(size: int) -> None:
    from accounts.models import User
    from accounts.policy import Role
    from core import clock
    from segments import asking, counting
    from segments.models import Question
    from segments.tree import Group, NumberIs, Rule

    lot, everybody = np.random.default_rng(1), BitMap(range(size))
    by = User.objects.create_user("analyst@clinic.example", "Ann Analyst", [Role.ANALYST])
    counting.QUESTIONS_A_DAY = counting.NEAR_A_DAY = 10**6
    wordings = iter(range(10**6))

    def tell(members: BitMap) -> int:
        """As `ask`, but for the evaluation of the rule."""
        rule = Rule(Group("all", (NumberIs("n", "is", next(wordings)),)))
        answer = counting._told(by, counting._charge(by, [rule]), [members], everybody)[0]
        return answer.count or 0

    # Crowds of the sizes people ask about; every tenth is as large as another, so that size alone rules nothing out.
    shares = [random.Random(n // 10).uniform(0.002, 0.6) for n in range(REMEMBERED)]
    kept = [crowd(lot, size, share) for share in shares]
    for members in kept:
        question = Question.objects.create(asked_by=by.pk, at=clock.now())
        counting._remember(question, asking.told(members), members, everybody)
    stored = [len(bytes(m or b"")) for m in Question.objects.values_list("members", flat=True)[:50]]
    emit("asking: a remembered answer", sum(stored) / len(stored) / 1024, "KB")

    counting._opened.clear()
    fresh = crowd(lot, size, 0.3)
    for kind, value in zip(("", ", processor"), timed(lambda: tell(fresh)), strict=True):
        emit(f"asking: first question of a process{kind}", value, "ms")
    picked = random.Random(2).sample(kept, ASKED)
    cases = {
        "news": [crowd(lot, size, 0.2) for _ in range(ASKED)],
        "the same people": picked,
        "one person less": [members - BitMap([members[7]]) for members in picked],
        "what two add up to, less one person": [
            (a | b) - BitMap([a[7]]) for a, b in _disjoint(picked[: ASKED // 2], lot, size, tell)
        ],
    }
    for name, asked in cases.items():
        took = [timed(lambda m=members: tell(m)) for members in asked]  # type: ignore[misc]
        by_clock, processor = (sorted(values) for values in zip(*took, strict=True))
        emit(f"asking: {name}, median", by_clock[len(took) // 2], "ms")
        emit(f"asking: {name}, slowest", by_clock[-1], "ms")
        emit(f"asking: {name}, median of the processor", processor[len(took) // 2], "ms")


def _disjoint(
    crowds: list[BitMap], lot: np.random.Generator, size: int, tell: Callable[[BitMap], object]
) -> list[tuple[BitMap, BitMap]]:
    """Each crowd beside another that shares nobody with it, both told."""
    pairs = [(members, crowd(lot, size, 0.3) - members) for members in crowds]
    for _, other in pairs:
        tell(other)
    return pairs


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with scratch():
        run(size)


if __name__ == "__main__":
    import django

    django.setup()
    main()
