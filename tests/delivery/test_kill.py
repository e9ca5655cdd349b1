"""kill -9 at any moment: nobody lost, repeats within the window, and the sending finishes. bench/kill.py is larger."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from core.purposes import Stream
from delivery import queries
from delivery.models import Delivery, Relay
from marketing.postgres import die_with_parent
from tests.delivery.factories import make_origin, make_people
from tests.delivery.smtp import Catcher
from tests.workers import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.usefixtures("unstarted")]

WINDOW = 10
KILLS = 3
PEOPLE = 600


def start() -> "subprocess.Popen[bytes]":
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "marketing.settings",
        "DATABASE_URL": database_url(),
        "CARILLON_DELIVERY_WINDOW": str(WINDOW),
        "CARILLON_DELIVERY_LEASE": "6",
        "CARILLON_PUBLIC_URL": configured.PUBLIC_URL,
    }
    command = [sys.executable, "-m", "tests.delivery.drainer", Stream.MARKETING]
    return subprocess.Popen(command, env=environ, cwd=configured.BASE_DIR, preexec_fn=die_with_parent)


def wait(done: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def test_killed_workers_lose_nobody_and_repeat_at_most_their_window(
    relay: Relay, catcher: Catcher, tmp_path: Path
) -> None:
    catcher.delay = 0.004
    people = make_people(PEOPLE)
    origin = make_origin(people)
    worker = start()
    try:
        for kill in range(1, KILLS + 1):
            wait(lambda kill=kill: len(catcher.messages) >= kill * PEOPLE // (KILLS + 2))
            worker.kill()
            worker.wait()
            worker = start()
        wait(lambda: queries.is_drained(origin.pk))
    finally:
        worker.kill()
        worker.wait()
    sent = Delivery.objects.filter(origin=origin, outcome="sent").count()
    arrived = catcher.recipients()
    assert sent == PEOPLE
    assert len(arrived) == PEOPLE  # nobody lost
    assert arrived.total() - PEOPLE <= WINDOW * KILLS  # repeats within the window
    ids = {message.parsed["Message-ID"] for message in catcher.messages}
    assert len(ids) == PEOPLE  # a repeat bears the same Message-ID
