"""What happens wakes whom it may concern and nobody else; each thing is read once, whoever dies or commits late."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

import consent.commands
import contacts.commands
from consent.models import Source
from contacts.models import Kind
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from core.transactions import ended
from delivery.models import Origin
from segments.models import Segment
from tests.consent.factories import EVIDENCE, TopicFactory
from tests.contacts.factories import make_people
from tests.workflows.factories import (
    AttributeFactory,
    end,
    graph,
    linear,
    live,
    mail,
    make_workflow,
    place,
    publish,
    rule,
    wait,
    wait_until,
)
from tests.workflows.test_intake import Mailing, change, on, send
from workflows import enrolling, event_types, happenings, tasks_intake
from workflows.engine.run import run
from workflows.enrolling import Entry
from workflows.intake import matching, reading, waking
from workflows.models import ContactChange, Cursor, Enrolment, Happening, Transition, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def later() -> datetime:
    return clock.now() + timedelta(days=1)


def listen() -> None:
    tasks_intake.listen()


def woken(journey: Workflow) -> set[UUID]:
    """Who is due now."""
    rows = Enrolment.objects.filter(workflow=journey, wake_at__lte=clock.now())
    return set(rows.values_list("contact_id", flat=True))


# -- who is woken -----------------------------------------------------------------------------------------------------


def waits_for(**wait_event: Any) -> Workflow:
    step = {"kind": "wait_event", "timeout": {"days": 9}, "exits": {"happened": "b", "timeout": "b"}, **wait_event}
    return make_workflow(graph("a", {"a": step, "b": end()}, exits=[]))


def test_an_event_wakes_those_of_the_journeys_that_wait_for_it_or_leave_by_it() -> None:
    for name in ("confirmed", "cancelled", "other"):
        event_types.declare(name=name, by=SYSTEM)
    waiting = waits_for(event="confirmed")
    leaving = make_workflow(linear(wait(days=9), end(), exits=[{"kind": "event", "event": "cancelled"}]))
    one, two = make_people(2)
    for journey in (waiting, leaving):
        place(journey, [one, two], at=later())
    send("confirmed", one)
    send("other", two)
    listen()
    assert (woken(waiting), woken(leaving)) == ({one}, set())
    send("cancelled", two)
    listen()
    assert (woken(waiting), woken(leaving)) == ({one}, {two})


def test_people_on_an_older_version_are_woken_by_what_that_one_waits_for() -> None:
    event_types.declare(name="confirmed", by=SYSTEM)
    journey = waits_for(event="confirmed")
    (who,) = make_people(1)
    place(journey, [who], at=later())
    publish(journey, linear(wait(days=1), end(), exits=[]))
    send("confirmed", who)
    listen()
    assert woken(journey) == {who}


def test_a_changed_value_wakes_who_waits_for_it_or_by_it() -> None:
    AttributeFactory(key="visit", label="Visit", kind=Kind.DATE)
    AttributeFactory(key="plan", label="Plan", kind=Kind.TEXT)
    dated = make_workflow(linear(wait_until("visit", days=-1, at="10:00"), end(), exits=[]))
    waiting = waits_for(attribute="plan", becomes=["gold"])
    goal = {"kind": "goal", "rule": rule({"attribute": "plan", "op": "is", "value": "gold"})}
    reaching = make_workflow(linear(wait(days=9), end(), exits=[goal]))
    (who,) = make_people(1, visit="2027-01-05", plan="basic")
    listen()
    journeys = (dated, waiting, reaching)
    for journey in journeys:
        place(journey, [who], at=later())
    change(who, first_name="Ann")
    listen()
    assert [woken(journey) for journey in journeys] == [set(), set(), set()]
    change(who, visit="2027-01-06")
    listen()
    assert [woken(journey) for journey in journeys] == [{who}, set(), set()]
    change(who, plan="gold")
    listen()
    assert [woken(journey) for journey in journeys] == [{who}, {who}, {who}]


def test_who_moves_zone_is_looked_at_again_wherever_they_wait() -> None:
    journey = make_workflow(linear(wait(days=9), end(), exits=[]))
    (who,) = make_people(1, time_zone="Europe/Berlin")
    listen()
    place(journey, [who], at=later())
    change(who, time_zone="Asia/Tokyo")
    listen()
    assert woken(journey) == {who}


def test_who_was_deleted_is_woken_so_that_they_leave() -> None:
    journey = make_workflow(linear(wait(days=9), end(), exits=[]))
    one, two, stuck, other = make_people(4)
    place(journey, [one, two], at=later())
    place(journey, [stuck, other], at=later(), status="attention", trouble="failed", wake_at=None)
    contacts.commands.delete_many([one, stuck], by=SYSTEM)
    listen()
    assert woken(journey) == {one, stuck}
    assert not ContactChange.objects.exists()


def test_a_withdrawal_wakes_who_leaves_by_it() -> None:
    leaving = make_workflow(linear(wait(days=9), end(), exits=[{"kind": "unsubscribed"}]))
    staying = make_workflow(linear(wait(days=9), end(), exits=[]))
    one, two, three = make_people(3)
    for journey in (leaving, staying):
        place(journey, [one, two, three], at=later())
    topic = TopicFactory()
    consent.commands.opt_out(one, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    consent.commands.opt_out(two, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    consent.commands.opt_in(three, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    listen()
    assert (woken(leaving), woken(staying)) == ({one, two}, set())


@pytest.mark.parametrize("outcome", ["sent", "refused", "failed", "cancelled", "unknown"])
def test_whatever_becomes_of_a_mail_wakes_who_waits_for_it(outcome: str) -> None:
    journey = make_workflow(linear(mail(), end(), exits=[]))
    one, two = make_people(2)
    awaited = uuid7()
    place(journey, [one], at=clock.now(), wake_at=None, awaits=awaited)
    place(journey, [two], at=clock.now(), wake_at=None, awaits=uuid7())
    mailing = Mailing("workflow")
    mailing.ended(one, outcome, pk=awaited)
    listen()
    assert woken(journey) == {one}


def test_a_goal_or_a_segment_that_no_row_tells_of_is_found_by_the_look() -> None:
    in_ma = Segment.objects.create(name="MA", rule=rule({"attribute": "state", "op": "is", "value": "MA"}))
    goal = {"kind": "goal", "rule": rule({"attribute": "state", "op": "is", "value": "NY"})}
    reaching = make_workflow(linear(wait(days=9), end(), exits=[goal]))
    staying = make_workflow(linear(wait(days=9), end(), exits=[{"kind": "segment_left", "segment": str(in_ma.pk)}]))
    inside, outside, stranger = (make_people(1, state=state)[0] for state in ("MA", "NY", "NY"))
    for journey in (reaching, staying):
        place(journey, [inside, outside], at=later())
    tasks_intake.look()
    assert (woken(reaching), woken(staying)) == ({outside}, {outside})
    assert stranger not in on(reaching)


def test_one_journey_whose_rule_broke_holds_up_no_other() -> None:
    plan = AttributeFactory(key="plan", label="Plan", kind=Kind.TEXT)
    event_types.declare(name="booked", by=SYSTEM)
    broken_rule = rule({"attribute": "plan", "op": "is", "value": "gold"})
    trigger = {"kind": "event", "event": "booked"}
    broken = make_workflow(linear(wait(days=9), end(), trigger=trigger, only=broken_rule, exits=[]))
    reaching = make_workflow(linear(wait(days=9), end(), exits=[{"kind": "goal", "rule": broken_rule}]))
    well = make_workflow(linear(wait(days=9), end(), trigger=trigger, exits=[]))
    (who,) = make_people(1)
    place(reaching, [who], at=later())
    plan.removed_at = clock.now()
    plan.save()
    send("booked", who)
    listen()
    tasks_intake.look()
    assert (on(broken), on(well)) == ([], [who])


def test_who_left_is_not_woken_and_who_needs_attention_only_to_see_whether_they_leave() -> None:
    event_types.declare(name="confirmed", by=SYSTEM)
    journey = waits_for(event="confirmed")
    one, two = make_people(2)
    place(journey, [one], at=later(), status="left", left_at=clock.now(), wake_at=None)
    place(journey, [two], at=later(), status="attention", trouble="failed", wake_at=None)
    for who in (one, two):
        send("confirmed", who)
    listen()
    assert woken(journey) == {two}
    run(seconds=5)
    assert not Enrolment.objects.exclude(wake_at=None).exists()
    assert set(Enrolment.objects.values_list("status", "trouble")) == {("left", ""), ("attention", "failed")}


# -- once, whoever reads ----------------------------------------------------------------------------------------------


def in_threads(*work: Callable[[], Any]) -> None:
    failed: list[BaseException] = []

    def run(one: Callable[[], Any]) -> None:
        try:
            one()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[one]) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_rows_of_a_transaction_that_commits_late_are_read_when_it_has() -> None:
    event_types.declare(name="booked", by=SYSTEM)
    journey = make_workflow(linear(wait(), end(), trigger={"kind": "event", "event": "booked"}, exits=[]))
    early, late, after = make_people(3)
    written, read = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            send("booked", late)
            written.set()
            assert read.wait(20)

    thread = threading.Thread(target=lambda: (slow(), connections.close_all()))
    thread.start()
    assert written.wait(20)
    send("booked", early)
    listen()
    assert on(journey) == [early]
    read.set()
    thread.join()
    send("booked", after)
    for _ in range(3):
        listen()
    assert sorted(on(journey)) == sorted([early, late, after])


def test_more_than_one_lot_is_read_in_lots_of_whole_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SIZE", 5)
    event_types.declare(name="booked", by=SYSTEM)
    journey = make_workflow(
        linear(wait(), end(), trigger={"kind": "event", "event": "booked"}, exits=[], reentry={"kind": "per_key"})
    )
    people = make_people(23)
    lots: list[int] = []
    plain = matching.match
    monkeypatch.setattr(matching, "match", lambda rows, found: (lots.append(len(rows)), plain(rows, found)))
    with transaction.atomic():
        for who in people[:11]:
            send("booked", who, key="1")
    for who in people[11:]:
        send("booked", who, key="1")
    listen()
    assert sorted(on(journey)) == sorted(people)
    assert lots[0] == 11  # one transaction stays together
    assert sum(lots) == 23
    assert max(lots[1:]) <= 6


@pytest.mark.parametrize("seed", range(4))
def test_each_row_is_read_once_in_whatever_order_transactions_end(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, read, written = Random(seed), list[int](), set[int]()
    monkeypatch.setattr(reading, "SIZE", 1)
    monkeypatch.setattr(matching, "match", lambda rows, found: read.extend(row.id for row in rows))
    make_workflow(linear(wait(), end(), exits=[]))
    listen()
    others = [connection.get_new_connection(connection.get_connection_params()) for _ in range(4)]
    pending: dict[int, set[int]] = {n: set() for n in range(4)}
    try:
        for _ in range(120):
            n = draw.randrange(4)
            match draw.choice(["write", "write", "write", "write", "commit", "commit", "listen", "roll back", "die"]):
                case "write":
                    row = others[n].execute(_HAPPENED, [uuid7(), uuid7(), clock.now()]).fetchone()
                    assert row is not None
                    pending[n].add(row[0])
                case "commit":
                    others[n].commit()
                    written |= pending[n]
                    pending[n] = set()
                case "roll back":
                    others[n].rollback()
                    pending[n] = set()
                case "listen":
                    listen()
                case "die":
                    before = list(read)
                    with monkeypatch.context() as dying:
                        dying.setattr(reading, "_move", _dies)
                        listen()
                    read[:] = before  # what was made of it was rolled back with it
        for n, other in enumerate(others):
            other.commit()
            written |= pending[n]
        listen()
    finally:
        for other in others:
            other.close()
    assert sorted(read) == sorted(written)


_HAPPENED = """
INSERT INTO workflows_happening (kind, about, contact_id, at) VALUES ('event', %s, %s, %s) RETURNING id
"""


def _dies(*_: Any) -> None:
    raise OSError


def test_a_journey_published_while_somebody_reads_misses_nothing_that_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic, begun = TopicFactory(), list[Workflow]()
    make_workflow(linear(wait(), end(), exits=[{"kind": "unsubscribed"}]))
    early, late = make_people(2)
    listen()
    plain = tasks_intake.watched

    def then_one_begins() -> Any:
        found = plain()
        consent.commands.opt_in(early, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
        trigger = {"kind": "consent", "topic": str(topic.pk)}
        begun.append(make_workflow(linear(wait(), end(), trigger=trigger, exits=[])))
        consent.commands.opt_in(late, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(tasks_intake, "watched", then_one_begins)
        listen()
    listen()
    assert on(begun[0]) == [late]


def test_two_listeners_at_once_and_one_killed_on_the_way_let_everybody_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    event_types.declare(name="booked", by=SYSTEM)
    topic = TopicFactory()
    by_event = make_workflow(linear(wait(), end(), trigger={"kind": "event", "event": "booked"}, exits=[]))
    trigger = {"kind": "consent", "topic": str(topic.pk)}
    again = {"kind": "after_leaving"}
    by_consent = make_workflow(linear(wait(), end(), trigger=trigger, exits=[], reentry=again))
    people = make_people(20)
    for who in people:
        send("booked", who)
        consent.commands.opt_in(who, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    deaths: list[int] = []

    def dies(whom: Any) -> None:
        if not deaths:
            deaths.append(1)
            raise KeyboardInterrupt
        waking.wake(whom)

    monkeypatch.setattr("workflows.intake.matching.wake", dies)
    with pytest.raises(KeyboardInterrupt):
        listen()
    assert on(by_event) == []  # nothing half done
    in_threads(listen, listen, listen)
    listen()
    assert sorted(on(by_event)) == sorted(on(by_consent)) == sorted(people)
    assert Happening.objects.filter(kind="given").count() == 20


def test_one_reads_at_a_time_and_who_died_holds_up_nobody() -> None:
    answers: list[bool] = []

    def ask() -> None:
        with reading.alone() as free:
            answers.append(free)

    def die() -> None:
        with reading.alone():
            in_threads(ask)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    in_threads(ask)
    assert answers == [False, True]


def test_nobody_enters_twice_however_many_let_them_in_at_the_same_time() -> None:
    journey = make_workflow(linear(wait(), end(), exits=[]))
    event_types.declare(name="booked", by=SYSTEM)
    trigger = {"kind": "event", "event": "booked"}
    keyed = make_workflow(linear(wait(), end(), trigger=trigger, exits=[], reentry={"kind": "per_key"}))
    people = make_people(30)
    barrier = threading.Barrier(4)
    keys = {n: [happenings.key_index(who, str(n % 2)) for who in people] for n in range(4)}

    def enter(n: int) -> None:
        barrier.wait(20)
        ways = people if n % 2 else people[::-1]
        enrolling.enrol(live(journey), [Entry(who) for who in ways], at=clock.now(), by=SYSTEM)
        entries = [Entry(who, key) for who, key in zip(people, keys[n], strict=True)]
        enrolling.enrol(live(keyed), entries if n % 2 else entries[::-1], at=clock.now(), by=SYSTEM)

    in_threads(*(lambda n=n: enter(n) for n in range(4)))
    assert sorted(on(journey)) == sorted(people)
    assert sorted(on(keyed)) == sorted([*people, *people])  # once for each key, whoever came first
    sequences = Enrolment.objects.filter(workflow=keyed).values_list("contact_id", "sequence")
    assert len(set(sequences)) == 60


# -- taking off -------------------------------------------------------------------------------------------------------


def test_who_is_taken_off_has_left_and_their_way_says_so() -> None:
    journey = make_workflow()
    one, two = make_people(2)
    place(journey, [one, two], at=later())
    assert enrolling.remove(journey, [one, one, uuid7()], by=SYSTEM) == 1
    assert enrolling.remove(journey, [one], by=SYSTEM) == 0
    row = Enrolment.objects.get(contact_id=one)
    assert (row.status, row.left_because, row.wake_at) == ("left", "removed", None)
    passed = Transition.objects.get()
    assert (passed.enrolment_id, passed.step, passed.way, passed.note) == (row.pk, "s1", "", "removed")
    assert Enrolment.objects.get(contact_id=two).status == "active"


def test_listening_writes_nothing_while_nothing_came() -> None:
    event_types.declare(name="booked", by=SYSTEM)
    topic = TopicFactory()
    for trigger in ({"kind": "event", "event": "booked"}, {"kind": "consent", "topic": str(topic.pk)}):
        make_workflow(linear(wait(), end(), trigger=trigger))
    make_workflow(linear(mail(), end(), trigger={"kind": "engaged", "event": "clicked"}))
    listen()
    with CaptureQueriesContext(connection) as statements:
        listen()
    written = [one["sql"] for one in statements if one["sql"].lstrip().startswith(("INSERT", "UPDATE"))]
    assert written == []
    assert len(statements) < 30
    assert {row.source for row in Cursor.objects.all()} == {"happenings", "consent", "tracking", "deliveries"}


def test_who_begins_to_listen_while_somebody_looks_is_told_nothing_twice() -> None:
    mark = ended()  # the look began: nobody listened
    topic = TopicFactory()
    trigger = {"kind": "consent", "topic": str(topic.pk), "change": "given"}
    journey = make_workflow(linear(end(), trigger=trigger, exits=[], reentry={"kind": "after_leaving"}))
    (who,) = make_people(1)
    listen()
    consent.commands.opt_in(who, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    for _ in range(2):
        listen()
        run(seconds=5)
        reading.rest(["consent", "happenings"], mark)  # it ends only now
    assert Enrolment.objects.filter(workflow=journey).count() == 1


def test_whatever_becomes_of_a_mail_wakes_also_where_a_clock_was_set_back() -> None:
    journey, mailing, awaited = make_workflow(linear(mail(), end())), Mailing(Origin.Kind.WORKFLOW), uuid7()
    (one,) = make_people(1)
    place(journey, [one], at=clock.now(), wake_at=None, awaits=awaited)
    listen()
    with clock.set_to(clock.now() - timedelta(hours=1)):  # before it was published
        mailing.ended(one, "sent", pk=awaited)
    listen()
    assert woken(journey) == {one}


def test_whoever_waits_for_what_has_ended_is_found_also_where_its_news_was_missed() -> None:
    journey, mailing, awaited = make_workflow(linear(mail(), end())), Mailing(Origin.Kind.WORKFLOW), uuid7()
    one, other = make_people(2)
    place(journey, [one], at=clock.now(), wake_at=None, awaits=awaited)
    place(journey, [other], at=clock.now(), wake_at=None, awaits=uuid7())
    mailing.ended(one, "sent", pk=awaited)
    tasks_intake.look()
    assert woken(journey) == {one}


def test_the_end_of_a_mail_wakes_also_who_is_being_looked_at_just_then() -> None:
    """However PostgreSQL plans it: it looks again at a row that was changed meanwhile."""
    journey, mailing = make_workflow(linear(mail(), end())), Mailing(Origin.Kind.WORKFLOW)
    people = make_people(40)
    awaited = {who: uuid7() for who in people}
    for who in people:
        place(journey, [who], at=clock.now(), wake_at=None, awaits=awaited[who])
    listen()
    for who in people:
        mailing.ended(who, "sent", pk=awaited[who])
    held, done = threading.Event(), threading.Event()

    def look() -> None:
        with transaction.atomic():
            list(Enrolment.objects.select_for_update(no_key=True).filter(workflow=journey))
            held.set()
            done.wait(1)
            Enrolment.objects.filter(workflow=journey).update(wake_at=None)
        connections.close_all()

    looking = threading.Thread(target=look)
    looking.start()
    held.wait(10)
    with connection.cursor() as cursor:  # as it is planned where many are inside
        cursor.execute("ANALYZE; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off")
    try:
        listen()
    finally:
        done.set()
        looking.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_seqscan")
    assert woken(journey) == set(people)
