"""Who is in a topic: kept counts and what was said since say what counting everybody says."""

from random import Random
from uuid import uuid4

import pytest

from consent.counts import count_topics, keep, people_in
from consent.models import Act, TopicCount
from tests.consent.factories import LedgerEntryFactory, TopicFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", range(6))
def test_kept_counts_and_later_words_say_what_counting_everybody_says(seed: int) -> None:
    random, people = Random(seed), [uuid4() for _ in range(8)]
    topics = [TopicFactory() for _ in range(3)]
    ids = [topic.pk for topic in topics]
    said: dict[object, str] = {}
    for step in range(1, 5):
        for _ in range(random.randrange(15)):
            topic, person = random.choice(topics), random.choice(people)
            act = random.choice([Act.OPT_IN, Act.OPT_IN, Act.OPT_OUT, Act.OPT_IN_VOIDED])
            LedgerEntryFactory(topic=topic, contact_id=person, act=act, xid=step)
            said[topic.pk, person] = act
        expected = {
            key: tuple(
                sum(1 for (t, _), last in said.items() if t == key and last == act) for act in ("opt_in", "opt_out")
            )
            for key in ids
        }
        assert people_in(ids) == expected
        if random.random() < 0.6:
            keep(step + random.choice([0, 1]))  # the last words are in it, or yet to be added
            assert TopicCount.objects.count() == 3
            assert people_in(ids) == expected


def test_the_task_keeps_what_is_settled() -> None:
    topic = TopicFactory()
    LedgerEntryFactory(topic=topic, xid=5)
    count_topics()
    kept = TopicCount.objects.get(pk=topic.pk)
    assert (kept.people_in, kept.people_out) == (1, 0)
    LedgerEntryFactory(topic=topic, act=Act.OPT_OUT)
    assert people_in([topic.pk]) == {topic.pk: (1, 1)}
