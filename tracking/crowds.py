"""How many different messages one network asks for at a time. In memory only, keyed with a key that dies with us."""

import hashlib
import hmac
import os
import time
from collections import OrderedDict
from threading import Lock
from uuid import UUID

WINDOW = 60.0
#: Networks remembered at most; the longest silent is forgotten first.
MOST = 10_000


class Crowds:
    """Per process, so an under-estimate where there are several: it only ever adds to what other signs say."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._seen: OrderedDict[bytes, dict[UUID, float]] = OrderedDict()
        self._lock = Lock()

    def count(self, address: str, delivery_id: UUID, now: float | None = None) -> int:
        """Different messages this address asked for within the window, this one included. "" is nobody: 1."""
        if not address:
            return 1
        now = time.monotonic() if now is None else now
        own = hmac.new(self._key, address.encode(), hashlib.sha256).digest()[:8]
        with self._lock:
            seen = {one: at for one, at in self._seen.pop(own, {}).items() if at > now - WINDOW}
            seen[delivery_id] = now
            if len(seen) > 50:
                seen.pop(next(iter(seen)))
            self._seen[own] = seen
            while len(self._seen) > MOST:
                self._seen.popitem(last=False)
            return len(seen)


crowds = Crowds()
