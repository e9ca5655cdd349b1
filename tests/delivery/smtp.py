"""Real SMTP servers for tests: an honest one with TLS from a test authority, and rogues that must get nothing."""

import asyncio
import datetime as dt
import email
import email.policy
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from delivery.transports import smtp

DAY = dt.timedelta(days=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Authority:
    """A certificate authority of this test run."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, host: str, folder: Path, *, expired: bool = False) -> tuple[Path, Path]:
        """Files of a certificate for `host` and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        start, end = (now - 9 * DAY, now - DAY) if expired else (now - DAY, now + 9 * DAY)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(host))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        crt, pem = folder / f"{host}.crt", folder / f"{host}.key"
        crt.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return crt, pem

    def context(self, host: str, folder: Path, *, expired: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(host, folder, expired=expired))
        return context


@cache
def authority(name: str = "Test authority") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return Authority(key, certificate)


@dataclass
class Received:
    """A message as it arrived."""

    sender: str
    recipients: list[str]
    data: bytes
    tls: str

    @property
    def parsed(self) -> EmailMessage:
        message = email.message_from_bytes(self.data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


class _Smtp(SMTP):
    """aiosmtpd that says who is still connected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.talking.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.talking.discard(self)
        super().connection_lost(error)


@dataclass
class Catcher:
    """An honest server by default. `rcpt` and `data` answer instead of it: a reply, "drop", or None for 250."""

    folder: Path
    host: str = "localhost"
    starttls: bool = True
    expired: bool = False
    issuer: Authority = field(default_factory=authority)
    login: tuple[str, str] | None = None
    rcpt: Callable[[str, int], str | None] = lambda address, times: None
    data: Callable[[str, int], str | None] = lambda address, times: None
    mail: Callable[[str, int], str | None] = lambda address, times: None
    messages: list[Received] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    talking: set[SMTP] = field(default_factory=set)
    port: int = field(default_factory=free_port)
    delay: float = 0.0

    def __enter__(self) -> Self:
        context = self.issuer.context(self.host, self.folder, expired=self.expired)
        options: dict[str, Any] = {"tls_context": context, "require_starttls": True} if self.starttls else {}
        if self.login:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": True}
        factory = type("Bound", (Controller,), {"factory": lambda c: _Smtp(self, **c.SMTP_kwargs)})
        self.controller = factory(self, hostname="127.0.0.1", port=self.port, **options)
        self.controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        smtp.close()
        deadline = time.monotonic() + 5
        while self.talking and time.monotonic() < deadline:
            time.sleep(0.01)
        self.controller.stop()

    def _authenticate(self, *args: Any) -> AuthResult:
        given = args[-1]
        assert isinstance(given, LoginPassword)
        right = self.login == (given.login.decode(), given.password.decode())
        return AuthResult(success=right, handled=False)

    async def _answer(self, kind: str, address: str, server: SMTP, ask: Callable[[str, int], str | None]) -> str:
        self.asked[kind, address] += 1
        reply = ask(address, self.asked[kind, address])
        if reply == "drop":
            assert server.transport is not None
            server.transport.abort()
            return "421 gone"
        return reply or ""

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._answer("mail", address, server, self.mail):
            return reply
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._answer("rcpt", address, server, self.rcpt):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.delay:
            await asyncio.sleep(self.delay)
        address = envelope.rcpt_tos[0]
        assert isinstance(envelope.content, bytes)
        tls = session.ssl["cipher"][1] if session.ssl and "cipher" in session.ssl else ""
        reply = await self._answer("data", address, server, self.data)
        if reply and reply != "421 gone":
            return reply
        self.messages.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content, tls))
        return reply or "250 2.0.0 OK"

    def recipients(self) -> Counter[str]:
        return Counter(address for message in self.messages for address in message.recipients)

    def relay_fields(self) -> dict[str, Any]:
        """How to reach this server as a Relay."""
        return {"host": "localhost", "port": self.port, "security": "starttls", "ca_certificate": self.issuer.pem}


class Rogue:
    """A bare server that says what it is told to and keeps every byte it gets.

    `script`: replies to the greeting and then to each line; after STARTTLS `context` (if any) wraps the socket.
    """

    def __init__(self, script: dict[str, str], context: ssl.SSLContext | None = None, greeting: str = "220 hi") -> None:
        self.script = script
        self.context = context
        self.greeting = greeting
        self.lines: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._open = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open = False
        self._socket.close()
        self._thread.join(timeout=2)

    def _serve(self) -> None:
        self._socket.settimeout(0.1)
        while self._open:
            try:
                client, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.settimeout(2)
            self._client = client
            try:
                self._talk()
            except (OSError, ssl.SSLError, TimeoutError):
                pass
            finally:
                self._client.close()

    def _talk(self) -> None:
        self._client.sendall(f"{self.greeting}\r\n".encode())
        buffer = b""
        while True:
            while b"\n" not in buffer:
                chunk = self._client.recv(4096)
                if not chunk:
                    return
                buffer += chunk
            line, buffer = buffer.split(b"\n", 1)
            text = line.decode("latin-1").strip()
            self.lines.append(text)
            verb = text.split(" ")[0].upper()
            self._client.sendall(self.script.get(verb, "500 what?").replace("\n", "\r\n").encode() + b"\r\n")
            if verb == "STARTTLS" and self.context is not None:
                self._client = self.context.wrap_socket(self._client, server_side=True)

    def heard(self, *verbs: str) -> list[str]:
        return [line for line in self.lines if line.split(" ")[0].upper() in verbs]


def wait_until(done: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
