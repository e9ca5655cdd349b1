"""Each thing that is wrong with a journey is said on its step, and nothing is said of one that is right."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

import segments.commands as segments
from contacts.models import Kind
from core import clock
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity
from segments.models import Segment
from tests.content.factories import TemplateFactory
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule
from tests.workflows.factories import end, graph, linear, mail, make_draft, make_workflow, marketer, wait
from workflows import happenings
from workflows.language import checks, parsing, tiers
from workflows.language.checks import Problem
from workflows.models import Endpoint, EventType

pytestmark = pytest.mark.django_db
SPECIAL, PHI, IDENTITY = Sensitivity.SPECIAL, Sensitivity.PHI, Sensitivity.IDENTITY
Json = dict[str, Any]


def found(definition: Json, **more: Any) -> list[Problem]:
    return checks.check(parsing.parse(definition), **more)


def wrong(definition: Json, **more: Any) -> set[tuple[str, str]]:
    """Step and field of each error."""
    return {(problem.step, problem.field) for problem in found(definition, **more) if problem.level == "error"}


def of_step(step: Json, **more: Any) -> set[str]:
    """What is wrong with this step where it stands alone."""
    return {field for where, field in wrong(graph("a", {"a": step}, **more)) if where == "a"}


def of_trigger(trigger: Json, **more: Any) -> set[str]:
    return {field for where, field in wrong(linear(wait(days=1), trigger=trigger, **more)) if not where}


def event_type(name: str = "booked", sensitivity: Sensitivity = PHI, **properties: str) -> EventType:
    return EventType.objects.create(
        name=name,
        name_index=happenings.name_index(name),
        label=name.capitalize(),
        properties=properties,
        sensitivity=sensitivity,
    )


def template(*fields: str, **more: Any) -> Any:
    return TemplateFactory(html="<p>Hello " + " ".join(f"{{{{ {key} }}}}" for key in fields) + "</p>", **more)


# -- the graph -----------------------------------------------------------------------------------------------------


def test_a_whole_journey_has_nothing_wrong_with_it() -> None:
    steps = {
        "a": {**wait(days=1), "exits": {"next": "b"}},
        "b": {**mail(track_clicks=True), "exits": {"next": "c", "refused": "e"}},
        "c": {"kind": "branch_mail", "mail": "b", "cases": ["clicked"], "exits": {"clicked": "e", "else": "d"}},
        "d": {"kind": "split", "shares": [{"percent": 33.4}, {"percent": 66.6}], "exits": {"1": "a", "2": "e"}},
        "e": end(),
    }
    assert found(graph("a", steps)) == []


def test_a_journey_needs_a_first_step_that_there_is() -> None:
    assert wrong({}) == {("", "start")}
    assert ("", "start") in wrong({"steps": {"a": end()}})
    assert wrong({"start": "b", "steps": {"a": end()}}) == {("", "start")}


def test_a_step_that_nothing_leads_to_is_named() -> None:
    assert wrong(graph("a", {"a": end(), "b": {**wait(), "exits": {"next": "c"}}, "c": end()})) == {
        ("b", ""),
        ("c", ""),
    }


def test_a_way_out_leads_by_a_way_the_step_has_to_a_step_there_is() -> None:
    assert of_step({**wait(), "exits": {"next": "gone"}}) == {"exits.next"}
    assert of_step({**wait(), "exits": {"else": None}}) == {"exits.else"}
    assert of_step({**end(), "exits": {"next": "a"}}) == {"exits.next"}
    assert of_step({**wait(), "exits": {"next": None}}) == set()


EVENT = {"kind": "wait_event", "event": "booked"}


@pytest.mark.parametrize(
    ("waiting", "way"),
    [
        ({"kind": "split", "shares": [{"percent": 50}, {"percent": 50}]}, "1"),
        ({"kind": "wait_until", "moment": {"attribute": "birth_date", "at": "10:00"}}, "next"),
        ({"kind": "wait_until", "moment": {"attribute": "birth_date", "at": "10:00"}}, "past"),
        (EVENT, "happened"),
    ],
)
def test_a_loop_that_need_not_wait_is_refused(waiting: Json, way: str) -> None:
    event_type()
    steps = {"a": {**mail(), "exits": {"next": "b"}}, "b": {**waiting, "exits": {way: "a"}}}
    assert wrong(graph("a", steps)) == {("a", "exits")}


@pytest.mark.parametrize(
    ("waiting", "way"),
    [
        ({"kind": "wait", "span": {"minutes": 1}}, "next"),
        ({"kind": "wait_weekday", "at": "10:00"}, "next"),
        ({**EVENT, "since": "here"}, "happened"),
        ({**EVENT, "since": "here"}, "timeout"),
        (EVENT, "timeout"),
    ],
)
def test_a_loop_that_has_to_wait_is_fine(waiting: Json, way: str) -> None:
    event_type()
    steps = {"a": {**mail(), "exits": {"next": "b"}}, "b": {**waiting, "exits": {way: "a"}}}
    assert wrong(graph("a", steps)) == set()


def test_a_step_that_leads_to_itself_is_a_loop() -> None:
    assert wrong(graph("a", {"a": {"kind": "goal", "rule": rule(is_("state", "MA")), "exits": {"next": "a"}}})) == {
        ("a", "exits")
    }


# -- lengths, times, shares ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "span", [{}, {"days": 0}, {"days": -1}, {"days": 1, "hours": -1}, {"weeks": 261}, {"minutes": 10**9}]
)
def test_a_wait_is_longer_than_nothing_and_at_most_five_years(span: Json) -> None:
    assert of_step({"kind": "wait", "span": span}) == {"span"}
    event_type()
    assert of_step({**EVENT, "timeout": span}) == {"timeout"}


def test_weekdays_and_times_of_day_are_such() -> None:
    assert of_step({"kind": "wait_weekday", "weekdays": [7]}) == {"weekdays"}
    assert of_step({"kind": "wait_weekday", "weekdays": [1, 1]}) == {"weekdays"}
    for at in ("", "10", "24:00", "10:60", "10:00:00", " 1:00", "1٠:00"):
        assert of_step({"kind": "wait_weekday", "at": at}) == {"at"}


@pytest.mark.parametrize(
    "percents", [[], [100], [50, 49], [50, 51], [0, 100], [-1, 101], [99.9999, 0.00001], [4.7] * 21]
)
def test_shares_come_to_a_hundred(percents: list[float]) -> None:
    assert of_step({"kind": "split", "shares": [{"percent": percent} for percent in percents]}) == {"shares"}


def test_three_thirds_are_a_hundred() -> None:
    assert of_step({"kind": "split", "shares": [{"percent": 100 / 3}] * 3}) == set()


def test_a_branch_has_rules_that_make_sense() -> None:
    assert of_step({"kind": "branch"}) == {"cases"}
    assert of_step({"kind": "branch", "cases": [{"rule": None}]}) == {"cases[0]"}
    gone = rule(is_("state", "MA"), is_("shoe_size", "9"))
    assert of_step({"kind": "branch", "cases": [{"rule": rule(is_("state", "MA"))}, {"rule": gone}]}) == {"cases[1]"}
    assert of_step({"kind": "goal"}) == {"rule"}
    assert ("", "only") in wrong(linear(wait(), only=gone))
    assert ("", "exits[0]") in wrong(linear(wait(), exits=[{"kind": "goal", "rule": gone}]))


# -- what is gone ----------------------------------------------------------------------------------------------------


def test_a_mail_names_a_template_a_sender_and_a_topic_that_are_there() -> None:
    assert of_step({"kind": "mail"}) == {"template", "sender"}
    assert of_step({**mail(), "template": str(uuid4()), "sender": str(uuid4()), "topic": str(uuid4())}) == {
        "template",
        "sender",
        "topic",
    }
    assert of_step(mail(template=TemplateFactory(archived_at=clock.now()))) == {"template"}
    assert of_step({key: value for key, value in mail().items() if key != "topic"}) == {"topic"}
    informs = TemplateFactory(purpose=Purpose.TREATMENT, message_class=MessageClass.OTHER)
    assert of_step({key: value for key, value in mail(template=informs).items() if key != "topic"}) == set()


def test_what_was_removed_is_said_wherever_it_is_named() -> None:
    shoe = attribute("shoe", Kind.DATE)
    moment = {"attribute": "shoe", "at": "10:00"}
    steps: list[tuple[Json, str]] = [
        ({"kind": "wait_until", "moment": moment}, "moment"),
        ({"kind": "wait_event", "attribute": "shoe"}, "attribute"),
        ({"kind": "set_attribute", "attribute": "shoe", "value": "2026-01-01"}, "attribute"),
    ]
    triggers: list[tuple[Json, str]] = [
        ({"kind": "date", "moment": moment}, "trigger.moment"),
        ({"kind": "attribute", "attribute": "shoe"}, "trigger.attribute"),
    ]
    assert [of_step(step) for step, _ in steps] == [set(), set(), set()]
    assert [of_trigger(trigger) for trigger, _ in triggers] == [set(), set()]
    shoe.removed_at = clock.now()
    shoe.save()
    assert [of_step(step) for step, _ in steps] == [{field} for _, field in steps]
    assert [of_trigger(trigger) for trigger, _ in triggers] == [{field} for _, field in triggers]
    nothing = str(uuid4())
    assert of_trigger({"kind": "segment", "segment": nothing}) == {"trigger.segment"}
    assert of_trigger({"kind": "consent", "topic": nothing}) == {"trigger.topic"}
    assert of_trigger({"kind": "sent", "mailing": nothing}) == {"trigger.mailing"}
    assert of_trigger({"kind": "engaged", "event": "opened", "mailing": nothing}) == {"trigger.mailing"}
    assert of_trigger({"kind": "engaged", "event": "opened"}) == set()
    assert of_trigger({"kind": "event", "event": "nothing"}) == {"trigger.event"}
    assert of_trigger({"kind": "manual"}, exits=[{"kind": "segment_left", "segment": nothing}]) == {"exits[0]"}
    assert of_trigger({"kind": "manual"}, exits=[{"kind": "event", "event": "nothing"}]) == {"exits[0]"}
    assert of_step({"kind": "webhook", "endpoint": nothing}) == {"endpoint"}
    assert of_step({"kind": "tell", "user": nothing, "text": "Call"}) == {"user"}
    assert of_step({"kind": "enter", "workflow": nothing}) == {"workflow"}
    assert of_step({"kind": "list", "segment": nothing}) == {"segment"}


def test_an_archived_segment_lets_nobody_in() -> None:
    segment = SegmentFactory(archived_at=clock.now())
    assert of_trigger({"kind": "segment", "segment": str(segment.pk)}) == {"trigger.segment"}


def test_only_a_list_kept_by_hand_is_changed() -> None:
    by_rule, by_hand = SegmentFactory(), SegmentFactory(kind=Segment.Kind.SNAPSHOT)
    assert of_step({"kind": "list", "segment": str(by_rule.pk)}) == {"segment"}
    assert of_step({"kind": "list", "segment": str(by_hand.pk)}) == set()


# -- values and dates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Kind.TEXT, "x", 5.0),
        (Kind.NUMBER, 5, "five"),
        (Kind.NUMBER, 5.5, True),
        (Kind.BOOLEAN, True, "perhaps"),
        (Kind.DATE, "2026-02-28", "2026-02-30"),
        (Kind.DATE, "2026-02-28", "02/28/2026"),
        (Kind.DATETIME, "2026-02-28T10:00:00Z", "tomorrow"),
        (Kind.CHOICE, "red", "crimson"),
        (Kind.CODED, None, "E11"),
    ],
)
def test_a_value_is_one_the_attribute_can_have(kind: Kind, good: Any, bad: Any) -> None:
    attribute("thing", kind, "red", "blue")
    step = {"kind": "set_attribute", "attribute": "thing"}
    assert of_step({**step, "value": bad}) == {"value"}
    if kind != Kind.CODED:
        assert of_step({**step, "value": good}) == set()
        assert of_trigger({"kind": "attribute", "attribute": "thing", "becomes": [good]}) == set()
    # Of a list of codes it is codes that come and go.
    never = 5.0 if kind == Kind.CODED else bad
    assert of_trigger({"kind": "attribute", "attribute": "thing", "was": [never]}) == {"trigger.was"}
    assert kind != Kind.CODED or of_trigger({"kind": "attribute", "attribute": "thing", "was": [bad, None]}) == set()


def test_who_somebody_is_is_not_set_by_a_journey() -> None:
    assert of_step({"kind": "set_attribute", "attribute": "email", "value": "a@example.org"}) == {"attribute"}
    assert of_step({"kind": "set_attribute", "attribute": "external_id", "value": "1"}) == {"attribute"}


def test_a_property_is_one_of_the_event_that_lets_people_in_and_fits() -> None:
    attribute("visit", Kind.DATETIME)
    event_type(when="datetime", place="text")
    by_event = {"kind": "event", "event": "Booked"}  # names of events are the same in small letters
    until = {"kind": "wait_until", "moment": {"property": "when", "days": -3, "at": "10:00"}}
    sets = {"kind": "set_attribute", "attribute": "visit", "property": "when"}
    assert of_step(until, trigger=by_event) == of_step(sets, trigger=by_event) == set()
    assert of_step(until) == {"moment"}
    assert of_step(sets) == {"property"}
    place = {"kind": "wait_until", "moment": {"property": "place", "at": "10:00"}}
    assert of_step(place, trigger=by_event) == {"moment"}
    assert of_step({**sets, "property": "place"}, trigger=by_event) == {"property"}
    assert of_step({**sets, "property": "shoe"}, trigger=by_event) == {"property"}
    assert of_trigger({**by_event, "where": [{"property": "place", "values": ["A"]}]}) == set()
    bad: list[Json] = [{"property": "place", "values": [1]}, {"property": "x", "values": ["A"]}]
    for where in (*bad, {"property": "place", "values": []}):
        assert of_trigger({**by_event, "where": [where]}) == {"trigger.where[0]"}


def test_a_date_without_a_time_of_its_own_needs_one() -> None:
    attribute("day", Kind.DATE)
    attribute("moment", Kind.DATETIME)
    attribute("words", Kind.TEXT)
    assert of_trigger({"kind": "date", "moment": {"attribute": "day"}}) == {"trigger.moment.at"}
    assert of_trigger({"kind": "date", "moment": {"attribute": "day", "at": "10:00"}}) == set()
    assert of_trigger({"kind": "date", "moment": {"attribute": "moment", "minutes": -90}}) == set()
    assert of_trigger({"kind": "date", "moment": {"attribute": "words", "at": "10:00"}}) == {"trigger.moment"}
    assert of_trigger({"kind": "date", "moment": {"attribute": "day", "at": "25:00"}}) == {"trigger.moment.at"}
    far = {"attribute": "day", "at": "10:00", "days": -4000}
    assert of_trigger({"kind": "date", "moment": far}) == {"trigger.moment.days"}
    assert of_trigger({"kind": "date", "moment": {"property": "x", "at": "10:00"}}) == {"trigger.moment"}


# -- keys, re-entry --------------------------------------------------------------------------------------------------


def test_once_a_key_needs_a_trigger_that_has_one() -> None:
    event_type()
    attribute("day", Kind.DATE)
    per_key = {"reentry": {"kind": "per_key"}}
    assert of_trigger({"kind": "manual"}, **per_key) == {"reentry"}
    assert of_trigger({"kind": "event", "event": "booked"}, **per_key) == set()
    assert of_trigger({"kind": "date", "moment": {"attribute": "day", "at": "10:00"}}, **per_key) == set()
    assert of_trigger({"kind": "manual"}, reentry={"kind": "after_days"}) == {"reentry.days"}
    assert of_trigger({"kind": "manual"}, reentry={"kind": "after_days", "days": 9_999}) == {"reentry.days"}


def test_no_event_has_the_key_of_a_date() -> None:
    event_type("cancelled")
    attribute("day", Kind.DATE)
    by_date = {"kind": "date", "moment": {"attribute": "day", "at": "10:00"}}
    assert of_trigger(by_date, exits=[{"kind": "event", "event": "cancelled"}]) == {"exits[0]"}
    assert of_trigger(by_date, exits=[{"kind": "event", "event": "cancelled", "same_key": False}]) == set()
    assert of_step({"kind": "wait_event", "event": "cancelled"}, trigger=by_date) == {"same_key"}


# -- other systems, people, journeys ---------------------------------------------------------------------------------


def test_values_go_only_where_an_agreement_is_in_force() -> None:
    attribute("plan", Kind.TEXT)
    endpoint = Endpoint.objects.create(name="EHR", url="https://ehr.example.org", secret="s" * 40)
    step = {"kind": "webhook", "endpoint": str(endpoint.pk)}
    assert of_step(step) == set()
    assert of_step({**step, "attributes": ["plan"]}) == {"attributes"}
    endpoint.baa_party, endpoint.baa_signed_on = "EHR Inc.", date(2026, 1, 1)
    endpoint.save()
    assert of_step({**step, "attributes": ["plan"]}) == set()
    endpoint.baa_expires_on = date(2026, 2, 1)
    endpoint.save()
    assert of_step({**step, "attributes": ["plan"]}) == {"attributes"}
    assert "attributes" in of_step({**step, "attributes": ["shoe"]})
    endpoint.removed_at = clock.now()
    endpoint.save()
    assert of_step(step) == {"endpoint"}


def test_somebody_who_may_know_is_told_something() -> None:
    assert of_step({"kind": "tell", "role": "marketer", "text": "Call"}) == set()
    assert of_step({"kind": "tell", "role": "marketer"}) == {"text"}
    assert of_step({"kind": "tell", "role": "analyst", "text": "Call"}) == {"role"}
    assert of_step({"kind": "tell", "role": "pope", "text": "Call"}) == {"role"}
    assert of_step({"kind": "tell", "text": "Call"}) == {"user"}


def test_people_are_not_sent_round_in_a_circle_of_journeys() -> None:
    third = make_workflow()
    second = make_workflow(linear({"kind": "enter", "workflow": str(third.pk)}))
    first = make_draft(linear({"kind": "enter", "workflow": str(second.pk)}))
    assert wrong(first.draft, workflow=first) == set()
    assert wrong(second.draft, workflow=third) == {("s1", "workflow")}
    assert wrong(first.draft, workflow=third) == {("s1", "workflow")}  # by way of the second
    assert wrong(linear({"kind": "enter", "workflow": str(first.pk)}), workflow=first) == {("s1", "workflow")}
    assert wrong(linear({"kind": "enter", "workflow": str(first.pk)})) == {("s1", "workflow")}  # not published


# -- mails before others ---------------------------------------------------------------------------------------------


def test_what_is_asked_of_a_mail_is_asked_after_it_and_is_counted() -> None:
    counted = mail(track_clicks=True)
    asks = {"kind": "branch_mail", "mail": "m", "cases": ["clicked"]}

    def journey(mails: Json, **more: Any) -> set[tuple[str, str]]:
        steps = {"m": {**mails, "exits": {"next": "b"}}, "b": {**asks, **more}}
        return wrong(graph("m", steps))

    assert journey(counted) == set()
    assert journey(mail()) == {("b", "cases")}
    assert journey(mail(track_opens=True)) == {("b", "cases")}
    assert journey(mail(track_opens=True), cases=["opened"]) == set()
    assert journey(mail(), cases=["sent", "refused"]) == set()
    assert journey(counted, mail="gone") == {("b", "mail")}
    assert journey(counted, mail="b") == {("b", "mail")}
    assert journey(counted, cases=[]) == {("b", "cases")}
    assert journey(counted, cases=["clicked", "clicked"]) == {("b", "cases")}
    before = {"b": {**asks, "exits": {"else": "m"}}, "m": counted}
    assert wrong(graph("b", before)) == {("b", "mail")}


# -- purpose, class and tier -----------------------------------------------------------------------------------------


def test_the_transactional_way_is_for_transactions_of_ones_own() -> None:
    event_type()
    receipt = template(message_class=MessageClass.TRANSACTIONAL, purpose=Purpose.PAYMENT)
    by_event = {"kind": "event", "event": "booked"}
    sends = mail(template=receipt, stream="transactional")
    assert of_step(sends, trigger=by_event) == of_step(sends) == set()
    segment = SegmentFactory()
    assert of_step(sends, trigger={"kind": "segment", "segment": str(segment.pk)}) == {"stream"}
    assert of_step(sends, trigger={"kind": "engaged", "event": "opened"}) == {"stream"}
    assert of_step(mail(stream="transactional"), trigger=by_event) == {"stream"}  # a commercial template
    sells = template(message_class=MessageClass.TRANSACTIONAL, purpose=Purpose.MARKETING)
    assert of_step(mail(template=sells, stream="transactional"), trigger=by_event) == {"stream"}


def journey_about(sensitivity: Sensitivity) -> dict[str, Json]:
    """One trigger of each kind about something of this sensitivity."""
    attribute("day", Kind.DATE, sensitivity=sensitivity)
    event_type(sensitivity=sensitivity)
    segment = SegmentFactory(rule=rule({"attribute": "day", "op": "is_empty"}), tier=sensitivity)
    return {
        "segment": {"kind": "segment", "segment": str(segment.pk)},
        "attribute": {"kind": "attribute", "attribute": "day"},
        "date": {"kind": "date", "moment": {"attribute": "day", "at": "10:00"}},
        "event": {"kind": "event", "event": "booked"},
    }


@pytest.mark.parametrize("about", [IDENTITY, PHI, SPECIAL])
@pytest.mark.parametrize("says", [IDENTITY, PHI, SPECIAL])
def test_a_mail_says_no_more_than_its_trigger_justifies(about: Sensitivity, says: Sensitivity) -> None:
    attribute("thing", Kind.TEXT, sensitivity=says)
    sends = mail(template=template("thing", purpose=Purpose.TREATMENT))
    expected = {"template"} if says.rank >= PHI.rank and about.rank < says.rank else set()
    for trigger in journey_about(about).values():
        assert of_step(sends, trigger=trigger) == expected
    assert of_step(sends, trigger={"kind": "manual", "chosen_by": str(about)}) == expected


@pytest.mark.parametrize("said", [IDENTITY, PHI, SPECIAL])
@pytest.mark.parametrize("kept", [IDENTITY, PHI, SPECIAL])
def test_what_is_written_down_counts_as_what_it_is_made_from(said: Sensitivity, kept: Sensitivity) -> None:
    event_type("result", said, what="text")
    attribute("told", Kind.TEXT, sensitivity=kept)
    group = segments.start_list(name="Group", tier=kept, by=marketer())

    def levels(step: Json) -> list[str]:
        return [one.level for one in found(linear(step, trigger={"kind": "event", "event": "result"})) if one.step]

    less = kept.rank < said.rank
    assert levels({"kind": "set_attribute", "attribute": "told", "property": "what"}) == ["error"] * less
    assert levels({"kind": "set_attribute", "attribute": "told", "value": "yes"}) == ["warning"] * less
    assert levels({"kind": "list", "segment": str(group.pk), "change": "add"}) == ["warning"] * less


def test_consent_says_nothing_of_health_but_a_rule_on_the_way_may() -> None:
    sends = mail(template=template("conditions", purpose=Purpose.TREATMENT))
    given = {"kind": "consent", "topic": sends["topic"]}
    asked = rule(has("E11.9"))
    assert of_step(sends, trigger=given) == {"template"}
    assert of_step(sends, trigger=given, only=asked) == set()
    branch = {"kind": "branch", "cases": [{"rule": asked}], "exits": {"1": "m"}}
    assert wrong(graph("b", {"b": branch, "m": sends}, trigger=given)) == set()
    around = {"s": {"kind": "split", "shares": [{"percent": 50}] * 2, "exits": {"1": "b", "2": "m"}}}
    assert wrong(graph("s", {**around, "b": branch, "m": sends}, trigger=given)) == {("m", "template")}


def test_marketing_on_a_special_category_is_for_those_who_asked() -> None:
    sends = mail(template=template(purpose=Purpose.MARKETING))
    by_event = journey_about(SPECIAL)["event"]
    opted = {"topic": sends["topic"], "op": "opted_in"}
    assert of_step(sends, trigger=by_event) == {"template"}
    assert of_step(sends, trigger=by_event, only=rule(is_("state", "MA"))) == {"template"}
    assert of_step(sends, trigger=by_event, only=rule({**opted, "op": "no_choice"})) == {"template"}
    assert of_step(sends, trigger=by_event, only=rule(opted, is_("state", "MA"), match="any")) == {"template"}
    assert of_step(sends, trigger=by_event, only=rule(opted, match="none")) == {"template"}
    assert of_step(sends, trigger=by_event, only=rule(opted, is_("state", "MA"))) == set()


def test_fundraising_rests_on_nothing_of_health_and_what_is_paid_for_is_said() -> None:
    begs = mail(template=template(purpose=Purpose.FUNDRAISING))
    triggers = journey_about(PHI)
    assert of_step(begs) == set()
    assert of_step(begs, trigger=triggers["date"]) == {"template"}
    paid = mail(template=template(purpose=Purpose.MARKETING, remunerated=True))
    said = found(graph("a", {"a": paid}, trigger=triggers["date"]))
    assert [problem.level for problem in said] == ["warning", "warning"]


def test_opens_are_not_counted_where_a_special_category_is_involved() -> None:
    triggers = journey_about(SPECIAL)
    plain = mail(template=template(purpose=Purpose.TREATMENT), track_opens=True)
    assert of_step(plain) == set()
    assert of_step(plain, trigger=triggers["event"]) == {"track_opens"}


def test_the_tier_of_a_journey_is_the_highest_of_all_it_rests_on() -> None:
    attribute("plain", Kind.DATE, sensitivity=IDENTITY)
    attribute("secret", Kind.DATE, sensitivity=SPECIAL)
    event_type(sensitivity=PHI)
    special, health = rule({"attribute": "secret", "op": "is_not_empty"}), rule(has("E11.9"))

    def tier(definition: Json) -> str:
        return tiers.tier_of(parsing.parse(definition)).value

    assert tier({}) == tier(linear(wait(), mail())) == "identity"
    assert tier(linear(wait(), mail(template=template("conditions")))) == "phi"
    assert tier(linear({"kind": "goal", "rule": health})) == "phi"
    assert tier(linear({"kind": "branch", "cases": [{"rule": health}, {"rule": special}]})) == "special"
    assert tier(linear({"kind": "wait_until", "moment": {"attribute": "secret", "at": "10:00"}})) == "special"
    assert tier(linear({"kind": "wait_event", "attribute": "secret"})) == "special"
    assert tier(linear(EVENT)) == "phi"
    assert tier({"only": special}) == tier({"exits": [{"kind": "goal", "rule": special}]}) == "special"
    assert tier({"trigger": {"kind": "date", "moment": {"attribute": "secret"}}}) == "special"
    assert tier({"trigger": {"kind": "date", "moment": {"attribute": "plain"}}}) == "identity"
    assert tier({"trigger": {"kind": "event", "event": "booked"}}) == "phi"
    assert tier({"trigger": {"kind": "event", "event": "unknown"}}) == "phi"


# -- TRK-06 ----------------------------------------------------------------------------------------------------------

CLICKED = {"event": "clicked", "op": "did", "mailing": None, "when": None}


def hanging(definition: Json) -> set[str]:
    return {problem.step for problem in found(definition) if problem.level == "error" and "TRK-06" in problem.text}


def test_nothing_about_health_hangs_on_an_open_or_a_click() -> None:
    first, reveals = mail(track_clicks=True), mail(template=template("conditions", purpose=Purpose.TREATMENT))
    asks = {"kind": "branch_mail", "mail": "m", "cases": ["clicked"]}
    ways = {"branch": "1", "goal": "next"}

    def after(step: Json, last: Json = reveals) -> set[str]:
        steps = {
            "m": {**first, "exits": {"next": "b"}},
            "b": {**step, "exits": {ways.get(step["kind"], "else"): "w"}},
            "w": {**wait(days=1), "exits": {"next": "p"}},
            "p": last,
        }
        return hanging(graph("m", steps))

    assert after(asks) == {"p"}
    assert after({**asks, "cases": ["sent", "opened"]}) == {"p"}
    assert after({**asks, "cases": ["sent", "refused"]}) == set()
    assert after(asks, mail()) == set()  # says nothing of health
    assert after({"kind": "branch", "cases": [{"rule": rule(CLICKED)}]}) == {"p"}
    assert after({"kind": "goal", "rule": rule({**CLICKED, "event": "opened"})}) == {"p"}
    assert after({"kind": "branch", "cases": [{"rule": rule({**CLICKED, "event": "received"})}]}) == set()
    within = SegmentFactory(rule=rule(CLICKED))
    in_it = rule({"segment": str(within.pk), "op": "in"})
    assert after({"kind": "branch", "cases": [{"rule": in_it}]}) == {"p"}


def test_nor_on_one_that_lets_people_in_or_takes_them_out() -> None:
    reveals = mail(template=template("conditions", purpose=Purpose.TREATMENT))
    clicked = SegmentFactory(rule=rule(CLICKED), tier=PHI)
    assert hanging(linear(reveals, trigger={"kind": "engaged", "event": "clicked"})) == {"s1"}
    assert hanging(linear(reveals, trigger={"kind": "segment", "segment": str(clicked.pk)})) == {"s1"}
    assert hanging(linear(reveals, only=rule(CLICKED))) == {"s1"}
    assert hanging(linear(reveals, exits=[{"kind": "goal", "rule": rule(CLICKED)}])) == {"s1"}
    assert hanging(linear(reveals, exits=[{"kind": "segment_left", "segment": str(clicked.pk)}])) == {"s1"}
    assert hanging(linear(reveals)) == set()
    assert hanging(linear(mail(), trigger={"kind": "engaged", "event": "clicked"})) == set()
    assert hanging(linear(wait(), only=rule(CLICKED))) == set()


def test_values_about_health_go_to_no_other_system_because_of_a_click() -> None:
    endpoint = Endpoint.objects.create(
        name="EHR", url="https://ehr.example.org", secret="s" * 40, baa_party="E", baa_signed_on=date(2026, 1, 1)
    )
    step = {"kind": "webhook", "endpoint": str(endpoint.pk), "attributes": ["conditions"]}
    by_click = {"kind": "engaged", "event": "clicked"}
    assert hanging(linear(step, trigger=by_click)) == {"s1"}
    assert hanging(linear({**step, "attributes": ["city"]}, trigger=by_click)) == set()
