"""Simulations with people inside, of other journeys, notices and calls, and of whether mails can be made."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.policy import Role
from audit.models import Entry
from contacts import attributes
from contacts.models import Contact
from contacts.persons import known_of
from core import clock
from core.actors import SYSTEM
from core.models import Organization
from delivery import outcomes
from delivery.ids import delivery_id
from delivery.models import Delivery
from tests.accounts.factories import UserFactory, sign_in
from tests.delivery.factories import make_origin
from tests.segments.factories import has
from tests.workflows import factories as make
from tests.workflows.test_simulate import asked, days, drawn, event_type, everybody, foreseen
from tests.workflows.test_simulate_live import Door
from tracking.models import Event
from workflows import commands, happenings, simulations
from workflows.engine.run import run
from workflows.models import Enrolment, Happening, Simulation, Workflow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unstarted")]


@pytest.fixture(autouse=True)
def _clinic() -> None:
    make.organization(time_zone="America/New_York")
    make.RelayFactory()


def running(count: int = 3, step: str = "s1") -> Workflow:
    """A journey of a wait of two days and a mail, on which people have waited since yesterday."""
    workflow = make.make_workflow(make.linear(make.wait(days=2), make.mail(), make.wait(days=2), make.end()))
    at = clock.now() - timedelta(days=1)
    make.place(workflow, make.make_people(count), step=step, at=at, wake_at=at + timedelta(days=2))
    return workflow


def ahead(workflow: Workflow, **more: Any) -> dict[str, Any]:
    """The result of a simulation of ten days with who is inside; nobody else enters."""
    given = {"start": clock.now(), "entering": "all", "inside": "finish", **more}
    simulation = asked(workflow, **given)
    assert simulation.state == Simulation.State.FINISHED, (simulation.result, simulation.trouble)
    found: dict[str, Any] = simulation.result
    return found


# -- who is inside ----------------------------------------------------------------------------------------------------


def test_who_is_inside_goes_on_with_the_wait_they_are_in() -> None:
    workflow = running()
    found = ahead(workflow, version=make.live(workflow).pk)
    assert (found["inside"], found["people"], found["sent"], found["ends"]) == (3, 0, 3, {"end": 3})
    assert sum(days(found).values()) == 3
    assert found["busiest"][0] // 3600 == int((clock.now() + timedelta(days=1)).timestamp()) // 3600
    assert ahead(workflow, version=make.live(workflow).pk, inside="", segment=everybody())["refused_entry"] == {
        "before": 3
    }


def test_a_change_moves_who_is_inside_or_has_them_finish_beside_it() -> None:
    workflow = running()
    shorter = make.linear(make.wait(days=2), make.mail(), make.mail(), make.end())
    workflow = commands.save_draft(workflow, shorter, revision=None, by=SYSTEM)
    moved, finished = ahead(workflow, inside="move"), ahead(workflow, inside="finish")
    assert (moved["sent"], moved["finishing"], moved["steps"]["s3"]["ways"]) == (6, {}, {"next": 3})
    assert (finished["sent"], finished["finishing"]) == (3, {"1": 3})
    assert (finished["steps"]["1/s2"]["mails"], finished["steps"]["s2"]["arrived"]) == ({"sent": 3}, 0)


def test_who_needs_attention_stays_so_and_who_has_moved_is_tried_again() -> None:
    workflow = running(1)
    Enrolment.objects.update(status="attention", trouble="failed")
    found = ahead(workflow, version=make.live(workflow).pk)
    assert (found["sent"], found["stuck"]) == (0, [["s1", "failed", 1]])
    workflow = commands.save_draft(
        workflow, make.linear(make.wait(days=2), make.mail(), make.end()), revision=None, by=SYSTEM
    )
    assert ahead(workflow, inside="move")["sent"] == 1


def test_who_is_on_a_version_that_cannot_run_any_more_is_left_out_and_counted() -> None:
    attribute = make.AttributeFactory(key="mark")
    marked = make.rule({"attribute": "mark", "op": "is", "value": "yes"})
    steps = {"w": {**make.wait(days=2), "exits": {"next": "b"}}, "b": make.branch(marked)}
    workflow = make.make_workflow(make.graph("w", steps))
    make.place(workflow, make.make_people(2))
    make.publish(workflow, make.linear(make.wait(days=3), make.end()))
    make.place(workflow, make.make_people(1))
    attributes.remove(attribute, by=SYSTEM)
    found = ahead(workflow, version=make.live(workflow).pk)
    assert (found["left_out"], found["inside"], found["ends"]) == ({"1": 2}, 1, {"end": 1})


def test_only_people_of_the_chosen_segment_go_on() -> None:
    workflow = running()
    only = make.SegmentFactory(rule=make.rule({"attribute": "email", "op": "is", "value": "person1@example.com"})).pk
    found = ahead(workflow, version=make.live(workflow).pk, entering="trigger", segment=only)
    assert found["inside"] <= 1


def test_what_happened_since_they_entered_counts_and_what_the_event_said_that_let_them_in() -> None:
    kinds = [event_type("booked"), event_type("confirmed")]
    ids = make.make_people(2)
    at = clock.now() - timedelta(days=1)
    said = {"when": (clock.now() + timedelta(days=7)).isoformat()}
    news = []
    for kind, who, when, what in ((kinds[0], ids[0], at, said), (kinds[1], ids[1], at + timedelta(hours=1), {})):
        sealed = happenings.sealed(who, what, key=known_of(Contact.objects.get(pk=who)).key) if what else None
        news.append(happenings.New(Happening.Kind.EVENT, kind.pk, who, when, None, None, sealed))
    booked = happenings.write(news)[0][0]
    kinds[0].properties = {"when": "datetime"}
    kinds[0].save()
    until = {"kind": "wait_until", "moment": {"property": "when", "days": -1}, "exits": {"next": "e", "past": "e"}}
    asks = {"kind": "wait_event", "event": "confirmed", "timeout": {"days": 3}, "same_key": False}
    steps = {
        "w": {**make.wait(days=2), "exits": {"next": "a"}},
        "a": {**asks, "exits": {"happened": "u", "timeout": "u"}},
        "u": until,
        "e": make.end(),
    }
    workflow = make.make_workflow(make.graph("w", steps, trigger={"kind": "event", "event": "booked"}))
    make.place(workflow, ids, at=at, wake_at=at + timedelta(days=2))
    Enrolment.objects.filter(contact_id=ids[0]).update(happening_id=booked)
    found = ahead(workflow, version=make.live(workflow).pk)["steps"]
    assert found["a"]["ways"] == {"timeout": 1, "happened": 1}
    assert found["u"]["notes"] == {"waited": 1, "no_date": 1}


def test_what_does_not_open_of_one_person_keeps_nobody_else_from_being_simulated() -> None:
    kind, ids, at = event_type("booked"), make.make_people(2), clock.now() - timedelta(days=1)
    when = {"when": (clock.now() + timedelta(days=7)).isoformat()}
    good = happenings.sealed(ids[1], when, key=known_of(Contact.objects.get(pk=ids[1])).key)
    sealed = dict(zip(ids, (b"\x01" + bytes(300), good), strict=True))
    rows = [happenings.New(Happening.Kind.EVENT, kind.pk, who, at, None, None, sealed[who]) for who in ids]
    happenings.write(rows)
    kind.properties = {"when": "datetime"}
    kind.save()
    until = {"kind": "wait_until", "moment": {"property": "when", "days": -1}}
    trigger = {"kind": "event", "event": "booked"}
    workflow = make.make_workflow(make.linear(until, make.end(), trigger=trigger, reentry={"kind": "per_key"}))
    make.place(workflow, ids, at=at)
    for who, pk in Happening.objects.values_list("contact_id", "pk"):
        Enrolment.objects.filter(contact_id=who).update(happening_id=pk)
    found = ahead(workflow, version=make.live(workflow).pk)
    assert found["steps"]["s1"]["notes"] == {"waited": 1, "no_date": 1}
    replayed = asked(
        workflow, start=clock.now(), version=make.live(workflow).pk, entering="trigger", assume={"replay": True}
    )
    assert replayed.state == Simulation.State.FINISHED


def test_mail_on_its_way_is_asked_of_the_gate_and_what_was_read_of_earlier_mail_is_known() -> None:
    by_mail = {"kind": "branch_mail", "mail": "m", "cases": ["clicked"], "exits": {"clicked": "e", "else": "e"}}
    steps = {
        "m": {**make.mail(track_clicks=True), "exits": {"next": "w"}},
        "w": {**make.wait(days=2), "exits": {"next": "b"}},
        "b": by_mail,
        "e": make.end(),
    }
    workflow = make.make_workflow(make.graph("m", steps))
    version, ids = make.live(workflow).pk, make.make_people(3, email=lambda n: f"reads{n}@example.com" if n else None)
    make.place(workflow, ids)
    run(seconds=60)
    waiting = ahead(workflow, version=version, assume={"clicks": 0})
    assert (waiting["sent"], waiting["reasons"]) == (2, {"address_missing": 1})
    Door().work(clock.now())
    Enrolment.objects.update(wake_at=clock.now())
    run(seconds=60)
    mail = Delivery.objects.get(contact_id=ids[1])
    given = {"delivery_id": mail.pk, "origin_id": mail.origin_id, "contact_id": ids[1]}
    Event.objects.create(**given, kind="click", verdict="human", at=clock.now())
    later = ahead(workflow, version=version, assume={"clicks": 0})
    assert (later["sent"], later["steps"]["b"]["ways"]) == (0, {"else": 2, "clicked": 1})


# -- the gate ---------------------------------------------------------------------------------------------------------


def test_mails_of_the_last_days_count_for_the_frequency() -> None:
    Organization.objects.update(cap_messages=1, cap_days=7)
    ids = make.make_people(2)
    with clock.set_to(clock.now() - timedelta(days=2)):
        mailing = make_origin(ids[:1])
        rows = [outcomes.Row(delivery_id(mailing.pk, ids[0]), ids[0], "unknown", clock.now())]
        outcomes.append(mailing.pk, mailing.batches.get().pk, "", rows)
    found = foreseen(drawn(make.mail(), make.end()), start=clock.now())
    assert (found["sent"], found["reasons"]) == (1, {"frequency_cap": 1})


# -- besides mail -----------------------------------------------------------------------------------------------------


def test_whom_another_journey_would_take_is_counted_by_its_own_rules() -> None:
    ids = make.make_people(4, birth_date=lambda n: "1950-01-01" if n < 3 else "2000-01-01")
    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    other = make.make_workflow(make.linear(make.wait(days=30), make.mail(), make.end(), only=fifty), name="Welcome")
    make.place(other, ids[:1])
    twice = [{"kind": "enter", "workflow": str(other.pk)}, {"kind": "enter", "workflow": str(other.pk)}]
    found = foreseen(drawn(*twice, make.end()))
    assert found["acts"]["s1"]["outcomes"] == {"entered": 2, "before": 1, "not_among": 1}
    assert found["acts"]["s2"]["outcomes"] == {"before": 3, "not_among": 1}
    assert (found["sent"], found["ends"]) == (0, {"end": 4}), "what happens there is not simulated"


def test_who_cannot_enter_a_journey_that_takes_nobody_gets_stuck_as_in_earnest() -> None:
    make.make_people(2)
    closed = make.make_workflow(name="Closed")
    workflow = make.make_workflow(make.linear({"kind": "enter", "workflow": str(closed.pk)}, make.end()))
    Workflow.objects.filter(pk=closed.pk).update(state=Workflow.State.STOPPED)
    found = foreseen(workflow, version=make.live(workflow).pk)
    assert (found["stuck"], found["ends"]) == ([["s1", "journey_closed", 2]], {})


def test_who_moves_brings_what_sorted_them_to_the_door_of_another_journey_as_in_earnest() -> None:
    news = make.make_workflow(make.linear(make.wait(days=30), make.end()), name="News")
    fork, rest = {**make.branch(make.rule(has("E11.9"))), "exits": {"1": "rest"}}, make.wait(days=2)
    workflow = make.make_workflow(make.graph("fork", {"fork": fork, "rest": rest}))
    make.place(workflow, make.make_people(2)[:1], step="rest")
    steps = {
        "rest": {**rest, "exits": {"next": "on"}},
        "on": {"kind": "enter", "workflow": str(news.pk), "exits": {"next": None}},
    }
    workflow = commands.save_draft(workflow, make.graph("rest", steps), revision=None, by=make.marketer())
    found = ahead(workflow, inside="move", segment=everybody())
    assert found["stuck"] == [["on", "chosen_by_more", 1]]
    assert found["acts"]["on"]["outcomes"] == {"entered": 1}, "who was not sorted there"


def test_notices_to_staff_are_counted_day_by_day() -> None:
    make.make_people(3)
    tell = {"kind": "tell", "role": Role.MARKETER.value, "text": "Call them"}
    found = foreseen(drawn(tell, make.wait(days=2), tell, make.end()))
    assert found["acts"]["s1"] == {"outcomes": {"told": 3}, "days": [3, *[0] * 10]}
    assert found["acts"]["s3"]["days"][2] == 3


# -- whether mails can be made ----------------------------------------------------------------------------------------


def test_what_cannot_be_made_is_told_apart_and_changes_no_count() -> None:
    strict = "<html><body>{{ first_name }} {{ organization.postal_address }} {{ unsubscribe_url }}</body></html>"
    template = make.TemplateFactory(html=strict)
    make.make_people(5, first_name=lambda n: None if n in (1, 3) else "Ann")
    found = foreseen(drawn(make.mail(template=template), make.end()))
    assert (found["sent"], found["refused"]) == (5, 0)
    assert found["tried"]["s1"] == {
        "people": 5, "tried": 5, "why": {"missing:first_name": 2}, "lacking": {"first_name": 2},
    }  # fmt: skip
    fine = foreseen(drawn(make.mail(), make.end()))["tried"]["s1"]
    assert (fine["tried"], fine["why"], fine["lacking"]) == (5, {}, {})


def test_a_value_that_the_journey_sets_is_there_for_its_mails() -> None:
    strict = "<html><body>{{ first_name }} {{ organization.postal_address }} {{ unsubscribe_url }}</body></html>"
    make.make_people(2, first_name=None)
    named = {"kind": "set_attribute", "attribute": "first_name", "value": "friend"}
    found = foreseen(drawn(named, make.mail(template=make.TemplateFactory(html=strict)), make.end()))
    assert (found["tried"]["s2"]["why"], found["tried"]["s2"]["lacking"]) == ({}, {})


# -- pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def marketer(client: Client) -> User:
    user: User = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    return user


def page(client: Client, workflow: Workflow, simulation: Simulation) -> str:
    return client.get(reverse("workflows:simulation", args=[workflow.pk, simulation.pk])).content.decode()


def test_a_running_journey_is_simulated_with_who_is_inside_unless_that_is_left_out(
    client: Client, marketer: User
) -> None:
    workflow = running()
    place = reverse("workflows:simulation_new", args=[workflow.pk])
    text = client.get(place).content.decode()
    assert "3 people are on this journey" in text
    assert "which is live" in text, "the draft is the live version"
    client.post(place, {"inside": "finish", "days": 7, "how": "assume", "unsubscribes": 0})
    simulation = Simulation.objects.get()
    assert (simulation.settings["inside"], simulation.settings["version"]) == ("finish", str(make.live(workflow).pk))
    answer = client.post(place, {"inside": "", "days": 7, "how": "assume", "unsubscribes": 0})
    assert "Choose the segment whose people are to enter" in answer.content.decode()
    both = client.post(place, {"inside": "finish", "afresh": "on", "days": 7, "how": "assume", "unsubscribes": 0})
    assert "People are on it now" in both.content.decode()


def test_the_page_says_what_comes_of_all_this_and_what_differs_from_the_run_before(
    client: Client, marketer: User
) -> None:
    strict = "<html><body>{{ first_name }} {{ organization.postal_address }} {{ unsubscribe_url }}</body></html>"
    other = make.make_workflow(name="Welcome")
    workflow = running()
    tell = {"kind": "tell", "role": Role.MARKETER.value, "text": "Call them"}
    enters = {"kind": "enter", "workflow": str(other.pk)}
    broken = make.mail(template=make.TemplateFactory(html=strict))
    draft = make.linear(make.wait(days=2), broken, tell, enters, make.end())
    workflow = commands.save_draft(workflow, draft, revision=None, by=SYSTEM)
    first = asked(workflow, start=clock.now(), entering="all", inside="finish")
    second = asked(workflow, start=clock.now(), entering="all", inside="move", days=12)
    assert "3 people on it now would go on" in page(client, workflow, first)
    assert "3 of them finish on version 1" in page(client, workflow, first)
    assert "(version 1)" in page(client, workflow, first)
    text = page(client, workflow, second)
    for said in ("Call them", "Enter: 3", "What happens to them there is not simulated"):
        assert said in text, said
    assert "against" in text or "The same numbers" in text


def test_days_are_exported_as_counts_and_coarsely_where_small_ones_are_hidden(client: Client, marketer: User) -> None:
    make.make_people(3)
    workflow = drawn(make.mail(), make.end())
    simulation = asked(workflow, entering="all", segment=everybody(), days=2)
    place = reverse("workflows:simulation_export", args=[workflow.pk, simulation.pk])
    answer = client.post(place)
    assert answer["Content-Type"].startswith("text/csv")
    lines = answer.content.decode().splitlines()
    assert lines[:2] == ["day,people entering,mails sent,mails refused", "2026-12-01,3,3,0"]
    assert Entry.objects.get(action="workflow.simulation_exported").details == {"exact": True}
    assert "2026-12-01,fewer than 11,fewer than 11,0" in simulations.export_days(simulation, exact=False, by=marketer)
