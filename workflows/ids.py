"""Ids of what a visit makes follow from the visit: a repeat after a crash makes the same row, not a second one."""

import hashlib
from uuid import UUID


def made_id(kind: str, enrolment: int, visit: int) -> UUID:
    """The one id of this kind of thing at this visit, in the form of a UUID (version 8, RFC 9562)."""
    raw = hashlib.blake2b(f"{kind}:{enrolment}:{visit}".encode(), digest_size=16).digest()
    value = int.from_bytes(raw, "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return UUID(int=value)
