"""What goes wrong: workers at once, crashes, broken people and steps, mails of those who leave."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

import consent.commands
from consent.models import Source
from contacts.models import Contact, Kind
from contacts.queries import open_many
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery import engine as door
from delivery.models import Delivery, Relay, Retry, SendBatch
from tests.delivery.smtp import Catcher
from tests.workflows import factories as make
from workflows import effects, tasks
from workflows.engine import places, writing
from workflows.engine.run import run
from workflows.models import Enrolment, Notice, Tally, Transition
from workflows.troubles import TROUBLES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unstarted")]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def at_once(*jobs: Callable[[], Any]) -> None:
    def closing(job: Callable[[], Any]) -> None:
        try:
            job()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=closing, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drain() -> None:
    while door.drain(Stream.MARKETING, seconds=20):
        pass


def test_workers_at_once_take_everybody_through_once(settings: Any) -> None:
    settings.WORKFLOWS_CLAIM = 7
    tell = {"kind": "tell", "role": "marketer", "text": "Call them."}
    journey = make.make_workflow(make.linear(tell, make.mail(), make.end()))
    make.place(journey, make.make_people(120), at=NOON)
    at_once(*[lambda: run(seconds=20, now=NOON)] * 3)
    assert Transition.objects.count() == 120
    assert Notice.objects.count() == 120
    queued = [who for batch in SendBatch.objects.all() for who in batch.contact_ids]
    assert len(queued) == len(set(queued)) == 120
    assert Enrolment.objects.filter(step="s2", awaits__isnull=False, wake_at=None, visit=1).count() == 120
    assert sum(Tally.objects.filter(step="s2", what="arrived").values_list("count", flat=True)) == 120


def test_a_worker_that_dies_between_acts_and_commit_has_done_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = {"kind": "tell", "role": "marketer", "text": "Call them."}
    journey = make.make_workflow(make.linear(tell, make.mail(), make.end()))
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    whole = writing.write

    def dies(*args: Any) -> None:
        whole(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        run(seconds=5, now=NOON)
    one.refresh_from_db()
    assert (one.step, one.visit, one.wake_at) == ("s1", 0, NOON)
    for table in (Transition, Notice, SendBatch):
        assert not table.objects.exists()
    monkeypatch.undo()
    run(seconds=5, now=NOON)
    assert (Transition.objects.count(), Notice.objects.count()) == (1, 1)


def test_a_database_that_fails_leaves_everything_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    journey, other = make.make_workflow(), make.make_workflow()
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    (two,) = make.place(other, make.make_people(1), at=NOON)
    whole = writing.write

    def fails(version_id: Any, *args: Any) -> None:
        if version_id == make.live(journey).pk:
            raise OperationalError("the server went away")
        whole(version_id, *args)

    monkeypatch.setattr(writing, "write", fails)
    assert run(seconds=5, now=NOON) == 1
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.wake_at, one.attempts) == (NOON, 0)
    assert two.wake_at == NOON + timedelta(days=1)


def test_one_broken_person_is_tried_again_and_then_needs_attention_and_the_others_go_on() -> None:
    journey = make.make_workflow(make.linear(make.wait(days=1), make.end()))
    people = make.make_people(9)
    broken, *others = make.place(journey, people, at=NOON)
    Contact.objects.filter(pk=people[0]).update(sealed=b"\x01" + bytes(300))
    now, waits = NOON, []
    for _ in range(6):
        run(seconds=5, now=now)
        broken.refresh_from_db()
        waits.append(broken.wake_at and (broken.wake_at - now) / timedelta(minutes=1))
        now = broken.wake_at or now
    assert waits == [1, 5, 15, 60, 360, None]
    assert (broken.status, broken.trouble, broken.step) == ("attention", "record_unreadable", "s1")
    assert Tally.objects.get(what="attention").count == 1
    for one in others:
        one.refresh_from_db()
        assert (one.status, one.wake_at) == ("active", NOON + timedelta(days=1))
    assert run(seconds=5, now=NOON + timedelta(hours=9)) == 0


def test_a_failing_act_is_that_of_one_person_and_does_not_undo_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = {"kind": "tell", "role": "marketer", "text": "Call them."}
    journey = make.make_workflow(make.linear(tell, make.wait(days=1), make.end()))
    people = make.make_people(10)
    placed = make.place(journey, people, at=NOON)
    whole = effects.apply

    def fails(items: Any, now: datetime) -> Any:
        done = whole(items, now)
        if any(act.row.contact_id == people[3] for act in items):
            raise ValueError("something about this person")
        return done

    monkeypatch.setattr(effects, "apply", fails)
    run(seconds=5, now=NOON)
    for one in placed:
        one.refresh_from_db()
    assert [(one.step, one.attempts, one.trouble) for one in placed] == [
        ("s1", 1, "failed") if place == 3 else ("s2", 0, "") for place in range(10)
    ]
    assert Notice.objects.count() == 9
    monkeypatch.undo()
    run(seconds=5, now=NOON + timedelta(minutes=1))
    placed[3].refresh_from_db()
    assert (placed[3].step, placed[3].attempts, placed[3].trouble) == ("s2", 0, "")
    assert Notice.objects.count() == 10


def test_what_cannot_be_written_for_one_is_set_aside_and_the_others_go_on(settings: Any) -> None:
    settings.WORKFLOWS_CLAIM = 50
    journey = make.make_workflow(make.linear(make.wait(days=1), make.end()))
    placed = make.place(journey, make.make_people(40), at=NOON - timedelta(days=1), wake_at=NOON)
    twice = placed[17]
    row = {"version_id": twice.version_id, "step": "s1", "arrived_at": NOON, "at": NOON}
    Transition.objects.create(enrolment=twice, visit=0, **row)
    run(seconds=5, now=NOON)
    assert Enrolment.objects.filter(status="left").count() == 39
    twice.refresh_from_db()
    assert (twice.step, twice.trouble, twice.wake_at) == ("s1", "failed", NOON + timedelta(minutes=1))


def test_the_sweep_finds_who_is_due_and_has_a_job_work_on_them() -> None:
    (one,) = make.place(make.make_workflow(), make.make_people(1))
    assert places.free() == 2
    with places.place() as found:
        assert (found, places.free()) == (True, 1)
    tasks.sweep()
    one.refresh_from_db()
    assert one.wake_at is not None
    assert one.wake_at > clock.now()


def test_a_rule_that_asks_for_what_was_removed_holds_only_those_at_its_step() -> None:
    from contacts import attributes

    plan = make.AttributeFactory(key="plan", kind=Kind.TEXT)
    gold = make.rule({"attribute": "plan", "op": "is", "value": "gold"})
    steps = {"b": {**make.branch(gold), "exits": {"1": "w", "else": "w"}}, "w": {**make.wait(days=1)}}
    journey = make.make_workflow(make.graph("b", steps))
    asked, waiting = make.make_people(2)
    (one,), (two,) = make.place(journey, [asked], at=NOON), make.place(journey, [waiting], at=NOON, step="w")
    attributes.remove(plan, by=SYSTEM)
    run(seconds=5, now=NOON)
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.step, one.trouble, one.attempts) == ("b", "rule_broken", 1)
    assert (two.step, two.trouble) == ("w", "")
    attributes.restore(plan, by=SYSTEM)
    run(seconds=5, now=NOON + timedelta(minutes=1))
    one.refresh_from_db()
    assert (one.step, one.trouble, one.attempts) == ("w", "", 0)


def test_a_mail_that_was_stopped_needs_attention_and_says_so() -> None:
    from delivery.commands import cancel
    from workflows.models import VersionMail

    journey = make.make_workflow(make.linear(make.mail(), make.end()))
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    cancel(VersionMail.objects.get().pk, by=SYSTEM)
    now = NOON
    for _ in range(6):
        run(seconds=5, now=now)
        one.refresh_from_db()
        assert one.awaits is None
        now = one.wake_at or now
    assert (one.status, one.trouble, one.step) == ("attention", "mail_cancelled", "s1")
    assert one.trouble in TROUBLES


def test_who_leaves_while_their_mail_waits_for_another_try_gets_no_mail(relay: Relay, catcher: Catcher) -> None:
    journey = make.make_workflow(make.linear(make.mail(), make.end()))
    leaving, staying, sent = make.make_people(3)
    make.place(journey, [leaving, staying, sent])
    run(seconds=5)
    address = open_many([sent])[sent].email
    catcher.data = lambda to, times: None if to == address else "451 4.7.1 later"
    drain()
    assert Retry.objects.count() == 2
    for who in (leaving, sent):
        consent.commands.opt_out(who, None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
    Enrolment.objects.update(wake_at=clock.now())
    run(seconds=5)
    catcher.data = lambda to, times: None
    with clock.set_to(clock.now() + timedelta(days=1)):
        drain()
    outcomes = dict(Delivery.objects.values_list("contact_id", "outcome"))
    assert outcomes == {leaving: "cancelled", staying: "sent", sent: "sent"}
    left = Transition.objects.get(enrolment__contact_id=leaving)
    assert (left.note, left.made) == ("unsubscribed", Delivery.objects.get(contact_id=leaving).pk)
    assert catcher.recipients().total() == 2


def test_pausing_waits_for_the_claim_under_way_and_holds_the_next() -> None:
    from workflows.engine import claims

    journey = make.make_workflow()
    make.place(journey, make.make_people(1), at=NOON)
    version = make.live(journey).pk
    paused = threading.Event()

    def pause() -> None:
        type(journey).objects.filter(pk=journey.pk).update(state="PAUSED")
        paused.set()

    with transaction.atomic():
        assert claims.hold(version)
        pausing = threading.Thread(target=lambda: (pause(), connections.close_all()))
        pausing.start()
        assert not paused.wait(0.2)
    pausing.join()
    assert run(seconds=5, now=NOON) == 0
