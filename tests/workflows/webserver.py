"""A web server on loopback that hears webhooks, and does to us what one wants to see."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.delivery.smtp import authority
from workflows.webhooks.wire import Wire, _Timed

HOST = "hooks.example.com"


@dataclass
class Heard:
    """One call as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebServer:
    """Answers with `answer` (bytes), or does `behave` with the connection after it heard."""

    folder: Path
    host: str = HOST
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    behave: Callable[[ssl.SSLSocket], None] | None = None
    expired: bool = False
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._context = authority().context(self.host, self.folder, expired=self.expired)
        self._thread = threading.Thread(target=self._serve, name="webserver")
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            plain.settimeout(5)
            try:
                with self._context.wrap_socket(plain, server_side=True) as tls:
                    self._hear(tls)
            except OSError:
                plain.close()

    def _hear(self, tls: ssl.SSLSocket) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += tls.recv(65_536)
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += tls.recv(65_536)
        self.heard.append(Heard(first.split()[1], headers, body))
        if self.behave is not None:
            self.behave(tls)
        else:
            tls.sendall(self.answer)

    def wire(self, *, seconds: float = 5.0, names: Callable[[str, int], list[str]] | None = None) -> Wire:
        """A wire that finds this server under any name, trusts the test authority, and may call loopback."""
        return Wire(
            resolve=names or (lambda host, port: ["127.0.0.1"]),
            permits=lambda target, address: address == "127.0.0.1",
            context=_trusting,
            port=self.port,
            seconds=seconds,
        )


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority().pem)
    context.sslsocket_class = _Timed
    return context


def drip(tls: ssl.SSLSocket) -> None:
    """Say a header that never ends, a byte at a time."""
    tls.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(200):
        tls.sendall(b"x")
        time.sleep(0.02)


def flood(tls: ssl.SSLSocket) -> None:
    """Say yes, and never stop talking."""
    tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2_000):
        tls.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
