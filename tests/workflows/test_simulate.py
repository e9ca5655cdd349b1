"""The simulator: real people, the real step function, a virtual clock, and nothing sent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from audit.models import Entry
from contacts.models import Contact, Kind
from contacts.persons import known_of
from core import clock
from core.actors import SYSTEM
from core.models import Organization
from delivery import outcomes
from delivery.ids import delivery_id
from delivery.models import Delivery, SendBatch
from phi.errors import SealBroken
from segments import commands as segments
from segments.queries import audience
from tests.delivery.factories import make_origin, opt_in
from tests.workflows import factories as make
from tracking.models import Event
from workflows import endpoints, happenings, simulations
from workflows.errors import NotComplete, NotPossibleNow
from workflows.models import Enrolment, EventType, Happening, SimulatedPaths, Simulation, Transition, Workflow
from workflows.simulate import acting, entries, paths
from workflows.simulate.assumptions import Assumptions, Expected, Settings

pytestmark = pytest.mark.django_db

#: A Tuesday, ten in the morning in New York.
START = datetime(2026, 12, 1, 15, tzinfo=UTC)
COUNTED = {"track_opens": True, "track_clicks": True}


@pytest.fixture(autouse=True)
def _clinic() -> None:
    make.organization(time_zone="America/New_York")
    make.RelayFactory()


def everybody() -> UUID:
    pk: UUID = make.SegmentFactory(rule=make.EVERYBODY).pk
    return pk


def asked(workflow: Workflow, *, days: int = 10, assume: dict[str, Any] | None = None, **more: Any) -> Simulation:
    settings = Settings(**{"start": START, "days": days, **more}, assumptions=Assumptions(**(assume or {})))
    simulation = simulations.start(workflow, settings, by=make.marketer())
    simulations.work(simulation.pk)
    simulation.refresh_from_db()
    return simulation


def foreseen(workflow: Workflow, **more: Any) -> dict[str, Any]:
    """The result of a simulation; unless said otherwise everybody enters at the start."""
    given = more if "entering" in more else {"entering": "all", "segment": everybody(), **more}
    simulation = asked(workflow, **given)
    assert simulation.state == Simulation.State.FINISHED, simulation.result
    found: dict[str, Any] = simulation.result
    return found


def drawn(*steps: Any, **more: Any) -> Workflow:
    return make.make_draft(make.linear(*steps, **more))


def event_type(name: str) -> EventType:
    return EventType.objects.create(name=name, name_index=happenings.name_index(name))


def days(found: dict[str, Any], place: int = 2) -> dict[str, int]:
    """Mails sent by day; `place` 1: people who entered, 3: mails refused."""
    return {row[0]: row[place] for row in found["days"] if row[place]}


# -- what comes of it -------------------------------------------------------------------------------------------------


def test_everybody_of_a_segment_walks_through_and_nothing_is_sent_or_written() -> None:
    make.make_people(3)
    found = foreseen(drawn(make.wait(days=2), make.mail(), make.wait(days=3), make.mail(), make.end()))
    assert (found["people"], found["sent"], found["refused"], found["ends"]) == (3, 6, 0, {"end": 3})
    assert days(found) == {"2026-12-03": 3, "2026-12-06": 3}
    assert found["in_a_week"] == [0, 0, 3]
    assert found["busiest"] == [int(datetime(2026, 12, 3, 15, tzinfo=UTC).timestamp()), 3]
    assert found["steps"]["s2"]["ways"] == {"next": 3}
    for model in (Delivery, SendBatch, Enrolment, Transition):
        assert not model.objects.exists()


def test_a_result_holds_ids_and_numbers_and_nothing_of_it_is_readable_at_rest() -> None:
    make.make_people(2, email=lambda n: f"quite-particular{n}@example.com", first_name="Particular")
    simulation = asked(drawn(make.mail(), make.end()), entering="all", segment=everybody())
    assert "articular" not in json.dumps(simulation.result)
    raw = Simulation.objects.raw("SELECT id, result::text AS plain FROM workflows_simulation")[0].plain
    assert "people" not in raw
    kept = SimulatedPaths.objects.get()
    assert kept.first % paths.NUMBERS == 0, "it says of nobody that they are in it"
    assert Contact.objects.first().pk.bytes not in bytes(kept.sealed)  # type: ignore[union-attr]


def test_the_path_of_one_person_is_kept() -> None:
    ids = make.make_people(3, email=lambda n: None if n == 1 else f"p{n}@example.com")
    everyone = make.SegmentFactory(rule=make.rule({"attribute": "first_name", "op": "is_not_empty"})).pk
    workflow = drawn(make.mail(), make.wait(days=30), make.end())
    simulation = asked(workflow, entering="all", segment=everyone)
    numbers = dict(Contact.objects.values_list("pk", "number"))

    def path(who: UUID) -> list[tuple[Any, ...]]:
        stops = paths.read(simulation, numbers[who], simulation.result["words"])
        return [(stop.step, stop.at, stop.way, stop.note, stop.mail, stop.reason) for stop in stops]

    assert path(ids[0]) == [("s1", START, "next", "sent", "sent", ""), ("s2", None, "", "", "", "")]
    assert path(ids[1])[0] == ("s1", START, "refused", "refused", "refused", "address_missing")
    other = SimulatedPaths.objects.get()
    SimulatedPaths.objects.create(
        simulation=simulation, first=other.first + paths.NUMBERS, kek_id=other.kek_id, data_key=other.data_key,
        sealed=other.sealed,
    )  # fmt: skip
    with pytest.raises(SealBroken):
        paths.read(simulation, other.first + paths.NUMBERS, simulation.result["words"])
    (stranger,) = make.make_people(1)
    assert paths.read(simulation, Contact.objects.get(pk=stranger).number, simulation.result["words"]) == []


def test_a_segment_with_nobody_in_it_gives_an_empty_result() -> None:
    nobody = make.SegmentFactory(rule=make.rule({"attribute": "email", "op": "is", "value": "x@example.com"})).pk
    found = foreseen(drawn(make.mail(), make.end()), entering="all", segment=nobody)
    assert (found["people"], found["sent"], found["busiest"], found["in_a_week"]) == (0, 0, None, [])


# -- the gate ---------------------------------------------------------------------------------------------------------


def test_quiet_hours_put_mails_off_to_where_the_person_wakes() -> None:
    Organization.objects.update(quiet_from_hour=21, quiet_until_hour=8)
    make.make_people(2, time_zone=lambda n: ("America/New_York", "Asia/Tokyo")[n])
    simulation = asked(drawn(make.mail(), make.end()), entering="all", segment=everybody())
    assert simulation.result["put_off"] == {"quiet_hours": 1}
    assert simulation.result["busiest"][1] == 1
    # Midnight in Tokyo when it is ten in New York: eight o'clock there is 23:00 UTC.
    number = Contact.objects.order_by("number").last().number  # type: ignore[union-attr]
    (mailed, _) = paths.read(simulation, number, simulation.result["words"])
    assert (mailed.at, mailed.mail, mailed.reason) == (datetime(2026, 12, 1, 23, tzinfo=UTC), "sent", "quiet_hours")


def test_simulated_mails_count_for_the_frequency_together_with_real_ones() -> None:
    Organization.objects.update(cap_messages=2, cap_days=7)
    make.make_people(1)
    steps = [make.mail(), make.wait(days=1), make.mail(), make.wait(days=1), make.mail(), make.wait(days=8)]
    found = foreseen(drawn(*steps, make.mail(), make.end()), days=20)
    assert (found["sent"], found["reasons"]) == (3, {"frequency_cap": 1})
    assert found["in_a_week"] == [0, 0, 1]


def test_who_unsubscribes_gets_no_more_and_leaves() -> None:
    make.make_people(4)
    workflow = drawn(make.mail(), make.wait(days=5), make.mail(), make.end(), exits=[{"kind": "unsubscribed"}])
    found = foreseen(workflow, assume={"unsubscribes": 100})
    assert (found["sent"], found["ends"]) == (4, {"unsubscribed": 4})
    stays = drawn(make.mail(), make.wait(days=5), make.mail(), make.end(), exits=[])
    assert foreseen(stays, assume={"unsubscribes": 100})["reasons"] == {"opted_out": 4}


# -- what journeys change ---------------------------------------------------------------------------------------------


def test_a_value_that_a_step_sets_is_seen_by_later_rules() -> None:
    make.AttributeFactory(key="mark")
    make.make_people(2)
    marked = make.rule({"attribute": "mark", "op": "is", "value": "yes"})
    steps = {
        "b": {**make.branch(marked), "exits": {"1": "e", "else": "s"}},
        "s": {"kind": "set_attribute", "attribute": "mark", "value": "yes", "exits": {"next": "w"}},
        "w": {**make.wait(hours=1), "exits": {"next": "b"}},
        "e": make.end(),
    }
    found = foreseen(make.make_draft(make.graph("b", steps)))
    assert found["steps"]["b"]["ways"] == {"1": 2, "else": 2}
    assert found["ends"] == {"end": 2}


def test_who_is_put_on_a_list_is_on_it_for_later_rules_and_on_no_real_one() -> None:
    listed = segments.start_list(name="Called", by=make.marketer())
    (one,) = make.make_people(1)
    on_it = {"version": 2, "root": {"all": [{"segment": str(listed.pk), "op": "in"}]}}
    steps = {
        "add": {"kind": "list", "segment": str(listed.pk), "change": "add", "exits": {"next": "b"}},
        "b": {**make.branch(on_it), "exits": {"1": "off", "else": "e"}},
        "off": {"kind": "list", "segment": str(listed.pk), "change": "remove", "exits": {"next": "c"}},
        "c": {**make.branch(on_it), "exits": {"1": "e", "else": "e"}},
        "e": make.end(),
    }
    found = foreseen(make.make_draft(make.graph("add", steps)))
    assert (found["steps"]["b"]["ways"], found["steps"]["c"]["ways"]) == ({"1": 1}, {"else": 1})

    assert audience(on_it) == [] != [one]


def test_goals_see_the_simulated_clicks() -> None:
    make.make_people(40)
    clicked = make.rule({"event": "clicked", "op": "did", "mailing": None})
    goal = {"kind": "goal", "rule": clicked}
    workflow = drawn(make.mail(**COUNTED), make.wait(days=9), make.end(), exits=[goal])
    found = foreseen(workflow, assume={"opens": 60, "clicks": 30}, days=20)
    assert 3 <= found["ends"]["goal"] <= 22
    assert found["ends"]["goal"] + found["ends"]["end"] == 40
    assert foreseen(workflow, assume={"opens": 60, "clicks": 0}, days=20)["ends"] == {"end": 40}


def test_branches_on_a_mail_see_who_reads_and_the_same_people_read_each_time() -> None:
    make.make_people(40)
    by_mail = {"kind": "branch_mail", "mail": "s1", "cases": ["clicked", "opened"]}
    steps = {
        "s1": {**make.mail(**COUNTED), "exits": {"next": "s2"}},
        "s2": {**make.wait(days=4), "exits": {"next": "s3"}},
        "s3": {**by_mail, "exits": {"clicked": "s4", "opened": "s4", "else": "s4"}},
        "s4": make.end(),
    }
    workflow, assume = make.make_draft(make.graph("s1", steps)), {"opens": 50, "clicks": 25}
    found = foreseen(workflow, assume=assume)
    ways = found["steps"]["s3"]["ways"]
    assert set(ways) == {"clicked", "opened", "else"}
    assert 10 <= ways["clicked"] + ways["opened"] <= 30
    assert foreseen(workflow, assume=assume)["steps"] == found["steps"]


# -- who enters -------------------------------------------------------------------------------------------------------


def test_dates_let_people_in_at_the_hour_of_where_they_are() -> None:
    make.AttributeFactory(key="visit", kind=Kind.DATE)
    make.make_people(
        3,
        visit=lambda n: ("2026-12-05", "2026-12-06", "2027-12-06")[n],
        time_zone=lambda n: (None, "Asia/Tokyo", None)[n],
    )
    trigger = {"kind": "date", "moment": {"attribute": "visit", "days": -3, "at": "10:00"}}
    simulation = asked(drawn(make.mail(), make.end(), trigger=trigger))
    moments = [t.at for t in _all_stops(simulation) if t.step == "s1"]
    assert sorted(moments) == [datetime(2026, 12, 2, 15, tzinfo=UTC), datetime(2026, 12, 3, 1, tzinfo=UTC)]


def _all_stops(simulation: Simulation) -> list[paths.Stop]:
    numbers = Contact.objects.order_by("number").values_list("number", flat=True)
    return [stop for number in numbers for stop in paths.read(simulation, number, simulation.result["words"])]


def test_birthdays_come_every_year_and_on_the_28th_where_there_is_no_29th() -> None:
    make.make_people(2, birth_date=lambda n: ("1980-02-29", "1990-12-24")[n])
    moment = {"attribute": "birth_date", "at": "09:00"}
    trigger = {"kind": "date", "moment": moment, "yearly": True}
    workflow = drawn(make.mail(), make.end(), trigger=trigger, reentry={"kind": "per_key"})
    found = foreseen(workflow, entering="trigger", days=366)
    assert days(found, 1) == {"2026-12-24": 1, "2027-02-28": 1}


def test_a_moment_comes_every_year_at_its_own_time_of_day() -> None:
    make.AttributeFactory(key="starts", kind=Kind.DATETIME)
    make.make_people(1, starts="2019-07-02T14:00:00Z", time_zone="America/New_York")
    trigger = {"kind": "date", "moment": {"attribute": "starts", "days": 180}, "yearly": True}
    workflow = drawn(make.mail(), make.end(), trigger=trigger, reentry={"kind": "per_key"})
    foreseen(workflow, entering="trigger", days=60)
    (stop, *_) = _all_stops(Simulation.objects.latest("pk"))
    assert stop.arrived_at == datetime(2026, 12, 29, 15, tzinfo=UTC), "at ten, as in July"


def test_whom_passing_days_bring_into_a_segment_enters_on_that_day() -> None:
    make.make_people(3, birth_date=lambda n: ("1960-01-01", "1976-12-04", "1999-01-01")[n])
    fifty = make.SegmentFactory(rule=make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})).pk
    workflow = drawn(make.mail(), make.end(), trigger={"kind": "segment", "segment": str(fifty)})
    assert days(foreseen(workflow, entering="trigger"), 1) == {"2026-12-04": 1}, "who is in it already does not enter"
    assert foreseen(workflow, segment=fifty)["people"] == 1, "unless that is asked"
    young = make.SegmentFactory(rule=make.rule({"attribute": "birth_date", "op": "age_at_most", "value": 49})).pk
    leaves = {"kind": "segment", "segment": str(young), "change": "leaves"}
    assert days(foreseen(drawn(make.mail(), make.end(), trigger=leaves), entering="trigger"), 1) == {"2026-12-04": 1}


def test_events_befall_the_assumed_share_of_people() -> None:
    event_type("booked")
    event_type("confirmed")
    make.make_people(60)
    exits = {"happened": "e", "timeout": "m"}
    steps = {
        "w": {"kind": "wait_event", "event": "confirmed", "timeout": {"days": 3}, "exits": exits},
        "m": {**make.mail(), "exits": {"next": "e"}},
        "e": make.end(),
    }
    workflow = make.make_draft(make.graph("w", steps, trigger={"kind": "event", "event": "booked"}))
    assume = {"entering": 5.0, "events": {"confirmed": Expected(40, 2)}}
    found = foreseen(workflow, entering="trigger", days=30, assume=assume)
    assert 40 <= found["entered"] + sum(found["refused_entry"].values()) <= 140, "five of a hundred, on thirty days"
    assert found["entered"] == found["people"], "never again"
    ways = found["steps"]["w"]["ways"]
    assert 0.2 < ways["happened"] / found["entered"] < 0.6
    only = make.SegmentFactory(rule=make.rule({"attribute": "email", "op": "is", "value": "person1@example.com"})).pk
    assert foreseen(workflow, entering="trigger", segment=only, assume=assume)["people"] <= 1


def test_history_happens_again_on_the_same_weekday_and_properties_come_along() -> None:
    kind = event_type("booked")
    kind.properties = {"when": "datetime"}
    kind.save()
    (who,) = make.make_people(1)
    start = clock.now().replace(microsecond=0)
    at = start - timedelta(days=5)
    contact = Contact.objects.get(pk=who)

    key = known_of(contact).key
    visit = (at + timedelta(days=4)).isoformat()
    sealed = happenings.sealed(who, {"when": visit}, key=key)
    happenings.write([happenings.New(Happening.Kind.EVENT, kind.pk, who, at, None, None, sealed)])
    until = {"kind": "wait_until", "moment": {"property": "when", "days": -1, "at": "10:00"}}
    workflow = drawn(until, make.mail(), make.end(), trigger={"kind": "event", "event": "booked"})
    simulation = asked(workflow, start=start, days=20, assume={"replay": True})
    assert simulation.state == Simulation.State.FINISHED
    [stop, *_] = _all_stops(simulation)
    # Three weeks are the fewest that bring twenty days behind now.
    assert stop.arrived_at == at + timedelta(weeks=3)
    # What the event says is as it was said: that day is over.
    assert (stop.way, stop.note) == ("past", "past")


def test_consents_sendings_and_clicks_of_before_let_people_in_again() -> None:
    topic = make.TopicFactory(requires_opt_in=True)
    ids, start = make.make_people(4), clock.now()
    with clock.set_to(start - timedelta(days=3)):
        opt_in(topic, ids[:2])
        mailing = make_origin(ids[:3])
        rows = [outcomes.Row(delivery_id(mailing.pk, who), who, "unknown", clock.now()) for who in ids[:3]]
        outcomes.append(mailing.pk, mailing.batches.get().pk, "", rows)
        for who, kind, verdict in ((ids[0], "click", "human"), (ids[1], "open", "human"), (ids[2], "click", "machine")):
            given = {"delivery_id": delivery_id(mailing.pk, who), "origin_id": mailing.pk, "contact_id": who}
            Event.objects.create(**given, kind=kind, verdict=verdict, at=clock.now())

    def again(**trigger: Any) -> int:
        workflow = drawn(make.mail(topic=topic), make.end(), trigger=trigger)
        given: dict[str, Any] = {"entering": "trigger", "start": start, "days": 7, "assume": {"replay": True}}
        people: int = foreseen(workflow, **given)["people"]
        return people

    assert again(kind="consent", topic=str(topic.pk), change="given") == 2
    assert again(kind="consent", topic=str(topic.pk), change="withdrawn") == 0
    assert again(kind="sent", mailing=str(mailing.pk)) == 0, "nobody knows whether they were sent"
    assert again(kind="engaged", event="clicked", mailing=str(mailing.pk)) == 1
    assert again(kind="engaged", event="opened") == 2


def test_a_change_of_before_lets_people_in_again_with_the_value_it_brought() -> None:
    attribute = make.AttributeFactory(key="stage")
    ids = make.make_people(2)
    at, start = clock.now() - timedelta(days=2), clock.now()
    for who, said in ((ids[0], {"was": "one", "is": "two"}), (ids[1], {"was": None, "is": "three"})):
        sealed = happenings.sealed(who, said, key=known_of(Contact.objects.get(pk=who)).key)
        happenings.write([happenings.New(Happening.Kind.ATTRIBUTE, attribute.pk, who, at, None, None, sealed)])
    two = make.rule({"attribute": "stage", "op": "is", "value": "two"})
    steps = {"b": {**make.branch(two), "exits": {"1": "e", "else": "e"}}, "e": make.end()}
    becomes = {"kind": "attribute", "attribute": "stage", "becomes": ["two"]}
    found = foreseen(
        make.make_draft(make.graph("b", steps, trigger=becomes)),
        entering="trigger", start=start, days=7, assume={"replay": True},
    )  # fmt: skip
    assert (found["people"], found["steps"]["b"]["ways"]) == (1, {"1": 1})


def test_an_opt_in_that_lets_people_in_lets_their_mail_out() -> None:
    topic = make.TopicFactory(requires_opt_in=True)
    make.make_people(20)
    trigger = {"kind": "consent", "topic": str(topic.pk), "change": "given"}
    workflow = drawn(make.mail(topic=topic), make.end(), trigger=trigger)
    found = foreseen(workflow, entering="trigger", assume={"entering": 10})
    assert found["people"] > 3
    assert (found["sent"], found["reasons"]) == (found["people"], {})
    by_hand = foreseen(drawn(make.mail(topic=topic), make.end()))
    assert by_hand["reasons"] == {"no_opt_in": 20}
    opt_in(topic, [Contact.objects.first().pk])  # type: ignore[union-attr]
    assert foreseen(drawn(make.mail(topic=topic), make.end()))["sent"] == 1


def test_whoever_was_on_the_journey_enters_again_only_as_its_rule_permits() -> None:
    workflow = make.make_workflow(make.linear(make.mail(), make.end()))
    ids = make.make_people(3)
    make.place(workflow, ids[:2])
    found = foreseen(workflow)
    assert (found["people"], found["refused_entry"]) == (1, {"before": 2})
    assert foreseen(workflow, assume={"afresh": True})["people"] == 3


def test_the_rule_who_may_enter_is_asked_at_the_moment_of_entering() -> None:
    make.AttributeFactory(key="visit", kind=Kind.DATE)
    make.make_people(2, birth_date=lambda n: ("1976-12-04", "1976-12-06")[n], visit="2026-12-05")
    trigger = {"kind": "date", "moment": {"attribute": "visit", "at": "10:00"}}
    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    found = foreseen(drawn(make.mail(), make.end(), trigger=trigger, only=fifty), entering="trigger")
    assert (found["people"], found["refused_entry"]) == (1, {"not_among": 1})


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_day_stays_a_day_where_clocks_change() -> None:
    make.make_people(1, time_zone="Europe/Berlin")
    start = datetime(2027, 3, 27, 9, tzinfo=UTC)
    simulation = asked(
        drawn(make.wait(days=1), make.mail(), make.end()), entering="all", segment=everybody(), start=start
    )
    assert _all_stops(simulation)[0].at == datetime(2027, 3, 28, 8, tzinfo=UTC)


def test_a_day_that_begins_takes_out_who_reaches_the_goal_by_it() -> None:
    make.make_people(2, birth_date=lambda n: ("1976-12-04", "1999-01-01")[n])
    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    workflow = drawn(make.wait(days=8), make.mail(), make.end(), exits=[{"kind": "goal", "rule": fifty}])
    simulation = asked(workflow, entering="all", segment=everybody())
    assert simulation.result["ends"] == {"goal": 1, "end": 1}
    [left] = [stop for stop in _all_stops(simulation) if stop.left == "goal"]
    assert left.at == datetime(2026, 12, 4, 5, tzinfo=UTC), "at midnight where the organization is"


def test_whom_nothing_wakes_any_more_is_told_as_stuck() -> None:
    make.AttributeFactory(key="visit", kind=Kind.DATE)
    make.make_people(2, visit=lambda n: ("2026-12-04", "2039-01-01")[n])
    found = foreseen(drawn(make.wait_until("visit", at="10:00"), make.end()))
    assert (found["stuck"], found["there"]) == ([["s1", "far", 1]], {"s1": 1})


def test_who_is_stuck_leaves_as_others_do() -> None:
    event_type("cancelled")
    make.make_people(3)
    told = {
        "kind": "webhook",
        "endpoint": str(endpoints.create(name="EHR", url="https://x.example.com", by=SYSTEM)[0].pk),
    }
    workflow = drawn(told, make.end(), exits=[{"kind": "event", "event": "cancelled"}])
    assume = {"calls_failed": 100.0, "events": {"cancelled": Expected(100, 2)}}
    assert foreseen(workflow, assume={"calls_failed": 100.0})["stuck"] == [["s1", "call_failed", 3]]
    found = foreseen(workflow, assume=assume)
    assert (found["ends"], found["stuck"]) == ({"event": 3}, [])


# -- refusals, cancelling, crashes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"days": 400}, "between 1 and 366 days"),
        ({"days": 0}, "between 1 and 366 days"),
        ({"start": START + timedelta(days=900)}, "within a year of today"),
        ({"segment": None}, "Choose the segment"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(given: dict[str, Any], words: str) -> None:
    workflow = drawn(make.mail(), make.end())
    with pytest.raises((NotComplete, NotPossibleNow), match=words):
        asked(workflow, **{"entering": "all", "segment": everybody(), **given})
    assert not Simulation.objects.exists()


def test_a_draft_that_cannot_run_is_refused_with_its_first_problem() -> None:
    with pytest.raises(NotComplete, match="no step yet"):
        asked(make.make_draft({"version": 1}), entering="all", segment=everybody())
    unfinished = make.make_draft(make.linear({"kind": "mail"}, make.end()))
    with pytest.raises(NotComplete, match="cannot run yet"):
        asked(unfinished, entering="all", segment=everybody())


def test_too_many_people_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MAX_PEOPLE", 2)
    make.make_people(3)
    simulation = asked(drawn(make.mail(), make.end()), entering="all", segment=everybody())
    assert simulation.state == Simulation.State.FAILED
    assert simulation.result["refused"].startswith("More than 2 people would enter")


def test_too_many_steps_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "MAX_VISITS", 40)
    make.make_people(2)
    steps = {"m": {**make.mail(), "exits": {"next": "w"}}, "w": {**make.wait(days=1), "exits": {"next": "m"}}}
    monkeypatch.setattr(acting, "BEAT", 10)
    simulation = asked(make.make_draft(make.graph("m", steps)), days=30, entering="all", segment=everybody())
    assert simulation.result["refused"].startswith("People would take more than 40 steps")


def test_no_more_than_three_of_a_journey_run_at_a_time() -> None:
    workflow, settings = drawn(make.mail(), make.end()), Settings(START, 3, segment=everybody(), entering="all")
    for _ in range(3):
        simulations.start(workflow, settings, by=SYSTEM)
    with pytest.raises(NotPossibleNow, match="Wait for one, or cancel it"):
        simulations.start(workflow, settings, by=SYSTEM)


def waiting() -> Simulation:
    make.make_people(2)
    settings = Settings(START, 5, segment=everybody(), entering="all")
    return simulations.start(drawn(make.mail(), make.end()), settings, by=make.marketer())


def again(simulation: Simulation) -> Simulation:
    simulation.refresh_from_db()
    return simulation


def during(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Have it done while the job looks for who enters."""
    found = entries.find

    def find(*args: Any) -> Any:
        act()
        return found(*args)

    monkeypatch.setattr(entries, "find", find)


def test_a_cancelled_simulation_stops_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = waiting()
    during(monkeypatch, lambda: simulations.cancel(simulation, by=make.marketer()))
    simulations.work(simulation.pk)
    assert again(simulation).state == Simulation.State.CANCELLED
    assert (simulation.result, simulation.paths.count()) == ({}, 0)
    assert Entry.objects.filter(action="workflow.simulation_cancelled").count() == 1
    simulations.work(simulation.pk)
    assert again(simulation).state == Simulation.State.CANCELLED, "a late job does nothing"


def test_the_sweep_begins_anew_what_a_dead_worker_left_and_gives_up_at_last() -> None:
    simulation = waiting()
    row = Simulation.objects.filter(pk=simulation.pk)
    row.update(state="RUNNING", attempts=1, done=3, moved_at=clock.now())
    simulations.sweep()
    assert again(simulation).state == Simulation.State.RUNNING, "somebody is at it"
    row.update(moved_at=clock.now() - timedelta(minutes=10))
    simulations.sweep()
    assert again(simulation).state == Simulation.State.WAITING
    simulations.work(simulation.pk)
    assert (again(simulation).state, simulation.attempts, simulation.done) == (Simulation.State.FINISHED, 2, 5)
    row.update(state="RUNNING", attempts=3, moved_at=clock.now() - timedelta(minutes=10))
    simulations.sweep()
    assert (again(simulation).state, simulation.trouble) == (Simulation.State.FAILED, "crashed")


def test_a_worker_taken_for_dead_does_not_write_over_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = waiting()
    during(monkeypatch, lambda: Simulation.objects.filter(pk=simulation.pk).update(attempts=7))
    simulations.work(simulation.pk)
    assert (again(simulation).state, simulation.result) == (Simulation.State.RUNNING, {})


def test_what_breaks_the_job_is_said_and_quotes_nobody(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    simulation = waiting()

    def broken() -> None:
        raise ValueError("Ann Particular")

    during(monkeypatch, broken)
    simulations.work(simulation.pk)
    assert (again(simulation).state, simulation.trouble) == (Simulation.State.FAILED, "failed")
    assert "ValueError" in caplog.text
    assert "Particular" not in caplog.text


def test_old_simulations_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "KEPT", 2)
    make.make_people(1)
    workflow = drawn(make.mail(), make.end())
    for _ in range(4):
        asked(workflow, entering="all", segment=everybody(), days=1)
    assert workflow.simulations.count() == 2
    assert SimulatedPaths.objects.count() == 2
