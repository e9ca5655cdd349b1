"""Work whose job was lost is found again: confirmations, suppressions after a bounce, who was put off."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction

import consent.commands
import contacts.commands
import contacts.queries
from consent.models import LedgerEntry, Source, Suppression
from contacts.models import Contact
from content.models import TemplateVersion
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from core.purposes import Stream
from delivery import bounces, builtin, commands, engine, leases, tasks
from delivery.messages import Maker
from delivery.models import Delivery, Origin, Relay, Retry, SendBatch
from phi.errors import KeyUnavailable
from tests.consent.factories import TopicFactory
from tests.content.factories import organization
from tests.delivery.factories import RelayFactory, SenderFactory, make_origin, make_people
from tests.delivery.smtp import Catcher
from tests.delivery.test_race import in_thread

pytestmark = pytest.mark.django_db


def email_of(contact_id: Any) -> str:
    return contacts.queries.open_many([contact_id])[contact_id].email


def ask(who: Any, topic: Any) -> LedgerEntry:
    """A double opt-in whose job is lost: nothing runs on commit in these tests."""
    return consent.commands.request_opt_in(who, topic, source=Source.FORM, evidence={"text": "yes"}, by=SYSTEM)


def test_a_confirmation_whose_job_was_lost_or_had_no_sender_leaves_later(
    catcher: Catcher, django_capture_on_commit_callbacks: Any
) -> None:
    RelayFactory(**catcher.relay_fields(), stream=Stream.TRANSACTIONAL)
    organization()
    topic = TopicFactory()
    asked, taken_back, old = make_people(3)
    with time_machine.travel(clock.now(), tick=False) as now:
        ask(old, topic)
        now.shift(timedelta(days=4))
        request = ask(asked, topic)
        ask(taken_back, topic)
        consent.commands.opt_out(taken_back, topic, source=Source.STAFF, evidence={}, by=SYSTEM)

        def sweep() -> None:
            with django_capture_on_commit_callbacks(execute=True):
                tasks.sweep()
            engine.drain(Stream.TRANSACTIONAL, seconds=20)

        now.shift(timedelta(minutes=1))
        sweep()
        assert not Origin.objects.exists()  # nobody to send it yet
        SenderFactory()
        sweep()
        sweep()
    assert [origin.pk for origin in Origin.objects.all()] == [request.pk]
    assert catcher.recipients() == {email_of(asked): 1}


@pytest.mark.django_db(transaction=True)
def test_two_jobs_for_one_confirmation_at_once_make_one_batch(unstarted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    organization()
    SenderFactory()
    topic = TopicFactory()
    who = make_people(1)[0]
    monkeypatch.setattr("consent.commands.acts.enqueue", lambda *args, **options: None)
    ask(who, topic)
    with transaction.atomic():
        builtin.version()
    both = threading.Barrier(2, timeout=10)
    version = builtin.version

    def together() -> TemplateVersion:
        both.wait()  # both have seen that there is no origin yet
        return version()

    monkeypatch.setattr(builtin, "version", together)
    threads = [in_thread(lambda: commands.send_confirmation(who, topic.pk)) for _ in range(2)]
    for thread in threads:
        thread.join()
    assert SendBatch.objects.count() == 1


def test_a_bounce_whose_worker_ended_too_soon_is_suppressed_by_the_sweep(
    relay: Relay, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = make_people(5)
    moved, released, deleted, plain, fine = people
    address = {who: email_of(who) for who in people}
    catcher.rcpt = lambda asked, times: None if asked == address[fine] else "550 5.1.1 no such user"
    make_origin(people)
    with monkeypatch.context() as patch:
        patch.setattr(bounces, "suppress", lambda addresses: None)  # the worker ends here
        engine.drain(Stream.MARKETING, seconds=20)
    assert Delivery.objects.filter(reasons=["bounced"]).count() == 4
    contacts.commands.update(Contact.objects.get(pk=moved), values={"email": "new@example.com"}, by=SYSTEM)
    contacts.commands.delete(Contact.objects.get(pk=deleted), by=SYSTEM)
    held = consent.commands.suppress(address[released], reason="bounced", by=SYSTEM)
    consent.commands.release(held, note="They told us it works again.", by=SYSTEM)
    tasks.sweep_bounces()
    hashes = {bytes(row) for row in Suppression.objects.filter(released_at=None).values_list("address_hash", flat=True)}
    assert hashes == {bytes(consent.commands.addresses.hash_of(address[who])) for who in (moved, plain)}
    assert bounces.suppress_forgotten() == 0


def test_one_address_that_cannot_be_suppressed_keeps_no_other_from_it() -> None:
    bounces.suppress(["no address", "gone@example.com"])
    assert Suppression.objects.count() == 1


def test_who_was_put_off_has_a_turn_though_fresh_batches_never_end(
    relay: Relay, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    catcher.rcpt = lambda address, times: "450 4.2.0 later" if times == 1 and address == late else None
    people = make_people(1)
    late = email_of(people[0])
    make_origin(people)
    engine.drain(Stream.MARKETING, seconds=20)
    Retry.objects.update(due_at=clock.now())
    fresh = make_origin([])
    for _ in range(3):
        commands.add_batches(fresh, make_people(1), due_at=clock.now())
    claim, claimed = leases.claim, []

    def counting(stream: str) -> Any:
        lease = claim(stream)
        if lease is not None:
            claimed.append(Retry.objects.exists())
        return lease

    monkeypatch.setattr(leases, "claim", counting)
    engine.drain(Stream.MARKETING, seconds=20)
    assert claimed == [True, False, False]


@pytest.mark.django_db(transaction=True)
def test_bulk_mail_takes_its_places_and_no_more(settings: Any) -> None:
    settings.DELIVERY_PARALLEL = 2
    found: list[bool] = []

    def look(stream: str) -> None:
        with leases.place(stream) as place:
            found.append(place)

    with leases.place(Stream.MARKETING):
        in_thread(lambda: look(Stream.MARKETING)).join()
        second = threading.Event()
        leave = threading.Event()

        def stay() -> None:
            with leases.place(Stream.MARKETING) as place:
                found.append(place)
                second.set()
                leave.wait(5)

        staying = in_thread(stay)
        assert second.wait(5)
        in_thread(lambda: look(Stream.MARKETING)).join()
        in_thread(lambda: look(Stream.TRANSACTIONAL)).join()
        leave.set()
        staying.join()
    in_thread(lambda: look(Stream.MARKETING)).join()
    assert found == [True, True, False, True, True]


def test_a_person_no_message_can_be_made_for_stops_nobody_else(
    relay: Relay, catcher: Catcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    people = make_people(3)
    make = Maker.make

    def surprised(self: Maker, contact_id: Any, address: str, *args: Any, **options: Any) -> Any:
        if contact_id == people[1]:
            raise ZeroDivisionError(address)
        return make(self, contact_id, address, *args, **options)

    monkeypatch.setattr(Maker, "make", surprised)
    origin = make_origin(people)
    engine.drain(Stream.MARKETING, seconds=20)
    rows = {row.contact_id: row for row in Delivery.objects.filter(origin=origin)}
    assert [rows[who].outcome for who in people] == ["sent", "refused", "sent"]
    assert rows[people[1]].reasons == ["render_failed"]
    assert "ZeroDivisionError" in caplog.text
    assert email_of(people[1]) not in caplog.text


def test_keys_that_are_out_of_reach_are_nobodys_fault(
    relay: Relay, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: Any, **options: Any) -> Any:
        raise KeyUnavailable

    monkeypatch.setattr(Maker, "make", locked)
    make_origin(make_people(2))
    with pytest.raises(KeyUnavailable):
        engine.drain(Stream.MARKETING, seconds=20)
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_sendings_at_once_keep_the_cap_together(unstarted: None, relay: Relay, catcher: Catcher) -> None:
    organization(cap_messages=1, cap_days=7)
    catcher.delay = 0.2
    people = make_people(3)
    for _ in range(3):
        make_origin(people, origin_id=uuid7())
    workers = [in_thread(lambda: engine.drain(Stream.MARKETING, seconds=20)) for _ in range(3)]
    for worker in workers:
        worker.join()
    assert catcher.recipients() == {email_of(who): 1 for who in people}
    assert Delivery.objects.filter(outcome="refused", reasons=["frequency_cap"]).count() == 6
