"""Counts, set-wise and slowly: PostgreSQL and a plain reading of the rules agree."""

from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.ids import uuid7
from tracking import queries
from tracking.models import Event
from tracking.verdict import in_burst

pytestmark = pytest.mark.django_db

ORIGIN, PEOPLE = uuid7(), [uuid7() for _ in range(4)]
MAILS = {person: uuid7() for person in PEOPLE}

events = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["open", "click", "unsubscribe"]),
        st.integers(0, 2),
        st.integers(0, 40),  # half seconds
        st.sampled_from(["human", "machine", "unknown"]),
    ),
    max_size=25,
)


def write(rows):
    start = clock.now() - timedelta(days=1)
    return Event.objects.bulk_create(
        Event(
            delivery_id=MAILS[person],
            origin_id=ORIGIN,
            contact_id=person,
            kind=kind,
            link=link if kind == "click" else None,
            at=start + timedelta(seconds=half / 2),
            verdict=verdict,
        )
        for person, kind, link, half, verdict in rows
    )


def judged(rows):
    """The verdict of each event as of now, by the pure rule."""
    clicks = defaultdict(list)
    for row in rows:
        if row.kind == "click":
            clicks[row.delivery_id].append(row)
    out = {row.pk: row.verdict for row in rows}
    for mine in clicks.values():
        for row, burst in zip(mine, in_burst([(r.at, r.link) for r in mine]), strict=True):
            out[row.pk] = "machine" if burst else row.verdict
    return out


@given(events)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_postgresql_counts_as_the_rule_says(rows):
    with transaction.atomic():
        made = write(rows)
        verdicts = judged(made)
        counts = queries.counts_for(ORIGIN)
        for kind, figures in (("open", counts.opens), ("click", counts.clicks)):
            mine = [r for r in made if r.kind == kind]
            for verdict in ("human", "unknown", "machine"):
                assert getattr(figures.total, verdict) == sum(verdicts[r.pk] == verdict for r in mine)
            best = defaultdict(set)
            for r in mine:
                best[r.contact_id].add(verdicts[r.pk])
            people = [next(v for v in ("human", "unknown", "machine") if v in seen) for seen in best.values()]
            for verdict in ("human", "unknown", "machine"):
                assert getattr(figures.people, verdict) == people.count(verdict)
        assert sum(f.total.all for f in counts.links.values()) == counts.clicks.total.all
        assert counts.unsubscribes == len({r.contact_id for r in made if r.kind == "unsubscribe"})
        transaction.set_rollback(True)


def test_people_are_counted_when_they_first_came():
    write(
        [(PEOPLE[0], "open", 0, 0, "human"), (PEOPLE[0], "open", 0, 10, "human"), (PEOPLE[1], "open", 0, 0, "machine")]
    )
    buckets = queries.over_time(ORIGIN, step="day")
    assert [(b.opens, b.clicks) for b in buckets] == [(1, 0)]
    with pytest.raises(ValueError, match="hour or by day"):
        queries.over_time(ORIGIN, step="century")


def test_the_database_refuses_to_edit_an_event():
    write([(PEOPLE[0], "open", 0, 0, "human")])
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.update(verdict="machine")
