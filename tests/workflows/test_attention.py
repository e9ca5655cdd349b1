"""Who needs attention leaves as everybody else does, and is otherwise left alone until staff have seen to it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

import consent.commands
import contacts.commands
import segments.commands as segments
from consent.models import Source
from contacts import attributes
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from delivery.models import SendBatch
from tests.workflows.factories import (
    AttributeFactory,
    end,
    linear,
    mail,
    make_people,
    make_workflow,
    place,
    rule,
    wait,
)
from tests.workflows.test_intake import change, send
from workflows import endpoints, event_types, steering, tasks_intake
from workflows.engine.run import run
from workflows.models import Call, Enrolment, Tally, Transition, Workflow
from workflows.webhooks import sending

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unstarted")]


class Refuses:
    def post(self, *_: Any) -> int:
        return 400


@pytest.fixture(autouse=True)
def _refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WIRE", Refuses())


def calling(*more: dict[str, Any], exits: list[dict[str, Any]]) -> Workflow:
    """Its first step fails for everybody, and is not tried again by itself."""
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    told = {"kind": "webhook", "endpoint": str(where.pk)}
    return make_workflow(linear(told, mail(), *more, end(), exits=exits))


def stuck(journey: Workflow, people: list[UUID]) -> list[Enrolment]:
    rows = place(journey, people, at=clock.now() - timedelta(minutes=1))
    run(seconds=5)
    run(seconds=5)
    rows = list(Enrolment.objects.filter(pk__in=[row.pk for row in rows]).order_by("contact_number"))
    assert {(row.status, row.trouble) for row in rows} == {("attention", "call_failed")}
    return rows


def go() -> None:
    tasks_intake.listen()
    tasks_intake.look()
    run(seconds=5)


def opt_out(who: UUID) -> None:
    consent.commands.opt_out(who, None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)


def cancel(who: UUID) -> None:
    send("cancelled", who)


def delete(who: UUID) -> None:
    contacts.commands.delete(Contact.objects.get(pk=who), by=SYSTEM)


def reach(who: UUID) -> None:
    change(who, plan="gold")


@pytest.mark.parametrize(
    ("exits", "befalls", "why"),
    [
        ([{"kind": "unsubscribed"}], opt_out, "unsubscribed"),
        ([{"kind": "event", "event": "cancelled"}], cancel, "event"),
        ([{"kind": "goal", "rule": rule({"attribute": "plan", "op": "is", "value": "gold"})}], reach, "goal"),
        ([], delete, "deleted"),
    ],
)
def test_who_needs_attention_leaves_by_what_would_have_them_leave(
    exits: list[dict[str, Any]], befalls: Callable[[UUID], None], why: str
) -> None:
    AttributeFactory(key="plan", kind="text")
    event_types.declare(name="cancelled", by=SYSTEM)
    journey = calling(exits=exits)
    people = make_people(2, plan="silver")
    leaving, other = stuck(journey, people)
    befalls(leaving.contact_id)
    go()
    leaving.refresh_from_db()
    assert (leaving.status, leaving.left_because, leaving.trouble) == ("left", why, "")
    passed = Transition.objects.get(enrolment=leaving)
    assert (passed.step, passed.way, passed.note, passed.at) == ("s1", "", why, leaving.left_at)
    was = (other.status, other.trouble, other.attempts, other.awaits)
    other.refresh_from_db()
    assert (other.status, other.trouble, other.attempts, other.awaits) == was
    assert steering.retry(journey, None, by=SYSTEM) == 1


def test_who_is_not_in_the_segment_any_more_leaves_the_list_of_those_who_need_attention() -> None:
    group = segments.start_list(name="Group", tier="identity", by=SYSTEM)
    (who,) = make_people(1)
    segments.add_people(group, [who], by=SYSTEM)
    journey = calling(exits=[{"kind": "segment_left", "segment": str(group.pk)}])
    (row,) = stuck(journey, [who])
    segments.remove_people(group, [who], by=SYSTEM)
    go()
    row.refresh_from_db()
    assert row.left_because == "segment_left"


def test_other_news_leaves_them_as_they_are_and_counts_nobody_twice() -> None:
    AttributeFactory(key="plan", kind="text")
    gold = rule({"attribute": "plan", "op": "is", "value": "gold"})
    journey = calling(exits=[{"kind": "goal", "rule": gold}])
    (row,) = stuck(journey, make_people(1))
    change(row.contact_id, plan="bronze")
    go()
    attempts = row.attempts
    row.refresh_from_db()
    assert (row.status, row.trouble, row.wake_at, row.attempts) == ("attention", "call_failed", None, attempts)
    assert sum(Tally.objects.filter(what="attention").values_list("count", flat=True)) == 1
    assert Call.objects.get().state == "failed"


def test_a_rule_that_cannot_be_asked_leaves_them_where_staff_look() -> None:
    plan = AttributeFactory(key="plan", kind="text")
    gold = rule({"attribute": "plan", "op": "is", "value": "gold"})
    journey = calling(exits=[{"kind": "goal", "rule": gold}])
    (row,) = stuck(journey, make_people(1))
    attributes.remove(plan, by=SYSTEM)
    Enrolment.objects.update(wake_at=clock.now())
    run(seconds=5)
    row.refresh_from_db()
    assert (row.status, row.trouble, row.wake_at) == ("attention", "call_failed", None)


def test_somebody_who_unsubscribed_is_not_retried_or_passed_over_into_a_mail() -> None:
    journey = calling(exits=[{"kind": "unsubscribed"}])
    one, two = stuck(journey, make_people(2))
    opt_out(one.contact_id)
    opt_out(two.contact_id)
    # Before anybody has listened.
    assert steering.retry(journey, [one.pk], by=SYSTEM) == 1
    assert steering.skip(journey, [two.pk], by=SYSTEM) == 1
    run(seconds=5)
    assert set(Enrolment.objects.values_list("left_because", flat=True)) == {"unsubscribed"}
    assert not SendBatch.objects.exists()


def test_a_paused_journey_lets_nobody_leave_until_it_goes_on() -> None:
    journey = calling(wait(days=1), exits=[{"kind": "unsubscribed"}])
    (row,) = stuck(journey, make_people(1))
    journey.refresh_from_db()
    steering.pause(journey, by=SYSTEM)
    opt_out(row.contact_id)
    go()
    row.refresh_from_db()
    assert row.status == "attention"
    steering.resume(journey, by=SYSTEM)
    go()
    row.refresh_from_db()
    assert row.left_because == "unsubscribed"


def test_whose_step_is_gone_leaves_all_the_same() -> None:
    journey = make_workflow(linear(wait(days=1), end(), exits=[{"kind": "unsubscribed"}]))
    (row,) = place(journey, make_people(1), step="nowhere")
    run(seconds=5)
    row.refresh_from_db()
    assert (row.status, row.trouble) == ("attention", "step_gone")
    opt_out(row.contact_id)
    go()
    row.refresh_from_db()
    assert (row.status, row.left_because) == ("left", "unsubscribed")
