"""Real Celery workers for tests that need them: their own processes, on the broker tables of the test database."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.db import connection
from kombu import pools

from marketing import environment
from marketing.celery import app
from marketing.postgres import die_with_parent


def database_url() -> str:
    """The test database's address, as a worker's environment wants it."""
    db = connection.settings_dict
    who = f"{quote(db['USER'])}:{quote(db['PASSWORD'])}"
    port = f":{db['PORT']}" if db["PORT"] else ""
    return f"postgresql://{who}@{port}/{db['NAME']}?host={quote(db['HOST'], safe='')}"


class Workers:
    """`open` turns eager jobs off and points the broker at the test database; `close` ends all and undoes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self._before: dict[str, object] = {}

    def open(self) -> None:
        options = environment.broker_transport("pgmq://", connection.settings_dict)
        wanted = {"task_always_eager": False, "broker_url": "pgmq://", "broker_transport_options": options}
        self._before = {key: app.conf[key] for key in wanted}
        self._reset_broker()
        app.conf.update(wanted)
        self._purge()

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._reset_broker()
        app.conf.update(self._before)

    def start(
        self, count: int = 1, *, queues: str = "default,marketing,transactional", threads: int = 4, **env: str
    ) -> list[subprocess.Popen[bytes]]:
        """Start `count` workers and wait until they take work. `env`: more environment variables."""
        environ = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "marketing.settings",
            "DATABASE_URL": database_url(),
            "CARILLON_EAGER_TASKS": "0",
            "CARILLON_BROKER_URL": "pgmq://",
            "CARILLON_PUBLIC_URL": settings.PUBLIC_URL,
            **env,
        }
        started = []
        for _ in range(count):
            name = f"w{len(self.processes)}"
            with (self.folder / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "celery", "-A", "marketing", "worker", "-P", "threads", "-c", str(threads),
                     "-Q", queues, "-n", name, "--without-gossip", "--without-mingle", "--without-heartbeat",
                     "--loglevel", "INFO"],
                    env=environ, cwd=settings.BASE_DIR, stdout=log, stderr=log, preexec_fn=die_with_parent,
                )  # fmt: skip
            self.processes.append(process)
            started.append(process)
            # One after another: two that declare a queue for the first time at once get in each other's way.
            wait_for(lambda p=process, n=name: p.poll() is not None or self._ready(n), seconds=60)  # type: ignore[misc]
            assert process.poll() is None, self.logs()[-2000:]
        return started

    def _ready(self, name: str) -> bool:
        return b" ready." in (self.folder / f"{name}.log").read_bytes()

    def beat(self, name: str) -> None:
        """Do what beat would do now: put the periodic task `name` on its queue."""
        app.send_task(name)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def _purge(self) -> None:
        with psycopg.connect(database_url(), autocommit=True) as db:
            for (queue,) in db.execute("SELECT queue_name FROM pgmq.list_queues()").fetchall():
                db.execute("SELECT pgmq.purge_queue(%s)", [queue])

    def _reset_broker(self) -> None:
        """Forget connections to the broker of before."""
        # Not app.close(): that would also take the application out of the reach of @shared_task.
        pools.reset()  # kombu keeps them by address, and all of ours have the same
        app.amqp._producer_pool = None
        app._pool = None


def wait_for(done: Callable[[], bool], *, seconds: float = 30, every: float = 0.05) -> None:
    """Until `done()`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every)
