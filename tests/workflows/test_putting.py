"""Everybody of a segment is put on once, also when the job dies half way and runs again."""

import threading

import pytest
from django.db import connections

from tests.workflows.factories import SegmentFactory, linear, make_people, make_workflow, marketer, wait
from workflows import putting, steering
from workflows.errors import NotPossibleNow
from workflows.models import Cursor, Enrolment

pytestmark = pytest.mark.django_db


def test_a_job_that_died_half_way_puts_on_the_others_and_nobody_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting, "CHUNK", 3)
    workflow = make_workflow(linear(wait(days=1), reentry={"kind": "after_leaving"}))
    segment = SegmentFactory()
    make_people(8)
    putting.begin(workflow, segment, by=marketer())
    with pytest.raises(NotPossibleNow):
        putting.begin(workflow, segment, by=marketer())
    kept, calls = putting._some, []

    def dies(*given: object) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return int(kept(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(putting, "_some", dies)
    with pytest.raises(KeyboardInterrupt):
        putting.carry_out(workflow.pk, segment.pk)
    assert Enrolment.objects.count() == 3
    # Whoever was put on has left already, and may enter again: but not for this time.
    steering.remove(workflow, list(Enrolment.objects.values_list("pk", flat=True)), by=marketer())
    monkeypatch.setattr(putting, "_some", kept)
    assert putting.carry_out(workflow.pk, segment.pk) == 5
    assert Enrolment.objects.count() == 8
    assert not Cursor.objects.filter(source__startswith="put:").exists()
    assert putting.carry_out(workflow.pk, segment.pk) == 0


def test_a_journey_stopped_meanwhile_takes_nobody() -> None:
    workflow = make_workflow(linear(wait(days=1)))
    segment = SegmentFactory()
    make_people(2)
    putting.begin(workflow, segment, by=marketer())
    steering.stop(workflow, by=marketer())
    assert putting.carry_out(workflow.pk, segment.pk) == 0
    assert not Enrolment.objects.exists()
    with pytest.raises(NotPossibleNow):
        putting.begin(workflow, segment, by=marketer())


@pytest.mark.django_db(transaction=True)
def test_one_job_puts_on_a_segment_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = make_workflow(linear(wait(days=1)))
    segment = SegmentFactory()
    make_people(2)
    monkeypatch.setattr(putting, "enqueue", lambda *_: None)
    putting.begin(workflow, segment, by=marketer())
    kept, others = putting._some, []

    def meanwhile() -> None:
        try:
            others.append(putting.carry_out(workflow.pk, segment.pk))
        finally:
            connections.close_all()

    def slow(*given: object) -> int:
        other = threading.Thread(target=meanwhile)
        other.start()
        other.join()
        return int(kept(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(putting, "_some", slow)
    assert putting.carry_out(workflow.pk, segment.pk) == 2
    assert others == [0]
