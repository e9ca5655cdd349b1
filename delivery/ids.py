"""The id of a delivery follows from what it is about, so a repeat after a crash bears the same one."""

import hashlib
import hmac
from functools import cache
from uuid import UUID

from phi.keyring import keyring


@cache
def _key() -> bytes:
    return keyring().secret("delivery:id")


def delivery_id(origin_id: UUID, contact_id: UUID, visit: str = "") -> UUID:
    """The one id of (origin, contact, visit): a keyed hash in the form of a UUID (version 8, RFC 9562)."""
    raw = hmac.digest(_key(), origin_id.bytes + contact_id.bytes + visit.encode(), hashlib.sha256)[:16]
    value = int.from_bytes(raw, "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return UUID(int=value)
