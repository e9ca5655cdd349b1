"""One SMTP connection to a relay over verified TLS 1.2 or newer: opened, proven, used for many messages.

The phases are told apart, because they mean different things: before the body nothing was handed over; after its end
and before the reply nobody knows. No reply's text is kept or logged: it may quote the recipient's address.
"""

import asyncio
import hashlib
import re
import socket
import ssl
import time
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, cast
from uuid import UUID

from core import clock
from core.ids import uuid7

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 30.0
#: RFC 5321 4.5.3.2.6 allows a server ten minutes; withdrawals wait for the window meanwhile, so we wait this long.
END_OF_DATA_SECONDS = 10.0
#: Patience in seconds with what was begun just before a hand-over's time was up.
GRACE_SECONDS = 5.0
_LONGEST_REPLY = 64 * 1024
_STATUS = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})\b")
#: RFC 3463: x.3 is about the mail system, x.7 about policy: mostly what the relay has against us, not a mailbox.
_OURS = re.compile(r"[45]\.[37]\.")


class RelayTrouble(Exception):
    """Our way out is at fault, not a recipient. `code` is kept and shown; `detail` never names a person."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class ConnectionBroke(Exception):
    """The connection ended before any of the message's body was handed over."""


class NoAnswer(ConnectionBroke):
    """We ended it, because no answer came in time."""


class TurnedAway(ConnectionBroke):
    """The relay ended it (421) before it had heard of any recipient."""


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Where and how to connect."""

    id: UUID
    host: str
    port: int
    security: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_certificate: str = field(default="", repr=False)
    connections: int = 10


@dataclass(slots=True)
class SessionFacts:
    """What the wire proved (DLV-05), taken from the TLS session itself."""

    id: UUID
    relay_id: UUID
    host: str
    address: str
    tls_version: str
    cipher: str
    certificate_sha256: str
    certificate_subject: str
    basis: str
    started_at: datetime
    saved: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to one recipient: bytes with CRLF line ends, ASCII addresses."""

    delivery_id: UUID
    contact_id: UUID
    sender: str
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)


class Fate(StrEnum):
    SENT = "sent"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


class Result(NamedTuple):
    """What became of one envelope."""

    fate: Fate
    code: int | None = None
    status: str = ""
    session: SessionFacts | None = None
    #: UNKNOWN because no answer came in time, not because the connection broke.
    late: bool = False

    @property
    def ours(self) -> bool:
        """Whether the refusal may be of us rather than of this recipient; one answer alone cannot tell."""
        if self.fate not in (Fate.REJECTED, Fate.DEFERRED):
            return False
        return bool(_OURS.match(self.status)) or self.code == 421 or (self.code == 554 and not self.status)


class Reply(NamedTuple):
    code: int
    lines: tuple[bytes, ...]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), "" where the server gives none."""
        match = _STATUS.match(self.lines[-1]) if self.lines else None
        return match.group(1).decode() if match else ""


@lru_cache(maxsize=32)
def tls_context(ca_certificate: str) -> ssl.SSLContext:
    """Certificate and host name verified, TLS 1.2 at least; the relay's own authority where it has one."""
    context = ssl.create_default_context(cadata=ca_certificate or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire(asyncio.Protocol):
    """Bytes in, replies out."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if not line[:3].isdigit():
                return self._abort()
            self._lines.append(line[4:])
            if line[3:4] != b"-":
                self._replies.append(Reply(int(line[:3]), tuple(self._lines)))
                self._lines = []
        if len(self._buffer) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            return self._abort()
        return self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def _abort(self) -> None:
        self.lost = True
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def untouched(self) -> bool:
        """Nothing received that was not asked for: after STARTTLS it would be somebody's injection."""
        return not (self._buffer or self._lines or self._replies)

    def write(self, data: bytes) -> None:
        if self.lost or self.transport is None or self.transport.is_closing():
            raise ConnectionBroke
        self.transport.write(data)

    async def reply(self, seconds: float = COMMAND_SECONDS) -> Reply:
        """The next reply. Raises ConnectionBroke, TimeoutError."""
        if not self._replies:
            async with asyncio.timeout(seconds):
                while not self._replies:
                    if self.lost:
                        raise ConnectionBroke
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        return self._replies.popleft()

    async def ask(self, command: bytes, seconds: float = COMMAND_SECONDS) -> Reply:
        self.write(command + b"\r\n")
        return await self.reply(seconds)


class Connection:
    """A session with a relay whose TLS was verified; without that there is no object of this type."""

    def __init__(self, wire: Wire, session: SessionFacts, extensions: frozenset[bytes]) -> None:
        self.wire = wire
        self.session = session
        self.pipelining = b"PIPELINING" in extensions
        self.used_at = time.monotonic()
        #: A body is on its way: what breaks now leaves an unknown outcome.
        self.in_body = False

    @property
    def usable(self) -> bool:
        transport = self.wire.transport
        return not self.wire.lost and transport is not None and not transport.is_closing() and self.wire.untouched

    def close(self) -> None:
        if self.wire.transport is not None and not self.wire.transport.is_closing():
            self.wire.transport.write(b"QUIT\r\n")
            self.wire.transport.close()

    def abort(self) -> None:
        self.wire.lost = True
        if self.wire.transport is not None:
            self.wire.transport.abort()

    async def send(self, envelope: Envelope, until: float) -> Result:
        """Hand over one message; the body must be begun by `until` (monotonic seconds), or the connection is given up.

        Raises ConnectionBroke or RelayTrouble only while nothing of it was handed over.
        """
        try:
            async with asyncio.timeout(until - time.monotonic()):
                refused = await self._envelope(envelope)
        except TimeoutError:
            self.abort()
            raise NoAnswer from None
        if refused is not None:
            return refused
        return await self._body(envelope.data)

    async def _envelope(self, envelope: Envelope) -> Result | None:
        commands = (
            f"MAIL FROM:<{envelope.sender}>\r\n".encode("ascii"),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode("ascii"),
            b"DATA\r\n",
        )
        if any(command.count(b"\n") != 1 or b"\r" in command[:-2] for command in commands):
            raise RelayTrouble("unsafe_envelope")
        if self.pipelining:
            self.wire.write(b"".join(commands))
            mail, rcpt, data = [await self.wire.reply() for _ in commands]
        else:
            mail = rcpt = data = await self.wire.ask(commands[0][:-2])
            if mail.code == 250:
                rcpt = data = await self.wire.ask(commands[1][:-2])
            if mail.code == 250 and rcpt.code in (250, 251):
                data = await self.wire.ask(commands[2][:-2])
        if mail.code == 250 and rcpt.code in (250, 251) and data.code == 354:
            return None
        if data.code == 354:  # pipelined DATA was taken although a recipient was not: end it empty
            await self.wire.ask(b".")
        self._raise_if_ours(mail, rcpt)
        await self.wire.ask(b"RSET")
        return self._refusal(rcpt if rcpt.code not in (250, 251) else data)

    def _raise_if_ours(self, mail: Reply, rcpt: Reply) -> None:
        """What the relay says of us is no outcome of a recipient: nobody is marked failed for it."""
        if mail.code == 250 and rcpt.code not in (421, 530, 535, 538):
            return
        self.abort()
        code = mail.code if mail.code != 250 else rcpt.code
        if code == 421:
            raise TurnedAway if mail.code == 421 else ConnectionBroke
        if code in (530, 535, 538):
            raise RelayTrouble("authentication", f"SMTP {code}")
        raise RelayTrouble("busy" if code < 500 else "sender_refused", f"SMTP {code}")

    def _refusal(self, reply: Reply) -> Result:
        fate = Fate.DEFERRED if 400 <= reply.code < 500 else Fate.REJECTED
        return Result(fate, reply.code, reply.status, self.session)

    async def _body(self, data: bytes) -> Result:
        """From the first byte of the body to its reply. A break in here leaves the outcome unknown."""
        # Every message ends with CRLF, so one dot more is the end of data.
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        self.in_body = True
        try:
            reply = await self.wire.ask(
                stuffed + (b"." if stuffed.endswith(b"\r\n") else b"\r\n."), END_OF_DATA_SECONDS
            )
        except (ConnectionBroke, TimeoutError) as exc:
            self.abort()
            return Result(Fate.UNKNOWN, None, "", self.session, late=isinstance(exc, TimeoutError))
        self.in_body = False
        self.used_at = time.monotonic()
        if 200 <= reply.code < 300:
            return Result(Fate.SENT, reply.code, reply.status, self.session)
        return self._refusal(reply)


async def connect(relay: RelayConfig, seconds: float = CONNECT_SECONDS + COMMAND_SECONDS) -> Connection:
    """A connection whose TLS is proven and that is signed in. Raises RelayTrouble; no mail command was sent then."""
    wire: Wire | None = None
    try:
        async with asyncio.timeout(min(seconds, CONNECT_SECONDS + COMMAND_SECONDS)):
            wire = await _open(relay)
            await _greeting(wire)
            extensions = await _secure(wire, relay)
            await _sign_in(wire, relay, extensions)
            return Connection(wire, _proof(wire, relay), frozenset(extensions))
    except BaseException as exc:
        if wire is not None and wire.transport is not None:
            wire.transport.abort()
        raise _as_trouble(exc) from None


def _as_trouble(exc: BaseException) -> BaseException:
    found = exc
    match exc:
        case ssl.SSLCertVerificationError():
            found = RelayTrouble("certificate", exc.verify_message or "not verified")
        case ssl.SSLError():
            found = RelayTrouble("tls", (exc.reason or "handshake failed").replace("_", " ").lower())
        case TimeoutError():
            found = RelayTrouble("unreachable", "no answer in time")
        case ConnectionBroke():
            found = RelayTrouble("unreachable", "the relay closed the connection")
        case socket.gaierror():
            found = RelayTrouble("unreachable", "the host name does not resolve")
        case OSError():
            found = RelayTrouble("unreachable", exc.strerror or "no connection")
        case UnicodeError():
            found = RelayTrouble("unreachable", "this is no host name")
        case ValueError():
            found = RelayTrouble("certificate", "the authority to trust cannot be read")
    return found


async def _open(relay: RelayConfig) -> Wire:
    loop = asyncio.get_running_loop()
    implicit = tls_context(relay.ca_certificate) if relay.security == "tls" else None
    async with asyncio.timeout(CONNECT_SECONDS):
        transport, wire = await loop.create_connection(
            Wire, relay.host, relay.port, ssl=implicit, server_hostname=relay.host if implicit else None
        )
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


async def _greeting(wire: Wire) -> None:
    greeting = await wire.reply()
    if greeting.code != 220:
        raise RelayTrouble("busy" if greeting.code < 500 else "greeting", f"SMTP {greeting.code}")


async def _secure(wire: Wire, relay: RelayConfig) -> set[bytes]:
    """EHLO, and STARTTLS where TLS is not there yet. Without it nothing more is said (DLV-08)."""
    extensions = await _hello(wire)
    if relay.security == "tls":
        return extensions
    if b"STARTTLS" not in extensions:
        raise RelayTrouble("no_starttls", "the relay does not offer STARTTLS")
    answer = await wire.ask(b"STARTTLS")
    if answer.code != 220 or not wire.untouched:
        raise RelayTrouble("no_starttls", f"SMTP {answer.code}")
    assert wire.transport is not None
    secured = await asyncio.get_running_loop().start_tls(
        wire.transport,
        wire,
        tls_context(relay.ca_certificate),
        server_hostname=relay.host,
        ssl_handshake_timeout=CONNECT_SECONDS,
    )
    if secured is None:
        raise RelayTrouble("tls", "the relay closed the connection")
    wire.transport = secured
    return await _hello(wire)


async def _hello(wire: Wire) -> set[bytes]:
    reply = await wire.ask(b"EHLO " + socket.gethostname().encode("ascii", "ignore")[:200])
    if reply.code != 250:
        raise RelayTrouble("greeting", f"SMTP {reply.code} to EHLO")
    return {line.strip().upper().split(b" ")[0] for line in reply.lines[1:]}


async def _sign_in(wire: Wire, relay: RelayConfig, extensions: set[bytes]) -> None:
    if not relay.username:
        return
    if b"AUTH" not in extensions:
        raise RelayTrouble("authentication", "the relay does not offer to sign in")
    secret = b64encode(f"\0{relay.username}\0{relay.password}".encode())
    reply = await wire.ask(b"AUTH PLAIN " + secret)
    if reply.code == 504:  # only LOGIN
        await wire.ask(b"AUTH LOGIN")
        await wire.ask(b64encode(relay.username.encode()))
        reply = await wire.ask(b64encode(relay.password.encode()))
    if reply.code != 235:
        raise RelayTrouble("authentication", f"SMTP {reply.code}")


def _proof(wire: Wire, relay: RelayConfig) -> SessionFacts:
    """Read from the session's own TLS object, never from what anybody says of it."""
    assert wire.transport is not None
    tls: ssl.SSLObject | None = wire.transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    if tls is None or certificate is None or tls.version() not in ("TLSv1.2", "TLSv1.3"):
        raise RelayTrouble("tls", "the session could not prove its encryption")
    subject = cast(tuple[tuple[tuple[str, str], ...], ...], (tls.getpeercert() or {}).get("subject", ()))
    names = dict(pair for group in subject for pair in group)
    cipher = tls.cipher()
    return SessionFacts(
        id=uuid7(),
        relay_id=relay.id,
        host=relay.host,
        address=str((wire.transport.get_extra_info("peername") or ("",))[0]),
        tls_version=str(tls.version()),
        cipher=cipher[0] if cipher else "",
        certificate_sha256=hashlib.sha256(certificate).hexdigest(),
        certificate_subject=str(names.get("commonName", ""))[:255],
        basis="private-ca" if relay.ca_certificate else "webpki",
        started_at=clock.now(),
    )
