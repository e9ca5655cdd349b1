"""What happened at the clinic, in the order in which it happened: each act on the clock of its day."""

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime

from core import clock


class Timeline:
    """Acts and their moments. An act may put down others, later than itself."""

    def __init__(self) -> None:
        self._acts: list[tuple[datetime, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def at(self, moment: datetime, act: Callable[[], object]) -> None:
        heapq.heappush(self._acts, (moment, next(self._numbers), act))

    def run(self) -> None:
        """Let it all happen, but for what lies in the future."""
        now = clock.now()
        while self._acts and self._acts[0][0] <= now:
            moment, _, act = heapq.heappop(self._acts)
            with clock.set_to(moment):
                act()
