import os
import signal
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketing import local_ca
from marketing.postgres import CannotStart, Server, die_with_parent
from marketing.processes import Child, Crew, await_port, check_port, run_once

QUEUES = "default,marketing,transactional"


class Command(BaseCommand):
    help = "Run Carillon on this machine: PostgreSQL, web, worker, beat and a mail catcher, until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")), help="of the pages")
        parser.add_argument(
            "--mail-port", type=int, default=int(os.environ.get("MAIL_PORT", "2525")), help="of the mail catcher"
        )
        parser.add_argument("--empty", action="store_true", help="start without the demo clinic")

    def handle(self, *args: Any, port: int, mail_port: int, empty: bool, **options: Any) -> None:
        die_with_parent(signal.SIGTERM)
        env = {
            **os.environ,
            "CARILLON_LOCAL_RUN": "1",
            "CARILLON_PUBLIC_URL": f"http://localhost:{port}",
            "CARILLON_MAIL_PORT": str(mail_port),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",  # hints for developers of the libraries, not for who starts a clinic
        }
        crew = Crew(env, self._say)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, lambda *_: crew.stopping.set())
        server = None if "DATABASE_URL" in os.environ else Server(settings.HOME / "postgres", say=self._say)
        try:
            check_port(port, "PORT")
            check_port(mail_port, "MAIL_PORT")
            if server:
                server.start()
            local_ca.prepare(settings.HOME / "mail")
            prepare = ["manage.py", "prepare", *(["--empty"] if empty else [])]
            run_once(prepare, env, crew.stopping)
            self._start(crew, port, mail_port)
            if not crew.stopping.is_set():
                run_once(["manage.py", "sign_in_links"], env, crew.stopping)
                self._say(f"\nCarillon runs at http://localhost:{port}  ·  Ctrl-C stops it")
            well = crew.watch(lambda: server is None or server.alive)
        except CannotStart as error:
            raise CommandError(str(error)) from None
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sign, signal.SIG_IGN)
            crew.stop()
            if server:
                server.stop()
        self._say("Stopped.")
        if not well:
            sys.exit(1)

    def _start(self, crew: Crew, port: int, mail_port: int) -> None:
        celery = ["-m", "celery", "--quiet", "-A", "marketing"]
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        web = Child("web server", [
            "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--http", "1",
            "--no-ws", "--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "5",
            "--log-level", "warning", "marketing.wsgi:application",
        ], orphan_signal=signal.SIGTERM)  # fmt: skip
        crew.start(web)
        crew.start(Child("mail catcher", ["manage.py", "catch_mail", "--port", str(mail_port)]))
        worker = ["worker", "-P", "threads", "-c", "4", "-Q", QUEUES, "-n", "local", "--loglevel", "WARNING", *alone]
        crew.start(Child("worker", [*celery, *worker]))
        crew.start(Child("beat", [*celery, "beat", "--max-interval", "1", "--loglevel", "WARNING"]))
        if (
            not await_port(port, alive=lambda: web.running and not crew.stopping.is_set())
            and not crew.stopping.is_set()
        ):
            raise CannotStart("The web server did not start; its messages are above.")

    def _say(self, line: str) -> None:
        with suppress(BrokenPipeError):
            self.stdout.write(line)
            self.stdout.flush()
