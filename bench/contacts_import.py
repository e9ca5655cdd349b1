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

    def timed(owner: Import) -> float:
        started = time.perf_counter()
        while engine.work(owner.pk, seconds=3_600):
            pass
        return time.perf_counter() - started

    def whole(name: str, pieces: Iterator[bytes], rows: int, shape: str = "people") -> Import:
        started = time.perf_counter()
        owner = upload(pieces, shape)
        report(f"{name}: upload, sealed", rows / (time.perf_counter() - started), "rows/s")
        if shape == "coded":
            columns = owner.mapping["columns"]
            coded = queries.attributes()["conditions"]
            imports.set_columns(owner, columns=columns, day_first=False, coded_attribute=coded, by=by)
        imports.check(owner, by=by)
        report(f"{name}: parse and dry run", rows / timed(owner), "rows/s")
        imports.start(Import.objects.get(pk=owner.pk), by=by)
        report(f"{name}: import", rows / timed(owner), "rows/s")
        owner.refresh_from_db()
        assert owner.state == Import.State.FINISHED, owner.problems.get("message")
        report(f"{name}: memory now", rss(), "MB")
        return owner

    report("memory before", rss(), "MB")
    whole("new people", people(n), n)
    whole("the same file again", people(n), n)
    last = whole("three conditions each", conditions(n), 3 * n, "coded")
    imports.undo(last, by=by)
    report("undo", n / timed(last), "people/s")
    started = time.perf_counter()
    opened = sum(len(part) for part in queries.iter_open())
    report("open everybody", opened / (time.perf_counter() - started), "people/s")
    report("memory, highest", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
