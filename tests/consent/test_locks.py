"""A withdrawal and whoever relies on the facts never overlap."""

import threading
import time

import pytest
from django.db import connection, transaction

from consent import commands, queries
from consent.models import LedgerEntry, Source
from contacts import locks
from core.actors import PATIENT, SYSTEM
from core.ids import uuid7
from tests.consent.factories import EVIDENCE, TopicFactory, contact, opted_in

pytestmark = pytest.mark.django_db(transaction=True)


class Side(threading.Thread):
    """Something done at the same time on a connection of its own."""

    def __init__(self, act):
        super().__init__()
        self.act, self.result, self.failure = act, None, None
        self.start()

    def run(self):
        try:
            self.result = self.act()
        except Exception as failure:
            self.failure = failure
        finally:
            connection.close()

    def done(self, timeout=10):
        self.join(timeout)
        assert not self.is_alive()
        if self.failure:
            raise self.failure
        return self.result


def opt_out(person, topic):
    return lambda: commands.opt_out(person.pk, topic, source=Source.ONE_CLICK, by=PATIENT)


def test_a_withdrawal_waits_for_a_sender_and_the_next_sender_sees_it():
    topic, person = TopicFactory(), contact()
    opted_in(topic, contact_id=person.pk)
    with transaction.atomic():
        locks.hold_shared([person.pk])
        assert queries.facts_for([person.pk], topic.pk)[person.pk].opted_in
        side = Side(opt_out(person, topic))
        time.sleep(0.3)
        assert side.is_alive()
        assert not queries.facts_for([person.pk], topic.pk)[person.pk].opted_out
    side.done()
    assert queries.facts_for([person.pk], topic.pk)[person.pk].opted_out


def test_a_sender_waits_for_a_withdrawal_under_way():
    topic, person = TopicFactory(), contact()
    opted_in(topic, contact_id=person.pk)

    def send():
        with transaction.atomic():
            locks.hold_shared([person.pk])
            return queries.facts_for([person.pk], topic.pk)[person.pk].opted_out

    with transaction.atomic():
        opt_out(person, topic)()
        side = Side(send)
        time.sleep(0.3)
        assert side.is_alive()
    assert side.done() is True


def test_senders_do_not_wait_for_each_other_nor_for_a_yes():
    topic, person = TopicFactory(), contact()
    with transaction.atomic():
        locks.hold_shared([person.pk])
        Side(lambda: opted_in(topic, contact_id=person.pk)).done(5)


def test_two_opt_outs_at_once_write_one_row():
    topic, person = TopicFactory(), contact()
    sides = [Side(opt_out(person, topic)) for _ in range(6)]
    assert len({side.done().pk for side in sides}) == 1
    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize("round_", range(5))
def test_an_import_racing_an_opt_out_never_wins(round_):
    topic, person = TopicFactory(), contact()
    consent = {"topics": [str(topic.pk)], "source": "Paper form"}

    def bring_in():
        return commands.record_import(uuid7(), created_ids=[], matched_ids=[person.pk], consent=consent, by=SYSTEM)

    sides = [Side(opt_out(person, topic)), Side(bring_in)]
    for side in sides:
        side.done()
    facts = queries.facts_for([person.pk], topic.pk)[person.pk]
    assert facts.opted_out
    assert facts.opted_in is None


def test_opting_in_and_out_at_once_leaves_the_later_word():
    topic, person = TopicFactory(), contact()
    sides = [Side(lambda: opted_in(topic, contact_id=person.pk)), Side(opt_out(person, topic))]
    for side in sides:
        side.done()
    last = LedgerEntry.objects.latest("number")
    facts = queries.facts_for([person.pk], topic.pk)[person.pk]
    assert facts.opted_out == (last.act == "opt_out")
    assert (facts.opted_in == last.pk) == (last.act == "opt_in")


def test_two_savers_of_preferences_do_not_deadlock():
    topics, person = [TopicFactory() for _ in range(3)], contact()

    def save(wanted):
        return lambda: commands.save_preferences(
            person.pk, wanted, source=Source.PREFERENCES, evidence=EVIDENCE, by=PATIENT
        )

    sides = [Side(save({t.pk for t in topics[n % 2 :]})) for n in range(6)]
    for side in sides:
        side.done()


def test_locks_of_many_people_fit_and_come_in_one_order():
    ids = [uuid7() for _ in range(50_000)]
    with transaction.atomic():
        locks.hold_exclusive(ids)
    found = locks.buckets(ids)
    assert found == sorted(set(found))
    assert len(found) <= locks.BUCKETS


def test_a_lock_outside_a_transaction_is_a_mistake():
    with pytest.raises(RuntimeError):
        locks.hold_shared([uuid7()])
    locks.hold_shared([])
