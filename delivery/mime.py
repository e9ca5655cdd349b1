"""The bytes of one message to one person (RFC 5322, 2045-2047, 2369, 8058). Pure.

There is no Cc, no Bcc and no list of recipients (SND-01): the type cannot say them. Headers hold no word of campaign,
segment or content but the subject (TRK-04).
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import msgspec

#: Everything that could end a header line or hide in one: control characters and Unicode's line ends.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+\Z")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class WrongRecipient(ValueError):
    """The content was rendered for somebody else (SND-03)."""


class UnsafeAddress(ValueError):
    """Not an address that may stand in a header or an envelope."""


class SenderFacts(msgspec.Struct, frozen=True):
    """Who the mail is from, and the domain that signs it."""

    name: str
    address: str
    domain: str
    reply_to: str = ""


class Addressee(msgspec.Struct, frozen=True):
    """The one person a message goes to. `address` is PHI: in memory only."""

    contact_id: UUID
    address: str


class Body(msgspec.Struct, frozen=True):
    """What was rendered, and for whom."""

    contact_id: UUID
    subject: str
    html: str
    text: str


def build(
    *,
    delivery_id: UUID,
    sender: SenderFacts,
    to: Addressee,
    body: Body,
    unsubscribe_url: str,
    at: datetime,
) -> bytes:
    """The message, before DKIM. `at` in UTC is its Date; the same arguments give the same bytes.

    Raises WrongRecipient where the content is another contact's, UnsafeAddress where the address could break a header.
    """
    if body.contact_id != to.contact_id:
        raise WrongRecipient("The content was rendered for another contact than the envelope names.")
    name = delivery_id.hex
    boundary = f"=_{name}"  # "=_" cannot occur in quoted-printable
    reply = f"Reply-To: {envelope_address(sender.reply_to)}\r\n" if sender.reply_to else ""
    head = (
        f"{_from(sender)}"
        f"To: {envelope_address(to.address)}\r\n"
        f"Subject: {encoded(body.subject, 9)}\r\n"
        f"Date: {_date(at)}\r\n"
        f"Message-ID: <{name}@{sender.domain}>\r\n"
        f"{reply}"
        f"List-Unsubscribe: <{_BREAKS.sub('', unsubscribe_url)}>\r\n"
        f"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        f"List-Id: <mail.{sender.domain}>\r\n"
        f"MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
        f"\r\n"
    )
    return b"".join(
        (head.encode("ascii"), _part(boundary, "plain", body.text), _part(boundary, "html", body.html), _end(boundary))
    )


def _part(boundary: str, kind: str, content: str) -> bytes:
    head = (
        f'--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    lines = content.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n")
    return head.encode() + b2a_qp(lines.encode("utf-8", "replace") + b"\r\n", istext=True)


def _end(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode()


@lru_cache(maxsize=256)
def _from(sender: SenderFacts) -> str:
    address = envelope_address(sender.address)
    if not one_line(sender.name):
        return f"From: {address}\r\n"
    return f"From: {phrase(sender.name, 6)} <{address}>\r\n"


def one_line(text: str) -> str:
    """The text without anything that could end a header line."""
    return _BREAKS.sub(" ", text).strip()


def envelope_address(address: str) -> str:
    """The address in ASCII, its domain in IDNA (SMTPUTF8 is never asked for). Raises UnsafeAddress."""
    local, _, domain = address.strip().rpartition("@")
    plain = f"{local}@{_idna(domain)}"
    if len(plain) > 254 or not local or not _ADDRESS.match(plain) or any(c in local for c in '<>()[],;:\\"'):
        raise UnsafeAddress("An address cannot stand in a header.")
    return plain


@lru_cache(maxsize=4096)
def _idna(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        raise UnsafeAddress("The domain of an address cannot be written in ASCII.") from None


def encoded(text: str, used: int = 0) -> str:
    """An unstructured header value: as it is where short and ASCII, else folded encoded words (RFC 2047)."""
    text = one_line(text)
    if text.isascii() and "=?" not in text and len(text) + used <= 78:
        return text
    return _words(text, used)


def phrase(text: str, used: int = 0) -> str:
    """A display name: quoted where ASCII, else encoded words."""
    text = one_line(text)
    if text.isascii() and "=?" not in text and len(text) <= 120:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _words(text, used)


def _words(text: str, used: int) -> str:
    words: list[str] = []
    chunk = b""
    room = (76 - used - 12) * 3 // 4
    for character in text:
        raw = character.encode("utf-8", "replace")
        if len(chunk) + len(raw) > room:
            words.append(f"=?utf-8?B?{b64encode(chunk).decode()}?=")
            chunk, room = b"", 45
        chunk += raw
    words.append(f"=?utf-8?B?{b64encode(chunk).decode()}?=")
    return "\r\n ".join(words)


def _date(at: datetime) -> str:
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year}"
        f" {at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    )
