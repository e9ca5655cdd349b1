"""Who may enter, and that nobody enters twice, whoever tries at the same time."""

from datetime import UTC, datetime, timedelta

import pytest

from core.actors import SYSTEM
from tests.contacts.factories import make_people
from tests.workflows.factories import live, make_workflow
from workflows import enrolling
from workflows.definition import Reentry
from workflows.enrolling import Entry
from workflows.entry import Before, Refusal, may_enter
from workflows.models import Enrolment, Tally

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
