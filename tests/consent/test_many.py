"""Many acts at once: set-wise, fast, and no different from one at a time."""

import time

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from consent import commands, queries
from consent.commands import NewAct
from consent.errors import EvidenceMissing
from consent.models import Act, LedgerEntry, Source
from contacts.signals import import_undone, people_imported, topics_wanted
from core.actors import SYSTEM
from core.ids import uuid7
from phi import blind
from tests.consent.factories import EVIDENCE, TopicFactory, contact

pytestmark = pytest.mark.django_db


def test_twenty_thousand_acts_are_written_within_a_second():
    topic = TopicFactory()
    acts = [NewAct(uuid7(), Act.OPT_IN, Source.IMPORT, topic.pk, EVIDENCE) for _ in range(20_000)]
    began = time.perf_counter()
    assert commands.record_many(acts, by=SYSTEM) == 20_000
    took = time.perf_counter() - began
    assert LedgerEntry.objects.count() == 20_000
    assert took < 4, f"{20_000 / took:,.0f} a second"  # slack for a busy machine; the figure is in docs/adr/0030


def test_statements_do_not_grow_with_the_acts():
    topic = TopicFactory()
    counts = []
    for number in (1, 50):
        acts = [NewAct(contact().pk, Act.OPT_OUT, Source.API, topic.pk) for _ in range(number)]
        with CaptureQueriesContext(connection) as seen:
            commands.record_many(acts, by=SYSTEM)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_many_count_like_one_at_a_time():
    topic, person = TopicFactory(), contact("many@example.com")
    acts = [
        NewAct(person.pk, Act.OPT_IN, Source.IMPORT, topic.pk, EVIDENCE, double=True),
        NewAct(person.pk, Act.OPT_OUT_ALL, Source.API),
    ]
    commands.record_many(acts, by=SYSTEM)
    first, last = LedgerEntry.objects.order_by("number")
    assert first.evidence == EVIDENCE
    assert (first.double, first.recorded_by_kind, last.act) == (True, "system", "opt_out_all")
    assert queries.facts_for([person.pk], topic.pk)[person.pk].opted_out_all
    assert queries.suppressed([blind.index("suppression", "many@example.com")])
    assert Entry.objects.get(action="consent.recorded").details == {"counts": {"opt_in": 1, "opt_out_all": 1}}


def test_one_bad_act_leaves_none():
    topic = TopicFactory()
    acts = [NewAct(uuid7(), Act.OPT_IN, Source.API, topic.pk, evidence) for evidence in (EVIDENCE, {})]
    with pytest.raises(EvidenceMissing), transaction.atomic():
        commands.record_many(acts, by=SYSTEM)
    assert not LedgerEntry.objects.exists()
    assert commands.record_many([], by=SYSTEM) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_ledgerentry SET act = 'opt_in'",
        "DELETE FROM consent_ledgerentry",
        "TRUNCATE consent_ledgerentry CASCADE",
        "UPDATE consent_authorization SET complete = true",
        "TRUNCATE consent_authorization",
    ],
)
def test_the_database_refuses_to_change_what_was_said(statement):
    from tests.consent.factories import DOCUMENT

    commands.authorize(contact().pk, document=DOCUMENT, source=Source.STAFF, by=SYSTEM)
    connection.check_constraints()  # a pending one would be in the way before the guard
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_import_brings_its_consents_and_its_undo_takes_them_back():
    topic, person, import_id = TopicFactory(), contact(), uuid7()
    consent = {
        "topics": [str(topic.pk), str(uuid7())],
        "source": "Paper form 7",
        "given_on": "2026-01-05",
        "text": "I agree",
        "address_confirmed": True,
    }
    people_imported.send(None, import_id=import_id, created_ids=[person.pk], matched_ids=[], consent=consent, by=SYSTEM)
    entry = LedgerEntry.objects.get(act=Act.OPT_IN)
    assert (entry.import_id, entry.source) == (import_id, Source.IMPORT)
    assert (entry.evidence["text"], entry.evidence["origin"], entry.evidence["given_on"]) == (
        "I agree",
        "Paper form 7",
        "2026-01-05",
    )
    found = queries.facts_for([person.pk], topic.pk)[person.pk]
    assert found.opted_in == entry.pk
    assert found.address_confirmed
    import_undone.send(None, import_id=import_id, by=SYSTEM)
    assert queries.facts_for([person.pk], topic.pk)[person.pk] == queries.ConsentFacts()


def test_a_file_that_states_no_topic_consents_to_nothing():
    person = contact()
    people_imported.send(
        None, import_id=uuid7(), created_ids=[person.pk], matched_ids=[], consent={"source": "x"}, by=SYSTEM
    )
    assert not LedgerEntry.objects.exists()


def test_the_import_wizard_is_offered_the_live_topics():
    topic, gone = TopicFactory(), TopicFactory()
    commands.remove_topic(gone, by=SYSTEM)
    offers = [answer for _, answer in topics_wanted.send(None) if answer]
    assert offers == [[(str(topic.pk), topic.name)]]


def test_an_import_costs_as_much_for_many_as_for_few():
    topic = TopicFactory()
    consent = {"topics": [str(topic.pk)], "source": "x", "address_confirmed": True}
    commands.suppress("somebody@example.com", reason="staff", by=SYSTEM)
    counts = []
    for number in (1, 30):
        ids = [contact().pk for _ in range(number)]
        with CaptureQueriesContext(connection) as seen:
            commands.record_import(uuid7(), created_ids=ids, matched_ids=[], consent=consent, by=SYSTEM)
        counts.append(len(seen))
    assert counts[0] == counts[1]
