"""Nobody comes onto a journey from elsewhere by more than the journey says: its mails would rest on it unseen."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from contacts.models import Attribute, Kind
from core.sensitivity import Sensitivity
from delivery.models import Origin
from tests.accounts.factories import UserFactory, sign_in
from tests.segments.factories import attribute, has
from tests.workflows.factories import (
    SegmentFactory,
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
from workflows import commands, putting, steering
from workflows.engine import run as engine
from workflows.errors import BadDefinition, ChosenByMore
from workflows.language import checks, parsing, words
from workflows.language.schema import json_schema
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.versions import publishing

pytestmark = pytest.mark.django_db
Json = dict[str, Any]
DIABETICS = rule(has("E11.9"))
UNASKED = rule({"attribute": "smokes", "op": "is_empty"})


def chosen_by(tier: str) -> Json:
    return {"kind": "manual", "chosen_by": tier}


def by_hand(tier: str, **more: Any) -> Workflow:
    return make_workflow(linear(mail(), end(), trigger=chosen_by(tier), **more), name="News")


def leading(to: Workflow, **more: Any) -> Json:
    """Those with diabetes, and only they, enter the other journey."""
    steps = {
        "fork": {**branch(DIABETICS), "exits": {"1": "on"}},
        "on": {"kind": "enter", "workflow": str(to.pk)},
    }
    return graph("fork", steps, **more)


def wrong(definition: Json, workflow: Workflow | None = None) -> set[tuple[str, str]]:
    found = checks.check(parsing.parse(definition), workflow=workflow)
    return {(problem.step, problem.field) for problem in found if problem.level == "error"}


# -- drawing ----------------------------------------------------------------------------------------------------------


def test_a_step_leads_only_to_a_journey_that_says_by_what_its_people_are_chosen() -> None:
    news = by_hand("identity")
    assert wrong(leading(news)) == {("on", "workflow")}
    assert wrong(leading(by_hand("phi"))) == set()
    first = {"on": {"kind": "enter", "workflow": str(news.pk), "exits": {"next": "fork"}}, "fork": branch(DIABETICS)}
    assert wrong(graph("on", first)) == set()  # before anybody is sorted
    gone = {"exits": [{"kind": "goal", "rule": DIABETICS}]}
    assert wrong(graph("on", first, **gone)) == {("on", "workflow")}  # who is still there has none
    assert wrong(linear(first["on"] | {"exits": {}}, trigger=chosen_by("phi"))) == {("s1", "workflow")}
    assert wrong(leading(by_hand("identity", only=DIABETICS))) == set()  # it asks so itself
    consent = {"kind": "consent", "topic": mail()["topic"]}
    other = make_workflow(linear(mail(), trigger=consent))
    assert wrong(leading(other)) == {("on", "workflow")}


def test_a_journey_that_others_lead_into_does_not_come_to_say_less() -> None:
    news = by_hand("phi")
    diabetics = make_workflow(leading(news), name="Diabetes")
    less = linear(mail(), end(), trigger=chosen_by("identity"))
    assert wrong(less, news) == {("", "trigger.chosen_by")}
    with pytest.raises(BadDefinition, match="“Diabetes” has people enter this journey"):
        publish(news, less)
    assert wrong({**less, "trigger": chosen_by("special")}, news) == set()
    assert wrong({**less, "only": DIABETICS}, news) == set()
    steering.stop(diabetics, by=marketer())
    assert wrong(less, news) == set()


def test_a_mail_about_health_says_that_people_are_chosen_by_it_and_a_second_person_reads_so() -> None:
    news = make_draft(linear(mail(), end(), trigger=chosen_by("phi")))
    version = publishing.publish(news, by=marketer())
    assert (version.state, version.tier) == (WorkflowVersion.State.PROPOSED, Sensitivity.PHI)
    publishing.withdraw(version, by=marketer())
    version = publish(news)
    assert Origin.objects.get(pk=version.mails.get().pk).tier == Sensitivity.PHI  # so the gate asks for authorization
    commands.save_draft(news, linear(mail(), end(), trigger={"kind": "manual"}), revision=None, by=marketer())
    assert publishing.publish(news, by=marketer()).state == WorkflowVersion.State.LIVE


def test_the_schema_says_what_may_stand_there() -> None:
    assert json_schema()["$defs"]["ByHand"]["properties"]["chosen_by"]["enum"] == ["identity", "phi", "special"]
    with pytest.raises(BadDefinition):
        parsing.parse(linear(end(), trigger=chosen_by("public")))


def test_the_panel_asks_by_what_people_are_chosen(client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    draft = make_draft(linear(mail(), end()))
    panel = reverse("workflows:trigger_panel", args=[draft.pk])
    assert "People are chosen by" in client.get(panel).content.decode()
    client.post(panel, {"kind": "manual", "drawn-kind": "manual", "chosen_by": "phi"})
    draft.refresh_from_db()
    assert draft.draft["trigger"] == chosen_by("phi")
    definition = parsing.parse(draft.draft)
    read = words.trigger_summary(definition.trigger, words.Names.load(definition))
    assert read == "Staff put them on it, chosen by health information"


# -- what runs --------------------------------------------------------------------------------------------------------


def test_whoever_is_sorted_by_more_than_the_other_journey_says_does_not_enter_it() -> None:
    """A value counts as health information since the journey was approved as being about health for another reason."""
    smokes = attribute("smokes", Kind.TEXT, sensitivity="identity")
    news = by_hand("identity")
    steps = {
        "fork": {**branch(rule({"attribute": "smokes", "op": "is", "value": "yes"})), "exits": {"1": "on"}},
        "on": {"kind": "enter", "workflow": str(news.pk), "exits": {"next": "later"}},
        "later": branch(DIABETICS),
    }
    journey = make_workflow(graph("fork", steps))
    people = make_people(2, smokes=lambda i: "yes")
    place(journey, people[:1])
    engine.run(seconds=5)
    assert Enrolment.objects.filter(workflow=news).count() == 1
    Attribute.objects.filter(pk=smokes.pk).update(sensitivity="phi")
    (inside,) = place(journey, people[1:])
    engine.run(seconds=5)
    inside.refresh_from_db()
    assert (inside.status, inside.trouble) == ("attention", "chosen_by_more")
    assert Enrolment.objects.filter(workflow=news).count() == 1
    publish(news, linear(mail(), end(), trigger=chosen_by("phi")))
    steering.retry(journey, None, by=marketer())
    engine.run(seconds=5)
    assert Enrolment.objects.filter(workflow=news, contact_id=inside.contact_id, version=live(news)).exists()


def test_whoever_was_moved_brings_what_sorted_them_there_to_the_door_of_the_other_journey(
    django_capture_on_commit_callbacks: Any,
) -> None:
    news = by_hand("identity")
    fork = {**branch(DIABETICS), "exits": {"1": "rest"}}
    journey = make_workflow(graph("fork", {"fork": fork, "rest": wait(days=9)}))
    old = live(journey)
    sorted_, before = make_people(2)
    place(journey, [sorted_], step="rest")
    place(journey, [before], step="fork")
    to = {"how": "move", "steps": {str(old.pk): {"fork": "on", "rest": "on"}}}
    with django_capture_on_commit_callbacks(execute=True):
        publish(journey, graph("on", {"on": {"kind": "enter", "workflow": str(news.pk)}}), plan=to)
    engine.run(seconds=5)
    assert set(Enrolment.objects.filter(workflow=news).values_list("contact_id", flat=True)) == {before}
    stuck = Enrolment.objects.get(workflow=journey, status="attention")
    assert (stuck.contact_id, stuck.trouble) == (sorted_, "chosen_by_more")


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_a_segment_about_health_is_put_only_on_a_journey_that_says_so(client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    make_people(2)
    segment = SegmentFactory(rule=UNASKED, tier="phi")
    attribute("smokes", Kind.TEXT, sensitivity="phi")
    news = by_hand("identity")
    page = reverse("workflows:put_on", args=[news.pk])
    for given in ({}, {"confirm": "1"}):
        answer = client.post(page, {"names": "", "segment": str(segment.pk), **given})
        assert "Being in this segment is health information" in answer.content.decode()
    with pytest.raises(ChosenByMore):
        putting.begin(news, segment, by=marketer())
    assert not Enrolment.objects.exists()
    publish(news, linear(wait(days=1), trigger=chosen_by("phi")))
    client.post(page, {"names": "", "segment": str(segment.pk), "confirm": "1"})
    assert Enrolment.objects.count() == 2


def test_a_segment_that_is_about_health_by_the_time_the_job_runs_is_not_put_on(monkeypatch: Any) -> None:
    make_people(2)
    smokes = attribute("smokes", Kind.TEXT, sensitivity="identity")
    segment, news = SegmentFactory(rule=UNASKED, tier="identity"), by_hand("identity")
    monkeypatch.setattr(putting, "enqueue", lambda *_: None)
    putting.begin(news, segment, by=marketer())
    Attribute.objects.filter(pk=smokes.pk).update(sensitivity="phi")
    assert putting.carry_out(news.pk, segment.pk) == 0
    assert not Enrolment.objects.exists()
