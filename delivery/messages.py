"""From a person and a version to the signed bytes of one message; and the same bytes again, later, from the row."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from content.rendering import Compiled, MessageLinks, compiled
from delivery import builtin
from delivery.dkim import Key, Signature, Signer, headers
from delivery.ids import delivery_id
from delivery.mime import Addressee, Body, SenderFacts, build
from delivery.models import Origin, Sender
from phi import seal
from phi.tokens import MessageToken
from tracking import links

TABLE = "delivery_delivery"


class Merged(msgspec.Struct, frozen=True):
    """What went into a message beside its version: sealed on the row, so that the message can be made again."""

    to: str
    sender: SenderFacts
    topic_number: int
    values: dict[str, Any] = {}
    #: False: this person does not want opens and clicks counted, so links lead straight and no pixel is in it (TRK-10).
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """A message but for its signatures. `digest` is of the bytes before signing."""

    delivery_id: UUID
    plain: bytes
    signatures: list[Signature]
    digest: bytes
    sealed: bytes


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Merged)


class Maker:
    """Makes the messages of one origin."""

    def __init__(self, origin: Origin, topic_number: int) -> None:
        self.origin = origin
        self.topic_number = topic_number
        self.sender = sender_facts(origin.sender)
        self._signer = signer_of(origin.sender)
        self._content: Compiled | builtin.Confirmation = content_of(origin)

    def make(
        self,
        contact_id: UUID,
        address: str,
        values: Mapping[str, Any],
        *,
        key: bytes,
        visit: str,
        at: datetime,
        counted: bool = True,
    ) -> Made:
        """One person's message. Raises MissingValue, TemplateBroken, WrongRecipient, UnsafeAddress."""
        used = {name: values[name] for name in self._content.fields_used if name in values}
        merged = Merged(address, self.sender, self.topic_number, used, counted)
        number = delivery_id(self.origin.pk, contact_id, visit)
        plain = unsigned(self.origin, self._content, contact_id, merged, number=number, at=at)
        return Made(
            number,
            plain,
            self._signer.prepare(plain, at),
            hashlib.sha256(plain).digest(),
            seal.seal(_encoder.encode(merged), key=key, aad=_aad(number)),
        )


def unsigned(
    origin: Origin,
    content: "Compiled | builtin.Confirmation",
    contact_id: UUID,
    merged: Merged,
    *,
    number: UUID,
    at: datetime,
) -> bytes:
    """The bytes before DKIM: the same from the same row."""
    token = MessageToken(number, contact_id, merged.topic_number).encode()
    tracked = MessageLinks(token, origin.track_opens and merged.counted, origin.track_clicks and merged.counted)
    rendered = content.render(contact_id, merged.values, tracked)
    return build(
        delivery_id=number,
        sender=merged.sender,
        to=Addressee(contact_id, merged.to),
        body=Body(rendered.contact_id, rendered.subject, rendered.html, rendered.text),
        unsubscribe_url=links.unsubscribe_url(token),
        at=at,
    )


def open_merged(number: UUID, sealed: bytes, *, key: bytes) -> Merged:
    """What was merged in. Raises SealBroken."""
    return _decoder.decode(seal.open_sealed(sealed, key=key, aad=_aad(number)))


def content_of(origin: Origin) -> "Compiled | builtin.Confirmation":
    if origin.template_version.template_id == builtin.TEMPLATE_ID:
        return builtin.Confirmation(origin.template_version, origin.pk)
    return compiled(origin.template_version_id)


def sender_facts(sender: Sender) -> SenderFacts:
    return SenderFacts(sender.name, sender.address, sender.domain.domain, sender.reply_to)


def signer_of(sender: Sender) -> Signer:
    domain = sender.domain
    return _signer(domain.domain, domain.rsa_selector, domain.rsa_key, domain.ed25519_selector, domain.ed25519_key)


@lru_cache(maxsize=32)
def _signer(domain: str, rsa_selector: str, rsa_key: str, ed25519_selector: str, ed25519_key: str) -> Signer:
    return Signer(domain, [Key(rsa_selector, rsa_key), Key(ed25519_selector, ed25519_key)])


def signed(made: Sequence[Made]) -> list[bytes]:
    """The bytes to hand over, in order. Signing takes most of a message's time, so every core takes a share."""
    hands = min(os.cpu_count() or 1, len(made)) or 1
    shares = [made[at::hands] for at in range(hands)]
    out: list[bytes] = [b""] * len(made)
    for at, share in enumerate(_pool(os.getpid()).map(_sign_all, shares)):
        out[at::hands] = share
    return out


def _sign_all(made: Sequence[Made]) -> list[bytes]:
    return [headers(item.signatures) + item.plain for item in made]


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: RSA leaves the interpreter free meanwhile (docs/adr/0053)."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="dkim")


def _aad(number: UUID) -> bytes:
    return seal.aad(TABLE, number.bytes)
