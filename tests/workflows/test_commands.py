"""Drafts: kept without losing anybody's work, and never touching what runs."""

import pytest

from audit.models import Entry
from tests.workflows.factories import end, linear, live, make_draft, make_workflow, marketer, wait
from workflows import commands, steering
from workflows.errors import BadDefinition, ChangedMeanwhile, NotComplete, NotPossibleNow
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def actions(workflow: Workflow) -> list[str]:
    return list(Entry.objects.filter(target_id=str(workflow.pk)).order_by("pk").values_list("action", flat=True))


def test_a_new_journey_is_an_empty_draft_with_a_name() -> None:
    workflow = commands.create(name="  Welcome   series ", by=marketer())
    assert (workflow.name, workflow.state, workflow.draft["version"]) == ("Welcome series", "DRAFT", 1)
    assert actions(workflow) == ["workflow.created"]
    with pytest.raises(NotComplete):
        commands.create(name="  ", by=marketer())


def test_a_save_that_started_from_an_older_draft_overwrites_nothing() -> None:
    one, other = marketer(), marketer()
    workflow = make_draft(by=one)
    first = commands.save_draft(workflow, linear(wait(days=2), end()), revision=1, by=one)
    assert first.draft_revision == 2
    with pytest.raises(ChangedMeanwhile):
        commands.save_draft(workflow, linear(wait(days=3), end()), revision=1, by=other)
    workflow.refresh_from_db()
    assert workflow.draft["steps"]["s1"]["span"] == {"days": 2}
    assert workflow.editors == [one.pk]


def test_saving_the_same_again_is_no_change() -> None:
    workflow = make_draft(linear(wait(days=2), end()))
    again = commands.save_draft(workflow, linear(wait(days=2), end()), revision=None, by=marketer())
    assert again.draft_revision == 1
    assert "workflow.saved" not in actions(workflow)


def test_what_cannot_be_read_is_refused_whole() -> None:
    workflow = make_draft()
    with pytest.raises(BadDefinition):
        commands.save_draft(
            workflow, {"version": 1, "steps": {"a": {"kind": "teleport"}}}, revision=None, by=marketer()
        )
    workflow.refresh_from_db()
    assert workflow.draft_revision == 1


def test_drawing_on_touches_nothing_that_runs() -> None:
    workflow = make_workflow(linear(wait(days=1), end()))
    version = live(workflow)
    commands.save_draft(workflow, linear(wait(days=9), end()), revision=None, by=marketer())
    version.refresh_from_db()
    assert version.definition["steps"]["s1"]["span"] == {"days": 1}


def test_renaming_and_duplicating_leave_versions_alone() -> None:
    workflow = make_workflow(name="One")
    commands.rename(workflow, name="Other", description="For what", by=marketer())
    copy = commands.duplicate(workflow, name="Copy", by=marketer())
    assert (copy.state, copy.versions.count(), copy.draft) == ("DRAFT", 0, workflow.draft)


def test_only_a_journey_that_does_not_run_is_archived_and_then_it_is_not_drawn_on() -> None:
    workflow = make_workflow()
    with pytest.raises(NotPossibleNow):
        commands.archive(workflow, by=marketer())
    steering.stop(workflow, by=marketer())
    archived = commands.archive(workflow, by=marketer())
    with pytest.raises(NotPossibleNow):
        commands.save_draft(archived, linear(wait(days=9), end()), revision=None, by=marketer())
