"""Opaque tokens for links in mails: AES-256-SIV over ids, so they carry nothing readable and cannot be forged.

A token is never stored (TRK-03: stronger than storing its hash) and never expires by itself (CAN-08). Its purpose
is bound in, so an unsubscribe token opens nothing else.
"""

import base64
import binascii
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from phi.keyring import keyring


class BadToken(ValueError):
    """Not one of ours, or altered."""


@dataclass(frozen=True, slots=True)
class MessageToken:
    """Stands for one message: one token serves all its links."""

    delivery_id: UUID
    contact_id: UUID
    topic_number: int  # 0: none

    def encode(self) -> str:
        plain = self.delivery_id.bytes + self.contact_id.bytes + self.topic_number.to_bytes(4, "big")
        return _seal(plain, b"message")

    @classmethod
    def decode(cls, token: str) -> "MessageToken":
        plain = _open(token, b"message")
        if len(plain) != 36:
            raise BadToken
        return cls(UUID(bytes=plain[:16]), UUID(bytes=plain[16:32]), int.from_bytes(plain[32:], "big"))


@cache
def _siv() -> AESSIV:
    return AESSIV(keyring().secret("token:1") + keyring().secret("token:2"))


def _seal(plain: bytes, purpose: bytes) -> str:
    return base64.urlsafe_b64encode(b"\x01" + _siv().encrypt(plain, [purpose])).rstrip(b"=").decode()


def _open(token: str, purpose: bytes) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if raw[:1] != b"\x01" or _seal_form(raw) != token:
            raise BadToken
        return _siv().decrypt(raw[1:], [purpose])
    except (binascii.Error, ValueError, InvalidTag):
        raise BadToken from None


def _seal_form(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def seal_ids(purpose: str, *ids: UUID) -> str:
    """A token for other single-purpose links (double opt-in, sign-in): the ids and nothing else."""
    return _seal(b"".join(item.bytes for item in ids), purpose.encode())


def open_ids(purpose: str, token: str) -> list[UUID]:
    plain = _open(token, purpose.encode())
    if not plain or len(plain) % 16:
        raise BadToken
    return [UUID(bytes=plain[at : at + 16]) for at in range(0, len(plain), 16)]
