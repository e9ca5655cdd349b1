"""Imports that outlive their workers: real processes, killed for real; and what the sweep clears away."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from contacts import chunks, imports, tasks
from contacts.models import Contact, Import, ImportChunk, ImportTouch
from core import clock
from marketing.postgres import die_with_parent
from tests.contacts.factories import finish, make_import, make_staff, run_import
from tests.workers import database_url

State = Import.State
ROOT = Path(__file__).resolve().parents[2]
WORKER = (
    "import sys, django; django.setup(); from contacts.importing import engine; engine.work(sys.argv[1], seconds=600)"
)


def worker(import_id: object) -> subprocess.Popen[bytes]:
    home = Path(settings.PHI_KEY_FILE).parent.parent
    env = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "CARILLON_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "marketing.settings",
    }
    command = [sys.executable, "-c", WORKER, str(import_id)]
    return subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=die_with_parent)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_import_whose_workers_are_killed_takes_everybody_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.importing.parse.CHUNK_ROWS", 100)
    by, n = make_staff(), 3_000
    owner = make_import("id,email\n" + "".join(f"K{i},k{i}@example.com\n" for i in range(n)))
    Import.objects.filter(pk=owner.pk).update(state=State.CHECKING)
    owner = finish(owner)
    monkeypatch.setattr(imports, "enqueue", lambda *args: None)
    imports.start(owner, by=by)
    kills = 0
    for _ in range(12):
        process = worker(owner.pk)
        done = Import.objects.values_list("rows_done", flat=True).get(pk=owner.pk)
        while process.poll() is None:
            now = Import.objects.values_list("rows_done", flat=True).get(pk=owner.pk)
            if kills < 4 and now >= done + 300:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.02)
        process.wait()
        Import.objects.filter(pk=owner.pk).update(leased_until=None)  # as if the lease had run out
        owner.refresh_from_db()
        if owner.state == State.FINISHED:
            break
    assert kills == 4
    assert (owner.state, owner.created_count, owner.rows_done) == (State.FINISHED, n, n)
    assert Contact.objects.count() == ImportTouch.objects.count() == n


@pytest.mark.django_db
def test_the_sweep_wakes_imports_whose_lease_ran_out(django_capture_on_commit_callbacks: Any) -> None:
    owner = make_import("id,email\nP1,ada@example.com\n")
    later = clock.now() + timedelta(seconds=60)
    Import.objects.filter(pk=owner.pk).update(state=State.CHECKING, leased_until=later)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_imports()
    owner.refresh_from_db()
    assert owner.state == State.CHECKING
    Import.objects.filter(pk=owner.pk).update(leased_until=clock.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_imports()
    owner.refresh_from_db()
    assert owner.state == State.CHECKED


@pytest.mark.django_db
def test_the_sweep_destroys_abandoned_uploads_and_old_refusals() -> None:
    forgotten, fresh = make_import("id,email\nP1,ada@example.com\n"), make_import("id,email\nP1,ada@example.com\n")
    Import.objects.filter(pk=forgotten.pk).update(created_at=clock.now() - timedelta(days=8))
    done = run_import(make_import("id,email\nP1,bad\nP2,b@example.com\n"))
    Import.objects.filter(pk=done.pk).update(finished_at=clock.now() - timedelta(days=31))
    tasks.sweep_imports()
    forgotten.refresh_from_db()
    assert forgotten.state == State.DISCARDED
    assert not forgotten.chunks.exists()
    assert fresh.chunks.exists()
    assert not ImportChunk.objects.filter(owner=done, kind=chunks.REFUSED).exists()
