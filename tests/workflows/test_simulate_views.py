"""Asking for simulations, and what their pages say to whom."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.policy import Role
from audit.models import Entry
from contacts import reveals
from contacts.models import Contact
from contacts.queries import open_one
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows import factories as make
from workflows import simulations
from workflows.models import Simulation, Workflow
from workflows.simulate.assumptions import Assumptions, Expected, Settings

pytestmark = pytest.mark.django_db

START = datetime(2026, 12, 1, 15, tzinfo=UTC)


@pytest.fixture
def marketer(client: Client) -> User:
    user = UserFactory(roles=[Role.MARKETER], time_zone="America/New_York")
    sign_in(client, user)
    return user


@pytest.fixture
def workflow() -> Workflow:
    make.organization(time_zone="America/New_York")
    make.RelayFactory()
    make.make_people(
        12, birth_date=lambda n: "1950-01-01" if n % 2 else "2000-01-01", first_name="Ann", last_name="Lee"
    )
    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    steps = {
        "b": {**make.branch(fifty), "exits": {"1": "m", "else": "w"}},
        "m": {**make.mail(track_opens=True), "exits": {"next": "w"}},
        "w": {**make.wait(days=90), "exits": {"next": "e"}},
        "e": make.end(),
    }
    return make.make_draft(make.graph("b", steps))


def finished(workflow: Workflow, **more: Any) -> Simulation:
    segment = make.SegmentFactory(rule=make.EVERYBODY).pk
    simulation = simulations.start(workflow, Settings(START, 10, segment, "all", **more), by=make.marketer())
    simulations.work(simulation.pk)
    simulation.refresh_from_db()
    assert simulation.state == Simulation.State.FINISHED
    return simulation


def page(client: Client, name: str, *args: Any, **data: Any) -> str:
    answer = client.get(reverse(f"workflows:{name}", args=args), data)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_form_asks_for_what_the_journey_has_a_use_for(client: Client, marketer: User, workflow: Workflow) -> None:
    text = page(client, "simulation_new", workflow.pk)
    assert "Mails opened, of 100" in text
    assert "Mails clicked" not in text
    assert "Whoever the journey lets in" not in text, "by hand: a segment says who"
    assert "happens to" not in text


def test_what_is_typed_becomes_a_simulation_in_the_readers_own_time(
    client: Client, marketer: User, workflow: Workflow
) -> None:
    segment = make.SegmentFactory(rule=make.EVERYBODY).pk
    typed = {
        "segment": segment,
        "start": "2026-12-01T09:30",
        "days": 7,
        "how": "assume",
        "opens": "12.5",
        "unsubscribes": 0,
    }
    answer = client.post(reverse("workflows:simulation_new", args=[workflow.pk]), typed)
    simulation = Simulation.objects.get()
    assert answer["Location"] == reverse("workflows:simulation", args=[workflow.pk, simulation.pk])
    assert simulation.settings["start"] == "2026-12-01T09:30:00-05:00"
    assert (simulation.settings["days"], simulation.settings["entering"]) == (7, "all")
    assert simulation.settings["assumptions"]["opens"] == 12.5
    assert Entry.objects.get(action="workflow.simulated").details == {"days": 7}


def test_awaited_events_are_asked_for_one_by_one(client: Client, marketer: User) -> None:
    from tests.workflows.test_simulate import event_type

    event_type("confirmed")
    make.make_people(1)
    wait = {"kind": "wait_event", "event": "confirmed", "timeout": {"days": 3}, "same_key": False}
    steps = {"w": {**wait, "exits": {"happened": "e", "timeout": "e"}}, "e": make.end()}
    workflow = make.make_draft(make.graph("w", steps))
    segment = make.SegmentFactory(rule=make.EVERYBODY).pk
    typed = {
        "segment": segment,
        "start": "2026-12-01T09:30",
        "days": 7,
        "how": "assume",
        "event0": "30",
        "event0_days": "2",
    }
    assert client.post(reverse("workflows:simulation_new", args=[workflow.pk]), typed).status_code == 302
    events = Simulation.objects.get().settings["assumptions"]["events"]
    assert events == {"confirmed": {"percent": 30.0, "days": 2.0}}


def test_refused_input_says_what_to_do(client: Client, marketer: User, workflow: Workflow) -> None:
    typed = {"start": "2026-12-01T09:30", "days": 4000, "how": "assume", "opens": 120}
    answer = client.post(reverse("workflows:simulation_new", args=[workflow.pk]), typed)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "less than or equal to 366" in text
    assert "less than or equal to 100" in text
    assert not Simulation.objects.exists()


def test_the_result_says_what_would_happen_in_sentences_and_tables(
    client: Client, marketer: User, workflow: Workflow
) -> None:
    simulation = finished(workflow)
    text = page(client, "simulation", workflow.pk, simulation.pk)
    for said in ("12 people", "6 mails", "Still at “Wait”", "Rule 1: 6", "Everybody else: 6", "Mails a day"):
        assert said in text, said
    assert "0 people would get more than 3" in text
    assert "<strong>6 people</strong> would get more than 0" not in text
    more = page(client, "simulation", workflow.pk, simulation.pk, more="0")
    assert "6 people would get more than 0" in more
    other = finished(workflow, assumptions=Assumptions(opens=0, events={"x": Expected(1, 1)}))
    assert "Compared" in page(client, "simulation", workflow.pk, simulation.pk, **{"with": str(other.pk)})
    assert "Compared" not in page(client, "simulation", workflow.pk, simulation.pk, **{"with": "nonsense"})


def test_earlier_simulations_are_listed(client: Client, marketer: User, workflow: Workflow) -> None:
    assert "Nothing simulated yet" in page(client, "simulations", workflow.pk)
    finished(workflow)
    text = page(client, "simulations", workflow.pk)
    assert "Simulate the draft" in text
    assert "Finished" in text


def test_a_simulation_that_runs_shows_its_days_and_can_be_cancelled(
    client: Client, marketer: User, workflow: Workflow
) -> None:
    segment = make.SegmentFactory(rule=make.EVERYBODY).pk
    simulation = simulations.start(workflow, Settings(START, 10, segment, "all"), by=marketer)
    Simulation.objects.update(state="RUNNING", done=4)
    assert "4 of 10 days" in page(client, "simulation_progress", workflow.pk, simulation.pk)
    answer = client.post(reverse("workflows:simulation_cancel", args=[workflow.pk, simulation.pk]), follow=True)
    assert "was cancelled before its end" in answer.content.decode()
    ended = client.get(reverse("workflows:simulation_progress", args=[workflow.pk, simulation.pk]))
    assert ended["HX-Refresh"] == "true", "the page is loaded anew, with what came of it"


def test_one_persons_path_is_found_by_name_and_its_clauses_shown_only_after_a_reveal(
    client: Client, marketer: User, workflow: Workflow
) -> None:
    simulation = finished(workflow)
    people = reverse("workflows:simulation_people", args=[workflow.pk, simulation.pk])
    text = client.post(people, {"text": "Ann Lee"}).content.decode()
    assert text.count("/people/") >= 12
    assert ">Ann" not in text, "masked"
    one = Contact.objects.order_by("number")[1]

    answer = client.post(people, {"text": open_one(one).email})
    place = reverse("workflows:simulation_person", args=[workflow.pk, simulation.pk, one.pk])
    assert answer["Location"] == place
    hidden = client.get(place).content.decode()
    assert "Send a mail" in hidden
    assert "Rule 1" in hidden
    assert "an age of" not in hidden
    reveals.reveal(one, reason="asked by phone", by=marketer)
    assert "an age of at least 50" in client.get(place).content.decode()
    assert Entry.objects.filter(action="contacts.searched").count() == 2


def test_a_simulation_is_found_only_below_its_own_journey(client: Client, marketer: User, workflow: Workflow) -> None:
    simulation, other = finished(workflow), make.make_draft()
    assert client.get(reverse("workflows:simulation", args=[other.pk, simulation.pk])).status_code == 404


def test_why_it_failed_is_said(client: Client, marketer: User, workflow: Workflow) -> None:
    simulation = finished(workflow)
    Simulation.objects.update(state="FAILED", trouble="crashed", attempts=3, result={})
    assert "perhaps there was not enough memory" in page(client, "simulation", workflow.pk, simulation.pk)
    Simulation.objects.update(trouble="", result={})
    simulation.refresh_from_db()
    simulation.result = {"refused": "More than 100,000 people would enter."}
    simulation.save()
    assert "More than 100,000 people would enter." in page(client, "simulation", workflow.pk, simulation.pk)


def test_an_approver_reads_what_was_foreseen_and_asks_for_nothing(client: Client, workflow: Workflow) -> None:
    simulation = finished(workflow)
    sign_in(client, UserFactory(roles=[Role.APPROVER]))
    assert "Simulate the draft" not in page(client, "simulations", workflow.pk)
    assert "Simulate again" not in page(client, "simulation", workflow.pk, simulation.pk)
    assert client.get(reverse("workflows:simulation_new", args=[workflow.pk])).status_code == 403


def test_nobody_to_simulate_is_said_in_a_sentence(client: Client, marketer: User, workflow: Workflow) -> None:
    nobody = make.SegmentFactory(rule=make.rule({"attribute": "city", "op": "is", "value": "Atlantis"})).pk
    simulation = simulations.start(workflow, Settings(START, 10, nobody, "all"), by=marketer)
    simulations.work(simulation.pk)
    assert "Nobody would enter in this time" in page(client, "simulation", workflow.pk, simulation.pk)
