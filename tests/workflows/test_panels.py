"""The panels beside the canvas: what stands in a form is what the step does, and nothing typed is lost."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from contacts.models import Attribute, Kind
from content.commands import archive
from content.models import Template
from core.actors import SYSTEM
from core.purposes import MessageClass
from segments.models import Segment
from tests.accounts.factories import UserFactory, sign_in
from tests.segments.factories import attribute
from tests.workflows.factories import SegmentFactory, TopicFactory, graph, linear, mail, make_draft, rule, wait
from workflows import commands
from workflows.happenings import name_index
from workflows.models import EventType, Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer() -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def draft_of(workflow: Workflow) -> dict[str, Any]:
    workflow.refresh_from_db()
    draft: dict[str, Any] = workflow.draft
    return draft


def step_of(workflow: Workflow, step: str = "s1") -> dict[str, Any]:
    found: dict[str, Any] = draft_of(workflow)["steps"][step]
    return found


def panel(workflow: Workflow, step: str = "s1") -> str:
    return reverse("workflows:step_panel", args=[workflow.pk, step])


def event(name: str = "appointment_booked", **properties: str) -> EventType:
    return EventType.objects.create(
        name=name, name_index=name_index(name), label=name.replace("_", " ").capitalize(), properties=properties
    )


def test_a_wait_is_kept_as_it_is_typed_and_the_canvas_hears_of_it(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1)))
    page = marketer.get(panel(workflow)).content.decode()
    assert "Stay for 1 day, then go on." in page
    answer = marketer.post(panel(workflow), {"count": "3", "unit": "weeks", "name": "Breathe"})
    assert step_of(workflow) == {"kind": "wait", "name": "Breathe", "span": {"weeks": 3}}
    assert json.loads(answer["HX-Trigger"]) == {"draft-saved": {"revision": workflow.draft_revision}}
    assert "Stay for 3 weeks" in answer.content.decode()
    again = marketer.post(panel(workflow), {"count": "3", "unit": "weeks", "name": "Breathe"})
    assert "HX-Trigger" not in again


def test_a_wait_until_a_date_reads_back_in_plain_words(marketer: Client) -> None:
    attribute("next_visit", Kind.DATETIME)
    workflow = make_draft(linear({"kind": "wait_until"}))
    typed = {"amount": "3", "unit": "days", "side": "before", "date": "attribute:next_visit", "at": "10:00"}
    answer = marketer.post(panel(workflow), typed)
    assert step_of(workflow)["moment"] == {"attribute": "next_visit", "days": -3, "at": "10:00"}
    assert "Stay until 3 days before Next_visit at 10:00, in the time zone of each person." in answer.content.decode()
    marketer.post(panel(workflow), {**typed, "amount": "90", "unit": "minutes", "side": "after", "past": "on"})
    assert step_of(workflow) == {
        "kind": "wait_until",
        "moment": {"attribute": "next_visit", "minutes": 90},
        "exits": {"past": None},
    }


def test_what_cannot_be_kept_stays_in_the_form(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1)))
    answer = marketer.post(panel(workflow), {"count": "soon", "unit": "days", "name": "Breathe"})
    page = answer.content.decode()
    assert "Enter a whole number." in page
    assert 'value="soon"' in page
    assert 'value="Breathe"' in page
    assert step_of(workflow)["span"] == {"days": 1}
    assert "HX-Trigger" not in answer


def test_a_time_of_day_is_asked_for_where_days_are_counted_only(marketer: Client) -> None:
    workflow = make_draft(
        linear({"kind": "wait_until", "moment": {"attribute": "birth_date", "days": 7, "at": "09:30"}})
    )
    page = marketer.get(panel(workflow)).content.decode()
    assert 'value="09:30"' in page
    assert '<option value="weeks" selected>' in page
    answer = marketer.post(
        panel(workflow), {"amount": "2", "unit": "hours", "side": "after", "date": "attribute:birth_date"}
    )
    assert 'name="at"' not in answer.content.decode()


# -- waiting for what happens ------------------------------------------------------------------------------------------


def test_an_event_is_waited_for_and_what_the_same_key_means_is_said(marketer: Client) -> None:
    event("appointment_booked")
    event("appointment_confirmed")
    step = {"kind": "wait_event", "timeout": {"days": 1}}
    by_event = make_draft(linear(step, trigger={"kind": "event", "event": "appointment_booked"}))
    by_hand = make_draft(linear(step))
    typed = {"what": "event", "event": "appointment_confirmed", "since": "entered", "count": "2", "unit": "days"}
    assert 'name="same_key"' in marketer.get(panel(by_event)).content.decode()
    assert "any such event counts" in marketer.get(panel(by_hand)).content.decode()
    marketer.post(panel(by_event), {**typed, "same_key": "on"})
    assert step_of(by_event) == {"kind": "wait_event", "event": "appointment_confirmed", "timeout": {"days": 2}}
    answer = marketer.post(panel(by_hand), typed)
    assert step_of(by_hand)["same_key"] is False
    assert "Stay until “Appointment confirmed” happens, at most 2 days." in answer.content.decode()


@pytest.mark.parametrize(
    ("kind", "typed", "stored"),
    [
        (Kind.CHOICE, ["b", "a"], ["b", "a"]),
        (Kind.BOOLEAN, "no", [False]),
        (Kind.NUMBER, "7\n8.5", [7, 8.5]),
        (Kind.DATE, "2026-12-01", ["2026-12-01"]),
        (Kind.DATETIME, "2026-12-01T10:00", ["2026-12-01T10:00:00Z"]),
        (Kind.TEXT, "one\ntwo", ["one", "two"]),
        (Kind.CODED, "e11.9", ["E11.9"]),
    ],
)
def test_a_change_is_waited_for_by_the_kind_of_the_value(marketer: Client, kind: Kind, typed: Any, stored: Any) -> None:
    attribute("watched", kind, "a", "b")
    workflow = make_draft(linear({"kind": "wait_event", "timeout": {"days": 1}}))
    data = {
        "what": "attribute",
        "attribute": "watched",
        "since": "here",
        "count": "1",
        "unit": "weeks",
        "becomes": typed,
    }
    marketer.post(panel(workflow), {**data, "drawn-attribute": "watched"})
    assert step_of(workflow) == {
        **{"kind": "wait_event", "attribute": "watched", "becomes": stored, "since": "here"},
        "timeout": {"weeks": 1},
    }
    shown = marketer.get(panel(workflow)).content.decode()
    again = marketer.post(panel(workflow), {**data, "drawn-attribute": "watched"})
    assert "HX-Trigger" not in again
    assert "watched" in shown


def test_values_typed_for_one_attribute_are_not_taken_for_another(marketer: Client) -> None:
    attribute("colour", Kind.TEXT)
    attribute("weight", Kind.NUMBER)
    workflow = make_draft(linear({"kind": "wait_event", "timeout": {"days": 1}}))
    data = {"what": "attribute", "attribute": "colour", "since": "here", "count": "1", "unit": "days", "becomes": "red"}
    marketer.post(panel(workflow), {**data, "drawn-attribute": "colour"})
    answer = marketer.post(panel(workflow), {**data, "attribute": "weight", "drawn-attribute": "colour"})
    assert step_of(workflow)["attribute"] == "weight"
    assert "becomes" not in step_of(workflow)
    assert ">red<" not in answer.content.decode().replace("\n", "")


# -- mails ------------------------------------------------------------------------------------------------------------


def test_a_template_is_picked_by_what_it_is_and_brings_what_goes_with_it(marketer: Client) -> None:
    sample = mail()
    template = Template.objects.get()
    template.message_class = MessageClass.TRANSACTIONAL
    template.save()
    workflow = make_draft(linear({"kind": "mail"}))
    page = marketer.get(panel(workflow)).content.decode()
    assert str(template.name) in page
    assert template.get_purpose_display() in page
    typed = {"template": sample["template"], "sender": "", "topic": "", "stream": "marketing"}
    answer = marketer.post(panel(workflow), typed)
    assert step_of(workflow) == {**sample, "stream": "transactional"}
    shown = answer.content.decode()
    assert reverse("content:preview", args=[template.pk]) in shown
    assert reverse("content:detail", args=[template.pk]) in shown
    persona = marketer.post(panel(workflow), {**step_of(workflow), "persona": "longest"})
    assert "?persona=longest" in persona.content.decode()
    assert "HX-Trigger" not in persona


def test_what_somebody_chose_for_a_mail_stays_when_another_template_is_taken(marketer: Client) -> None:
    sample = mail()
    TopicFactory()
    workflow = make_draft(linear({**sample, "name": "Hello"}))
    typed = {**sample, "stream": "marketing", "template": mail()["template"], "refused": "on", "name": "Hello"}
    marketer.post(panel(workflow), typed)
    assert step_of(workflow)["topic"] == sample["topic"]
    assert step_of(workflow)["exits"] == {"refused": None}


def test_an_archived_template_is_still_seen_and_says_so(marketer: Client) -> None:
    workflow = make_draft(linear(mail()))
    archive(Template.objects.get(), by=SYSTEM)
    page = marketer.get(panel(workflow)).content.decode()
    assert "Archived: choose another one." in page


# -- ways -------------------------------------------------------------------------------------------------------------


BRANCH = {
    "kind": "branch",
    "cases": [{"rule": None, "name": "A"}, {"rule": None, "name": "B"}],
    "exits": {"1": "s2", "2": "s3", "else": "s4"},
}


def branching() -> Workflow:
    return make_draft(graph("s1", {"s1": BRANCH, **{f"s{n}": {"kind": "end"} for n in (2, 3, 4)}}))


def test_ways_of_a_branch_move_with_what_follows_them(marketer: Client) -> None:
    workflow = branching()
    names = {"case-1": "A", "case-2": "Second"}
    marketer.post(panel(workflow), {**names, "do": "up:2"})
    step = step_of(workflow)
    assert [case["name"] for case in step["cases"]] == ["Second", "A"]
    assert step["exits"] == {"1": "s3", "2": "s2", "else": "s4"}
    marketer.post(panel(workflow), {"case-1": "Second", "case-2": "A", "do": "remove:1"})
    step = step_of(workflow)
    assert [case["name"] for case in step["cases"]] == ["A"]
    assert step["exits"] == {"1": "s2", "else": "s4"}
    marketer.post(panel(workflow), {"case-1": "A", "do": "add"})
    assert [case.get("name", "") for case in step_of(workflow)["cases"]] == ["A", ""]
    marketer.post(panel(workflow), {"case-1": "A", "case-2": "", "do": "remove:9"})
    assert len(step_of(workflow)["cases"]) == 2


def test_shares_are_summed_up_and_split_evenly(marketer: Client) -> None:
    workflow = make_draft(linear({"kind": "split", "shares": [{"percent": 50}, {"percent": 50}]}))
    typed = {"name-1": "", "percent-1": "50", "name-2": "", "percent-2": "20"}
    assert "70 %</strong>: they have to come to 100 %" in marketer.post(panel(workflow), typed).content.decode()
    marketer.post(panel(workflow), {**typed, "do": "add"})
    shown = marketer.post(panel(workflow), {**typed, "name-3": "C", "percent-3": "30", "do": "even"}).content.decode()
    assert step_of(workflow)["shares"] == [{"percent": 33.34}, {"percent": 33.33}, {"percent": 33.33, "name": "C"}]
    assert "100 %</strong>." in shown


def test_a_mail_of_the_journey_is_asked_about(marketer: Client) -> None:
    workflow = make_draft(linear({**mail(), "name": "Reminder"}, {"kind": "branch_mail"}))
    page = marketer.get(panel(workflow, "s2")).content.decode()
    assert '<option value="s1">Reminder</option>' in page
    marketer.post(panel(workflow, "s2"), {"mail": "s1", "cases": ["refused", "clicked"]})
    assert step_of(workflow, "s2") == {"kind": "branch_mail", "mail": "s1", "cases": ["clicked", "refused"]}


# -- acts -------------------------------------------------------------------------------------------------------------


def test_a_value_is_set_cleared_or_taken_from_the_event(marketer: Client) -> None:
    attribute("plan", Kind.CHOICE, "gold", "blue")
    event("order", plan="text")
    workflow = make_draft(linear({"kind": "set_attribute"}, trigger={"kind": "event", "event": "order"}))
    first = marketer.post(panel(workflow), {"attribute": "plan", "drawn-attribute": "", "how": "value"})
    assert "Not kept yet: enter the value." in first.content.decode()
    assert step_of(workflow) == {"kind": "set_attribute"}
    typed = {"attribute": "plan", "drawn-attribute": "plan"}
    marketer.post(panel(workflow), {**typed, "how": "value", "value": "gold"})
    assert step_of(workflow) == {"kind": "set_attribute", "attribute": "plan", "value": "gold"}
    marketer.post(panel(workflow), {**typed, "how": "property", "property": "plan"})
    assert step_of(workflow) == {"kind": "set_attribute", "attribute": "plan", "property": "plan"}
    marketer.post(panel(workflow), {**typed, "how": "clear"})
    assert step_of(workflow) == {"kind": "set_attribute", "attribute": "plan"}
    assert 'value="email"' not in first.content.decode()


def test_lists_staff_journeys_and_calls_are_picked(marketer: Client) -> None:
    made = SegmentFactory(kind=Segment.Kind.SNAPSHOT, name="Flu list")
    rule_one = SegmentFactory(name="By rule")
    other = make_draft(name="The other one")
    kinds = ({"kind": "list"}, {"kind": "tell"}, {"kind": "enter"}, {"kind": "webhook"})
    workflow = make_draft(linear(*kinds))
    page = marketer.get(panel(workflow)).content.decode()
    assert "Flu list" in page
    assert str(rule_one.name) not in page
    marketer.post(panel(workflow), {"change": "remove", "segment": str(made.pk)})
    marketer.post(panel(workflow, "s2"), {"whom": "role:approver", "text": "Call them."})
    marketer.post(panel(workflow, "s3"), {"workflow": str(other.pk)})
    marketer.post(panel(workflow, "s4"), {"endpoint": "", "attributes": ["state"], "failed": "on"})
    steps = draft_of(workflow)["steps"]
    assert steps["s1"]["segment"] == str(made.pk)
    assert (steps["s2"]["role"], steps["s2"]["text"]) == ("approver", "Call them.")
    assert steps["s3"]["workflow"] == str(other.pk)
    assert steps["s4"] == {"kind": "webhook", "attributes": ["state"], "exits": {"failed": None}}


# -- what lets people in ----------------------------------------------------------------------------------------------


def trigger_url(workflow: Workflow) -> str:
    return reverse("workflows:trigger_panel", args=[workflow.pk])


def test_a_date_lets_in_and_by_itself_once_for_each(marketer: Client) -> None:
    attribute("next_visit", Kind.DATETIME)
    workflow = make_draft()
    page = marketer.post(trigger_url(workflow), {"kind": "date", "drawn-kind": "manual"}).content.decode()
    assert 'name="side"' in page
    typed = {"kind": "date", "drawn-kind": "date", "amount": "3", "unit": "days", "side": "before", "at": "10:00"}
    answer = marketer.post(trigger_url(workflow), {**typed, "date": "attribute:next_visit", "late": "enter"})
    draft = draft_of(workflow)
    assert draft["trigger"] == {
        "kind": "date",
        "moment": {"attribute": "next_visit", "days": -3, "at": "10:00"},
        "late": "enter",
    }
    assert draft["reentry"] == {"kind": "per_key"}
    assert "They enter 3 days before Next_visit at 10:00" in answer.content.decode()
    marketer.post(trigger_url(workflow), {"kind": "manual", "drawn-kind": "date"})
    draft = draft_of(workflow)
    assert draft.get("trigger", {"kind": "manual"}) == {"kind": "manual"}
    assert draft.get("reentry", {}) == {}


def test_a_segment_is_chosen_before_anything_is_kept(marketer: Client) -> None:
    segment, workflow = SegmentFactory(), make_draft()
    waiting = marketer.post(trigger_url(workflow), {"kind": "segment", "drawn-kind": "manual", "change": "enters"})
    assert "Not kept yet: choose a segment." in waiting.content.decode()
    typed = {"kind": "segment", "drawn-kind": "segment", "change": "leaves", "segment": str(segment.pk)}
    marketer.post(trigger_url(workflow), typed)
    assert draft_of(workflow)["trigger"] == {"kind": "segment", "change": "leaves", "segment": str(segment.pk)}


def test_properties_of_an_event_narrow_it_down(marketer: Client) -> None:
    event("order_shipped", carrier="text", express="yes_no", parcels="number", at="datetime")
    workflow = make_draft()
    typed = {"kind": "event", "drawn-kind": "event", "event": "order_shipped", "drawn-event": "order_shipped"}
    page = marketer.post(trigger_url(workflow), typed).content.decode()
    assert 'name="where-carrier"' in page
    assert 'name="where-at"' in page
    narrowed = {"where-carrier": "north\nsouth", "where-express": "yes", "where-parcels": "2"}
    marketer.post(trigger_url(workflow), {**typed, **narrowed})
    assert draft_of(workflow)["trigger"] == {
        "kind": "event",
        "event": "order_shipped",
        "where": [
            {"property": "carrier", "values": ["north", "south"]},
            {"property": "express", "values": [True]},
            {"property": "parcels", "values": [2]},
        ],
    }
    refused = marketer.post(trigger_url(workflow), {**typed, "where-parcels": "many"}).content.decode()
    assert "many" in refused
    assert "HX-Trigger" not in refused


def test_every_kind_of_trigger_has_its_fields(marketer: Client) -> None:
    topic, workflow = TopicFactory(), make_draft()
    attribute("plan", Kind.CHOICE, "gold", "blue")
    typed: dict[str, Any] = {"kind": "consent", "drawn-kind": "consent", "topic": str(topic.pk), "change": "withdrawn"}
    marketer.post(trigger_url(workflow), typed)
    assert draft_of(workflow)["trigger"] == {"kind": "consent", "topic": str(topic.pk), "change": "withdrawn"}
    marketer.post(trigger_url(workflow), {"kind": "engaged", "drawn-kind": "engaged", "did": "opened", "mailing": ""})
    assert draft_of(workflow)["trigger"] == {"kind": "engaged", "event": "opened"}
    typed = {"kind": "attribute", "drawn-kind": "attribute", "attribute": "plan", "drawn-attribute": "plan"}
    marketer.post(trigger_url(workflow), {**typed, "was": ["gold"]})
    assert draft_of(workflow)["trigger"] == {"kind": "attribute", "attribute": "plan", "was": ["gold"]}
    waiting = marketer.post(trigger_url(workflow), {"kind": "sent", "drawn-kind": "sent", "mailing": ""})
    assert "choose a campaign" in waiting.content.decode()


# -- rules ------------------------------------------------------------------------------------------------------------


def rules_url(workflow: Workflow) -> str:
    return reverse("workflows:rules_panel", args=[workflow.pk])


def test_rules_say_how_often_and_what_ends_it(marketer: Client) -> None:
    event("appointment_cancelled")
    segment = SegmentFactory(name="Insured")
    workflow = make_draft(linear(wait(days=1), trigger={"kind": "event", "event": "appointment_booked"}))
    base = {"again": "after_days", "days": "30", "unsubscribed": "on"}
    marketer.post(rules_url(workflow), {**base, "do": "add:event"})
    assert draft_of(workflow)["reentry"] == {"kind": "after_days", "days": 30}
    marketer.post(rules_url(workflow), {**base, "event-1": "appointment_cancelled", "same-1": "on", "do": "add:goal"})
    typed = {**base, "event-1": "appointment_cancelled", "same-1": "on", "goal-2": "Came"}
    waiting = marketer.post(rules_url(workflow), {**typed, "do": "add:segment_left"}).content.decode()
    assert "Not kept yet: choose a segment." in waiting
    assert 'name="pending" value="segment_left"' in waiting
    marketer.post(rules_url(workflow), {**typed, "pending": "segment_left", "segment-3": str(segment.pk)})
    exits = draft_of(workflow)["exits"]
    assert exits == [
        {"kind": "unsubscribed"},
        {"kind": "event", "event": "appointment_cancelled"},
        {"kind": "goal", "name": "Came", "rule": None},
        {"kind": "segment_left", "segment": str(segment.pk)},
    ]
    marketer.post(rules_url(workflow), {**typed, "unsubscribed": "", "segment-3": str(segment.pk), "do": "remove:2"})
    assert [way["kind"] for way in draft_of(workflow)["exits"]] == ["event", "segment_left"]


CLAUSE = {"node": "r-0:condition", "r.match": "all", "r-0.subject": "attribute:state", "r-0.was": "attribute:state"}
TYPED = {**CLAUSE, "r-0.op": "is", "r-0.value": "MA"}
STATE = rule({"attribute": "state", "op": "is", "value": "MA"}) | {"version": 2}


def test_the_segment_builder_keeps_the_rule_of_a_way(marketer: Client) -> None:
    workflow = branching()
    url = reverse("workflows:step_rule", args=[workflow.pk, "s1", 2])
    assert 'id="rule-form"' in marketer.get(url).content.decode()
    saved = marketer.post(url, TYPED)
    assert json.loads(saved["HX-Trigger"]) == {"draft-saved": {"revision": 2}}
    assert [case["rule"] for case in step_of(workflow)["cases"]] == [None, STATE]
    assert step_of(workflow)["exits"] == BRANCH["exits"]
    back = marketer.post(url, {**TYPED, "back": "1"}).content.decode()
    assert "People where State is “MA”." in back
    assert 'name="case-2"' in back
    assert "no longer" in marketer.get(reverse("workflows:step_rule", args=[workflow.pk, "s1", 3])).content.decode()


def test_an_unfinished_rule_is_kept_and_an_empty_one_is_none(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1), exits=[{"kind": "goal", "rule": None}]))
    url = reverse("workflows:exit_rule", args=[workflow.pk, 1])
    marketer.post(url, {**CLAUSE, "r-0.op": "is", "r-0.value": ""})
    kept = draft_of(workflow)["exits"][0]["rule"]
    assert kept["root"]["all"][0]["attribute"] == "state"
    assert 'value="attribute:state" selected' in marketer.get(url).content.decode()
    marketer.post(url, {"node": "r-0:condition", "r.match": "all", "r-0.subject": ""})
    assert draft_of(workflow)["exits"][0]["rule"] is None


def test_who_may_enter_is_a_rule_that_can_be_taken_away(marketer: Client) -> None:
    workflow = make_draft()
    url = reverse("workflows:only_rule", args=[workflow.pk])
    back = marketer.post(url, {**TYPED, "back": "1"}).content.decode()
    assert draft_of(workflow)["only"] == STATE
    assert "People where State is “MA”." in back
    marketer.post(url, {"back": "1", "remove": "1"})
    assert draft_of(workflow).get("only") is None


# -- at the same time -------------------------------------------------------------------------------------------------


def base_of(page: str) -> str:
    return page.partition('name="base" value="')[2].partition('"')[0]


def test_what_else_was_drawn_meanwhile_stays(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1), wait(days=2)))
    base = base_of(marketer.get(panel(workflow)).content.decode())
    drawn = draft_of(workflow)
    drawn["steps"]["s2"] = {"kind": "end"}
    drawn["steps"]["s3"] = {"kind": "end"}
    drawn["steps"]["s1"]["exits"] = {"next": "s3"}
    commands.save_draft(workflow, drawn, revision=None, by=UserFactory())
    marketer.post(panel(workflow), {"base": base, "count": "5", "unit": "days"})
    steps = draft_of(workflow)["steps"]
    assert steps["s1"] == {"kind": "wait", "span": {"days": 5}, "exits": {"next": "s3"}}
    assert steps["s2"] == {"kind": "end"}


def test_two_who_change_the_same_step_are_told(marketer: Client) -> None:
    workflow = make_draft(linear(wait(days=1)))
    base = base_of(marketer.get(panel(workflow)).content.decode())
    other = linear(wait(days=9))
    commands.save_draft(workflow, other, revision=None, by=UserFactory())
    answer = marketer.post(panel(workflow), {"base": base, "count": "5", "unit": "days"})
    assert answer.status_code == 409
    assert answer["HX-Retarget"] == "#panel-refused"
    assert "What you typed is still here." in answer.content.decode()
    assert step_of(workflow)["span"] == {"days": 9}
    marketer.post(panel(workflow), {"base": base, "count": "5", "unit": "days", "force": "1"})
    assert step_of(workflow)["span"] == {"days": 5}


def test_a_step_that_is_gone_says_so(marketer: Client) -> None:
    workflow = make_draft()
    assert "no longer on the journey" in marketer.get(panel(workflow, "nowhere")).content.decode()


def test_problems_stand_at_their_fields(marketer: Client) -> None:
    workflow = make_draft(linear({"kind": "mail"}, {"kind": "wait_event"}))
    mail_page = marketer.get(panel(workflow)).content.decode()
    assert mail_page.count("Choose a template.") == 1
    assert "Choose a sender." in mail_page
    assert "Choose an event." in marketer.get(panel(workflow, "s2")).content.decode()


def test_only_who_may_draw_opens_a_panel() -> None:
    workflow = make_draft()
    for role in (Role.APPROVER, Role.ANALYST, Role.COMPLIANCE, Role.ADMINISTRATOR):
        client = Client()
        sign_in(client, UserFactory(roles=[role]))
        assert client.get(panel(workflow)).status_code == 403


def test_a_removed_attribute_is_still_shown(marketer: Client) -> None:
    gone = attribute("old_date", Kind.DATE)
    workflow = make_draft(linear({"kind": "wait_until", "moment": {"attribute": "old_date", "days": 1, "at": "08:00"}}))
    Attribute.objects.filter(pk=gone.pk).delete()
    page = marketer.get(panel(workflow)).content.decode()
    assert "old_date (no longer there)" in page
