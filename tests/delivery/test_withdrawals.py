"""Messages taken back one by one: what is not handed over yet leaves no more, what is stays as it is."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from audit.models import Entry
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery import commands, engine
from delivery.ids import delivery_id
from delivery.models import Delivery, Origin, Relay, Retry, SendBatch
from tests.delivery.factories import make_origin, make_people
from tests.delivery.smtp import Catcher

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unstarted")]


def queued(people: list[Any], visit: str = "1.0") -> Origin:
    origin = make_origin()
    commands.add_batches(origin, people, due_at=clock.now(), visit=visit)
    return origin


def drain() -> None:
    while engine.drain(Stream.MARKETING, seconds=20):
        pass


def test_a_message_taken_back_in_its_batch_does_not_leave(relay: Relay, catcher: Catcher) -> None:
    people = make_people(3)
    origin = queued(people)
    assert commands.withdraw_messages([(origin.pk, people[0], "1.0")], by=SYSTEM) == 1
    assert commands.withdraw_messages([(origin.pk, people[0], "1.0")], by=SYSTEM) == 0
    drain()
    assert catcher.recipients().total() == 2
    kept = Delivery.objects.get(contact_id=people[0])
    assert (kept.outcome, kept.reasons, kept.pk) == (
        "cancelled",
        ["withdrawn"],
        delivery_id(origin.pk, people[0], "1.0"),
    )
    assert not SendBatch.objects.filter(done_at=None).exists()
    assert Entry.objects.filter(action="delivery.withdrawn").count() == 1


def test_a_message_that_waits_for_another_try_is_taken_back_with_its_wait(relay: Relay, catcher: Catcher) -> None:
    (who,) = make_people(1)
    origin = queued([who])
    catcher.data = lambda to, times: "451 4.7.1 later"
    drain()
    assert Retry.objects.count() == 1
    assert commands.withdraw_messages([(origin.pk, who, "1.0")], by=SYSTEM) == 1
    assert not Retry.objects.exists()
    catcher.data = lambda to, times: None
    with clock.set_to(clock.now() + timedelta(days=1)):
        drain()
    assert Delivery.objects.get().outcome == "cancelled"
    assert catcher.recipients().total() == 0


def test_what_was_sent_stays_sent_and_other_visits_stay_queued(relay: Relay, catcher: Catcher) -> None:
    (who,) = make_people(1)
    origin = queued([who])
    drain()
    commands.add_batches(origin, [who], due_at=clock.now(), visit="1.2")
    assert commands.withdraw_messages([(origin.pk, who, "1.0"), (origin.pk, who, "1.1")], by=SYSTEM) == 0
    drain()
    assert sorted(Delivery.objects.values_list("visit", "outcome")) == [("1.0", "sent"), ("1.2", "sent")]


def test_a_message_taken_back_between_two_windows_of_its_batch_does_not_leave(
    relay: Relay, catcher: Catcher, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DELIVERY_WINDOW = 1
    people = make_people(3)
    origin = queued(people)
    afterwards = engine._afterwards

    def take_back(window: engine.Window) -> None:
        afterwards(window)
        commands.withdraw_messages([(origin.pk, people[1], "1.0")], by=SYSTEM)

    monkeypatch.setattr(engine, "_afterwards", take_back)
    drain()
    outcomes = dict(Delivery.objects.values_list("contact_id", "outcome"))
    assert outcomes == {people[0]: "sent", people[1]: "cancelled", people[2]: "sent"}
    assert catcher.recipients().total() == 2


def test_taking_back_waits_for_the_window_under_way_and_stops_the_next(
    relay: Relay, catcher: Catcher, settings: Any
) -> None:
    settings.DELIVERY_WINDOW = 1
    people = make_people(2)
    handing_over, go_on = threading.Event(), threading.Event()

    def hold(to: str, times: int) -> None:
        handing_over.set()
        go_on.wait(5)

    catcher.data = hold  # type: ignore[assignment]
    origin = queued(people)
    threads = [threading.Thread(target=_closing(drain))]
    threads[0].start()
    assert handing_over.wait(5)
    done = threading.Event()

    def take_back() -> None:
        with transaction.atomic():
            commands.withdraw_messages([(origin.pk, who, "1.0") for who in people], by=SYSTEM)
        done.set()

    threads.append(threading.Thread(target=_closing(take_back)))
    threads[1].start()
    assert not done.wait(0.3)
    go_on.set()
    for thread in threads:
        thread.join()
    outcomes = dict(Delivery.objects.values_list("contact_id", "outcome"))
    assert sorted(outcomes.values()) in (["cancelled", "sent"], ["sent", "sent"])
    assert list(outcomes.values()).count("sent") == catcher.recipients().total()


def _closing(work: Any) -> Any:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    return run
