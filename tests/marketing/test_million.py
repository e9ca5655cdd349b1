"""The made-up large deployment, small: what it holds is what the product itself would have written."""

import pytest
from django.db import connection
from django.db.models import Count, Q, Sum

from bench import million, people_columns
from campaigns import report
from campaigns.models import Campaign
from consent.counts import people_in
from consent.models import LedgerEntry, Suppression, Topic
from contacts import queries as contacts
from contacts.models import Contact
from core import clock
from delivery.models import Delivery, SendBatch, Tally
from tracking.models import Event

pytestmark = pytest.mark.django_db

SIZE, CAMPAIGNS = 1_200, 5


@pytest.fixture
def seeded() -> None:
    million.seed(SIZE, campaigns=CAMPAIGNS, processes=1)


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
        return {row[0] for row in cursor.fetchall()}


def test_everybody_opens_and_is_who_the_generator_says() -> None:
    before = indexes()
    million.seed(SIZE, campaigns=CAMPAIGNS, processes=1)
    assert indexes() == before
    made = next(people_columns.records(people_columns.block(0, SIZE, today=clock.now().date()), SIZE))
    numbers = dict(Contact.objects.values_list("pk", "number"))
    first = min(numbers.values())
    opened = {numbers[pk] - first: record for part in contacts.iter_open() for pk, record in part}
    assert opened == dict(enumerate(made))
    assert contacts.by_external_id(made[7].external_id) is not None
    checks(SIZE)


def checks(size: int) -> None:
    """What came of the campaigns adds up, and nobody was written to who had left."""
    sent = Delivery.objects.filter(outcome="sent")
    assert sent.count() > 2.5 * size
    assert Event.objects.count() > 1.2 * size
    assert not sent.exclude(decision__verdict="allow").exists()
    assert not Delivery.objects.values("origin_id", "contact_id").annotate(n=Count("pk")).filter(n__gt=1).exists()
    gone = LedgerEntry.objects.filter(act="opt_out")
    assert gone.exists()
    for entry in gone[:20]:
        assert not sent.filter(contact_id=entry.contact_id, origin__topic_id=entry.topic_id, at__gt=entry.at).exists()
        assert Suppression.objects.filter(topic_id=entry.topic_id, opted_out=True).exists()
    numbers = list(LedgerEntry.objects.order_by("number").values_list("at", flat=True))
    assert numbers == sorted(numbers)
    topics = list(Topic.objects.values_list("pk", flat=True))
    for topic, (joined, left) in people_in(topics).items():
        said = LedgerEntry.objects.filter(topic_id=topic)
        assert left == said.filter(act="opt_out").count()
        assert joined == said.filter(act="opt_in").count() - left
    for campaign in Campaign.objects.filter(state="FINISHED"):
        found, rows = report.report(campaign), Delivery.objects.filter(origin_id=campaign.pk)
        assert found.progress.total == found.progress.done == rows.count() == campaign.audience_size
        assert found.progress.sent == rows.filter(outcome="sent").count()
        assert found.bounced == rows.filter(reasons__contains=["bounced"]).count()
        events = Event.objects.filter(origin_id=campaign.pk)
        people = events.filter(kind="open", verdict__in=["human", "unknown"]).values("contact_id").distinct().count()
        assert found.opened == people
        assert sum(bucket.unsubscribes for bucket in found.back_over_time) == found.back.unsubscribes
    tallied = Tally.objects.aggregate(n=Sum("count"), sent=Sum("count", filter=Q(outcome="sent")))
    assert tallied == {"n": Delivery.objects.count(), "sent": sent.count()}
    assert sum(len(ids) for ids in SendBatch.objects.values_list("contact_ids", flat=True)) == tallied["n"]


def test_begun_again_it_does_what_is_left_and_nothing_twice(seeded: None) -> None:
    before = (Contact.objects.count(), Delivery.objects.count(), LedgerEntry.objects.count(), Event.objects.count())
    million.seed(SIZE, campaigns=CAMPAIGNS, processes=1)
    assert (
        Contact.objects.count(), Delivery.objects.count(), LedgerEntry.objects.count(), Event.objects.count(),
    ) == before  # fmt: skip
    with pytest.raises(million.Refused, match="1,200 people"):
        million.seed(SIZE + 1)


def test_it_never_touches_a_database_with_people_in_it() -> None:
    from tests.contacts.factories import make_people

    make_people(1)
    with pytest.raises(million.Refused, match="beside real ones"):
        million.seed(10)
    assert Contact.objects.count() == 1
