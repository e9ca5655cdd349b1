"""A withdrawal and whoever relies on the facts never overlap."""

import threading
import time
from contextlib import suppress

import pytest
from django.db import connection, transaction

from consent import commands, queries
from consent.ledger import NewAct
from consent.models import Act, LedgerEntry, Source
from contacts import commands as people
from contacts import imports, locks
from contacts.errors import ChangedMeanwhile
from contacts.importing import parse
from contacts.models import Contact, Import
from core.actors import PATIENT, SYSTEM
from core.ids import uuid7
from tests.consent.factories import EVIDENCE, TopicFactory, contact, opted_in
from tests.contacts.factories import make_import, make_people, make_staff

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


def test_imports_changes_deletions_withdrawals_and_senders_do_not_deadlock(monkeypatch):
    """All at once about the same people: each takes its locks on people in one order, and before rows."""
    monkeypatch.setattr(parse, "CHUNK_ROWS", 40)
    topic, by, start = TopicFactory(requires_opt_in=False), make_staff(), threading.Barrier(9)
    ids = make_people(200, external_id=lambda i: f"M{i}", email=lambda i: f"m{i}@example.com")
    rows = [f"M{i},{'moved' if i % 3 else 'm'}{i}@example.com" for i in range(260)]
    owner = make_import("\n".join(["id,email", *rows]))
    imports.set_consent(owner, consent={"topics": [str(topic.pk)], "source": "Paper form"}, by=by)
    imports.check(owner, by=by)
    imports.release(owner, reason="They moved", by=by)

    def each(some, act):
        def run():
            start.wait(5)
            for one in some:
                act(one)

        return run

    def change(person_id):
        found = Contact.objects.filter(pk=person_id).first()
        with suppress(Contact.DoesNotExist, ChangedMeanwhile):
            if found:
                people.update(found, values={"email": f"hand-{person_id}@example.com"}, by=SYSTEM)

    def upsert(n):
        given = [people.Person({"external_id": f"M{i}", "email": f"list{n}-{i}@example.com"}) for i in range(30, 90)]
        people.upsert_many(given, by=SYSTEM)

    def withdraw_all(_):
        commands.record_many([NewAct(i, Act.OPT_OUT, Source.STAFF, topic.pk) for i in ids], by=SYSTEM)

    def send(_):
        with transaction.atomic():
            locks.hold_shared(ids)
            queries.facts_for(ids, topic.pk)
            time.sleep(0.02)

    acts = [
        each([owner], lambda owner: imports.start(owner, by=by)),
        each([ids[n : n + 10] for n in range(100, 180, 10)], lambda some: people.delete_many(some, by=SYSTEM)),
        each(ids[100:0:-2], change),
        each(range(8), upsert),
        each(ids[:60], lambda i: commands.opt_out(i, source=Source.ONE_CLICK, by=PATIENT)),
        each(range(60), lambda i: commands.suppress(f"m{i}@example.com", reason="bounced", by=SYSTEM)),
        each(
            range(6), lambda _: commands.record_many([NewAct(i, "opt_out", "staff", topic.pk) for i in ids], by=SYSTEM)
        ),
        each(range(20), send),
        each(range(20), send),
    ]
    for side in [Side(act) for act in acts]:
        side.done(60)
    owner.refresh_from_db()
    assert (owner.state, owner.rows_done) == (Import.State.FINISHED, 260)


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
