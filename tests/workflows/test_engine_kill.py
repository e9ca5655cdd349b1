"""kill -9 of real workers while people are on their way; bench/workflows_kill.py is larger, and kills PostgreSQL."""

import random
import time

import pytest
from django.conf import settings as configured

from delivery.models import Delivery, Relay
from tests.delivery.smtp import Catcher
from tests.workers import Workers, wait_for
from tests.workflows.killing import Ride, beating, shares

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.workers, pytest.mark.slow]

PEOPLE, KILLS, WINDOW = 240, 2, 10


def test_whoever_rides_while_workers_are_killed_ends_where_the_pure_step_says(
    workers: Workers, relay: Relay, catcher: Catcher
) -> None:
    chance = random.Random(5)
    ride = Ride(PEOPLE, late=False)
    catcher.delay = 0.005
    env = {
        "CARILLON_WORKFLOWS_CLAIM": "20",
        "CARILLON_DELIVERY_WINDOW": str(WINDOW),
        "CARILLON_DELIVERY_LEASE": "6",
        "CARILLON_PUBLIC_URL": configured.PUBLIC_URL,
    }
    alive = workers.start(KILLS + 1, threads=3, **env)
    with beating():
        for victim, share in zip(alive, shares(PEOPLE, KILLS), strict=False):
            ride.enter(share)
            time.sleep(chance.uniform(0.3, 1.2))
            victim.kill()
            victim.wait()
        wait_for(ride.finished, seconds=150, every=0.2)
    for worker in workers.processes:
        worker.kill()
        worker.wait()
    found = ride.wrong(dict(catcher.recipients()))
    assert (found["other_state"], found["missing_mails"], found["unwanted_mails"]) == (0, 0, 0), found
    assert found["repeated_mails"] <= WINDOW * KILLS
    assert Delivery.objects.filter(outcome="sent").count() == found["mails"]
