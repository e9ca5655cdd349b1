"""A withdrawal that has committed is never overtaken by a message, in any interleaving."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

import consent.commands
import contacts.commands
import contacts.queries
from consent.models import Source
from contacts import imports, locks
from contacts.models import Contact, Import
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery import commands, engine
from delivery.models import Delivery, Relay
from tests.contacts.factories import finish, make_import, make_staff
from tests.delivery.factories import make_origin, make_people
from tests.delivery.smtp import Catcher

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unstarted")]


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_withdrawals_racing_a_send_never_lose(relay: Relay, catcher: Catcher, settings: Any) -> None:
    """Every withdrawal notes when it had committed; no message to that person may arrive at the server after that."""
    settings.DELIVERY_WINDOW = 5
    catcher.delay = 0.002
    chance = random.Random(7)
    people = make_people(60)
    address = {who: record.email for who, record in contacts.queries.open_many(people).items()}
    arrived: dict[str, float] = {}
    catcher.data = lambda to, times: arrived.setdefault(to, time.monotonic()) and None
    committed: dict[Any, float] = {}

    def withdraw(who: Any, way: int, after: float) -> None:
        time.sleep(after)
        if way == 0:
            consent.commands.opt_out(who, None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
        elif way == 1:
            consent.commands.opt_out(who, origin.topic_id, source=Source.PREFERENCES, evidence={}, by=SYSTEM)
        else:
            consent.commands.suppress(address[who], reason="complained", by=SYSTEM)
        committed[who] = time.monotonic()

    origin = make_origin(people)
    senders = [in_thread(lambda: engine.drain(Stream.MARKETING, seconds=60)) for _ in range(2)]
    leaving = chance.sample(people, 30)
    jobs = [(who, chance.randrange(3), chance.random() * 0.8) for who in leaving]
    threads = [in_thread(lambda job=job: withdraw(*job)) for job in jobs]
    for thread in (*threads, *senders):
        thread.join()
    while engine.drain(Stream.MARKETING, seconds=30):
        pass
    outcomes = dict(Delivery.objects.filter(origin=origin).values_list("contact_id", "outcome"))
    assert len(outcomes) == 60
    late = [who for who in leaving if arrived.get(address[who], 0.0) > committed[who]]
    assert late == []
    assert {outcomes[who] for who in people if who not in leaving} == {"sent"}
    # The race was one: some withdrew in time, some were too late.
    assert {outcomes[who] for who in leaving} == {"sent", "refused"}
    assert set(catcher.recipients().values()) == {1}


def test_a_withdrawal_waits_for_the_window_that_is_under_way_and_stops_the_next(
    relay: Relay, catcher: Catcher, settings: Any
) -> None:
    settings.DELIVERY_WINDOW = 1
    first, second = make_people(2)
    handed_over, go_on = threading.Event(), threading.Event()

    def hold(to: str, times: int) -> None:
        handed_over.set()
        go_on.wait(5)

    catcher.data = hold  # type: ignore[assignment]
    origin = make_origin([first, second])
    sender = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20))
    assert handed_over.wait(5)
    done = threading.Event()

    def withdraw() -> None:
        for who in (first, second):
            consent.commands.opt_out(who, None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
        done.set()

    withdrawal = in_thread(withdraw)
    assert not done.wait(0.3)  # the first person's message is being handed over: they wait for each other
    go_on.set()
    withdrawal.join()
    sender.join()
    outcomes = dict(Delivery.objects.filter(origin=origin).values_list("contact_id", "outcome"))
    assert outcomes[first] == "sent"
    assert len(catcher.messages) + list(outcomes.values()).count("refused") == 2


def test_a_sender_waits_for_a_withdrawal_that_is_not_yet_committed(relay: Relay, catcher: Catcher) -> None:
    who = make_people(1)[0]
    origin = make_origin([who])
    with transaction.atomic():
        locks.hold_exclusive([who])
        sender = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20))
        time.sleep(0.3)
        assert catcher.messages == []
        consent.commands.opt_out(who, None, source=Source.STAFF, evidence={}, by=SYSTEM)
    sender.join()
    assert Delivery.objects.get(origin=origin).outcome == "refused"
    assert catcher.messages == []


def by_hand(who: UUID, address: str) -> None:
    contacts.commands.update(Contact.objects.get(pk=who), values={"email": address}, by=SYSTEM)


def by_list(who: UUID, address: str) -> None:
    external_id = contacts.queries.open_many([who])[who].external_id
    person = contacts.commands.Person({"external_id": external_id, "email": address})
    assert contacts.commands.upsert_many([person], by=SYSTEM).changed == [who]


def by_file(who: UUID, address: str) -> None:
    external_id = contacts.queries.open_many([who])[who].external_id
    owner, by = make_import(f"id,email\n{external_id},{address}\n"), make_staff()
    imports.check(owner, by=by)
    imports.release(owner, reason="They moved", by=by)
    imports.start(owner, by=by)
    assert finish(owner).state == Import.State.FINISHED


def by_undo(who: UUID, address: str) -> None:
    imports.undo(Import.objects.get(state=Import.State.FINISHED), by=make_staff())


def by_deletion(who: UUID, address: str) -> None:
    contacts.commands.delete(Contact.objects.get(pk=who), by=SYSTEM)


@pytest.mark.parametrize("change", [by_hand, by_list, by_file, by_undo, by_deletion])
def test_nothing_leaves_to_an_address_once_another_one_is_saved(
    relay: Relay, catcher: Catcher, change: Callable[[UUID, str], None]
) -> None:
    """A window that has read the address holds the change back until its message is out and its row is there."""
    who = make_people(1, email="right@example.com")[0]
    if change is by_undo:
        by_file(who, "wrong@example.com")
    else:
        by_hand(who, "wrong@example.com")
    first = make_origin([who])
    handed_over, go_on, changed = threading.Event(), threading.Event(), threading.Event()

    def hold(to: str, times: int) -> None:
        handed_over.set()
        go_on.wait(5)

    catcher.data = hold  # type: ignore[assignment]
    sender = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20))
    assert handed_over.wait(5)
    changer = in_thread(lambda: (change(who, "right@example.com"), changed.set()))
    overtook = changed.wait(0.5)
    go_on.set()
    sender.join()
    changer.join()
    assert not overtook
    assert changed.is_set()
    assert Delivery.objects.get(origin=first).outcome == "sent"
    second = make_origin([who])
    engine.drain(Stream.MARKETING, seconds=20)
    reached = [to for message in catcher.messages for to in message.recipients]
    if change is by_deletion:
        assert Delivery.objects.get(origin=second).reasons == ["contact_deleted"]
        assert reached == ["wrong@example.com"]
    else:
        assert reached == ["wrong@example.com", "right@example.com"]


def test_a_sender_waits_for_a_change_of_address_under_way(relay: Relay, catcher: Catcher) -> None:
    who = make_people(1, email="wrong@example.com")[0]
    make_origin([who])
    with transaction.atomic():
        by_hand(who, "right@example.com")
        sender = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20))
        time.sleep(0.3)
        assert catcher.messages == []
    sender.join()
    assert list(catcher.recipients()) == ["right@example.com"]


def test_two_workers_share_the_work_and_repeat_nothing(relay: Relay, catcher: Catcher, settings: Any) -> None:
    settings.DELIVERY_WINDOW = 10
    origin = make_origin([])
    for _ in range(6):
        commands.add_batches(origin, make_people(20), due_at=clock.now())
    workers = [in_thread(lambda: engine.drain(Stream.MARKETING, seconds=60)) for _ in range(3)]
    for worker in workers:
        worker.join()
    assert Delivery.objects.filter(origin=origin, outcome="sent").count() == 120
    assert set(catcher.recipients().values()) == {1}


def test_cancelling_while_windows_run_leaves_everybody_exactly_one_outcome(
    relay: Relay, catcher: Catcher, settings: Any
) -> None:
    settings.DELIVERY_WINDOW = 5
    catcher.delay = 0.01
    people = make_people(80)
    origin = make_origin(people)
    worker = in_thread(lambda: engine.drain(Stream.MARKETING, seconds=60))
    while not Delivery.objects.filter(origin=origin).exists():
        time.sleep(0.01)
    commands.cancel(origin.pk, by=SYSTEM)
    at_cancel = time.monotonic()
    commands.settle_cancelled(origin.pk)
    worker.join()
    assert time.monotonic() - at_cancel < 5
    outcomes = list(Delivery.objects.filter(origin=origin).values_list("outcome", flat=True))
    assert len(outcomes) == 80
    assert set(outcomes) == {"sent", "cancelled"}
    assert len(catcher.messages) == outcomes.count("sent")
    assert Contact.objects.count() == 80
    connection.close()
