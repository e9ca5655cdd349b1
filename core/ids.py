"""Identifiers that carry no meaning (TRK-03): random, sortable by birth only."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """A time-ordered random UUID (RFC 9562 section 5.7): inserts stay together in an index."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
