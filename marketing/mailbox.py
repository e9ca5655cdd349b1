"""The local run's captured mails: kept encrypted, read again as their recipient would read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from typing import NamedTuple

from django.db import transaction

from core import clock
from marketing.models import CapturedMail

#: A mailbox is for looking: older mails make room for new ones.
KEPT = 20_000


class Arrival(NamedTuple):
    """A message as the wire brought it, with the envelope's recipients and what TLS proved."""

    recipients: list[str]
    content: bytes
    tls: str


@transaction.atomic
def capture(arrivals: Sequence[Arrival]) -> None:
    """Keep these mails, encrypted, in one statement."""
    now = clock.now()
    CapturedMail.objects.bulk_create(
        CapturedMail(
            arrived_at=now,
            summary=_summary(arrival),
            message=arrival.content.decode("latin-1"),
            size=len(arrival.content),
            tls=arrival.tls,
        )
        for arrival in arrivals
    )


@transaction.atomic
def make_room() -> None:
    """Forget all but the newest mails."""
    edge = CapturedMail.objects.order_by("-arrived_at").values_list("arrived_at", flat=True)[KEPT : KEPT + 1].first()
    if edge is not None:
        CapturedMail.objects.filter(arrived_at__lte=edge).delete()


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail taken apart for reading."""

    headers: list[tuple[str, str]]
    html: str
    text: str
    source: str


def opened(mail: CapturedMail) -> Opened:
    """The mail's headers, its two bodies (empty where it has none) and its source as it came."""
    raw = mail.message.encode("latin-1")
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    return Opened(
        headers=[(name, str(value)) for name, value in message.items()],
        html=_body(message, "html"),
        text=_body(message, "plain"),
        source=raw.decode("utf-8", "replace"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _summary(arrival: Arrival) -> dict[str, str]:
    headers = BytesHeaderParser(policy=policy.default).parsebytes(arrival.content)
    return {
        "to": ", ".join(arrival.recipients),
        "from": str(headers.get("From", "")),
        "subject": str(headers.get("Subject", "")),
    }
