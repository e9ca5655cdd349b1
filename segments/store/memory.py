"""What a process keeps opened: the least recently used goes first, nothing ever goes to a disk."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from django.conf import settings

T = TypeVar("T")


class Memory:
    """Values by key within a number of bytes; many threads may use it."""

    def __init__(self) -> None:
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()
        self.bytes = 0

    def peek(self, key: Hashable) -> Any:
        """What is kept under a key; None if nothing is."""
        with self._lock:
            if (found := self._held.get(key)) is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep `value` of `size` bytes. What is larger than the whole memory is not kept."""
        limit = settings.SEGMENTS_MEMORY
        with self._lock:
            self._drop(key)
            if size > limit:
                return
            self._held[key] = (value, size)
            self.bytes += size
            while self.bytes > limit:
                self._drop(next(iter(self._held)))

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """What is kept under a key; made, and kept, where nothing is. Two threads may make the same at once."""
        if (found := self.peek(key)) is not None:
            return found  # type: ignore[no-any-return]
        made = make()
        self.put(key, made, size(made))
        return made

    def forget(self, which: Callable[[Hashable], bool] = lambda _: True) -> None:
        """Drop everything, or what has such a key."""
        with self._lock:
            for key in [key for key in self._held if which(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        if (gone := self._held.pop(key, None)) is not None:
            self.bytes -= gone[1]


#: The one of this process, within CARILLON_SEGMENTS_MEMORY.
memory = Memory()
