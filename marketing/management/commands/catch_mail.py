import asyncio
import contextlib
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketing import catcher, local_ca, mailbox


class Command(BaseCommand):
    help = "Take every mail sent on this local run and show it on the Mailbox page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not settings.LOCAL_RUN:
            raise CommandError("The mail catcher exists on a local run only.")
        mailbox.make_room()
        asyncio.run(self._serve(port))

    async def _serve(self, port: int) -> None:
        serving = asyncio.ensure_future(catcher.serve(port, local_ca.files(settings.HOME / "mail")))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving
