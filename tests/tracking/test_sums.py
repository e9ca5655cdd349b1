"""Sums that are kept say the same as counting every event anew, whatever came in between."""

from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from django.db import connection

from core import clock
from tracking import commands, sums
from tracking.models import Event, Mark, Sum
from tracking.queries import counts_for, over_time, people_by_origin

pytestmark = pytest.mark.django_db

ORIGINS = [uuid4() for _ in range(3)]
PEOPLE = [uuid4() for _ in range(6)]
DELIVERIES = {(origin, person): uuid4() for origin in ORIGINS for person in PEOPLE}


def some_events(random: Random, count: int, *, xid: int) -> None:
    """Events of a transaction with this number; clicks often near each other, so that bursts come and grow."""
    began = clock.now() - timedelta(days=2)
    made = []
    for _ in range(count):
        origin, person = random.choice(ORIGINS), random.choice(PEOPLE)
        kind = random.choice(["open", "click", "click", "unsubscribe"])
        made.append(
            Event(
                delivery_id=DELIVERIES[origin, person], origin_id=origin, contact_id=person, kind=kind,
                link=random.randrange(3) if kind == "click" else None, xid=xid,
                at=began + timedelta(seconds=random.choice([0, 1, 2, 4_000, 90_000]) + random.randrange(3)),
                verdict=random.choice(["human", "unknown", "machine"]), client="phone",
            )
        )  # fmt: skip
    Event.objects.bulk_create(made)


def told() -> list[object]:
    """Everything that is told of these origins."""
    each = [(counts_for(origin), over_time(origin), over_time(origin, step="day")) for origin in ORIGINS]
    return [each, people_by_origin(ORIGINS)]


def summed_to(xid: int) -> None:
    """As sum_up leaves it once every transaction before this one is over."""
    Mark.objects.update_or_create(pk=1, defaults={"before_xid": xid})
    sums.sum_again(ORIGINS)


@pytest.mark.parametrize("seed", range(8))
def test_sums_and_what_came_since_say_what_counting_anew_says(seed: int) -> None:
    random = Random(seed)
    for step in range(1, 5):
        some_events(random, random.randrange(25), xid=step * 10)
        as_kept = told()
        with_all_of_it_kept = Mark.objects.filter(pk=1).values_list("before_xid", flat=True).first()
        Mark.objects.all().delete()
        Sum.objects.all().delete()
        assert as_kept == told()
        summed_to(step * 10 + random.choice([0, 1]) if random.random() < 0.8 else with_all_of_it_kept or 0)


def test_the_task_sums_what_is_committed_and_leaves_the_rest_to_the_reader() -> None:
    some_events(Random(1), 30, xid=5)
    before = told()
    assert sums.sum_up() == len({*Event.objects.values_list("origin_id", flat=True)})
    assert Sum.objects.count() == 3
    assert Mark.objects.get().before_xid > 5
    assert told() == before
    assert sums.sum_up() == 0
    some_events(Random(2), 30, xid=Mark.objects.get().before_xid)
    news = told()
    assert news != before
    Mark.objects.update(before_xid=0)
    Sum.objects.all().delete()
    assert told() == news


def test_what_retention_forgets_leaves_the_sums() -> None:
    some_events(Random(3), 40, xid=5)
    sums.sum_up()
    commands.purge(clock.now() - timedelta(days=1, hours=12))
    left = told()
    Mark.objects.update(before_xid=0)
    Sum.objects.all().delete()
    assert told() == left
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tracking_event")
        assert 0 < cursor.fetchone()[0] < 40
