"""Say one thing to one server over HTTPS, and hear nothing but the status (IDN-18).

The name is resolved once and what it gave is checked; the connection goes to a checked address, never to the name
again, so a name that answers differently the second time changes nothing. The certificate has to be the name's.
Redirects are an answer, not an order. Everything together takes at most `seconds`, however slowly the other side
speaks, and the body of the answer is not read.
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import Any

from workflows.webhooks.address import Target, permitted
from workflows.webhooks.inside import PORT

#: Seconds for one call, all in all.
SECONDS = 10.0


class NotTold(Exception):
    """Nobody heard it. `code` of workflows.webhooks.sending.WORDS; `whole`: nobody else's call would fare better."""

    def __init__(self, code: str, *, whole: bool = True) -> None:
        super().__init__(code)
        self.code = code
        self.whole = whole


def resolve(host: str, port: int) -> list[str]:
    """The addresses a name has now."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _Timed(ssl.SSLSocket):
    """A socket on which all that is said and heard ends at one moment, however small the pieces."""

    deadline = 0.0

    def _hurry(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)


@cache
def context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = _Timed
    return made


@dataclass(frozen=True, slots=True)
class Wire:
    """How to reach others. Tests put in names, an allowance and an authority of their own."""

    resolve: Callable[[str, int], list[str]] = resolve
    permits: Callable[[Target, str], bool] = permitted
    context: Callable[[], ssl.SSLContext] = context
    #: Instead of the one the address says.
    port: int | None = None
    seconds: float = SECONDS

    def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        """Send it; the status of the answer. Raises NotTold."""
        deadline = time.monotonic() + self.seconds
        try:
            tls = self._connected(target, deadline)
        except ssl.SSLCertVerificationError:
            raise NotTold("certificate") from None
        except ssl.SSLError:
            raise NotTold("tls") from None
        except TimeoutError:
            raise NotTold("slow") from None
        except OSError:
            raise NotTold("unreachable") from None
        connection = HTTPConnection(target.host)
        connection.auto_open = 0  # never on its own account, to an address nobody checked
        connection.sock = tls
        try:
            host = target.host if target.port == PORT else f"{target.host}:{target.port}"
            connection.request("POST", target.path, body, {**headers, "Host": host, "Connection": "close"})
            return connection.getresponse().status
        except TimeoutError:
            raise NotTold("slow") from None
        except (HTTPException, OSError):
            raise NotTold("broken", whole=False) from None
        finally:
            connection.close()
            tls.close()

    def _connected(self, target: Target, deadline: float) -> _Timed:
        host, port = target.host, self.port or target.port
        try:
            addresses = list(dict.fromkeys(self.resolve(host, port)))
        except (OSError, UnicodeError):
            raise NotTold("no_name") from None
        if not addresses or not all(self.permits(target, address) for address in addresses):
            raise NotTold("not_public" if addresses else "no_name")
        failed: OSError = TimeoutError()
        for address in addresses:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                plain = socket.create_connection((address, port), timeout=left)
            except OSError as problem:
                failed = problem
                continue
            try:
                tls = self.context().wrap_socket(plain, server_hostname=host)
            except BaseException:
                plain.close()
                raise
            assert isinstance(tls, _Timed)
            tls.deadline = deadline
            return tls
        raise failed
