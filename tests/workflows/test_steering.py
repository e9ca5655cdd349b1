"""Holding, going on and ending: nobody is lost, nobody is written to twice, nobody gets what was skipped."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from core import clock
from delivery.models import Delivery, Origin, SendBatch
from tests.workflows.factories import (
    branch,
    end,
    graph,
    linear,
    live,
    mail,
    make_people,
    make_workflow,
    marketer,
    place,
    publish,
    rule,
    wait,
)
from workflows import numbers, steering
from workflows.engine.run import run
from workflows.errors import NotPossibleNow
from workflows.models import Enrolment, Tally, Transition, Workflow
from workflows.step import Note

pytestmark = pytest.mark.django_db


def go() -> None:
    while run(seconds=5):
        pass


def resume(workflow: Workflow, **how: object) -> None:
    steering.resume(workflow, by=marketer(), **how)  # type: ignore[arg-type]
    steering.go_on(workflow.pk)
    workflow.refresh_from_db()


def mailed() -> int:
    return sum(len(batch.contact_ids) for batch in SendBatch.objects.all())


def test_a_paused_journey_holds_everybody_and_its_mail() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1), mail()))
    place(workflow, make_people(3))
    go()
    steering.pause(workflow, by=marketer())
    place(workflow, make_people(2), step="s2", since=clock.now() - timedelta(days=5))
    go()
    assert Counter(Enrolment.objects.values_list("step", flat=True)) == {"s1": 3, "s2": 2}
    assert set(Origin.objects.filter(kind="workflow").values_list("state", flat=True)) == {"HELD"}
    with pytest.raises(NotPossibleNow):
        steering.pause(workflow, by=marketer())
    assert steering.overdue(workflow) == steering.Overdue(people=2, mails=3)


def test_what_is_published_while_paused_stays_paused() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    steering.pause(workflow, by=marketer())
    version = publish(workflow, linear(mail(), wait(days=2)))
    workflow.refresh_from_db()
    assert (version.state, workflow.state) == ("LIVE", "PAUSED")
    assert Origin.objects.get(pk=version.mails.get().pk).state == "HELD"
    place(workflow, make_people(2))
    go()
    assert mailed() == 0
    resume(workflow)
    go()
    assert mailed() == 2


def test_resuming_catches_up_at_once() -> None:
    workflow = make_workflow(linear(wait(days=1), mail()))
    place(workflow, make_people(3))
    steering.pause(workflow, by=marketer())
    Enrolment.objects.update(since=clock.now() - timedelta(days=2))
    resume(workflow)
    assert workflow.state == "ACTIVE"
    go()
    assert mailed() == 3
    assert set(Origin.objects.filter(kind="workflow").values_list("state", flat=True)) == {"OPEN"}


def test_resuming_spreads_whoever_is_overdue_over_the_hours_and_skips_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "CHUNK", 7)
    workflow = make_workflow(linear(mail(), wait(days=1), mail()))
    place(workflow, make_people(5))
    go()
    now = clock.now()
    place(workflow, make_people(40), step="s2", since=now - timedelta(days=2))
    steering.pause(workflow, by=marketer())
    resume(workflow, hours=4)
    wakes = sorted(Enrolment.objects.filter(step="s2").values_list("wake_at", flat=True))
    assert len(wakes) == 40
    assert wakes[0] > now
    assert wakes[-1] <= clock.now() + timedelta(hours=4)
    assert wakes[-1] - wakes[0] > timedelta(hours=2)
    go()
    assert mailed() == 5  # none of them yet
    with clock.set_to(now + timedelta(hours=5)):
        go()
    assert mailed() == 45


def test_resuming_with_skip_passes_over_overdue_mails_until_they_wait_again() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1), mail(), wait(days=1), mail()))
    place(workflow, make_people(2))
    go()  # two mails are handed to delivery, and nothing leaves: there is no relay
    place(workflow, make_people(3), step="s2", since=clock.now() - timedelta(days=2))
    steering.pause(workflow, by=marketer())
    resume(workflow, how="skip")
    go()
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {"cancelled"}
    Enrolment.objects.filter(awaits__isnull=False).update(wake_at=clock.now())
    go()
    assert mailed() == 2
    assert set(Enrolment.objects.filter(status="active").values_list("step", flat=True)) == {"s2", "s4"}
    assert Transition.objects.filter(step="s3", note=Note.SKIPPED).count() == 3
    with clock.set_to(clock.now() + timedelta(days=1, minutes=1)):
        go()
    assert mailed() == 2 + 2 + 3  # after the next wait they are written to again


def test_a_stopped_journey_lets_everybody_leave_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "CHUNK", 2)
    workflow = make_workflow(linear(mail(), wait(days=1)))
    place(workflow, make_people(3))
    go()
    place(workflow, make_people(2), step="s2")
    steering.stop(workflow, by=marketer())
    steering.empty(workflow.pk)
    workflow.refresh_from_db()
    assert workflow.state == "STOPPED"
    assert set(Enrolment.objects.values_list("status", "left_because")) == {("left", "stopped")}
    assert Transition.objects.count() == 5
    assert set(Origin.objects.filter(kind="workflow").values_list("state", flat=True)) == {"CANCELLED"}
    with pytest.raises(NotPossibleNow):
        steering.stop(workflow, by=marketer())


# -- attention --------------------------------------------------------------------------------------------------------


def test_who_needs_attention_is_tried_again_alone_or_with_all() -> None:
    workflow = make_workflow(linear(wait(days=1), wait(days=1)))
    stuck = place(workflow, make_people(4), status="attention", trouble="failed", attempts=6, wake_at=None)
    assert steering.retry(workflow, [stuck[0].pk], by=marketer()) == 1
    assert Enrolment.objects.filter(status="attention").count() == 3
    assert steering.retry(workflow, None, by=marketer()) == 3
    go()
    assert set(Enrolment.objects.values_list("status", "attempts", "trouble")) == {("active", 0, "")}


def test_retry_of_somebody_elses_people_does_nothing() -> None:
    workflow, other = make_workflow(), make_workflow()
    (stuck,) = place(other, make_people(1), status="attention", trouble="failed", wake_at=None)
    assert steering.retry(workflow, [stuck.pk], by=marketer()) == 0
    assert steering.skip(workflow, [stuck.pk], by=marketer()) == 0
    assert steering.remove(workflow, [stuck.pk], by=marketer()) == 0


def test_a_step_passed_over_leads_on_by_its_plain_way_out() -> None:
    odd = rule({"attribute": "first_name", "op": "is", "value": "Nobody"})
    steps = {
        "fork": {**branch(odd), "exits": {"1": "a", "else": "b"}},
        "a": {**wait(days=1), "exits": {"next": None}},
        "b": {**mail(), "exits": {"next": "c"}},
        "c": {**wait(days=1), "exits": {"next": None}},
    }
    workflow = make_workflow(graph("fork", steps))
    given = {"status": "attention", "trouble": "failed", "attempts": 6, "wake_at": None}
    at_fork = place(workflow, make_people(2), step="fork", visit=3, **given)
    at_mail = place(workflow, make_people(1), step="b", **given)
    at_end = place(workflow, make_people(1), step="c", **given)
    assert steering.skip(workflow, None, by=marketer()) == 4
    for row in at_fork:
        row.refresh_from_db()
        assert (row.step, row.visit, row.status, row.attempts, row.trouble) == ("b", 4, "active", 0, "")
        passed = Transition.objects.get(enrolment=row)
        assert (passed.visit, passed.way, passed.note) == (3, "else", Note.SKIPPED)
    at_mail[0].refresh_from_db()
    assert (at_mail[0].step, mailed()) == ("c", 0)
    at_end[0].refresh_from_db()
    assert (at_end[0].status, at_end[0].left_because) == ("left", "end")


def test_who_is_taken_off_gets_no_mail_that_has_not_left() -> None:
    workflow = make_workflow(linear(mail(), end()))
    (one, other) = place(workflow, make_people(2))
    go()
    assert steering.remove(workflow, [one.pk], by=marketer()) == 1
    one.refresh_from_db()
    assert (one.status, one.left_because) == ("left", "removed")
    assert list(Delivery.objects.values_list("contact_id", "outcome")) == [(one.contact_id, "cancelled")]
    other.refresh_from_db()
    assert other.status == "active"
    assert steering.remove(workflow, [one.pk], by=marketer()) == 0


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_numbers_are_exact_and_stay_so_when_they_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = make_workflow(linear(wait(days=1), mail()))
    place(workflow, make_people(5), since=clock.now() - timedelta(days=3))
    place(workflow, make_people(3))
    go()
    place(workflow, make_people(2), status="attention", trouble="failed", wake_at=None)
    version = live(workflow)
    before = numbers.by_step(version.pk)
    assert before["s1"] == {"waiting": 3, "attention": 2, "passed": 5}
    assert before["s2"]["waiting"] == 5
    numbers.cache.clear()
    monkeypatch.setattr(numbers, "MANY", 1)
    Tally.objects.create(version=version, step="s1", what="passed", count=4)
    numbers.sum_up()
    assert Tally.objects.filter(version=version, step="s1", what="passed").get().count == 9
    assert numbers.by_step(version.pk)["s1"]["passed"] == 9


def test_who_may_see_aggregates_only_is_told_no_small_number() -> None:
    workflow = make_workflow(linear(wait(days=1)))
    place(workflow, make_people(3))
    told = numbers.told(live(workflow), exact=False)
    assert told["steps"]["s1"]["waiting"] == told["inside"] == "fewer than 11"
    assert told["conversion"] == ""


def test_a_stopped_journey_runs_again_only_when_everybody_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    place(workflow, make_people(2))
    monkeypatch.setattr(steering, "enqueue", lambda *_: None)
    steering.stop(workflow, by=marketer())
    with pytest.raises(NotPossibleNow, match="still leaving"):
        publish(workflow)
    steering.empty(workflow.pk)
    assert publish(workflow).state == "LIVE"


def test_a_mail_step_passed_over_takes_back_what_has_not_left() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    place(workflow, make_people(1))
    go()
    Enrolment.objects.update(status="attention", trouble="rule_broken", wake_at=None)
    assert steering.skip(workflow, None, by=marketer()) == 1
    assert (Enrolment.objects.get().step, Delivery.objects.get().outcome) == ("s2", "cancelled")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unstarted")
def test_one_job_at_a_time_has_a_journey_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would take back mail that was handed over since."""
    monkeypatch.setattr(steering, "enqueue", lambda *_: None)
    workflow = make_workflow(linear(wait(days=1), mail()))
    place(workflow, make_people(2), since=clock.now() - timedelta(days=2))
    steering.pause(workflow, by=marketer())
    steering.resume(workflow, how="skip", by=marketer())
    kept, seen = steering._each_chunk, []

    def meanwhile() -> None:
        try:
            steering.go_on(workflow.pk)
            seen.append(Workflow.objects.get(pk=workflow.pk).state)
        finally:
            connections.close_all()

    def slow(*given: Any) -> None:
        other = threading.Thread(target=meanwhile)
        other.start()
        other.join()
        kept(*given)

    monkeypatch.setattr(steering, "_each_chunk", slow)
    steering.go_on(workflow.pk)
    assert seen == ["PAUSED"]
    assert Workflow.objects.get(pk=workflow.pk).state == "ACTIVE"
    assert Enrolment.objects.filter(overdue=True).count() == 2


def test_whoever_leaves_as_their_last_step_is_skipped_came_to_it_when_they_did() -> None:
    workflow = make_workflow(linear(wait(days=1)))
    came = clock.now() - timedelta(days=2)
    (stuck,) = place(workflow, make_people(1), since=came, status="attention", trouble="call_failed")
    assert steering.skip(workflow, [stuck.pk], by=marketer()) == 1
    stuck.refresh_from_db()
    assert (stuck.status, stuck.since) == ("left", came)
