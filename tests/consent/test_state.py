"""The ledger's sum: PostgreSQL and the plain rule agree, and the rule holds what it promises."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent import queries
from consent.models import Act, LedgerEntry, Topic
from consent.state import ConsentFacts, Row, facts, last_words
from core import clock
from core.ids import uuid7
from tests.consent.factories import TopicFactory, contact, opted_in

TOPICS = [uuid7(), uuid7()]
ABOUT_A_TOPIC = [Act.OPT_IN, Act.OPT_OUT, Act.OPT_IN_VOIDED, Act.OPT_IN_REQUESTED]
ABOUT_ALL = [act for act in Act if act not in {Act.OPT_OUT, Act.OPT_IN_VOIDED, Act.OPT_IN_REQUESTED}]

said = st.one_of(
    st.tuples(st.sampled_from(ABOUT_A_TOPIC), st.sampled_from(TOPICS), st.booleans()),
    st.tuples(st.sampled_from(ABOUT_ALL), st.none(), st.booleans()),
)
histories = st.lists(said, max_size=12)


def rows_of(history):
    return [
        Row(uuid7(), number, act, topic, double and act == Act.OPT_IN)
        for number, (act, topic, double) in enumerate(history, 1)
    ]


def state(history, topic=TOPICS[0]):
    return facts(last_words(rows_of(history), topic))


@given(histories, st.sampled_from([*TOPICS, None]))
def test_after_opting_out_of_everything_nobody_is_written_to(history, topic):
    found = state([*history, (Act.OPT_OUT_ALL, None, False)], topic)
    assert found.opted_out_all


@given(histories)
def test_after_opting_out_of_a_topic_only_a_later_yes_to_it_counts(history):
    out = [*history, (Act.OPT_OUT, TOPICS[0], False)]
    assert state(out).opted_out
    assert state([*out, (Act.OPT_IN, TOPICS[1], False)]).opted_out
    assert state([*out, (Act.OPT_IN_REQUESTED, TOPICS[0], False)]).opted_out
    again = state([*out, (Act.OPT_IN, TOPICS[0], True)])
    assert again.opted_in
    assert again.double
    assert not again.opted_out
    assert not again.opted_out_all


@given(histories)
def test_nobody_is_in_who_never_opted_in(history):
    assert state([said for said in history if said[0] != Act.OPT_IN]).opted_in is None


@given(histories, histories)
def test_what_is_said_of_one_topic_changes_no_other(history, more):
    other = [said for said in more if said[1] == TOPICS[1]]
    assert _plain(state(history + other)) == _plain(state(history))


def _plain(found):
    return (bool(found.opted_in), found.double, found.opted_out, found.opted_out_all, bool(found.special_consent))


@pytest.mark.django_db
@given(st.lists(histories, min_size=1, max_size=4), st.integers(0, 12))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_postgresql_adds_up_the_ledger_as_the_rule_does(people, moment):
    with transaction.atomic():
        for topic in TOPICS:
            Topic.objects.get_or_create(
                pk=topic, defaults={"number": topic.int % 10**9, "name": "x", "public_name": "x"}
            )
        start = clock.now()
        numbers = {}
        made = {uuid7(): history for history in people}
        base = 10**9
        for contact_id, history in made.items():
            rows = []
            for place, (act, topic, double) in enumerate(history):
                base += 1
                rows.append(
                    LedgerEntry(
                        number=base,
                        contact_id=contact_id,
                        topic_id=topic,
                        act=act,
                        at=start + timedelta(minutes=place),
                        source="form",
                        recorded_by_kind="patient",
                        double=double and act == Act.OPT_IN,
                    )
                )
            LedgerEntry.objects.bulk_create(rows)
            numbers[contact_id] = rows
        at = start + timedelta(minutes=moment)
        for topic in (*TOPICS, None):
            for when in (None, at):
                found = queries.facts_for([*made, uuid7()], topic, when)
                assert len(found) == len(made) + 1
                for contact_id, rows in numbers.items():
                    known = [
                        Row(r.pk, r.number, r.act, r.topic_id, r.double) for r in rows if when is None or r.at <= when
                    ]
                    assert found[contact_id] == facts(last_words(known, topic))
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_facts_cost_two_statements_however_many_people():
    topic = TopicFactory()
    ids = [opted_in(topic).contact_id for _ in range(5)]
    counts = []
    for asked in (ids[:1], ids):
        with CaptureQueriesContext(connection) as seen:
            queries.facts_for(asked, topic.pk)
        counts.append(len(seen))
    assert counts == [2, 2]


@pytest.mark.django_db
def test_the_panel_and_the_gate_see_the_same_state():
    news, offers, person = TopicFactory(), TopicFactory(requires_opt_in=False), contact()
    opted_in(news, contact_id=person.pk)
    for state_ in queries.states_of(person.pk):
        assert state_.facts == queries.facts_for([person.pk], state_.topic.pk)[person.pk]
    assert queries.facts_for([], offers.pk) == {}
    assert queries.facts_for([uuid7()], None).popitem()[1] == ConsentFacts()
