"""What happens to people brings them onto journeys: every kind of trigger, through the rows that other rooms write."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

import consent.commands
import contacts.commands
from consent.models import Source, Topic
from contacts.models import Contact, Kind
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from delivery.models import Delivery, Origin, SendBatch, SmtpSession
from segments import commands as segments
from segments import membership
from segments.models import Segment
from tests.consent.factories import EVIDENCE, TopicFactory
from tests.contacts.factories import make_people
from tests.delivery.factories import RelayFactory, make_origin
from tests.workflows.factories import AttributeFactory, end, linear, live, make_workflow, publish, rule, wait
from tracking.commands import purge as forget_events
from tracking.models import Event
from workflows import event_types, events, steering, tasks_intake
from workflows.engine.run import run
from workflows.models import ContactChange, Cursor, Enrolment, Happening, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
Json = dict[str, Any]


def begins_with(trigger: Json, **more: Any) -> Workflow:
    return make_workflow(linear(wait(days=1), end(), trigger=trigger, **{"exits": [], **more}))


def listen() -> None:
    tasks_intake.listen()


def on(journey: Workflow) -> list[UUID]:
    """Who entered, in order; somebody twice stands there twice."""
    return list(Enrolment.objects.filter(workflow=journey).order_by("entered_at").values_list("contact_id", flat=True))


def change(who: UUID, **values: Any) -> None:
    contacts.commands.update(Contact.objects.get(pk=who), values=values, by=SYSTEM)


def send(event: str, who: UUID, **more: Any) -> str:
    (result,) = events.take([{"event": event, "person": {"id": str(who)}, **more}], by=SYSTEM)
    return result.status


def say(act: Callable[..., Any], who: UUID, *topic: Topic) -> None:
    act(who, *topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)


# -- every kind of trigger --------------------------------------------------------------------------------------------


def test_an_event_lets_in_with_its_key_and_its_moment() -> None:
    event_types.declare(name="appointment_booked", properties={"clinic": "text"}, by=SYSTEM)
    where = [{"property": "clinic", "values": ["North", "South"]}]
    journey = begins_with({"kind": "event", "event": "appointment_booked", "where": where}, reentry={"kind": "per_key"})
    one, two = make_people(2)
    with clock.set_to(clock.now() + timedelta(minutes=1)):
        at = (clock.now() - timedelta(seconds=30)).replace(microsecond=0)
        assert send("appointment_booked", one, key="A1", properties={"clinic": "north"}, at=at.isoformat()) == "taken"
        send("appointment_booked", one, key="A2", properties={"clinic": "South"})
        send("appointment_booked", one, key="A1", properties={"clinic": "South"})
        send("appointment_booked", two, key="A3", properties={"clinic": "East"})
        send("appointment_booked", two, key="A4")
        listen()
    rows = Enrolment.objects.filter(workflow=journey).order_by("sequence")
    assert [(row.contact_id, row.sequence) for row in rows] == [(one, 1), (one, 2)]
    assert (rows[0].happening_id, rows[0].entered_at) == (Happening.objects.earliest("id").pk, at)


def test_consent_given_and_withdrawn_let_in() -> None:
    topic, other = TopicFactory(), TopicFactory()
    given = begins_with({"kind": "consent", "topic": str(topic.pk), "change": "given"})
    withdrawn = begins_with({"kind": "consent", "topic": str(topic.pk), "change": "withdrawn"})
    one, two, three = make_people(3)
    say(consent.commands.opt_in, one, topic)
    say(consent.commands.opt_in, two, other)
    say(consent.commands.opt_out, two, topic)
    say(consent.commands.opt_out, three)
    listen()
    assert (on(given), on(withdrawn)) == ([one], [two, three])


def test_a_changed_value_lets_in_from_and_to_what_is_asked_for() -> None:
    AttributeFactory(key="plan", label="Plan", kind=Kind.CHOICE, choices=["basic", "gold"])
    anything = begins_with({"kind": "attribute", "attribute": "plan"})
    to_gold = begins_with({"kind": "attribute", "attribute": "plan", "was": ["basic", None], "becomes": ["gold"]})
    lost = begins_with({"kind": "attribute", "attribute": "plan", "becomes": [None]})
    basic, gold, none = (make_people(1, plan=plan)[0] for plan in ("basic", "gold", None))
    listen()
    assert (on(anything), on(to_gold), on(lost)) == ([basic, gold], [gold], [])
    change(basic, plan="gold")
    change(gold, first_name="Ann")
    change(none, plan="gold")
    change(none, plan="basic")  # both are seen, though nobody looked in between
    change(gold, plan=None)
    listen()
    assert (on(anything), on(to_gold), on(lost)) == ([basic, gold, none], [gold, basic, none], [gold])
    assert not ContactChange.objects.exists()


def test_entering_and_leaving_a_segment_let_in_who_moved_since_it_runs() -> None:
    in_ma = Segment.objects.create(name="MA", rule=rule({"attribute": "state", "op": "is", "value": "MA"}))
    there, other = make_people(1, state="MA")[0], make_people(1, state="NY")[0]
    enters = begins_with({"kind": "segment", "segment": str(in_ma.pk)})
    leaves = begins_with({"kind": "segment", "segment": str(in_ma.pk), "change": "leaves"})
    membership.refresh(in_ma)
    listen()
    assert on(enters) == on(leaves) == []
    change(there, state="NY")
    change(other, state="MA")
    membership.refresh(in_ma)
    listen()
    listen()
    assert (on(enters), on(leaves)) == ([other], [there])


def test_who_moved_in_just_before_a_newer_version_enters_it() -> None:
    in_ma = Segment.objects.create(name="MA", rule=rule({"attribute": "state", "op": "is", "value": "MA"}))
    journey = begins_with({"kind": "segment", "segment": str(in_ma.pk)})
    membership.refresh(in_ma)
    listen()
    (who,) = make_people(1, state="MA")
    membership.refresh(in_ma)  # nobody listens before the newer version is live
    publish(journey, linear(wait(days=2), end(), trigger=live(journey).definition["trigger"], exits=[]))
    listen()
    assert on(journey) == [who]


def test_a_list_lets_in_whom_somebody_puts_on_it() -> None:
    group = segments.start_list(name="Group", tier="identity", by=SYSTEM)
    journey = begins_with({"kind": "segment", "segment": str(group.pk)})
    (who,) = make_people(1)
    segments.add_people(group, [who], by=SYSTEM)
    listen()
    assert on(journey) == [who]


class Mailing:
    """A campaign that was sent."""

    def __init__(self, kind: str = Origin.Kind.CAMPAIGN) -> None:
        self.origin = make_origin(kind=kind)
        self.batch = SendBatch.objects.create(
            origin=self.origin, stream=self.origin.stream, contact_ids=[], due_at=clock.now()
        )
        self.session = SmtpSession.objects.create(
            relay=RelayFactory(),
            host="h",
            address="a",
            tls_version="TLSv1.3",
            cipher="c",
            certificate_sha256="0" * 64,
            basis="webpki",
            started_at=clock.now(),
        )

    def ended(self, who: UUID, outcome: str = "sent", pk: UUID | None = None) -> None:
        Delivery.objects.create(
            id=pk or uuid7(),
            origin=self.origin,
            batch=self.batch,
            contact_id=who,
            outcome=outcome,
            at=clock.now(),
            decision={"verdict": "allow"},
            session=self.session,
            content_sha256=b"0" * 32,
        )

    def came_back(
        self, who: UUID, kind: str, *, verdict: str = "human", link: int | None = None, ago: float = 60
    ) -> None:
        Event.objects.create(
            delivery_id=UUID(int=self.origin.pk.int ^ who.int),
            origin_id=self.origin.pk,
            contact_id=who,
            kind=kind,
            link=link,
            at=clock.now() - timedelta(seconds=ago),
            verdict=verdict,
        )


def test_a_mail_of_a_campaign_lets_in_whom_it_was_sent_to() -> None:
    mailing, other = Mailing(), Mailing()
    journey = begins_with({"kind": "sent", "mailing": str(mailing.origin.pk)})
    one, two, three = make_people(3)
    mailing.ended(one)
    mailing.ended(two, "refused")
    other.ended(three)
    listen()
    assert on(journey) == [one]


def test_people_who_open_and_click_enter_once_and_scanners_never() -> None:
    mailing, single = Mailing(), Mailing(Origin.Kind.CALL)
    opened = begins_with({"kind": "engaged", "event": "opened", "mailing": str(mailing.origin.pk)})
    clicked = begins_with({"kind": "engaged", "event": "clicked"}, reentry={"kind": "after_leaving"})
    reader, clicker, scanner, gateway, proxy = make_people(5)
    with clock.set_to(clock.now() + timedelta(hours=1)):
        mailing.came_back(reader, "open")
        mailing.came_back(reader, "open", ago=30)
        mailing.came_back(clicker, "click", link=0)
        mailing.came_back(scanner, "click", link=0, verdict="machine")
        mailing.came_back(gateway, "click", link=0, ago=60)
        mailing.came_back(gateway, "click", link=1, ago=59)  # both links within a second
        mailing.came_back(proxy, "open", verdict="unknown")
        single.came_back(scanner, "click", link=0)
        listen()
        assert (on(opened), on(clicked)) == ([reader, clicker], [clicker])
        Enrolment.objects.update(status="left", left_at=clock.now())
        mailing.came_back(clicker, "click", link=0, ago=20)
        listen()
        assert on(clicked) == [clicker]


def test_a_click_counts_only_once_no_burst_can_follow_it() -> None:
    mailing = Mailing()
    journey = begins_with({"kind": "engaged", "event": "clicked"})
    person, scanner = make_people(2)
    with clock.set_to(clock.now() + timedelta(hours=1)):
        mailing.came_back(person, "click", link=0, ago=0)
        mailing.came_back(scanner, "click", link=0, ago=0)
        listen()
        assert on(journey) == []
        mailing.came_back(scanner, "click", link=1, ago=-1)
        with clock.set_to(clock.now() + timedelta(seconds=10)):
            listen()
            assert on(journey) == [person]


# -- what is not let in -----------------------------------------------------------------------------------------------


def test_nothing_is_read_or_kept_while_no_journey_runs(django_assert_max_num_queries: Any) -> None:
    topic = TopicFactory()
    (who,) = make_people(1)
    change(who, first_name="Ann")
    say(consent.commands.opt_in, who, topic)
    assert not ContactChange.objects.exists()
    with django_assert_max_num_queries(1):
        listen()
    tasks_intake.look()
    journey = begins_with({"kind": "consent", "topic": str(topic.pk)})
    listen()
    assert on(journey) == []
    assert not Happening.objects.exists()


def test_what_was_before_a_journey_ran_lets_nobody_in_also_where_nothing_was_ever_read() -> None:
    event_types.declare(name="booked", by=SYSTEM)
    topic = TopicFactory()
    (who,) = make_people(1)
    say(consent.commands.opt_in, who, topic)
    send("booked", who)
    journeys = [
        begins_with({"kind": "consent", "topic": str(topic.pk)}),
        begins_with({"kind": "event", "event": "booked"}),
    ]
    send("booked", who, at=(clock.now() - timedelta(days=3)).isoformat())
    assert not Cursor.objects.exists()
    listen()
    assert [on(journey) for journey in journeys] == [[], []]


def test_the_rule_who_may_enter_holds_for_everybody_whatever_brings_them() -> None:
    event_types.declare(name="booked", by=SYSTEM)
    journey = begins_with(
        {"kind": "event", "event": "booked"}, only=rule({"attribute": "state", "op": "is", "value": "MA"})
    )
    one, two = make_people(1, state="MA")[0], make_people(1, state="NY")[0]
    for who in (one, two):
        send("booked", who)
    listen()
    assert on(journey) == [one]


def test_a_newer_version_takes_over_what_its_predecessor_listened_to() -> None:

    event_types.declare(name="booked", by=SYSTEM)
    journey = begins_with({"kind": "event", "event": "booked"})
    (who,) = make_people(1)
    send("booked", who)
    publish(journey, linear(wait(days=9), end(), trigger={"kind": "event", "event": "booked"}, exits=[]))
    listen()
    assert Enrolment.objects.get().version == live(journey)


def test_a_stopped_journey_lets_nobody_in() -> None:

    event_types.declare(name="booked", by=SYSTEM)
    journey, other = begins_with({"kind": "event", "event": "booked"}), begins_with({"kind": "manual"})
    steering.stop(journey, by=SYSTEM)
    (who,) = make_people(1)
    send("booked", who)
    listen()
    assert on(journey) == on(other) == []


# -- forgetting -------------------------------------------------------------------------------------------------------


def test_what_happened_long_ago_is_forgotten_and_so_is_what_tracking_forgets(settings: Any) -> None:
    settings.WORKFLOWS_HAPPENING_DAYS = 30
    event_types.declare(name="booked", by=SYSTEM)
    mailing = Mailing()
    begins_with({"kind": "engaged", "event": "clicked"})
    one, two = make_people(2)
    with clock.set_to(clock.now() + timedelta(hours=1)):
        send("booked", one, at=(clock.now() - timedelta(days=29)).isoformat())
        send("booked", one)
        mailing.came_back(one, "click", link=0, ago=600)
        mailing.came_back(two, "click", link=0, ago=60)
        listen()
        assert Happening.objects.filter(kind="clicked").count() == 2
        forget_events(clock.now() - timedelta(seconds=300))
        assert list(Happening.objects.filter(kind="clicked").values_list("contact_id", flat=True)) == [two]
    with clock.set_to(clock.now() + timedelta(days=2)):
        tasks_intake.purge()
    assert Happening.objects.filter(kind="event").count() == 1


def test_the_notes_of_changes_are_as_sealed_as_the_people_themselves() -> None:
    begins_with({"kind": "manual"})
    (who,) = make_people(1, first_name="Secretname")
    before = bytes(Contact.objects.get(pk=who).sealed)
    change(who, first_name="Othername")
    with connection.cursor() as cursor:
        cursor.execute("SELECT before FROM workflows_contactchange WHERE before IS NOT NULL")
        assert [bytes(row[0]) for row in cursor.fetchall()] == [before]


def test_what_somebody_came_in_by_is_kept_as_long_as_they_are_on_the_way() -> None:
    event_types.declare(name="booked", properties={"day": "date"}, by=SYSTEM)
    until = {"kind": "wait_until", "moment": {"property": "day", "days": -3, "at": "10:00"}, "exits": {"past": None}}
    journey = make_workflow(linear(until, end(), trigger={"kind": "event", "event": "booked"}, exits=[]))
    (who,) = make_people(1)
    send("booked", who, properties={"day": (clock.now() + timedelta(days=1_000)).date().isoformat()})
    listen()
    run(seconds=5)
    with clock.set_to(clock.now() + timedelta(days=800)):
        tasks_intake.purge()
        Enrolment.objects.update(wake_at=clock.now())
        run(seconds=5)
        assert Enrolment.objects.get(workflow=journey).status == "active"
        steering.remove(journey, [Enrolment.objects.get().pk], by=SYSTEM)
        tasks_intake.purge()
    assert not Happening.objects.exists()


def test_who_came_to_a_list_while_the_journey_was_stopped_or_listened_elsewhere_does_not_enter() -> None:
    group = segments.start_list(name="Group", tier="identity", by=SYSTEM)
    by_list = {"kind": "segment", "segment": str(group.pk)}
    event_types.declare(name="booked", by=SYSTEM)
    first, meanwhile, again = make_people(3)
    stopped, elsewhere = begins_with(by_list), begins_with({"kind": "event", "event": "booked"})
    segments.add_people(group, [first], by=SYSTEM)
    listen()
    steering.stop(stopped, by=SYSTEM)
    steering.empty(stopped.pk)
    for days in (1, 2):
        with clock.set_to(clock.now() + timedelta(days=days)):
            tasks_intake.look()
            listen()
            if days == 1:
                segments.add_people(group, [meanwhile], by=SYSTEM)
                continue
            for journey in (stopped, elsewhere):
                journey.refresh_from_db()
                publish(journey, linear(wait(days=1), end(), trigger=by_list, exits=[]))
            listen()
            assert (on(stopped), on(elsewhere)) == ([first], [])
            segments.add_people(group, [again], by=SYSTEM)
            listen()
            assert (on(stopped), on(elsewhere)) == ([first, again], [again])
