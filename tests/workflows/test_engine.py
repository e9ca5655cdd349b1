"""The live engine: what becomes of people who are due, with real rows, rules, mails and clocks."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

import consent.commands
import contacts.commands
import segments.commands
from consent.models import Source
from contacts.models import Contact, Kind
from contacts.queries import open_many
from contacts.seal import key_of
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from core.sensitivity import Sensitivity
from delivery import engine as door
from delivery.models import Delivery, Origin, Relay, SendBatch
from tests.delivery.smtp import Catcher
from tests.workflows import factories as make
from tracking.models import Event
from workflows import happenings
from workflows.engine.run import run
from workflows.models import Call, Endpoint, Enrolment, EventType, Happening, Tally, Transition, VersionMail, Workflow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unstarted")]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def trace(enrolment: Enrolment) -> list[tuple[str, str, str]]:
    """Steps, ways out and notes, in order."""
    return list(enrolment.transitions.order_by("visit").values_list("step", "way", "note"))


def again(enrolment: Enrolment) -> Enrolment:
    enrolment.refresh_from_db()
    return enrolment


def numbers(workflow: Workflow) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for step, what, count in Tally.objects.filter(version__workflow=workflow).values_list("step", "what", "count"):
        found[step, what] += count
    return dict(found)


def wake(*enrolments: Enrolment, at: datetime | None = None) -> None:
    """What intake does when there may be news."""
    Enrolment.objects.filter(pk__in=[e.pk for e in enrolments]).update(wake_at=at or NOON)


def event_type(name: str) -> EventType:
    return EventType.objects.create(name=name, name_index=happenings.name_index(name))


def happen(kind: EventType, who: UUID, at: datetime, key: str | None = None) -> int:
    index = happenings.key_index(who, key) if key else None
    return happenings.write([happenings.New(Happening.Kind.EVENT, kind.pk, who, at, index)])[0][0]


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_who_waits_goes_on_when_the_time_has_come_and_not_before() -> None:
    journey = make.make_workflow(make.linear(make.wait(days=2), make.end()))
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    assert run(seconds=5, now=NOON) == 1
    assert (again(one).status, one.step, one.wake_at) == ("active", "s1", NOON + timedelta(days=2))
    assert run(seconds=5, now=NOON + timedelta(days=2, seconds=-1)) == 0
    assert run(seconds=5, now=NOON + timedelta(days=2)) == 1
    assert (again(one).status, one.left_because, one.left_at) == ("left", "end", NOON + timedelta(days=2))
    assert trace(one) == [("s1", "next", "waited"), ("s2", "", "end")]
    assert numbers(journey) == {("s1", "passed"): 1, ("s2", "arrived"): 1, ("s2", "passed"): 1}


@pytest.mark.parametrize(
    ("since", "zone", "until"),
    [
        # Clocks go forward on 29 March in Berlin: ten o'clock stays ten o'clock, a day of 23 hours later.
        (datetime(2026, 3, 28, 9, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 29, 8, tzinfo=UTC)),
        # 02:30 is left out that night and taken as 03:30.
        (datetime(2026, 3, 28, 1, 30, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # 01:30 comes twice in New York on 1 November: the first time counts.
        (datetime(2026, 10, 31, 5, 30, tzinfo=UTC), "America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        # Nobody knows where they are: it is where the organization is.
        (datetime(2026, 3, 7, 15, tzinfo=UTC), None, datetime(2026, 3, 8, 14, tzinfo=UTC)),
    ],
)
def test_a_day_goes_by_the_calendar_of_where_the_person_is(since: datetime, zone: str | None, until: datetime) -> None:
    make.organization(time_zone="America/Chicago")
    journey = make.make_workflow(make.linear(make.wait(days=1), make.end()))
    (one,) = make.place(journey, make.make_people(1, time_zone=zone), at=since)
    run(seconds=5, now=since)
    assert again(one).wake_at == until


def test_a_date_that_moves_while_somebody_waits_moves_the_wait_with_it() -> None:
    make.AttributeFactory(key="appointment", kind=Kind.DATE)
    steps = {
        "w": {**make.wait_until("appointment", days=-3, at="10:00"), "exits": {"next": "e", "past": "late"}},
        "e": make.end(),
        "late": make.end(),
    }
    journey = make.make_workflow(make.graph("w", steps))
    (who,) = make.make_people(1, appointment="2026-11-20", time_zone="America/New_York")
    (one,) = make.place(journey, [who], at=NOON)
    run(seconds=5, now=NOON)
    assert again(one).wake_at == datetime(2026, 11, 17, 15, tzinfo=UTC)
    contacts.commands.set_values({who: {"appointment": "2026-11-10"}}, by=SYSTEM)
    wake(one)
    run(seconds=5, now=NOON)
    assert again(one).wake_at == datetime(2026, 11, 7, 15, tzinfo=UTC)
    contacts.commands.set_values({who: {"time_zone": "Asia/Tokyo"}}, by=SYSTEM)
    wake(one)
    run(seconds=5, now=NOON)
    assert again(one).wake_at == datetime(2026, 11, 7, 1, tzinfo=UTC)
    contacts.commands.set_values({who: {"appointment": None}}, by=SYSTEM)
    wake(one)
    run(seconds=5, now=NOON)
    assert trace(one) == [("w", "past", "no_date"), ("late", "", "end")]


# -- choosing ---------------------------------------------------------------------------------------------------------


def test_a_branch_takes_the_first_rule_that_holds_and_a_changed_value_counts_at_once() -> None:
    make.AttributeFactory(key="plan", kind=Kind.TEXT, sensitivity="identity")
    gold, silver = (make.rule({"attribute": "plan", "op": "is", "value": value}) for value in ("gold", "silver"))
    steps = {
        "b": {**make.branch(gold, silver), "exits": {"1": "e", "2": "set", "else": "x"}},
        "set": {"kind": "set_attribute", "attribute": "plan", "value": "gold", "exits": {"next": "b2"}},
        "b2": {**make.branch(gold), "exits": {"1": "e", "else": "x"}},
        "e": make.end(),
        "x": make.end(),
    }
    journey = make.make_workflow(make.graph("b", steps))
    people = make.make_people(3, plan=lambda i: ["gold", "silver", None][i])
    gilt, silvery, plain = make.place(journey, people, at=NOON)
    assert run(seconds=5, now=NOON) == 3
    assert trace(gilt) == [("b", "1", "chosen"), ("e", "", "end")]
    assert trace(silvery) == [("b", "2", "chosen"), ("set", "next", "done"), ("b2", "1", "chosen"), ("e", "", "end")]
    assert trace(plain) == [("b", "else", "chosen"), ("x", "", "end")]


def test_an_event_ends_a_wait_only_if_it_came_since_and_is_about_the_same_thing() -> None:
    booked, confirmed = event_type("booked"), event_type("confirmed")
    wait = {"kind": "wait_event", "event": "confirmed", "timeout": {"days": 2}}
    steps = {"w": {**wait, "exits": {"happened": "e", "timeout": "t"}}, "e": make.end(), "t": make.end()}
    journey = make.make_workflow(make.graph("w", steps))
    people = make.make_people(4)
    keys = [happenings.key_index(who, "A") for who in people]
    let_in = [happen(booked, who, NOON, "A") for who in people]
    before, other, same, sooner = (
        make.place(journey, [who], at=NOON, key_index=key, happening_id=first)[0]
        for who, key, first in zip(people, keys, let_in, strict=True)
    )
    happen(confirmed, people[1], NOON + timedelta(hours=1), "B")
    happen(confirmed, people[2], NOON + timedelta(hours=1), "A")
    # Dated before they were in, but sent after what let them in.
    happen(confirmed, people[3], NOON - timedelta(seconds=1), "A")
    run(seconds=5, now=NOON + timedelta(hours=2))
    assert again(same).left_because == "end"
    assert trace(same)[0] == ("w", "happened", "happened")
    assert trace(sooner)[0] == ("w", "happened", "happened")
    for one in (before, other):
        assert (again(one).step, one.wake_at) == ("w", NOON + timedelta(days=2))
    run(seconds=5, now=NOON + timedelta(days=2))
    assert trace(before)[0] == trace(other)[0] == ("w", "timeout", "timeout")


def test_what_let_somebody_in_ends_no_wait_and_takes_nobody_out_and_the_next_like_it_does() -> None:
    booked = event_type("booked")
    wait = {"kind": "wait_event", "event": "booked", "timeout": {"days": 2}, "exits": {"happened": "e"}}
    waits = make.make_workflow(make.graph("w", {"w": wait, "e": make.end()}))
    exits = [{"kind": "event", "event": "booked"}]
    leaves = make.make_workflow(make.linear(make.wait(days=2), make.end(), exits=exits))
    (who,) = make.make_people(1)
    given = {"at": NOON, "key_index": happenings.key_index(who, "A"), "happening_id": happen(booked, who, NOON, "A")}
    (one,), (other,) = (make.place(journey, [who], **given) for journey in (waits, leaves))
    run(seconds=5, now=NOON)
    assert (again(one).status, again(other).status) == ("active", "active")
    happen(booked, who, NOON, "A")  # at the same moment, and yet another one
    wake(one, other)
    run(seconds=5, now=NOON)
    assert trace(one)[0] == ("w", "happened", "happened")
    assert trace(other) == [("s1", "", "event")]


def test_a_wait_for_a_change_asks_what_it_was_and_became() -> None:
    state = make.AttributeFactory(key="state_of_it", kind=Kind.TEXT)
    wait = {"kind": "wait_event", "attribute": "state_of_it", "was": ["open"], "becomes": ["closed"]}
    steps = {"w": {**wait, "timeout": {"days": 2}, "exits": {"happened": "e", "timeout": "e"}}, "e": make.end()}
    journey = make.make_workflow(make.graph("w", steps))
    people = make.make_people(2)
    placed = make.place(journey, people, at=NOON)
    for who, becomes in zip(people, ("closed", "lost"), strict=True):
        contact = Contact.objects.get(pk=who)
        sealed = happenings.sealed(who, {"was": "open", "is": becomes}, key=key_of(contact))
        happenings.write([happenings.New(Happening.Kind.ATTRIBUTE, state.pk, who, NOON, None, None, sealed)])
    run(seconds=5, now=NOON)
    assert [again(one).status for one in placed] == ["left", "active"]


# -- leaving ----------------------------------------------------------------------------------------------------------


def test_exits_come_first_and_say_why() -> None:
    make.AttributeFactory(key="healthy", kind=Kind.BOOLEAN)
    cancelled = event_type("cancelled")
    goal = {"kind": "goal", "rule": make.rule({"attribute": "healthy", "op": "is", "value": True})}
    exits = [{"kind": "unsubscribed"}, {"kind": "event", "event": "cancelled", "same_key": False}, goal]
    journey = make.make_workflow(make.linear(make.wait(days=9), make.mail(), make.end(), exits=exits))
    people = make.make_people(5, healthy=lambda i: True if i == 3 else None)
    placed = make.place(journey, people, at=NOON)
    topic = Origin.objects.get().topic_id
    consent.commands.opt_out(people[0], None, source=Source.ONE_CLICK, evidence={}, by=SYSTEM)
    consent.commands.opt_out(people[1], topic, source=Source.PREFERENCES, evidence={}, by=SYSTEM)
    happen(cancelled, people[2], NOON + timedelta(hours=1))
    contacts.commands.delete(Contact.objects.get(pk=people[4]), by=SYSTEM)
    run(seconds=5, now=NOON + timedelta(hours=2))
    assert [again(one).left_because for one in placed] == ["unsubscribed", "unsubscribed", "event", "goal", "deleted"]
    assert all(one.left_at == NOON + timedelta(hours=2) for one in placed)
    assert trace(placed[3]) == [("s1", "", "goal")]
    assert numbers(journey) == {("s1", "left"): 4, ("s1", "goal"): 1}


def test_exits_are_asked_anew_once_a_step_has_changed_what_they_ask() -> None:
    make.AttributeFactory(key="plan", kind=Kind.TEXT, sensitivity="identity")
    kept = segments.commands.start_list(name="Asked", by=SYSTEM)
    goal = {"kind": "goal", "rule": make.rule({"attribute": "plan", "op": "is", "value": "gold"})}
    value = {"kind": "set_attribute", "attribute": "plan", "value": "gold"}
    listed = {"kind": "list", "segment": str(kept.pk), "change": "remove"}
    (who,) = make.make_people(1)
    segments.commands.add_people(kept, [who], by=SYSTEM)
    for step, way in ((value, goal), (listed, {"kind": "segment_left", "segment": str(kept.pk)})):
        journey = make.make_workflow(make.linear(step, make.wait(days=9), make.end(), exits=[way]))
        (one,) = make.place(journey, [who], at=NOON)
        run(seconds=5, now=NOON)
        assert trace(one) == [("s1", "next", "done"), ("s2", "", way["kind"])]


def test_who_opted_back_in_stays() -> None:
    journey = make.make_workflow(make.linear(make.wait(days=9), make.mail(), make.end()))
    (who,) = make.make_people(1)
    (one,) = make.place(journey, [who], at=NOON)
    topic = Origin.objects.get().topic_id
    consent.commands.opt_out(who, topic, source=Source.PREFERENCES, evidence={}, by=SYSTEM)
    consent.commands.opt_in(
        who, topic, source=Source.PREFERENCES, evidence={"text": "yes", "text_version": "1"}, by=SYSTEM
    )
    run(seconds=5, now=NOON)
    assert again(one).status == "active"


# -- mails ------------------------------------------------------------------------------------------------------------


def test_a_mail_is_handed_over_once_a_visit_and_the_person_stays_until_it_is_out(
    relay: Relay, catcher: Catcher
) -> None:
    journey = make.make_workflow(make.linear(make.mail(), make.wait(days=1), make.end()))
    placed = make.place(journey, make.make_people(3))
    for _ in range(3):
        run(seconds=5)
        wake(*placed, at=clock.now())
    assert SendBatch.objects.count() == 1
    assert {again(one).step for one in placed} == {"s1"}
    while door.drain(Stream.MARKETING, seconds=5):
        pass
    wake(*placed, at=clock.now())
    run(seconds=5)
    assert {again(one).step for one in placed} == {"s2"}
    assert {(step, way, note) for one in placed for step, way, note in trace(one)} == {("s1", "next", "sent")}
    origin = VersionMail.objects.get().pk
    assert set(Delivery.objects.filter(origin=origin, outcome="sent").values_list("pk", flat=True)) == set(
        Transition.objects.values_list("made", flat=True)
    )
    assert catcher.recipients().total() == 3


def test_a_refusal_of_the_gate_is_a_way_out() -> None:
    topic = make.TopicFactory(requires_opt_in=True)
    steps = {
        "m": {**make.mail(topic=topic), "exits": {"next": "sent", "refused": "no"}},
        "sent": make.end(),
        "no": {
            "kind": "branch_mail",
            "mail": "m",
            "cases": ["sent", "refused"],
            "exits": {"sent": "e", "refused": "e", "else": "e"},
        },
        "e": make.end(),
    }
    make.RelayFactory()
    journey = make.make_workflow(make.graph("m", steps))
    (one,) = make.place(journey, make.make_people(1))
    run(seconds=5)
    while door.drain(Stream.MARKETING, seconds=5):
        pass
    wake(one, at=clock.now())
    run(seconds=5)
    assert trace(one) == [("m", "refused", "refused"), ("no", "refused", "chosen"), ("e", "", "end")]
    assert numbers(journey)["m", "refused"] == 1


@override_settings(WORKFLOWS_CLAIM=2)
def test_claims_of_any_size_come_to_the_same() -> None:
    journey = make.make_workflow(make.linear(make.mail(), make.end()))
    make.place(journey, make.make_people(5))
    assert run(seconds=5) == 5
    assert sorted(len(batch.contact_ids) for batch in SendBatch.objects.all()) == [1, 2, 2]


def test_each_time_through_a_loop_is_a_mail_of_its_own(relay: Relay, catcher: Catcher) -> None:
    steps = {
        "m": {**make.mail(), "exits": {"next": "w"}},
        "w": {**make.wait(hours=1), "exits": {"next": "m"}},
    }
    journey = make.make_workflow(make.graph("m", steps))
    (one,) = make.place(journey, make.make_people(1))
    for _ in range(3):
        with clock.set_to(clock.now() + timedelta(hours=2)):
            pass
        run(seconds=5)
        while door.drain(Stream.MARKETING, seconds=5):
            pass
        wake(one, at=clock.now())
        run(seconds=5)
        Enrolment.objects.filter(pk=one.pk).update(
            since=again(one).since - timedelta(hours=2), wake_at=clock.now() - timedelta(seconds=1)
        )
    assert catcher.recipients().total() == 3
    assert list(Delivery.objects.order_by("at").values_list("visit", flat=True)) == ["1.0", "1.2", "1.4"]


def test_opens_and_clicks_of_a_person_choose_the_way_and_those_of_machines_do_not(
    relay: Relay, catcher: Catcher
) -> None:
    steps: dict[str, Any] = {
        "m": {**make.mail(track_opens=True, track_clicks=True), "exits": {"next": "w"}},
        "w": {**make.wait(hours=1), "exits": {"next": "b"}},
        "b": {
            "kind": "branch_mail",
            "mail": "m",
            "cases": ["clicked", "opened"],
            "exits": {"clicked": "c", "opened": "o", "else": "e"},
        },
        **{key: make.end() for key in "coe"},
    }
    journey = make.make_workflow(make.graph("m", steps))
    placed = make.place(journey, make.make_people(4))
    run(seconds=5)
    while door.drain(Stream.MARKETING, seconds=5):
        pass
    now = clock.now()

    def came_back(who: Enrolment, kind: str, verdict: str, link: int | None = None) -> None:
        sent = Delivery.objects.get(contact_id=who.contact_id)
        Event.objects.create(
            delivery_id=sent.pk, origin_id=sent.origin_id, contact_id=who.contact_id, kind=kind, link=link, at=now,
            verdict=verdict,
        )  # fmt: skip

    came_back(placed[0], "open", "human")
    came_back(placed[1], "click", "human", 0)
    came_back(placed[2], "open", "machine")
    for link in (0, 1):  # both at once: no person did that
        came_back(placed[3], "click", "human", link)
    later = now + timedelta(hours=2)
    wake(*placed, at=now)
    run(seconds=5, now=now)
    run(seconds=5, now=later)
    assert [trace(one)[2][1] for one in placed] == ["opened", "clicked", "else", "else"]


# -- pauses -----------------------------------------------------------------------------------------------------------


def test_a_paused_journey_holds_everybody_where_they_are() -> None:
    journey = make.make_workflow()
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    Workflow.objects.filter(pk=journey.pk).update(state="PAUSED")
    assert run(seconds=5, now=NOON + timedelta(days=9)) == 0
    assert again(one).visit == 0


def test_overdue_people_pass_mails_over_until_they_wait_again() -> None:
    journey = make.make_workflow(make.linear(make.mail(), make.mail(), make.wait(days=1), make.mail(), make.end()))
    (one,) = make.place(journey, make.make_people(1), at=NOON, overdue=True)
    run(seconds=5, now=NOON)
    assert trace(one) == [("s1", "next", "skipped"), ("s2", "next", "skipped")]
    assert again(one).overdue is False
    assert not SendBatch.objects.exists()
    run(seconds=5, now=NOON + timedelta(days=1))
    assert SendBatch.objects.count() == 1


# -- segments, lists and what events said -----------------------------------------------------------------------------


def test_who_is_not_in_the_segment_any_more_leaves_also_where_its_rule_was_changed_meanwhile() -> None:
    make.AttributeFactory(key="plan", kind=Kind.TEXT, sensitivity="identity")
    gold, silver = (make.rule({"attribute": "plan", "op": "is", "value": value}) for value in ("gold", "silver"))
    segment = segments.commands.create(name="Gold", rule=gold, by=SYSTEM)
    exits = [{"kind": "segment_left", "segment": str(segment.pk)}]
    journey = make.make_workflow(make.linear(make.wait(days=9), make.end(), exits=exits))
    gilt, changed, plain = make.place(journey, make.make_people(3, plan=lambda i: ["gold", "gold", None][i]), at=NOON)
    contacts.commands.set_values({changed.contact_id: {"plan": "silver"}}, by=SYSTEM)
    run(seconds=5, now=NOON)
    assert [again(one).left_because for one in (gilt, changed, plain)] == ["", "segment_left", "segment_left"]
    segments.commands.edit(segment, name="Silver", rule=silver, by=SYSTEM)
    wake(gilt)
    run(seconds=5, now=NOON)
    assert again(gilt).left_because == "segment_left"


def test_a_list_somebody_was_just_put_on_counts_at_the_next_step() -> None:
    kept = segments.commands.start_list(name="Asked", by=SYSTEM)
    steps = {
        "add": {"kind": "list", "segment": str(kept.pk), "change": "add", "exits": {"next": "in"}},
        "in": {**make.branch(make.rule({"segment": str(kept.pk), "op": "in"})), "exits": {"1": "take", "else": "x"}},
        "take": {"kind": "list", "segment": str(kept.pk), "change": "remove", "exits": {"next": "out"}},
        "out": {**make.branch(make.rule({"segment": str(kept.pk), "op": "in"})), "exits": {"1": "x", "else": "e"}},
        "e": make.end(),
        "x": make.end(),
    }
    journey = make.make_workflow(make.graph("add", steps))
    (one,) = make.place(journey, make.make_people(1), at=NOON)
    run(seconds=5, now=NOON)
    assert [step for step, _, _ in trace(one)] == ["add", "in", "take", "out", "e"]


def test_what_the_event_said_that_let_somebody_in_sets_values_and_moments() -> None:
    make.AttributeFactory(key="place", kind=Kind.TEXT)
    booked = EventType.objects.create(
        name="booked", name_index=happenings.name_index("booked"), properties={"at": "datetime", "place": "text"}
    )
    steps = {
        "set": {"kind": "set_attribute", "attribute": "place", "property": "place", "exits": {"next": "w"}},
        "w": {
            "kind": "wait_until",
            "moment": {"property": "at", "days": -1, "at": "10:00"},
            "exits": {"next": "e", "past": "e"},
        },
        "e": make.end(),
    }
    journey = make.make_workflow(make.graph("set", steps, trigger={"kind": "event", "event": "booked"}))
    (who,) = make.make_people(1, time_zone="America/New_York")
    said = {"at": "2026-11-20T14:00:00Z", "place": "Elm Street"}
    sealed = happenings.sealed(who, said, key=key_of(Contact.objects.get(pk=who)))
    new = happenings.New(Happening.Kind.EVENT, booked.pk, who, NOON, None, None, sealed)
    (one,) = make.place(journey, [who], at=NOON, happening_id=happenings.write([new])[0][0])
    run(seconds=5, now=NOON)
    assert again(one).wake_at == datetime(2026, 11, 19, 15, tzinfo=UTC)
    assert open_many([who])[who].values["place"] == "Elm Street"


def test_a_call_that_ended_sends_people_on_and_one_that_failed_for_good_needs_attention() -> None:
    endpoint = Endpoint.objects.create(name="Till", url="https://till.example/hook", secret="s")
    journey = make.make_workflow(make.linear({"kind": "webhook", "endpoint": str(endpoint.pk)}, make.end()))
    done, failed, waiting = make.place(journey, make.make_people(3), at=NOON)
    run(seconds=5, now=NOON)
    calls = {one: Call.objects.get(enrolment=one) for one in (done, failed, waiting)}
    assert all(again(one).awaits == call.pk for one, call in calls.items())
    Call.objects.filter(pk=calls[done].pk).update(state="done")
    Call.objects.filter(pk=calls[failed].pk).update(state="failed")
    wake(done, failed, waiting)
    run(seconds=5, now=NOON)
    assert [(again(one).status, one.trouble) for one in calls] == [
        ("left", ""),
        ("attention", "call_failed"),
        ("active", ""),
    ]
    assert Call.objects.count() == 3


def test_the_number_of_statements_does_not_grow_with_the_people() -> None:
    # Nothing of health: of that, who changes a segment changes what was approved (SND-08).
    make.AttributeFactory(key="plan", kind=Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    gold = make.rule({"attribute": "plan", "op": "is", "value": "gold"})
    event_type("cancelled")
    exits = [{"kind": "unsubscribed"}, {"kind": "event", "event": "cancelled"}]
    steps = {
        "b": {**make.branch(gold), "exits": {"1": "m", "else": "m"}},
        "m": {**make.mail(), "exits": {"next": "e", "refused": "e"}},
        "e": make.end(),
    }
    journey = make.make_workflow(make.graph("b", steps, exits=exits))
    counts = []
    for size in (3, 60):
        make.place(journey, make.make_people(size, plan=lambda i: "gold" if i % 2 else None), at=NOON)
        if counts == []:
            run(seconds=5, now=NOON)  # reads the version
            make.place(journey, make.make_people(size, plan=lambda i: "gold" if i % 2 else None), at=NOON)
        with CaptureQueriesContext(connection) as caught:
            assert run(seconds=5, now=NOON) == size
        counts.append(len(caught))
    assert counts[0] == counts[1] <= 40
