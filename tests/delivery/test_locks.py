"""Who waits for whom at the door: pausing, cancelling and adding while windows are under way."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from contacts import locks
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery import commands, engine, origins
from delivery.models import Delivery, Origin, Relay, Retry
from tests.delivery.factories import make_origin, make_people
from tests.delivery.smtp import Catcher
from tests.delivery.test_race import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unstarted")]


def test_cancelling_while_retries_are_handed_over_keeps_what_was_handed_over(relay: Relay, catcher: Catcher) -> None:
    people = make_people(6)
    catcher.rcpt = lambda address, times: "450 4.2.0 later" if times == 1 else None
    origin = make_origin(people)
    engine.drain(Stream.MARKETING, seconds=20)
    Retry.objects.update(due_at=clock.now())
    handed_over, go_on = threading.Event(), threading.Event()

    def hold(to: str, times: int) -> None:
        handed_over.set()
        go_on.wait(5)

    catcher.data = hold  # type: ignore[assignment]
    failed: list[BaseException] = []

    def noting(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except Exception as exc:
                failed.append(exc)

        return run

    sender = in_thread(noting(lambda: engine.drain_retries(Stream.MARKETING)))
    assert handed_over.wait(5)
    commands.cancel(origin.pk, by=SYSTEM)  # does not wait for the window
    settling = in_thread(noting(lambda: commands.settle_cancelled(origin.pk)))
    time.sleep(0.3)  # it has the batch, and waits for the window's retries
    go_on.set()
    sender.join()
    settling.join()
    assert failed == []
    outcomes = list(Delivery.objects.filter(origin=origin).values_list("outcome", flat=True))
    assert len(outcomes) == 6
    assert outcomes.count("sent") == len(catcher.messages) > 0
    assert set(outcomes) <= {"sent", "cancelled"}


def test_a_pause_holds_while_the_window_waits_for_somebodys_withdrawal(relay: Relay, catcher: Catcher) -> None:
    people = make_people(2)
    origin = make_origin(people)
    with transaction.atomic():
        locks.hold_exclusive(people[:1])
        sender = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20))
        time.sleep(0.3)
        pausing = in_thread(lambda: commands.hold(origin.pk, by=SYSTEM))
        pausing.join()
    sender.join()
    assert catcher.messages == []
    assert not Delivery.objects.exists()


def test_batches_added_while_the_last_one_ends_are_not_taken_for_drained(relay: Relay, catcher: Catcher) -> None:
    origin = make_origin(make_people(1))
    Origin.objects.update(drained_at=None)
    engine.drain(Stream.MARKETING, seconds=20)
    Origin.objects.update(drained_at=None)
    with transaction.atomic():
        commands.add_batches(origin, make_people(1), due_at=clock.now())
        settled: list[bool] = []
        settling = in_thread(lambda: settled.append(origins.settle(origin.pk)))
        time.sleep(0.3)
    settling.join()
    assert settled == [False]
    assert not Origin.objects.filter(drained_at__isnull=False).exists()
