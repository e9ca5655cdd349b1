"""Show a message as it was handed over to somebody who says why; both are kept."""

import email
import email.policy
import hashlib
from dataclasses import dataclass
from email.message import EmailMessage

from django.db import transaction

from audit.commands import record
from contacts.imports import write_reason
from core.actors import By
from delivery import queries
from delivery.models import Delivery


@dataclass(frozen=True, slots=True)
class Shown:
    """A message made again. `matches`: its SHA-256 is the one written down when it left."""

    headers: list[tuple[str, str]]
    text: str
    matches: bool


@transaction.atomic
def reveal_message(delivery: Delivery, *, reason: str, by: By) -> Shown:
    """Make the message again from its row. Raises NotReproducible, NeedsReason."""
    raw = queries.reproduce(delivery)
    note = write_reason("message.revealed", delivery.pk, reason, by)
    record("message.revealed", by=by, target=delivery, subject=delivery.contact_id, reason_id=str(note.pk))
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    plain = message.get_body(("plain",))
    return Shown(
        [(name, str(value)) for name, value in message.items()],
        plain.get_content() if plain is not None else "",
        hashlib.sha256(raw).digest() == bytes(delivery.content_sha256 or b""),
    )
