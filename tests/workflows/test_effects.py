"""What steps do in the world: set-wise, each visit once, and one person's trouble is only theirs."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import contacts.queries
import segments.commands
from audit.models import Entry
from contacts.models import Contact, Kind
from contacts.signals import contacts_changed
from core import clock
from core.actors import SYSTEM
from segments import membership
from tests.contacts.factories import make_people
from tests.workflows.factories import AttributeFactory, end, graph, linear, make_workflow, place, wait
from workflows import effects, endpoints
from workflows.effects import Act, Applied
from workflows.language.definition import ChangeList, Enter, SetAttribute, Tell, Webhook
from workflows.models import Call, Enrolment, Notice, Workflow
from workflows.step import Effect, Note

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def on_their_way(n: int = 3, **values: Any) -> list[Enrolment]:
    people = make_people(n, **values)
    return place(make_workflow(linear(wait(days=1), end())), people, at=NOON)


def apply(rows: list[Enrolment], step: Any, *given: Any) -> Applied:
    """The step's act of all of them; `given`: the value of each."""
    gone = [Effect("next", Note.DONE, act=True, value=value) for value in given or [None] * len(rows)]
    return effects.apply([Act(row, "s1", step, effect) for row, effect in zip(rows, gone, strict=True)], NOON)


def known(who: UUID, key: str) -> Any:
    return contacts.queries.open_many([who])[who].values.get(key)


# -- values -----------------------------------------------------------------------------------------------------------


def test_values_are_set_and_cleared_and_one_that_does_not_fit_is_one_persons_trouble(
    django_capture_on_commit_callbacks: Any,
) -> None:
    AttributeFactory(key="score", kind=Kind.NUMBER)
    rows = on_their_way(4, score=lambda i: 7)
    told: list[UUID] = []

    def hear(ids: list[UUID], **_: Any) -> None:
        told.extend(ids)

    contacts_changed.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        done = apply(rows, SetAttribute(attribute="score"), 12, "plenty", None, 7)
    contacts_changed.disconnect(hear)
    assert done == Applied({}, {rows[1].pk: "bad_value"})
    assert [known(row.contact_id, "score") for row in rows] == [12, 7, None, 7]
    assert sorted(told) == sorted([rows[0].contact_id, rows[2].contact_id])
    entry = Entry.objects.get(action="contacts.values_set")
    assert (entry.details["changed"], entry.details["refused"], entry.details["keys"]) == (2, 1, ["score"])


def test_setting_values_of_more_people_takes_no_more_statements() -> None:
    AttributeFactory(key="score", kind=Kind.NUMBER)
    counts = []
    for n in (2, 40):
        rows = on_their_way(n)
        with CaptureQueriesContext(connection) as queries:
            apply(rows, SetAttribute(attribute="score"), *range(1, n + 1))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize("key", ["gone", "email", "external_id"])
def test_what_is_not_there_or_says_who_somebody_is_is_not_set(key: str) -> None:
    rows = on_their_way(1)
    before = Contact.objects.get(pk=rows[0].contact_id).sealed
    assert apply(rows, SetAttribute(attribute=key), "x@example.com").trouble == {rows[0].pk: "attribute_gone"}
    assert bytes(Contact.objects.get(pk=rows[0].contact_id).sealed) == bytes(before)


def test_a_record_that_does_not_open_is_one_persons_trouble() -> None:
    AttributeFactory(key="score", kind=Kind.NUMBER)
    rows = on_their_way(2)
    whole = bytes(Contact.objects.get(pk=rows[0].contact_id).sealed)
    Contact.objects.filter(pk=rows[0].contact_id).update(sealed=whole[:-1] + bytes([whole[-1] ^ 1]))
    assert apply(rows, SetAttribute(attribute="score"), 1, 2).trouble == {rows[0].pk: "record_unreadable"}
    assert known(rows[1].contact_id, "score") == 2


# -- lists ------------------------------------------------------------------------------------------------------------


def test_people_are_put_on_a_list_and_taken_off_in_one_revision() -> None:
    group = segments.commands.start_list(name="Group", tier="identity", by=SYSTEM)
    rows = on_their_way(3)
    before = group.memberships.count()
    apply(rows, ChangeList(segment=group.pk, change="add"))
    assert group.memberships.count() == before + 1
    apply(rows, ChangeList(segment=group.pk, change="add"))  # again: nothing
    apply(rows[:1], ChangeList(segment=group.pk, change="remove"))
    inside = membership.who_was_in(group, clock.now())
    assert inside == membership.numbers_of([row.contact_id for row in rows[1:]])
    assert group.memberships.count() == before + 2


def test_a_list_that_is_archived_or_is_none_is_everybodys_trouble_there() -> None:
    group = segments.commands.start_list(name="Group", tier="identity", by=SYSTEM)
    segments.commands.archive(group, by=SYSTEM)
    rule = {"version": 2, "root": {"all": [{"attribute": "email", "op": "is_not_empty"}]}}
    ruled = segments.commands.create(name="Ruled", rule=rule, by=SYSTEM)
    rows = on_their_way(2)
    for segment in (group.pk, ruled.pk, UUID(int=1), None):
        assert set(apply(rows, ChangeList(segment=segment)).trouble.values()) == {"list_gone"}


# -- calls and notices ------------------------------------------------------------------------------------------------


def test_a_visit_makes_one_call_and_one_that_failed_is_tried_anew() -> None:
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    rows = on_their_way(2)
    step = Webhook(endpoint=where.pk, attributes=("first_name", "sex"))
    made = apply(rows, step).made
    assert apply(rows, step).made == made
    calls = {call.pk: call for call in Call.objects.all()}
    assert set(calls) == {made[row.pk] for row in rows}
    call = calls[made[rows[0].pk]]
    assert (call.enrolment_id, call.visit, call.step) == (rows[0].pk, 0, "s1")
    assert (call.attributes, call.due_at) == (["first_name", "sex"], NOON)
    Call.objects.filter(pk=call.pk).update(state="failed", attempts=6, due_at=None, trouble="busy")
    other = calls[made[rows[1].pk]]
    Call.objects.filter(pk=other.pk).update(state="done", attempts=1, due_at=None)
    apply(rows, step)
    call.refresh_from_db()
    other.refresh_from_db()
    assert (call.state, call.attempts, call.trouble, call.due_at) == ("waiting", 0, "", NOON)
    assert other.state == "done"
    rows[0].visit = 1
    assert apply(rows[:1], step).made != made


def test_an_endpoint_that_was_removed_is_told_of() -> None:
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    endpoints.remove(where, by=SYSTEM)
    rows = on_their_way(1)
    for endpoint in (where.pk, None):
        assert apply(rows, Webhook(endpoint=endpoint)) == Applied({}, {rows[0].pk: "endpoint_gone"})
    assert not Call.objects.exists()


def test_a_visit_leaves_one_notice() -> None:
    rows = on_their_way(2)
    step = Tell(role="marketer", text="Please call.")
    made = apply(rows, step).made
    apply(rows, step)
    found = {notice.pk: notice for notice in Notice.objects.all()}
    assert set(found) == set(made.values())
    notice = found[made[rows[0].pk]]
    assert (notice.text, notice.role, notice.contact_id) == ("Please call.", "marketer", rows[0].contact_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM workflows_notice")
        assert all("call" not in row[0] for row in cursor.fetchall())


# -- another journey --------------------------------------------------------------------------------------------------


def test_people_enter_another_journey_with_what_let_them_in_and_its_rules_decide() -> None:
    other = make_workflow(graph("w", {"w": wait(days=1)}))
    rows = on_their_way(2)
    assert apply(rows, Enter(workflow=other.pk)) == Applied({}, {})
    assert apply(rows, Enter(workflow=other.pk)) == Applied({}, {})  # they enter once
    entered = Enrolment.objects.filter(workflow=other)
    assert set(entered.values_list("contact_id", "wake_at")) == {(row.contact_id, NOON) for row in rows}
    Workflow.objects.filter(pk=other.pk).update(state="STOPPED")
    for workflow in (other.pk, UUID(int=1), None):
        assert set(apply(rows, Enter(workflow=workflow)).trouble.values()) == {"journey_closed"}


def test_acts_of_several_kinds_are_carried_out_together() -> None:
    AttributeFactory(key="score", kind=Kind.NUMBER)
    one, two = on_their_way(2)
    done = effects.apply(
        [
            Act(one, "s1", SetAttribute(attribute="score"), Effect("next", act=True, value=3)),
            Act(two, "s2", Tell(role="marketer", text="Look."), Effect("next", act=True)),
        ],
        NOON,
    )
    assert known(one.contact_id, "score") == 3
    assert set(done.made) == {two.pk}
