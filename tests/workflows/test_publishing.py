"""What is published stands: frozen mails, origins, a second person where it is about health."""

import pytest
from django.db import IntegrityError, transaction

from accounts.signals import staff_disabled
from campaigns.models import Campaign
from contacts.models import Attribute
from content.commands import archive as archive_template
from content.commands import save_template
from core.actors import SYSTEM
from delivery.models import Origin
from segments import commands as segments
from segments.errors import InUse
from segments.uses import used_where
from tests.workflows.factories import (
    AttributeFactory,
    SegmentFactory,
    TemplateFactory,
    approver,
    branch,
    end,
    graph,
    linear,
    live,
    mail,
    make_draft,
    make_people,
    make_workflow,
    marketer,
    place,
    publish,
    rule,
    wait,
)
from workflows import commands, queries, steering
from workflows.errors import ApprovalOutdated, BadDefinition, NotComplete, NotPossibleNow, SelfApproval
from workflows.language.definition import from_json
from workflows.models import Workflow, WorkflowVersion
from workflows.versions import claims, publishing

pytestmark = pytest.mark.django_db

State = WorkflowVersion.State


@pytest.fixture
def sensitive() -> Workflow:
    """A draft that sorts people by a health value."""
    AttributeFactory(key="smoker")
    smokes = rule({"attribute": "smoker", "op": "is", "value": "yes"})
    steps = {
        "fork": {**branch(smokes), "exits": {"1": "letter", "else": None}},
        "letter": {**mail(name="Letter"), "exits": {"next": None}},
    }
    return make_draft(graph("fork", steps), by=marketer())


def test_a_published_journey_is_live_with_its_mails_frozen() -> None:
    workflow = make_workflow(linear(mail(), wait(days=2), mail(), end()))
    version = live(workflow)
    assert (workflow.state, version.number) == (Workflow.State.ACTIVE, 1)
    assert set(version.mails.values_list("step", flat=True)) == {"s1", "s3"}
    assert Origin.objects.filter(pk__in=version.mails.values("pk"), kind="workflow", state="OPEN").count() == 2


def test_a_template_changed_or_archived_later_changes_nothing_that_runs() -> None:
    template = TemplateFactory(subject="As it was")
    workflow = make_workflow(linear(mail(template=template)))
    save_template(template, subject="As it is", by=SYSTEM)
    archive_template(template, by=SYSTEM)
    frozen = live(workflow).mails.get().template_version
    assert frozen.subject == "As it was"


def test_what_the_checks_refuse_is_not_published_and_nothing_is_left_of_it() -> None:
    workflow = make_draft({"version": 1, "start": "a", "steps": {"a": {"kind": "mail"}}})
    with pytest.raises(BadDefinition) as refusal, transaction.atomic():
        publishing.publish(workflow, by=marketer())
    assert refusal.value.problems
    assert not workflow.versions.exists()


def test_a_version_never_changes() -> None:
    version = live(make_workflow())
    version.definition = {"version": 1}
    with pytest.raises(IntegrityError), transaction.atomic():
        version.save()


def test_publishing_again_closes_the_version_before_and_people_stay_on_it() -> None:
    workflow = make_workflow(linear(wait(days=1), end()))
    first = live(workflow)
    (inside,) = place(workflow, make_people(1))
    second = publish(workflow, linear(wait(days=2), end()))
    first.refresh_from_db()
    inside.refresh_from_db()
    assert (first.state, second.state, inside.version_id) == (State.CLOSED, State.LIVE, first.pk)


# -- the second person ------------------------------------------------------------------------------------------------


def test_a_journey_about_health_waits_for_a_second_person(sensitive: Workflow) -> None:
    author = marketer()
    version = publishing.publish(sensitive, by=author)
    sensitive.refresh_from_db()
    assert (version.state, version.tier, sensitive.state) == (State.PROPOSED, "phi", "DRAFT")
    assert not Origin.objects.filter(pk__in=version.mails.values("pk")).exists()
    with pytest.raises(SelfApproval):
        publishing.approve(version, by=author, seen=bytes(version.digest))
    with pytest.raises(NotPossibleNow):
        publishing.publish(sensitive, by=author)
    version = publishing.approve(version, by=approver(), seen=bytes(version.digest), note="Good")
    sensitive.refresh_from_db()
    assert (version.state, sensitive.state) == (State.LIVE, "ACTIVE")
    assert Origin.objects.get(pk=version.mails.get().pk).tier == "phi"


def test_nobody_with_a_hand_in_it_is_the_second_person(sensitive: Workflow) -> None:
    """Whoever drew it, wrote one of its mails, or saved a segment its rules name."""
    drew, wrote, sorted_by = marketer(), marketer(), marketer()
    template = TemplateFactory()
    save_template(template, subject="Changed", by=wrote)
    segment = SegmentFactory(saved_by=sorted_by.pk)
    AttributeFactory(key="asthma")
    ill = rule({"attribute": "asthma", "op": "is", "value": "yes"}, {"segment": str(segment.pk), "op": "in"})
    steps = {
        "fork": {**branch(ill), "exits": {"1": "letter", "else": None}},
        "letter": {**mail(template=template), "exits": {"next": None}},
    }
    workflow = make_draft(by=drew)
    commands.save_draft(workflow, graph("fork", steps), revision=None, by=drew)
    version = publishing.publish(workflow, by=marketer())
    for person in (drew, wrote, sorted_by):
        with pytest.raises(SelfApproval):
            publishing.approve(version, by=person, seen=bytes(version.digest))
    with pytest.raises(SelfApproval):
        publishing.approve(version, by=SYSTEM, seen=bytes(version.digest))


def test_a_segment_that_changed_since_it_was_proposed_takes_the_approval_away() -> None:
    AttributeFactory(key="asthma")
    segment = SegmentFactory()
    ill = rule({"attribute": "asthma", "op": "is", "value": "yes"}, {"segment": str(segment.pk), "op": "in"})
    workflow = make_draft(linear(wait(days=1), only=ill))
    version = publishing.publish(workflow, by=marketer())
    seen = bytes(version.digest)
    other = rule({"attribute": "email", "op": "is_empty"})
    segments.edit(segment, name="Other", rule=other, by=marketer())
    with pytest.raises(ApprovalOutdated):
        publishing.approve(version, by=approver(), seen=seen)


def test_an_approver_who_read_something_else_approves_nothing(sensitive: Workflow) -> None:
    version = publishing.publish(sensitive, by=marketer())
    with pytest.raises(ApprovalOutdated):
        publishing.approve(version, by=approver(), seen=bytes(32))


def test_sent_back_it_can_be_proposed_anew(sensitive: Workflow) -> None:
    author = marketer()
    version = publishing.publish(sensitive, by=author)
    with pytest.raises(NotComplete):
        publishing.send_back(version, by=approver(), note="  ")
    publishing.send_back(version, by=approver(), note="Say why.")
    assert [one.pk for one in queries.sent_back(author.pk)] == [version.pk]
    again = publishing.publish(sensitive, by=author)
    assert again.number == 2
    assert not queries.sent_back(author.pk)
    publishing.withdraw(again, by=author)
    again.refresh_from_db()
    assert again.state == State.WITHDRAWN


def test_what_somebody_proposed_who_was_shut_out_since_is_withdrawn(sensitive: Workflow) -> None:
    author = marketer()
    version = publishing.publish(sensitive, by=author)
    staff_disabled.send(sender=Campaign, user_id=author.pk)
    version.refresh_from_db()
    assert version.state == State.WITHDRAWN


def test_an_approver_sees_what_differs_step_by_step(sensitive: Workflow) -> None:
    publish(sensitive)
    steps = dict(sensitive.draft["steps"])
    steps["letter"] = {**steps["letter"], "name": "Warm letter", "exits": {"next": "rest"}}
    steps["rest"] = wait(days=2)
    commands.save_draft(sensitive, {**sensitive.draft, "steps": steps}, revision=None, by=marketer())
    version = publishing.publish(sensitive, by=marketer())
    review = queries.review(version)
    assert {(change.kind, change.step) for change in review.changes} == {("changed", "letter"), ("added", "rest")}
    assert [attribute.key for attribute in review.fields if attribute.key == "smoker"] == ["smoker"]
    (shown,) = review.mails
    assert [render.persona.key for render in shown.renders] == ["typical", "missing", "longest"] or shown.renders
    assert not review.outdated


# -- segments ---------------------------------------------------------------------------------------------------------


def test_a_segment_a_journey_uses_names_it_and_is_not_archived_until_it_is_released() -> None:
    segment, inside = SegmentFactory(), SegmentFactory()
    within = rule({"segment": str(inside.pk), "op": "in"})
    workflow = make_workflow(
        linear(wait(days=1), trigger={"kind": "segment", "segment": str(segment.pk)}, only=within), name="Welcome"
    )
    assert claims.segments_in(from_json(live(workflow).definition)) == {segment.pk, inside.pk}
    for one in (segment, inside):
        (used,) = used_where(one)
        assert used.name == "Welcome"
        with pytest.raises(InUse, match="Welcome"):
            segments.archive(one, by=marketer())
    steering.stop(workflow, by=marketer())
    assert not used_where(segment)
    segments.archive(segment, by=marketer())


def test_segments_of_an_older_version_stay_claimed_while_somebody_is_on_it() -> None:
    segment = SegmentFactory()
    workflow = make_workflow(linear(wait(days=1), exits=[{"kind": "segment_left", "segment": str(segment.pk)}]))
    (inside,) = place(workflow, make_people(1))
    publish(workflow, linear(wait(days=1)))
    assert used_where(segment)
    steering.remove(workflow, [inside.pk], by=marketer())
    assert not used_where(segment)


def test_who_drew_it_has_a_hand_in_it_also_as_a_copy_and_where_it_ran_before_it_was_about_health() -> None:
    AttributeFactory(key="smoker", sensitivity="identity")
    steps = {
        "fork": {
            **branch(rule({"attribute": "smoker", "op": "is", "value": "yes"})),
            "exits": {"1": "letter", "else": None},
        },
        "letter": {**mail(), "exits": {"next": None}},
    }
    drew = marketer()
    workflow = make_draft(graph("fork", steps), by=drew)
    copy = commands.duplicate(workflow, name="A copy", by=marketer())
    assert publishing.publish(workflow, by=drew).state == WorkflowVersion.State.LIVE
    Attribute.objects.filter(key="smoker").update(sensitivity="phi")
    for journey in (workflow, copy):
        version = publishing.publish(journey, by=marketer())
        with pytest.raises(SelfApproval):
            publishing.approve(version, by=drew, seen=bytes(version.digest))


def test_what_is_approved_is_checked_again_as_things_are_by_then(sensitive: Workflow) -> None:
    other = make_workflow(linear(wait(days=1), end(), trigger={"kind": "manual", "chosen_by": "phi"}))
    into_it = {
        **sensitive.draft,
        "steps": {**sensitive.draft["steps"], "letter": {"kind": "enter", "workflow": str(other.pk)}},
    }
    commands.save_draft(sensitive, into_it, revision=None, by=marketer())
    version = publishing.publish(sensitive, by=marketer())
    steering.stop(other, by=marketer())
    with pytest.raises(BadDefinition, match="was stopped"):
        publishing.approve(version, by=approver(), seen=bytes(version.digest))


def test_what_is_more_sensitive_since_it_was_proposed_is_proposed_anew(sensitive: Workflow) -> None:
    version = publishing.publish(sensitive, by=marketer())
    Attribute.objects.filter(key="smoker").update(sensitivity="special")
    with pytest.raises(ApprovalOutdated, match="more sensitive"):
        publishing.approve(version, by=approver(), seen=bytes(version.digest))


def test_a_journey_with_a_proposal_is_not_archived_and_so_never_runs_unseen(sensitive: Workflow) -> None:
    version = publishing.publish(sensitive, by=marketer())
    with pytest.raises(NotPossibleNow, match="Withdraw"):
        commands.archive(sensitive, by=marketer())
    publishing.withdraw(version, by=marketer())
    assert commands.archive(sensitive, by=marketer()).archived_at


def test_people_who_come_from_a_version_about_health_bring_that_along(sensitive: Workflow) -> None:
    """Sorted there by health, they would else go on in a version that nobody had to read."""
    publish(sensitive)
    old = live(sensitive)
    plain = graph("letter", {"letter": {**mail(), "exits": {"next": None}}})
    commands.save_draft(sensitive, plain, revision=None, by=marketer())
    to = {"how": "move", "steps": {str(old.pk): dict.fromkeys(old.definition["steps"], "letter")}}
    place(sensitive, make_people(1))
    version = publishing.publish(sensitive, plan=to, by=marketer())
    assert (version.state, version.tier) == (WorkflowVersion.State.PROPOSED, "phi")
    publishing.withdraw(version, by=marketer())
    version = publishing.publish(sensitive, by=marketer())  # they finish where they are
    assert (version.state, version.tier) == (WorkflowVersion.State.LIVE, "identity")


def test_what_sorted_people_counts_as_what_it_is_when_they_move(sensitive: Workflow) -> None:
    """Not as what it was when their version was published, or when the new one was proposed."""
    smoker = Attribute.objects.filter(key="smoker")
    smoker.update(sensitivity="identity")
    publish(sensitive)
    old = live(sensitive)
    assert old.tier == "identity"
    place(sensitive, make_people(1))
    smoker.update(sensitivity="phi")
    plain = graph("letter", {"letter": {**mail(), "exits": {"next": None}}})
    commands.save_draft(sensitive, plain, revision=None, by=marketer())
    to = {"how": "move", "steps": {str(old.pk): dict.fromkeys(old.definition["steps"], "letter")}}
    version = publishing.publish(sensitive, plan=to, by=marketer())
    assert (version.state, version.tier) == (WorkflowVersion.State.PROPOSED, "phi")
    smoker.update(sensitivity="special")
    with pytest.raises(ApprovalOutdated, match="People would move here"):
        publishing.approve(version, by=approver(), seen=bytes(version.digest))


def test_who_entered_since_a_move_was_proposed_is_not_taken_into_less_than_they_come_from(sensitive: Workflow) -> None:
    Attribute.objects.filter(key="smoker").update(sensitivity="special")
    publish(sensitive)
    old = live(sensitive)
    AttributeFactory(key="allergic")
    less = graph("fork", {"fork": {**branch(rule({"attribute": "allergic", "op": "is", "value": "yes"})), "exits": {}}})
    commands.save_draft(sensitive, less, revision=None, by=marketer())
    to = {"how": "move", "steps": {str(old.pk): dict.fromkeys(old.definition["steps"], "fork")}}
    version = publishing.publish(sensitive, plan=to, by=marketer())  # nobody is inside yet
    assert (version.state, version.tier) == (WorkflowVersion.State.PROPOSED, "phi")
    place(sensitive, make_people(1))
    with pytest.raises(ApprovalOutdated, match="People would move here"):
        publishing.approve(version, by=approver(), seen=bytes(version.digest))
