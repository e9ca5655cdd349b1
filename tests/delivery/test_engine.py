"""From queued people to messages in a real server's hands, and the rows that prove it."""

import hashlib
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

import consent.commands
import contacts.commands
import contacts.queries
from consent.links import open_confirmation
from consent.models import Source, Suppression
from contacts.models import Contact
from content.rendering import Compiled
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery import commands, engine, leases, queries, tasks
from delivery.errors import NotReproducible, OriginCancelled, OriginDiffers
from delivery.models import Delivery, Origin, Relay, Retry, SendBatch, Sender
from delivery.signals import origin_drained
from delivery.transports import smtp
from tests.consent.factories import TopicFactory
from tests.content.factories import organization
from tests.delivery.factories import RelayFactory, SenderFactory, make_origin, make_people, make_version, opt_in
from tests.delivery.smtp import Catcher

pytestmark = pytest.mark.django_db


def run(stream: str = Stream.MARKETING) -> None:
    engine.drain(stream, seconds=30)


def outcomes(origin: Origin) -> Counter[str]:
    return Counter(Delivery.objects.filter(origin=origin).values_list("outcome", flat=True))


def test_everybody_of_a_batch_gets_their_own_message_and_a_row_that_proves_it(relay: Relay, catcher: Catcher) -> None:
    people = make_people(7)
    origin = make_origin(people)
    run()
    assert catcher.recipients() == Counter({f"{a}": 1 for a in catcher.recipients()})
    assert len(catcher.messages) == 7
    assert all(len(message.recipients) == 1 and message.tls for message in catcher.messages)
    for row in Delivery.objects.filter(origin=origin).select_related("session"):
        assert row.outcome == "sent"
        assert row.decision is not None
        assert row.decision["verdict"] == "allow"
        assert row.decision["basis"]["relay"] == str(relay.pk)
        assert row.session is not None
        assert row.session.tls_version in ("TLSv1.2", "TLSv1.3")
        assert row.session.basis == "private-ca"
        assert (row.smtp_code, row.smtp_status) == (250, "2.0.0")
    batch = SendBatch.objects.get()
    assert batch.done_at is not None
    assert queries.is_drained(origin.pk)


def test_nobody_gets_it_twice_however_often_the_work_is_found_again(relay: Relay, catcher: Catcher) -> None:
    people = make_people(5)
    origin = make_origin(people)
    run()
    SendBatch.objects.update(done_at=None, leased_until=None)  # as after a crash before the batch was finished
    commands.add_batches(origin, people, due_at=clock.now())
    run()
    assert set(catcher.recipients().values()) == {1}
    assert outcomes(origin) == {"sent": 5}


def test_the_statements_of_a_window_do_not_grow_with_its_people(relay: Relay, catcher: Catcher) -> None:
    def statements(size: int) -> int:
        make_origin(make_people(size), version=version)
        with CaptureQueriesContext(connection) as caught:
            run()
        return len(caught)

    version = make_version()
    statements(1)
    assert statements(2) == statements(40)


def test_refusals_are_rows_with_reasons_and_the_others_still_get_theirs(relay: Relay, catcher: Catcher) -> None:
    out, gone, suppressed, silent, fine = make_people(5)
    origin = make_origin([out, gone, suppressed, silent, fine])
    consent.commands.opt_out(out, None, source=Source.STAFF, evidence={}, by=SYSTEM)
    address = contacts_email(suppressed)
    consent.commands.suppress(address, reason="staff", by=SYSTEM)
    contacts.commands.delete(Contact.objects.get(pk=gone), by=SYSTEM)
    contacts.commands.update(Contact.objects.get(pk=silent), values={"email": None}, by=SYSTEM)
    run()
    assert outcomes(origin) == {"refused": 4, "sent": 1}
    reasons = {row.contact_id: row.reasons for row in Delivery.objects.filter(outcome="refused")}
    assert "opted_out_all" in reasons[out]
    assert reasons[gone] == ["contact_deleted"]
    assert reasons[suppressed] == ["suppressed"]
    assert reasons[silent] == ["address_missing"]
    assert queries.progress(origin.pk).refused_by_reason["suppressed"] >= 1


def test_an_opt_out_of_a_topic_that_needs_no_opt_in_outlives_deletion_and_reimport(
    relay: Relay, catcher: Catcher
) -> None:
    """CAN-13, by the gate itself: the topic needs no opt-in, so nothing but the address remembers the no."""
    topic = TopicFactory(requires_opt_in=False)
    out, family, fine = [*make_people(2, email="home@example.com"), *make_people(1)]
    opt_in(topic, [family])
    consent.commands.opt_out(out, topic, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
    contacts.commands.delete(Contact.objects.get(pk=out), by=SYSTEM)
    back = make_people(1, email="Home@example.com")[0]
    origin = make_origin([back, family, fine], topic=topic)
    run()
    assert dict(Delivery.objects.filter(origin=origin).values_list("contact_id", "outcome")) == {
        back: "refused",
        family: "sent",
        fine: "sent",
    }
    assert Delivery.objects.get(contact_id=back).reasons == ["opted_out"]
    other = make_origin([back], requires_opt_in=False)
    opt_in(topic, [back])
    again = make_origin([back], topic=topic)
    run()
    assert outcomes(other) == outcomes(again) == {"sent": 1}


def contacts_email(contact_id: UUID) -> str:
    return contacts.queries.open_many([contact_id])[contact_id].email


def test_a_missing_value_stops_that_persons_mail_and_nobody_elses(relay: Relay, catcher: Catcher) -> None:
    html = "<p>Hello {{ city }}</p><p>{{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>Stop</a></p>"
    people = [*make_people(1), *make_people(1, city="Springfield")]
    origin = make_origin(people, version=make_version(html=html))
    run()
    assert outcomes(origin) == {"refused": 1, "sent": 1}
    assert Delivery.objects.get(outcome="refused").reasons == ["missing_value"]


def test_content_made_for_somebody_else_never_leaves(
    relay: Relay, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SND-03: the rendered list is shuffled by one; all of it is refused."""
    people = make_people(4)
    origin = make_origin(people)
    render = Compiled.render
    shifted = dict(zip(people, [*people[1:], people[0]], strict=True))

    def wrong(self: Compiled, contact_id: UUID, values: Any, links: Any) -> Any:
        return render(self, shifted[contact_id], values, links)

    monkeypatch.setattr(Compiled, "render", wrong)
    run()
    assert catcher.messages == []
    assert {tuple(row.reasons) for row in Delivery.objects.filter(origin=origin)} == {("wrong_recipient",)}


def test_an_opt_out_after_queueing_stops_the_send(relay: Relay, catcher: Catcher) -> None:
    who, other = make_people(2)
    origin = make_origin([who, other])
    consent.commands.opt_out(who, origin.topic_id, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
    run()
    assert outcomes(origin) == {"refused": 1, "sent": 1}


def test_content_that_is_not_what_was_approved_reaches_nobody(relay: Relay, catcher: Catcher) -> None:
    origin = make_origin(make_people(2), approved_digest=b"x" * 32)
    run()
    assert outcomes(origin) == {"refused": 2}
    assert catcher.messages == []


# -- what the relay answers ------------------------------------------------------------------------------------------


def test_a_4xx_waits_and_is_tried_again_until_it_is_taken(relay: Relay, catcher: Catcher) -> None:
    catcher.rcpt = lambda address, times: "450 4.2.0 greylisted" if times <= 2 else None
    origin = make_origin(make_people(3))
    with time_machine.travel(clock.now(), tick=False) as now:
        run()
        assert outcomes(origin) == {}
        assert set(Retry.objects.values_list("attempts", "reason", "smtp_code")) == {(1, "greylisted", 450)}
        assert not queries.is_drained(origin.pk)
        progress = queries.progress(origin.pk)
        assert (progress.retrying, progress.waiting) == (3, 3)
        now.shift(timedelta(seconds=59))
        run()
        assert set(Retry.objects.values_list("attempts", flat=True)) == {1}
        now.shift(timedelta(seconds=2))
        run()
        assert set(Retry.objects.values_list("attempts", flat=True)) == {2}
        now.shift(timedelta(minutes=5, seconds=1))
        run()
    assert outcomes(origin) == {"sent": 3}
    assert not Retry.objects.exists()
    assert queries.is_drained(origin.pk)


def test_after_a_day_of_4xx_the_message_has_failed(relay: Relay, catcher: Catcher) -> None:
    catcher.data = lambda address, times: "451 4.3.0 try later"
    origin = make_origin(make_people(1))
    with time_machine.travel(clock.now(), tick=False) as now:
        for _ in range(30):
            run()
            now.shift(timedelta(hours=1))
    row = Delivery.objects.get(origin=origin)
    assert (row.outcome, row.reasons, row.smtp_code) == ("failed", ["retries_exhausted"], 451)
    assert catcher.asked.total() <= 3 * (len(engine.RETRY_MINUTES) + 1)


def test_an_opt_out_while_waiting_stops_the_retry(relay: Relay, catcher: Catcher) -> None:
    catcher.rcpt = lambda address, times: "450 4.2.0 greylisted" if times == 1 else None
    origin = make_origin(make_people(1))
    with time_machine.travel(clock.now(), tick=False) as now:
        run()
        who = Retry.objects.get().contact_id
        consent.commands.opt_out(who, None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
        now.shift(timedelta(minutes=2))
        run()
    assert outcomes(origin) == {"refused": 1}
    assert catcher.messages == []


def test_an_address_that_does_not_exist_is_suppressed(relay: Relay, catcher: Catcher) -> None:
    gone, fine = make_people(2)
    address = contacts_email(gone)
    catcher.rcpt = lambda asked, times: "550 5.1.1 no such user" if asked == address else None
    first = make_origin([gone, fine])
    run()
    row = Delivery.objects.get(contact_id=gone)
    assert (row.outcome, row.reasons, row.smtp_code, row.smtp_status) == ("failed", ["bounced"], 550, "5.1.1")
    assert Suppression.objects.get().reason == Suppression.Reason.BOUNCED
    assert queries.failures_by_status(first.pk) == {"550 5.1.1": 1}
    second = make_origin([gone, fine])
    run()
    assert outcomes(second) == {"refused": 1, "sent": 1}


def test_another_5xx_fails_the_message_and_suppresses_nobody(relay: Relay, catcher: Catcher) -> None:
    catcher.data = lambda address, times: "554 5.6.0 not wanted"
    origin = make_origin(make_people(1))
    run()
    assert Delivery.objects.get(origin=origin).reasons == ["rejected"]
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("where", ["rcpt", "data"])
@pytest.mark.parametrize("reply", ["550 5.7.1 relaying denied", "554 5.7.1 account suspended", "554 go away",
                                   "550 5.3.0 system disabled"])  # fmt: skip
def test_a_relay_that_refuses_us_as_such_marks_nobody_failed(
    relay: Relay, catcher: Catcher, where: str, reply: str
) -> None:
    setattr(catcher, where, lambda address, times: reply)
    origin = make_origin(make_people(20))
    with time_machine.travel(clock.now(), tick=False) as now:
        for _ in range(3):
            run()
            asked = catcher.asked.total()
            run()
            assert catcher.asked.total() == asked  # it is left in peace for a while
            now.shift(timedelta(minutes=1))
        assert outcomes(origin) == {}
        assert Relay.objects.get().trouble == "refuses_us"
        setattr(catcher, where, lambda address, times: None)
        for _ in range(5):
            now.shift(timedelta(minutes=15))
            run()
    assert outcomes(origin) == {"sent": 20}
    assert Relay.objects.get().trouble == ""


def test_an_account_suspended_on_the_way_costs_no_more_than_what_was_just_being_asked(
    relay: Relay, catcher: Catcher
) -> None:
    catcher.data = lambda address, times: "554 5.7.1 account suspended" if len(catcher.messages) >= 10 else None
    origin = make_origin(make_people(60))
    run()
    found = outcomes(origin)
    assert found["sent"] == 10
    assert found["failed"] <= 3  # at most what the other connections were told before the last one taken was heard of
    assert Relay.objects.get().trouble == "refuses_us"
    assert Retry.objects.count() < 15


def test_a_withdrawal_waits_no_longer_than_a_hand_over_to_a_slow_relay(
    relay: Relay, catcher: Catcher, settings: Any
) -> None:
    settings.DELIVERY_HANDOVER_SECONDS = 0.5
    catcher.delay = 0.2
    make_origin(make_people(60))
    lease = leases.claim(Stream.MARKETING)
    assert lease is not None
    began = time.monotonic()
    window = engine._batch_window(lease, lease.open_ids())
    assert time.monotonic() - began < 2
    assert 0 < len(window.left) < 60
    assert not window.stop


def test_one_mailbox_that_refuses_us_is_a_rejection_where_others_take_our_mail(relay: Relay, catcher: Catcher) -> None:
    people = make_people(6)
    address = contacts_email(people[2])
    catcher.rcpt = lambda asked, times: "550 5.7.1 not from you" if asked == address else None
    origin = make_origin(people)
    run()
    assert outcomes(origin) == {"sent": 5, "failed": 1}
    assert Delivery.objects.get(outcome="failed").reasons == ["rejected"]
    assert Relay.objects.get().trouble == ""


def test_a_mailbox_that_alone_refuses_us_ends_within_a_day_and_keeps_nobody_waiting(
    relay: Relay, catcher: Catcher
) -> None:
    people = make_people(1)
    address = contacts_email(people[0])
    catcher.rcpt = lambda asked, times: "550 5.7.1 not from you" if asked == address else None
    origin = make_origin(people)
    with time_machine.travel(clock.now(), tick=False) as now:
        run()
        now.shift(timedelta(seconds=6))
        other = make_origin(make_people(2))
        run()
        assert outcomes(other) == {"sent": 2}
        for _ in range(30):
            run()
            now.shift(timedelta(hours=1))
    assert Delivery.objects.get(origin=origin).reasons == ["rejected"]


@pytest.mark.parametrize("answer", ["421 4.3.0 not this one", "drop"])
def test_a_recipient_the_connection_breaks_over_keeps_nobody_else_waiting(
    relay: Relay, catcher: Catcher, answer: str
) -> None:
    people = make_people(6)
    address = contacts_email(people[0])
    catcher.rcpt = lambda asked, times: answer if asked == address else None
    origin = make_origin(people)
    with time_machine.travel(clock.now(), tick=False) as now:
        run()
        assert outcomes(origin) == {"sent": 5}
        assert Relay.objects.get().trouble == ""
        assert Retry.objects.get().smtp_code == 421
        for _ in range(30):
            now.shift(timedelta(hours=1))
            run()
    assert Delivery.objects.get(outcome="failed").reasons == ["retries_exhausted"]


def test_a_window_ends_after_its_seconds_and_the_rest_follows_at_once(
    relay: Relay, catcher: Catcher, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DELIVERY_HANDOVER_SECONDS = 0.3
    catcher.delay = 0.1
    took: list[float] = []
    deliver = smtp.deliver

    def timed(*args: Any, **options: Any) -> Any:
        began = time.monotonic()
        try:
            return deliver(*args, **options)
        finally:
            took.append(time.monotonic() - began)

    monkeypatch.setattr(smtp, "deliver", timed)
    origin = make_origin(make_people(40))
    run()
    assert outcomes(origin) == {"sent": 40}
    assert set(catcher.recipients().values()) == {1}
    assert len(took) > 2
    assert max(took) < 1


def test_a_connection_that_breaks_after_the_body_leaves_the_outcome_unknown(relay: Relay, catcher: Catcher) -> None:
    people = make_people(3)
    lost = contacts_email(people[1])
    catcher.data = lambda address, times: "drop" if address == lost else None
    origin = make_origin(people)
    run()
    assert outcomes(origin) == {"sent": 2, "unknown": 1}
    row = Delivery.objects.get(outcome="unknown")
    assert row.contact_id == people[1]
    assert row.session is not None
    run()
    assert catcher.recipients()[lost] == 1  # it is listed, never sent again by itself


def test_a_connection_that_breaks_before_the_body_costs_nobody_anything(relay: Relay, catcher: Catcher) -> None:
    catcher.rcpt = lambda address, times: "drop" if times == 1 else None
    origin = make_origin(make_people(3))
    run()
    assert outcomes(origin) == {"sent": 3}
    assert set(catcher.recipients().values()) == {1}


def test_a_relay_that_is_down_marks_nobody_failed_and_the_mail_leaves_when_it_is_back(
    relay: Relay, catcher: Catcher
) -> None:
    port = relay.port
    Relay.objects.update(port=1)
    origin = make_origin(make_people(3))
    with time_machine.travel(clock.now(), tick=False) as now:
        run()
        relay.refresh_from_db()
        assert relay.trouble == "unreachable"
        assert relay.blocked_until is not None
        assert outcomes(origin) == {}
        Relay.objects.update(port=port)
        run()
        assert outcomes(origin) == {}  # not before it may be tried again
        now.shift(timedelta(seconds=6))
        run()
    assert outcomes(origin) == {"sent": 3}
    relay.refresh_from_db()
    assert relay.trouble == ""


def test_a_stream_without_a_relay_waits(catcher: Catcher) -> None:
    origin = make_origin(make_people(1))
    run()
    assert outcomes(origin) == {}
    assert SendBatch.objects.get().leased_until is None


def test_a_relay_without_an_agreement_is_passed_over_for_one_with(relay: Relay, catcher: Catcher) -> None:
    Relay.objects.update(baa_party="")
    origin = make_origin(make_people(1))
    run()
    assert Delivery.objects.get(origin=origin).reasons == ["no_agreement"]
    good = RelayFactory(**catcher.relay_fields())
    second = make_origin(make_people(1))
    run()
    decision = Delivery.objects.get(origin=second).decision
    assert decision is not None
    assert decision["basis"]["relay"] == str(good.pk)


# -- pause, cancel, drained ------------------------------------------------------------------------------------------


def test_pause_holds_what_has_not_left_and_resume_skips_and_repeats_nobody(
    relay: Relay, catcher: Catcher, settings: Any
) -> None:
    settings.DELIVERY_WINDOW = 4
    origin = make_origin(make_people(12))

    def pause_after_the_first_window(address: str, times: int) -> None:
        if len(catcher.messages) == 2:
            paused.set()

    paused = threading.Event()
    catcher.data = pause_after_the_first_window  # type: ignore[assignment]
    deliver = smtp.deliver

    def deliver_then_pause(*args: Any, **options: Any) -> Any:
        found = deliver(*args, **options)
        if paused.is_set():
            Origin.objects.filter(pk=origin.pk).update(state=Origin.State.HELD)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp, "deliver", deliver_then_pause)
        run()
    assert outcomes(origin) == {"sent": 4}
    run()
    assert outcomes(origin) == {"sent": 4}
    commands.resume(origin.pk, by=SYSTEM)
    run()
    assert outcomes(origin) == {"sent": 12}
    assert set(catcher.recipients().values()) == {1}


def test_cancel_gives_everybody_left_an_outcome(relay: Relay, catcher: Catcher) -> None:
    catcher.rcpt = lambda address, times: "450 4.2.0 later" if address == waiting else None
    people = make_people(3)
    waiting = contacts_email(people[0])
    origin = make_origin(people)
    run()
    commands.add_batches(origin, make_people(600), due_at=clock.now() + timedelta(hours=1))
    commands.cancel(origin.pk, by=SYSTEM)
    assert commands.settle_cancelled(origin.pk) == 601
    assert outcomes(origin) == {"sent": 2, "cancelled": 601}
    assert not Retry.objects.exists()
    assert queries.is_drained(origin.pk)
    with pytest.raises(OriginCancelled):
        commands.add_batches(origin, people, due_at=clock.now())
    with pytest.raises(OriginCancelled):
        commands.resume(origin.pk, by=SYSTEM)


def test_the_end_is_told_once_everybody_has_an_outcome(
    relay: Relay, catcher: Catcher, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[UUID] = []

    def listen(sender: Any, origin_id: UUID, **kwargs: Any) -> None:
        told.append(origin_id)

    origin_drained.connect(listen)
    try:
        origin = make_origin(make_people(2))
        with django_capture_on_commit_callbacks(execute=True):
            run()
        assert told == [origin.pk]
        Origin.objects.update(drained_at=None)  # as if both workers had missed it
        with django_capture_on_commit_callbacks(execute=True):
            tasks.sweep()
        assert told == [origin.pk, origin.pk]
        with django_capture_on_commit_callbacks(execute=True):
            tasks.sweep()
        assert len(told) == 2
    finally:
        origin_drained.disconnect(listen)


def test_quiet_hours_put_off_and_then_let_go(relay: Relay, catcher: Catcher) -> None:
    organization(quiet_from_hour=20, quiet_until_hour=8)
    with time_machine.travel(datetime(2026, 11, 22, 22, 0, tzinfo=UTC), tick=False) as now:
        origin = make_origin(make_people(2))
        run()
        assert set(Retry.objects.values_list("reason", "attempts")) == {("quiet_hours", 0)}
        now.move_to(datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC))
        run()
    assert outcomes(origin) == {"sent": 2}


def test_the_cap_counts_what_was_sent(relay: Relay, catcher: Catcher) -> None:
    organization(cap_messages=1, cap_days=7)
    people = make_people(1)
    both = [make_origin(people), make_origin(people)]
    run()
    assert sum(map(outcomes, both), Counter()) == {"refused": 1, "sent": 1}
    assert Delivery.objects.get(outcome="refused").reasons == ["frequency_cap"]


def test_a_lost_lease_stops_its_former_holder(relay: Relay, catcher: Catcher) -> None:
    origin = make_origin(make_people(3))
    late = leases.claim(origin.stream)
    assert late is not None
    SendBatch.objects.update(leased_until=clock.now() - timedelta(seconds=1))
    new = leases.claim(origin.stream)
    assert new is not None
    assert new.epoch == late.epoch + 1
    engine.drain_batch(late, time.monotonic() + 10)
    assert catcher.messages == []
    engine.drain_batch(new, time.monotonic() + 10)
    assert outcomes(origin) == {"sent": 3}


def test_transactional_mail_has_its_own_way(relay: Relay, catcher: Catcher) -> None:
    RelayFactory(**catcher.relay_fields(), stream=Stream.TRANSACTIONAL)
    version = make_version(purpose="payment", message_class="transactional")
    bulk = make_origin(make_people(2))
    single = make_origin(make_people(1), version=version, stream=Stream.TRANSACTIONAL)
    run(Stream.TRANSACTIONAL)
    assert outcomes(single) == {"sent": 1}
    assert outcomes(bulk) == {}


def test_the_same_origin_opened_with_other_facts_is_refused() -> None:
    version = make_version()
    origin = make_origin([], version=version)
    same = {
        "kind": origin.kind, "stream": origin.stream, "purpose": origin.purpose, "message_class": origin.message_class,
        "topic_id": origin.topic_id, "template_version": version, "sender": origin.sender, "tier": origin.tier,
        "approved_digest": bytes(version.digest), "by": SYSTEM,
    }  # fmt: skip
    assert commands.open_origin(origin.pk, **same).pk == origin.pk  # type: ignore[arg-type]
    with pytest.raises(OriginDiffers):
        commands.open_origin(origin.pk, **{**same, "tier": "phi"})  # type: ignore[arg-type]


# -- what the database itself refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "decision = NULL",
        "decision = '{}'",
        """decision = '{"verdict": "refuse"}'""",
        "session_id = NULL",
        "content_sha256 = NULL",
    ],
)
def test_the_database_refuses_sent_without_decision_and_session(relay: Relay, catcher: Catcher, change: str) -> None:
    make_origin(make_people(1))
    run()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM delivery_delivery")
        cursor.execute(f"UPDATE copied SET id = gen_random_uuid(), visit = 'again', {change}")
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute("INSERT INTO delivery_delivery SELECT * FROM copied")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE delivery_delivery SET outcome = 'failed'", "DELETE FROM delivery_delivery", "TRUNCATE delivery_delivery"],
)
def test_the_database_refuses_to_change_an_outcome(relay: Relay, catcher: Catcher, statement: str) -> None:
    make_origin(make_people(1))
    run()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(statement)


# -- afterwards ------------------------------------------------------------------------------------------------------


def test_a_message_is_reproduced_byte_for_byte_from_its_row(relay: Relay, catcher: Catcher) -> None:
    people = make_people(2, first_name=lambda n: ["Zoë Ångström", "محمد"][n])
    origin = make_origin(people, version=make_version(subject="Für {{ first_name|default('Sie') }}"))
    run()
    Sender.objects.update(name="Renamed since")
    for row in Delivery.objects.filter(origin=origin):
        again = queries.reproduce(row)
        assert hashlib.sha256(again).digest() == bytes(row.content_sha256 or b"")
        assert any(message.data.endswith(again) for message in catcher.messages)
    contacts.commands.delete(Contact.objects.get(pk=people[0]), by=SYSTEM)
    with pytest.raises(NotReproducible):
        queries.reproduce(Delivery.objects.get(contact_id=people[0]))


def test_reports_count_by_domain_and_over_time(relay: Relay, catcher: Catcher) -> None:
    people = make_people(6, email=lambda n: f"p{n}@{'a.example' if n < 4 else 'b.example'}")
    origin = make_origin(people)
    run()
    found, last, size = queries.domains_of(origin.pk, after=None, size=10)
    assert (last, size) == (None, 6)
    assert queries.ranked(found) == [("a.example", {"sent": 4}), ("b.example", {"sent": 2})]
    assert queries.ranked(found, top=1) == [("a.example", {"sent": 4}), ("other domains", {"sent": 2})]
    first, last, _ = queries.domains_of(origin.pk, after=None, size=4)
    rest, end, size = queries.domains_of(origin.pk, after=last, size=4)
    assert (end, size) == (None, 2)
    assert {domain: first.get(domain, Counter()) + rest.get(domain, Counter()) for domain in found} == found
    assert sum(count for _, count in queries.over_time(origin.pk)) == 6
    progress = queries.progress(origin.pk)
    assert (progress.total, progress.sent, progress.waiting) == (6, 6, 0)


def test_a_forecast_is_what_then_happens(relay: Relay, catcher: Catcher) -> None:
    people = make_people(8)
    topic = TopicFactory(requires_opt_in=True)
    opt_in(topic, people[:5])
    origin = make_origin(people, topic=topic)
    about = queries.message_facts(
        stream=origin.stream,
        template_version=origin.template_version,
        sender=origin.sender,
        tier=origin.tier,
        topic_id=topic.pk,
    )
    told = queries.forecast(about, people)
    run()
    assert (told.allowed, told.refused, told.by_reason) == (5, 3, {"no_opt_in": 3})
    assert outcomes(origin) == {"sent": 5, "refused": 3}


def test_a_double_opt_in_mail_goes_through_the_same_door_and_its_link_confirms(
    catcher: Catcher, django_capture_on_commit_callbacks: Any, db: None
) -> None:
    RelayFactory(**catcher.relay_fields(), stream=Stream.TRANSACTIONAL)
    organization()
    SenderFactory()
    topic = TopicFactory()
    who = make_people(1)[0]
    with django_capture_on_commit_callbacks(execute=True):
        request = consent.commands.request_opt_in(who, topic, source=Source.FORM, evidence={"text": "yes"}, by=SYSTEM)
    run(Stream.TRANSACTIONAL)
    row = Delivery.objects.get()
    assert (row.outcome, row.origin_id, row.contact_id) == ("sent", request.pk, who)
    assert hashlib.sha256(queries.reproduce(row)).digest() == bytes(row.content_sha256 or b"")
    message = catcher.messages[0].parsed
    text = message.get_body(("plain",))
    assert text is not None
    token = re.search(r"/m/c/(\S+)", text.get_content())
    assert token is not None
    assert open_confirmation(token.group(1)) == (who, topic.pk, request.pk)
    assert commands.send_confirmation(who, topic.pk) is None  # the same request never makes two mails
