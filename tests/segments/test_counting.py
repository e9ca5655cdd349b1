"""Counting a saved segment is work for everybody: once at a time, however many ask."""

import threading
import time
from typing import Any

import pytest
from django.db import connection

from core.actors import SYSTEM
from segments import commands, counting, queries
from segments.models import Segment
from tests.accounts.factories import UserFactory
from tests.segments.factories import SegmentFactory, is_, rule


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_wait_for_one_count(monkeypatch: pytest.MonkeyPatch) -> None:
    segment, by = SegmentFactory(), UserFactory(roles=["marketer"])
    counts: list[Any] = []
    answers: list[counting.Counted] = []

    def slowly(rule: Any, **_: Any) -> int:
        counts.append(rule)
        time.sleep(0.2)
        return 7

    monkeypatch.setattr(queries, "count", slowly)

    def ask() -> None:
        try:
            answers.append(counting.ask_saved(Segment.objects.get(pk=segment.pk), by=by))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(counts), [one.answer.count for one in answers]) == (1, [7] * 5)
    assert [one.anew for one in answers].count(True) == 1
    assert len({one.at for one in answers}) == 1


@pytest.mark.django_db
def test_what_was_counted_by_a_rule_that_is_another_by_now_is_not_told_of_the_new_one() -> None:
    counted = SegmentFactory()
    commands.edit(Segment.objects.get(pk=counted.pk), name="Other", rule=rule(is_("city", "Boston")), by=SYSTEM)
    commands.keep_count(counted, 7)
    assert Segment.objects.get(pk=counted.pk).counted_at is None
    commands.keep_count(Segment.objects.get(pk=counted.pk), 3)
    assert Segment.objects.get(pk=counted.pk).last_count == 3
