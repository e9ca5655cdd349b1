"""kill -9 of workers, and once of PostgreSQL, while SIZE people are on a journey: each must end where the pure step says.

`python -m bench.workflows_kill [SIZE [KILLS]]`. Real Celery workers, a durable PostgreSQL of its own, a sink for mail.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketing.postgres import Server

WORKERS = 3
#: Seconds until everybody must have left after the last kill.
WITHIN = 900


def main(size: int, kills: int) -> None:
    with tempfile.TemporaryDirectory(prefix="carillon-kill-") as folder:
        server = Server(Path(folder) / "postgres")  # durable: what was committed is there after a kill
        os.environ["DATABASE_URL"] = server.start()
        try:
            _ride(size, kills, server, Path(folder))
        finally:
            server.stop()


def _ride(size: int, kills: int, server: Server, folder: Path) -> None:
    from bench import _door as door

    with door.Sink() as sink:
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connection

        from delivery.models import Delivery
        from tests.delivery.factories import RelayFactory
        from tests.workers import Workers, wait_for
        from tests.workflows.killing import Ride, beating, shares

        call_command("migrate", verbosity=0)
        RelayFactory(**sink.relay_fields())
        ride, chance = Ride(size), random.Random(2026)
        env = {"CARILLON_WORKFLOWS_CLAIM": "50", "CARILLON_DELIVERY_LEASE": "8"}
        workers = Workers(folder)
        workers.open()
        try:
            alive = [_worker(workers, env) for _ in range(WORKERS)]
            with beating():
                for kill, share in enumerate(shares(size, kills), 1):
                    ride.enter(share)
                    _await_moment(sink, chance, share, mail_flows=kill % 2 == 0)
                    if kill == kills // 2:
                        _kill_postgres(server)
                        connection.close()
                        door.emit("workflows_kill.inside_when_postgresql_died", _inside(), "people")
                    victim = chance.randrange(WORKERS)
                    alive[victim].kill()
                    for place, worker in enumerate(alive):  # who died with the server is started anew, too
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            worker.wait(0.05)
                            alive[place] = _worker(workers, env)
                wait_for(ride.finished, seconds=WITHIN, every=0.5)
                wait_for(lambda: not _unsettled(), seconds=60, every=0.5)
        except AssertionError:
            print(workers.logs()[-5_000:], file=sys.stderr)
            raise
        finally:
            workers.close()
        found = ride.wrong(sink.seen())
        allowed = settings.DELIVERY_WINDOW * (kills + WORKERS)
        for name, count in found.items():
            door.emit(f"workflows_kill.{name}", count, "mails" if "mails" in name else "people")
        door.emit("workflows_kill.kills", kills, "workers")
        door.emit("workflows_kill.allowed_repeats", allowed, "mails")
        sent = Delivery.objects.filter(outcome="sent").count()
        assert (found["other_state"], found["missing_mails"], found["unwanted_mails"]) == (0, 0, 0)
        assert found["repeated_mails"] <= allowed
        assert sent == found["mails"], sent


def _await_moment(sink: Any, chance: random.Random, share: int, *, mail_flows: bool) -> None:
    """A random one: while mail flows, or whatever the workers are at."""
    from tests.workers import wait_for

    if not mail_flows:
        time.sleep(chance.uniform(0.2, 1.5))
        return
    wanted = sink.stat()["messages"] + chance.randrange(1, max(2, share // 2))
    with contextlib.suppress(AssertionError):
        wait_for(lambda: sink.stat()["messages"] >= wanted, seconds=5, every=0.01)


def _worker(workers: Any, env: dict[str, str]) -> Any:
    """One more, ready; on a machine that is busy otherwise that may take minutes."""
    from tests.workers import wait_for

    with contextlib.suppress(AssertionError):
        return workers.start(1, threads=3, **env)[0]
    name, process = f"w{len(workers.processes) - 1}", workers.processes[-1]
    wait_for(lambda: workers._ready(name), seconds=300)
    return process


def _inside() -> int:
    from workflows.models import Enrolment

    return Enrolment.objects.exclude(status="left").count()


def _unsettled() -> bool:
    from delivery.models import Retry, SendBatch

    return SendBatch.objects.filter(done_at=None).exists() or Retry.objects.exists()


def _kill_postgres(server: Server) -> None:
    """The postmaster and all its children at once; then the same server again on what is on disk."""
    process: Any = server._process
    for pid in [process.pid, *_children(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.5)  # the kernel takes their shared memory back
    with server.log.open("ab") as log:
        server._process = subprocess.Popen(
            process.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    server._await_ready(os.environ["DATABASE_URL"])


def _children(parent: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                yield int(stat.parent.name)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(numbers[0] if numbers else 20_000, numbers[1] if len(numbers) > 1 else 50)
