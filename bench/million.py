"""`make seed-million`: a large deployment to look at: SIZE people (a million), 50 finished campaigns, 20 M deliveries
and events for a million people. Fills what `make run` would use, or DATABASE_URL; only where nobody is yet.

Everybody is made up (bench.people_columns). Interrupted, it goes on where it stopped.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import million_mail as mail
from bench import million_people as people
from bench.people_columns import BLOCK

MARK = "seed.million"
CAMPAIGNS = 50
PROCESSES = 2


class Refused(Exception):
    """This database is not to be filled; the text says why."""


@contextmanager
def phase(name: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"{name} …", flush=True)
    yield
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


def seed(size: int, *, campaigns: int = CAMPAIGNS, processes: int = PROCESSES) -> None:
    """Everything, phase by phase. Raises Refused where it would touch what it did not make."""
    first = _begin(size)
    with phase("Staff, topics, templates, segments, campaigns"):
        ground = mail.ground(campaigns)
    with phase(f"{size:,} people, sealed, and what they opted in to"):
        leaving = _people(size, first, ground.topics, processes)
    with phase("Deliveries and events"):
        mail.history(ground, leaving, size)
    _analyze()
    with phase("Sums that reports read"):
        _sums()
    with phase("Column store and facts"):
        _store(size, first)
    with phase("Counts of the segments"):
        mail.count_segments()


def _begin(size: int) -> int:
    """The first contact number to use, the same one when it is begun again. Raises Refused."""
    from django.db import connection, transaction

    from audit.commands import record
    from audit.models import Entry
    from campaigns.models import Campaign
    from consent.models import LedgerEntry
    from contacts.models import Contact, Import
    from core.actors import SYSTEM

    mark = Entry.objects.filter(action=MARK).first()
    if mark is not None:
        if mark.details["size"] != size:
            raise Refused(f"This database is being filled with {mark.details['size']:,} people. Use another one.")
        return int(mark.details["first"])
    for model in (Contact, Import, Campaign, LedgerEntry):
        if model._default_manager.exists():
            raise Refused(
                "There is something in this database already, and made-up people never go beside real ones."
                " Name an empty one: DATABASE_URL=postgresql://… or CARILLON_HOME=… make seed-million"
            )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT nextval('contact_number')")
        first = int(cursor.fetchone()[0])
        cursor.execute("SELECT setval('contact_number', %s)", [first + size])
        record(MARK, by=SYSTEM, size=size, first=first)
    return first


def _people(size: int, first: int, topics: list[Any], processes: int) -> list[people.Leaving]:
    """Block by block, by several processes where asked for; those who will leave."""
    work = [
        people.Work(number, min(BLOCK, size - number * BLOCK), first, [topic.pk for topic in topics])
        for number in range(-(-size // BLOCK))
    ]
    leaving: list[people.Leaving] = []
    for done, found in enumerate(_each(work, processes), 1):
        leaving += found
        print(f"  {min(size, done * BLOCK):,} of {size:,}", flush=True)
    return leaving


def _each(work: list[people.Work], processes: int) -> Iterator[list[people.Leaving]]:
    if processes < 2 or len(work) < 2:
        yield from map(people.write, work)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=_ready) as pool:
        yield from pool.map(people.write, work)


def _analyze() -> None:
    from django.db import connection

    if connection.in_atomic_block:  # a test: there is nothing to vacuum yet
        return
    with phase("Vacuum and statistics"), connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _sums() -> None:
    """What beat keeps in production, taken once."""
    from consent.counts import count_topics
    from tracking.sums import sum_up

    sum_up()
    count_topics()


def _store(size: int, first: int) -> None:
    """Write every partition and the facts, by the tasks that do so in production."""
    from marketing.celery import app

    app.loader.import_default_modules()
    if write := app.tasks.get("segments.write_partition"):
        for number in range(first // BLOCK, (first + size - 1) // BLOCK + 1):
            write.apply(args=[number], throw=True)
    if facts := app.tasks.get("segments.write_facts"):
        facts.apply(throw=True)


def _ready() -> None:
    import django

    django.setup()


def _server() -> Any:
    """The embedded PostgreSQL that `make run` would start, unless DATABASE_URL names another."""
    from marketing import environment
    from marketing.postgres import Server

    if "DATABASE_URL" in os.environ:
        return None
    server = Server(Path(environment.HOME) / "postgres")
    os.environ["DATABASE_URL"] = server.start()
    return server


def main(size: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
    os.environ.setdefault("CARILLON_LOCAL_RUN", "1")
    began = time.monotonic()
    server = _server()
    try:
        _ready()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", interactive=False, verbosity=0)
        try:
            seed(size)
        except Refused as refusal:
            sys.exit(str(refusal))
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
            (takes,) = cursor.fetchone()
        connection.close()
        print(f"Done in {time.monotonic() - began:.0f} s; the database takes {takes}.")
    finally:
        if server:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
