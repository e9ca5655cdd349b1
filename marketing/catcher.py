"""The local run's mail catcher: a real SMTP server that demands TLS and delivers to nobody but the Mailbox page."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections, connections

from marketing import mailbox
from marketing.local_ca import Files
from marketing.mailbox import Arrival

#: Addresses here are refused as unknown, so that bounces can be seen.
GONE_DOMAIN = "gone.example"
logger = logging.getLogger(__name__)
#: Mails that arrive together are kept together; no reply is given before they are.
BATCH = 200


class Catcher:
    """aiosmtpd's handler. A message is answered 250 when it is committed, never before."""

    def __init__(self, keep: Callable[[list[Arrival]], None]) -> None:
        self._keep = keep
        self._waiting: asyncio.Queue[tuple[Arrival, asyncio.Future[bool]]] = asyncio.Queue(maxsize=2_000)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.endswith(f"@{GONE_DOMAIN}"):
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        cipher = session.ssl.get("cipher") if session.ssl else None
        content = envelope.content or b""
        arrival = Arrival(
            list(envelope.rcpt_tos),
            content if isinstance(content, bytes) else content.encode(),
            f"{cipher[1]} {cipher[0]}" if cipher else "",
        )
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._waiting.put((arrival, kept))
        return "250 OK" if await kept else "451 The mailbox is not ready, try again"

    async def keep_forever(self) -> None:
        """Write what has arrived, batch by batch."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                await sync_to_async(self._keep)([arrival for arrival, _ in batch])
                done = True
            except DatabaseError as error:
                logger.warning("mailbox not written: %s", type(error).__name__)
                done = False
            for _, kept in batch:
                if not kept.done():
                    kept.set_result(done)


def keep(arrivals: list[Arrival]) -> None:
    close_old_connections()
    mailbox.capture(arrivals)


async def serve(port: int, files: Files) -> None:
    """Listen on localhost until cancelled."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    catcher = Catcher(keep)
    options: dict[str, Any] = {
        "hostname": "localhost",
        "ident": "Carillon mail catcher",
        "tls_context": context,
        "require_starttls": True,
        "decode_data": False,
        "enable_SMTPUTF8": True,
    }
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(catcher, **options), "127.0.0.1", port)
    try:
        async with server, asyncio.TaskGroup() as group:
            group.create_task(catcher.keep_forever())
            group.create_task(server.serve_forever())
    finally:
        await sync_to_async(connections.close_all)()
