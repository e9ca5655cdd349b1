"""How fast an import runs and how much memory it takes. Prints one JSON object a line: name, value, unit.

    DATABASE_URL=postgresql://… python bench/contacts_import.py [people]

Use an empty database of its own: it is migrated, filled with made-up people, and left filled.
"""

import json
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
os.environ.setdefault("CARILLON_LOCAL_RUN", "1")


def report(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": round(value, 1), "unit": unit}), flush=True)


def rss() -> float:
    """Resident memory of this process now, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def people(n: int, *, first: int = 0) -> Iterator[bytes]:
    """A CSV of n made-up people with twelve columns, in pieces."""
    rng = random.Random(1)
    yield b"id,email,first name,last name,dob,sex,language,phone,street,city,state,zip\n"
    day = date(1930, 1, 1)
    buffer = []
    for i in range(first, first + n):
        born = day + timedelta(days=rng.randrange(30_000))
        buffer.append(
            f"B{i:08},person{i}@example.com,First{i % 997},Last{i % 1009},{born},{'FM'[i % 2]},en,555-{i % 10_000:04},"
            f"{i % 900} Main St,Visalia,California,{90_000 + i % 9_999}\n"
        )
        if len(buffer) == 5_000:
            yield "".join(buffer).encode()
            buffer.clear()
    yield "".join(buffer).encode()


def conditions(n: int) -> Iterator[bytes]:
    """Three conditions each of n people."""
    yield b"START,STOP,PATIENT,CODE,DESCRIPTION\n"
    for start in range(0, n, 2_000):
        yield "".join(
            f"20{10 + k}-01-01,,B{i:08},{44054006 + k},Condition number {k}\n"
            for i in range(start, min(start + 2_000, n))
            for k in range(3)
        ).encode()


#: People whose conditions are folded in, and who are added only to be undone.
SOME = 100_000


class Watch:
    """Seconds by the clock, and seconds of processor here and in the server's process, which no neighbour changes."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self._server = Path(f"/proc/{cursor.fetchone()[0]}/stat")
        self._before = self._now()

    def _now(self) -> tuple[float, float, float]:
        server = 0.0
        if self._server.exists():  # the server is on this machine
            fields = self._server.read_text().rpartition(")")[2].split()
            server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), time.process_time(), server

    def report(self, name: str, rows: int) -> None:
        wall, here, server = (now - before for now, before in zip(self._now(), self._before, strict=True))
        report(name, rows / wall, "rows/s")
        report(f"{name}: processor, here", here * 100_000 / rows, "s/100k rows")
        report(f"{name}: processor, server", server * 100_000 / rows, "s/100k rows")
        report(f"{name}: memory now", rss(), "MB")


def main(n: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import User
    from contacts import imports, queries
    from contacts.importing import engine
    from contacts.models import Import
    from contacts.uploads import SealingUploadHandler

    call_command("migrate", verbosity=0)
    by, _ = User.objects.get_or_create(email="bench@clinic.example", defaults={"name": "Bench", "roles": ["marketer"]})

    def upload(pieces: Iterator[bytes], shape: str) -> Import:
        handler = SealingUploadHandler(None, created_by=by.pk)
        handler.new_file("file", "bench.csv", "text/csv", None)
        for piece in pieces:
            handler.receive_data_chunk(piece, 0)
        handler.file_complete(0)
        assert handler.owner is not None
        return imports.receive(handler.owner, shape=shape, by=by)

    def work(owner: Import, name: str, rows: int) -> None:
        watch = Watch()
        while engine.work(owner.pk):  # in slices, as workers do
            pass
        watch.report(name, rows)
        owner.refresh_from_db()
        assert owner.state not in (Import.State.FAILED, Import.State.STOPPED), owner.problems.get("message")

    def whole(name: str, pieces: Iterator[bytes], rows: int, shape: str = "people") -> Import:
        watch, started = Watch(), time.perf_counter()
        owner = upload(pieces, shape)
        watch.report(f"{name}: upload, sealed", rows)
        if shape == "coded":
            columns = owner.mapping["columns"]
            coded = queries.attributes()["conditions"]
            imports.set_columns(owner, columns=columns, day_first=False, coded_attribute=coded, by=by)
        imports.check(owner, by=by)
        work(owner, f"{name}: parse and dry run", rows)
        imports.start(owner, by=by)
        work(owner, f"{name}: import", rows)
        report(f"{name}: from upload to finish", time.perf_counter() - started, "s")
        return owner

    some = min(n, SOME)
    report("memory before", rss(), "MB")
    whole("new people", people(n), n)
    whole("the same file again", people(n), n)
    whole("three conditions each", conditions(some), 3 * some, "coded")
    last = whole("some more", people(some, first=n), some)
    imports.undo(last, by=by)
    work(last, "undo of some more", some)
    watch, opened = Watch(), 0
    for part in queries.iter_open():
        opened += len(part)
    watch.report("open everybody", opened)
    report("memory, highest", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
