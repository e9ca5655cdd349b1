"""The mail catcher of a local run, for one test: real SMTP over verified TLS into the Mailbox page."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connections

from marketing import catcher, local_ca
from tests.delivery.smtp import free_port


@contextlib.contextmanager
def post_office(folder: Path) -> Iterator[dict[str, Any]]:
    """Catches mail while open; gives what a Relay needs to reach it."""
    files = local_ca.prepare(folder)
    port = free_port()
    loop = asyncio.new_event_loop()
    started = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        serving = loop.create_task(catcher.serve(port, files))
        loop.call_later(0.2, started.set)
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    yield {"host": "localhost", "port": port, "security": "starttls", "ca_certificate": files.authority.read_text()}
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
    thread.join(10)
