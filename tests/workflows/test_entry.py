"""Who may enter, at which step, and that the same person enters no more often than the rule says."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Entry as TrailEntry
from core.actors import SYSTEM
from core.ids import uuid7
from tests.contacts.factories import make_people
from tests.workflows.factories import end, linear, live, make_draft, make_workflow, marketer, publish, rule, wait
from workflows import enrolling, steering
from workflows.engine.run import run
from workflows.enrolling import Entry
from workflows.entry import Before, Refusal, may_enter
from workflows.errors import NotComplete, NotPossibleNow
from workflows.language.definition import Reentry
from workflows.models import Enrolment, Tally, Workflow, WorkflowVersion

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = b"a" * 32, b"b" * 32


def was(days: float, *, inside: bool = False, key: bytes | None = None) -> Before:
    return Before(inside, NOW - days * DAY, key)


@pytest.mark.parametrize(
    ("reentry", "before", "key", "refusal"),
    [
        (Reentry(), [], None, None),
        (Reentry(), [was(900)], None, Refusal.BEFORE),
        (Reentry(), [was(1, inside=True)], None, Refusal.BEFORE),
        (Reentry("after_leaving"), [], None, None),
        (Reentry("after_leaving"), [was(0.001)], None, None),
        (Reentry("after_leaving"), [was(9), was(1, inside=True)], None, Refusal.INSIDE),
        (Reentry("after_days", 7), [was(6.9)], None, Refusal.TOO_SOON),
        (Reentry("after_days", 7), [was(7)], None, None),
        (Reentry("after_days", 7), [was(30), was(3)], None, Refusal.TOO_SOON),
        (Reentry("after_days", 7), [was(30, inside=True)], None, Refusal.INSIDE),
        (Reentry("after_days", 0), [was(0)], None, None),
        (Reentry("per_key"), [was(1, inside=True, key=A)], B, None),
        (Reentry("per_key"), [was(1, inside=True, key=A)], A, Refusal.SAME_KEY),
        (Reentry("per_key"), [was(900, key=A), was(1, key=B)], A, Refusal.SAME_KEY),
        (Reentry("per_key"), [was(900)], None, Refusal.SAME_KEY),
        (Reentry("per_key"), [was(900)], A, None),
    ],
)
def test_the_rule_says_who_may_enter_again(
    reentry: Reentry, before: list[Before], key: bytes | None, refusal: Refusal | None
) -> None:
    assert may_enter(reentry, before, key, NOW) == refusal


@pytest.mark.django_db
def test_people_enter_at_the_first_step_and_are_counted_there() -> None:
    journey, people = make_workflow(), make_people(3)
    found = enrolling.enrol(live(journey), [Entry(who) for who in people], at=NOW, by=SYSTEM)
    assert (found.entered, found.refused) == (3, {})
    rows = Enrolment.objects.filter(workflow=journey)
    assert {(row.contact_id, row.step, row.visit, row.sequence, row.wake_at, row.entered_at) for row in rows} == {
        (who, "s1", 0, 1, NOW, NOW) for who in people
    }
    assert sorted(Tally.objects.values_list("step", "what", "count")) == [("s1", "arrived", 3), ("s1", "entered", 3)]


@pytest.mark.django_db
def test_the_same_call_twice_and_the_same_person_twice_enter_once() -> None:
    journey, (who,) = make_workflow(), make_people(1)
    entries = [Entry(who), Entry(who)]
    first = enrolling.enrol(live(journey), entries, at=NOW, by=SYSTEM)
    second = enrolling.enrol(live(journey), entries, at=NOW, by=SYSTEM)
    assert (first.entered, first.refused) == (1, {"before": 1})
    assert (second.entered, second.refused) == (0, {"before": 2})
    assert Enrolment.objects.count() == 1


@pytest.mark.django_db
def test_many_enter_with_as_many_statements_as_one() -> None:
    only = rule({"attribute": "state", "op": "is", "value": "MA"})
    journey = make_workflow(linear(wait(days=1), end(), only=only))
    taken = []
    for many in (1, 2, 300):  # the first also finds out where the organization is
        entries = [Entry(who) for who in make_people(many, state="MA")]
        with CaptureQueriesContext(connection) as statements:
            assert enrolling.enrol(live(journey), entries, at=NOW, by=SYSTEM).entered == many
        taken.append(len(statements))
    assert taken[1] == taken[2] < 20


@pytest.mark.django_db
def test_who_is_gone_or_not_among_those_who_may_does_not_enter_and_is_told_apart() -> None:
    only = rule({"attribute": "state", "op": "is", "value": "MA"})
    journey = make_workflow(linear(wait(days=1), end(), only=only))
    inside, outside = make_people(1, state="MA")[0], make_people(1, state="NY")[0]
    gone = uuid7()
    found = enrolling.enrol(live(journey), [Entry(gone), Entry(outside), Entry(inside)], at=NOW, by=SYSTEM)
    assert (found.entered, found.why) == (1, {gone: Refusal.GONE, outside: Refusal.NOT_AMONG})
    assert [row.contact_id for row in Enrolment.objects.all()] == [inside]


@pytest.mark.django_db
def test_nobody_enters_a_version_that_is_live_no_more_or_has_no_step() -> None:
    journey, (who,) = make_workflow(), make_people(1)
    old = live(journey)
    publish(journey, linear(wait(days=3), end()))
    with pytest.raises(NotPossibleNow, match="a newer one is live"):
        enrolling.enrol(old, [Entry(who)], at=NOW, by=SYSTEM)
    bare = WorkflowVersion.objects.create(
        workflow=make_draft(), number=1, state="LIVE", definition={"version": 1}, digest=b"", proposed_at=NOW
    )
    with pytest.raises(NotPossibleNow, match="does not run"):
        enrolling.enrol(bare, [Entry(who)], at=NOW, by=SYSTEM)
    Workflow.objects.filter(pk=bare.workflow_id).update(state="ACTIVE")
    with pytest.raises(NotComplete, match="no step yet"):
        enrolling.enrol(bare, [Entry(who)], at=NOW, by=SYSTEM)
    assert not Enrolment.objects.exists()


@pytest.mark.django_db
def test_a_paused_journey_takes_people_in_and_holds_them() -> None:
    journey, (who,) = make_workflow(), make_people(1)
    steering.pause(journey, by=SYSTEM)
    assert enrolling.enrol(live(journey), [Entry(who)], at=NOW, by=SYSTEM).entered == 1
    assert run(seconds=5, now=NOW + DAY) == 0


@pytest.mark.django_db
def test_staff_who_put_people_on_stand_in_the_trail_and_the_system_does_not() -> None:
    journey, people = make_workflow(), make_people(2)
    enrolling.enrol(live(journey), [Entry(people[0])], at=NOW, by=SYSTEM)
    enrolling.enrol(live(journey), [Entry(who) for who in people], at=NOW, by=marketer())
    (entry,) = TrailEntry.objects.filter(action="workflow.enrolled")
    assert (entry.target_id, entry.details) == (str(journey.pk), {"people": 1, "asked": 2})
