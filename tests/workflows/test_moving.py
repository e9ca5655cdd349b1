"""People keep what they have been through when they are moved, and what was foretold is what happens."""

from datetime import timedelta

import pytest

from core import clock
from delivery.ids import delivery_id
from delivery.models import Delivery, SendBatch
from tests.workflows.factories import (
    branch,
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
from workflows import commands
from workflows.engine.run import run
from workflows.errors import ForetoldJustNow, NotPossibleNow
from workflows.language.definition import Definition, from_json
from workflows.models import Enrolment, Move, Moved, Transition, Workflow, WorkflowVersion
from workflows.step import Left
from workflows.versions import fates, mapping, moving, publishing

pytestmark = pytest.mark.django_db

Steps = dict[str, str | None]


def go() -> None:
    """Let the engine work off what is due."""
    while run(seconds=5):
        pass


def move(workflow: Workflow, steps: Steps | None = None) -> Move:
    """Foretell, publish the draft with that, move, and let the engine and the reckoning follow, as the jobs do."""
    old = live(workflow)
    asked = {"how": "move", "steps": {str(old.pk): steps or {}}}
    definition = from_json(workflow.draft)
    plan = mapping.complete(workflow, asked, definition)
    by = marketer()
    foretold = moving.foretell(workflow, workflow.draft, plan, by=by)
    moving.work_out(foretold.pk)
    foretold.refresh_from_db()
    version = publishing.publish(workflow, plan=mapping.as_json(plan), move=foretold, by=by)
    assert version.state == WorkflowVersion.State.LIVE
    moving.carry_out(foretold.pk)
    go()
    assert moving.settle(foretold.pk)
    foretold.refresh_from_db()
    return foretold


def ends(found: object) -> dict[tuple[str, str], dict[str, int]]:
    return {(fate.step, fate.to): fate.ends for fate in fates.from_json(found)}


def draw(workflow: Workflow, definition: dict[str, object]) -> None:
    commands.save_draft(workflow, definition, revision=None, by=marketer())
    workflow.refresh_from_db()


def test_what_was_foretold_is_what_happens_and_nobody_is_processed_again() -> None:
    """Steps are changed, renamed and deleted while people are inside: at a mail, at waits, at a branch to come."""
    seen = mail(name="Seen")
    in_state = rule({"attribute": "state", "op": "one_of", "value": ["MA"]})
    old = graph(
        "hello",
        {
            "hello": {**seen, "exits": {"next": "rest"}},
            "rest": {**wait(days=10), "exits": {"next": "ask"}},
            "ask": {**wait(days=30), "exits": {"next": "last"}},
            "last": {**mail(name="Last"), "exits": {"next": "gone"}},
            "gone": {**wait(days=3), "exits": {"next": None}},
        },
    )
    workflow = make_workflow(old)
    people = make_people(60, state=lambda i: "MA" if i % 2 else "NH")
    now = clock.now()
    place(workflow, people[:10])
    go()  # their first mail is on its way
    on_its_way = set(Enrolment.objects.filter(workflow=workflow).values_list("pk", "awaits"))
    place(workflow, people[10:30], step="rest", since=now - timedelta(days=4), wake_at=now + timedelta(days=6), visit=1)
    place(workflow, people[30:40], step="rest", since=now - timedelta(days=1), wake_at=now + timedelta(days=9), visit=1)
    place(workflow, people[40:50], step="ask", since=now - timedelta(days=2), wake_at=now + timedelta(days=28), visit=2)
    place(workflow, people[50:60], step="gone", since=now, wake_at=now + timedelta(days=3), visit=4)
    before = {row.pk: row for row in Enrolment.objects.filter(workflow=workflow)}
    batches = SendBatch.objects.count()
    new = graph(
        "hello",
        {
            "hello": {**seen, "exits": {"next": "rest"}},
            "rest": {**wait(days=3), "exits": {"next": "fork"}},
            "fork": {**branch(in_state), "exits": {"1": "news", "else": "pause"}},
            "news": {**mail(name="News"), "exits": {"next": "pause"}},
            "pause": {**wait(days=20), "exits": {"next": None}},
        },
    )
    draw(workflow, new)
    done = move(workflow, {"ask": "pause", "gone": None})
    assert done.forecast == done.happened
    assert ends(done.happened) == {
        ("hello", "hello"): {"hello": 10},
        ("rest", "rest"): {"news": 10, "pause": 10, "rest": 10},
        ("ask", "pause"): {"pause": 10},
        ("gone", ""): {"left:moved": 10},
    }
    after = {row.pk: row for row in Enrolment.objects.filter(workflow=workflow)}
    assert len(after) == 60
    # The mails on their way are the same ones, and only the ten who came to the new mail got one.
    assert on_its_way <= {(row.pk, row.awaits) for row in after.values()}
    assert sum(len(batch.contact_ids) for batch in SendBatch.objects.all()) == 20
    assert SendBatch.objects.count() == batches + 1
    for row in before.values():
        came = after[row.pk]
        passed = list(Transition.objects.filter(enrolment=row.pk, visit__lt=row.visit))
        assert not passed  # nothing from before the move was written anew
        if came.step == row.step and came.status == "active":
            assert (came.since, came.visit) == (row.since, row.visit)
    waits = Enrolment.objects.filter(pk__in=before, step="rest", workflow=workflow)
    assert {row.wake_at for row in waits} == {now + timedelta(days=2)}


def test_a_mail_on_its_way_is_not_sent_again_and_its_end_moves_them_on() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    people = make_people(3)
    place(workflow, people)
    go()
    first = live(workflow).mails.get()
    draw(workflow, linear(mail(name="Another"), wait(days=5)))
    done = move(workflow)
    assert done.forecast == done.happened
    second = live(workflow).mails.get()
    assert not SendBatch.objects.filter(origin_id=second.pk).exists()
    batch = SendBatch.objects.get(origin_id=first.pk)
    for person in people:
        made = delivery_id(first.pk, person, "1.0")
        Delivery.objects.create(
            pk=made, origin_id=first.pk, batch=batch, contact_id=person, visit="1.0", outcome="refused", at=clock.now()
        )
    Enrolment.objects.update(wake_at=clock.now())
    go()
    assert set(Enrolment.objects.values_list("step", flat=True)) == {"s2"}
    assert not SendBatch.objects.filter(origin_id=second.pk).exists()


def test_a_goal_already_reached_is_foretold_as_leaving() -> None:
    goal = {"kind": "goal", "rule": rule({"attribute": "state", "op": "one_of", "value": ["MA"]}), "name": "There"}
    workflow = make_workflow(linear(wait(days=9)))
    place(workflow, make_people(4, state=lambda i: "MA" if i else "NH"))
    go()
    draw(workflow, linear(wait(days=9), exits=[goal]))
    done = move(workflow)
    assert done.forecast == done.happened
    assert ends(done.happened) == {("s1", "s1"): {"left:goal": 3, "s1": 1}}


def test_a_forecast_of_this_minute_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = make_workflow(graph("rest", {"rest": wait(days=10)}))
    place(workflow, make_people(1), step="rest", wake_at=clock.now() + timedelta(days=10))
    draw(workflow, graph("rest", {"rest": wait(days=3)}))
    definition = from_json(workflow.draft)
    plan = mapping.complete(workflow, {"how": "move", "steps": {str(live(workflow).pk): {}}}, definition)
    told = moving.foretell(workflow, workflow.draft, plan, by=marketer())
    moving.work_out(told.pk)
    with pytest.raises(ForetoldJustNow):
        moving.count_again(told)
    told.refresh_from_db()
    assert told.state == Move.State.FORETOLD
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + moving.FRESH)
    moving.count_again(told)
    moving.work_out(told.pk)
    told.refresh_from_db()
    assert (told.state, told.forecast_at) == (Move.State.FORETOLD, now + moving.FRESH)


def test_who_needs_attention_is_tried_again_on_the_new_version() -> None:
    workflow = make_workflow(linear(wait(days=1), wait(days=1)))
    who = make_people(2)
    place(workflow, who, status="attention", trouble="failed", attempts=6, wake_at=None)
    draw(workflow, linear(wait(days=2), wait(days=2)))
    done = move(workflow)
    assert done.forecast == done.happened
    assert set(Enrolment.objects.values_list("status", "trouble", "attempts")) == {("active", "", 0)}


def test_people_at_steps_the_plan_leaves_out_finish_where_they_are() -> None:
    workflow = make_workflow(linear(wait(days=1, hours=1), wait(days=1)))
    first = live(workflow)
    place(workflow, make_people(2), step="s1")
    place(workflow, make_people(3), step="s2")
    draw(workflow, linear(wait(days=1), wait(days=1)))
    done = move(workflow, {"s2": ""})
    assert [(fate.step, fate.people) for fate in fates.from_json(done.happened)] == [("s1", 2)]
    assert Enrolment.objects.filter(version=first, step="s2").count() == 3
    assert Enrolment.objects.filter(version=live(workflow), step="s1").count() == 2


def test_a_move_that_died_half_way_is_finished_by_the_next_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "CHUNK", 2)
    workflow = make_workflow(linear(wait(days=1)))
    place(workflow, make_people(5))
    draw(workflow, linear(wait(days=2)))
    plan = mapping.complete(workflow, {"how": "move"}, from_json(workflow.draft))
    version = publish(workflow, plan=mapping.as_json(plan))
    found = Move.objects.get(version=version)
    assert found.state == Move.State.MOVING
    kept, calls = moving._move_some, []

    def dies(*given: object) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return int(kept(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(moving, "_move_some", dies)
    with pytest.raises(KeyboardInterrupt):
        moving.carry_out(found.pk)
    assert Enrolment.objects.filter(version=version).count() == 2
    monkeypatch.setattr(moving, "_move_some", kept)
    moving.carry_out(found.pk)  # the first one said something just now: not taken for lost yet
    assert Enrolment.objects.filter(version=version).count() == 2
    Move.objects.update(seen_at=clock.now() - 2 * moving.LOST)
    moving.carry_out(found.pk)
    assert Enrolment.objects.filter(version=version).count() == 5
    assert Moved.objects.filter(move=found).count() == 5
    go()
    assert moving.settle(found.pk)


def test_who_leaves_by_a_move_gets_no_mail_that_has_not_left() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    person = make_people(1)
    place(workflow, person)
    go()
    draw(workflow, linear(wait(days=1)))
    move(workflow, {"s1": None})
    gone = Enrolment.objects.get()
    assert (gone.status, gone.left_because) == ("left", Left.MOVED)
    assert Delivery.objects.get().outcome == Delivery.Outcome.CANCELLED


def test_a_mail_nobody_waits_for_any_more_after_a_move_does_not_leave_later() -> None:
    workflow = make_workflow(linear(mail(), wait(days=1)))
    place(workflow, make_people(1))
    go()
    draw(workflow, linear(wait(days=1)))
    move(workflow, {"s1": "s1"})
    there = Enrolment.objects.get()
    assert (there.status, there.step, there.awaits) == ("active", "s1", None)
    assert Delivery.objects.get().outcome == Delivery.Outcome.CANCELLED


def test_steps_are_mapped_by_themselves_by_id_and_by_name() -> None:
    def of(steps: dict[str, dict[str, object]]) -> Definition:
        return from_json({"version": 1, "start": next(iter(steps)), "steps": steps})

    old = of({"a": wait(days=1), "b": {**wait(days=1), "name": "Rest"}, "c": {"kind": "end"}, "d": wait(days=3)})
    new = of({"a": wait(days=4), "x": {**wait(days=2), "name": "Rest"}, "d": {"kind": "end"}})
    assert [mapping.suggest(old, new, step) for step in old.steps] == ["a", "x", "", ""]


def test_a_plan_that_names_what_is_not_there_is_refused() -> None:
    workflow = make_workflow(linear(wait(days=1)))
    version = live(workflow)
    definition = from_json(workflow.draft)
    for steps in ({"s1": "nowhere"}, {"nothing": "s1"}):
        with pytest.raises(NotPossibleNow):
            mapping.complete(workflow, {"how": "move", "steps": {str(version.pk): steps}}, definition)
    with pytest.raises(NotPossibleNow):
        mapping.complete(workflow, {"how": "fly"}, definition)


def test_foretelling_writes_nothing_of_anybody() -> None:
    workflow = make_workflow(linear(wait(days=9), mail()))
    place(workflow, make_people(3), since=clock.now() - timedelta(days=3))
    before = list(Enrolment.objects.order_by("pk").values())
    draw(workflow, linear(wait(days=1), mail()))
    plan = mapping.complete(workflow, {"how": "move"}, from_json(workflow.draft))
    foretold = moving.foretell(workflow, workflow.draft, plan, by=marketer())
    moving.work_out(foretold.pk)
    foretold.refresh_from_db()
    (fate,) = fates.from_json(foretold.forecast)
    assert (fate.people, fate.ends, fate.mails) == (3, {"s2": 3}, {"s2": 3})
    assert list(Enrolment.objects.order_by("pk").values()) == before
    assert not SendBatch.objects.exists()
