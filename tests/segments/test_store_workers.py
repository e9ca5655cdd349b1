"""Many at the store at once, and one that is killed in the middle: right answers throughout."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from django.conf import settings as configured
from django.db import connection

from audit.models import Entry
from contacts import commands
from contacts.models import Contact
from core.actors import SYSTEM
from marketing.postgres import die_with_parent
from segments.models import ContactChange, Partition
from segments.store import writing
from segments.store.memory import memory
from segments.store.part import SIZE
from tests.contacts.factories import make_people, make_person
from tests.segments.store import by_records, by_store
from tests.workers import database_url, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.forget()


def _partition() -> int:
    return Contact.objects.values_list("number", flat=True).order_by("-number")[0] // SIZE


@pytest.mark.parametrize("point", ["put", "forget_changes"])
def test_a_writer_killed_in_the_middle_leaves_the_old_partition_and_the_changes(point: str) -> None:
    make_people(20, state="MA")
    number = _partition()
    writing.write(number)
    changed = Contact.objects.order_by("number")[0]
    commands.update(changed, values={"state": "NY"}, by=SYSTEM)
    before = Partition.objects.get(pk=number).generation
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "marketing.settings", "DATABASE_URL": database_url()}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.segments.rewriter", str(number), point],
        env=environ, cwd=configured.BASE_DIR, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
            make_people(2, state="CT")  # nobody waits for a writer
            assert by_store() == by_records()
        finally:
            process.kill()
    assert by_store() == by_records()
    assert Partition.objects.get(pk=number).generation == before
    assert ContactChange.objects.count() == 3
    writing.write(number)  # the lock died with its holder
    assert Partition.objects.get(pk=number).generation == before + 1
    assert not ContactChange.objects.exists()
    assert by_store() == by_records()
    assert not Entry.objects.filter(action="segments.store_rebuilt").exists()


def test_writers_editors_and_readers_at_once_never_disagree_in_the_end_nor_lose_anybody_meanwhile() -> None:
    ids = make_people(60, state="MA")
    number = _partition()
    stop, wrong = threading.Event(), []

    def looping(act: Callable[[random.Random], None], seed: int) -> Callable[[], None]:
        def run() -> None:
            lot = random.Random(seed)
            try:
                while not stop.is_set():
                    act(lot)
            except Exception as problem:
                wrong.append(repr(problem))
            finally:
                connection.close()

        return run

    def write(_: random.Random) -> None:
        writing.write(number)

    def edit(lot: random.Random) -> None:
        person = Contact.objects.get(pk=ids[lot.randrange(0, 30)])
        commands.update(person, values={"state": lot.choice(["MA", "NY", "CT"])}, by=SYSTEM)

    def look(_: random.Random) -> None:
        said = by_store()
        assert len(said) == 60, len(said)
        assert {held["state"] for held in said.values()} <= {"MA", "NY", "CT"}
        assert all(said[number]["state"] == "MA" for number in sorted(said)[30:])

    jobs = [looping(act, seed) for seed, act in enumerate([write, write, edit, edit, look])]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    time.sleep(2)
    wait_for(lambda: bool(wrong) or Partition.objects.get(pk=number).generation > 3)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert by_store() == by_records()
    assert not Entry.objects.filter(action="segments.store_rebuilt").exists()


def test_a_change_is_in_the_next_look_of_a_process_that_has_everything_in_memory() -> None:
    make_people(20, state="MA")
    writing.write(_partition())
    by_store()
    done: list[float] = []

    def elsewhere() -> None:
        make_person(state="VT")
        done.append(time.monotonic())
        connection.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    while True:
        began = time.monotonic()
        if any(said.get("state") == "VT" for said in by_store().values()):
            break
        assert not done or began < done[0]  # the first look that begins after the commit has it
    thread.join()
