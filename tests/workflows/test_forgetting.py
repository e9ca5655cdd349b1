"""What is over is forgotten after so long, and nothing that a page or a person on the way still needs."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from core import clock
from core.actors import SYSTEM
from tests.accounts.factories import UserFactory, sign_in
from tests.contacts.factories import make_people
from tests.workflows.factories import (
    EVERYBODY,
    SegmentFactory,
    end,
    linear,
    make_draft,
    make_workflow,
    marketer,
    place,
    wait,
)
from workflows import endpoints, notices, people, simulations, steering, tasks_intake
from workflows.engine.run import run
from workflows.intake import forgetting
from workflows.models import Call, Enrolment, Notice, SimulatedPaths, Simulation
from workflows.simulate.assumptions import Settings
from workflows.webhooks import sending

pytestmark = pytest.mark.django_db(transaction=True)


class Answers:
    """A system that answers in turn."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def post(self, *_: Any) -> int:
        return self.statuses.pop(0)


def later(**time: int) -> Any:
    return clock.set_to(clock.now() + timedelta(**time))


def test_a_call_that_has_ended_is_forgotten_and_the_path_still_tells_of_it(settings: Any, monkeypatch: Any) -> None:
    settings.WORKFLOWS_CALL_DAYS = 30
    monkeypatch.setattr(sending, "WIRE", Answers(200, 400, 503))
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    told = {"kind": "webhook", "endpoint": str(where.pk), "exits": {"failed": "s2"}}
    journey = make_workflow(linear(told, wait(days=900), end()))
    first, second = place(journey, make_people(2))
    run(seconds=5)
    run(seconds=5)
    (late,) = place(journey, make_people(1))
    run(seconds=5)
    assert sorted(Call.objects.values_list("state", flat=True)) == ["done", "failed", "waiting"]
    paths = [people.path(Enrolment.objects.get(pk=row.pk)) for row in (first, second)]
    assert paths[0][0].note
    with later(days=29):
        tasks_intake.purge()
        assert Call.objects.count() == 3
    with later(days=31):
        tasks_intake.purge()
        assert Call.objects.get().enrolment_id == late.pk  # it has not ended
        assert [people.path(Enrolment.objects.get(pk=row.pk)) for row in (first, second)] == paths


def test_a_call_that_staff_may_still_try_again_is_kept_however_old(monkeypatch: Any) -> None:
    monkeypatch.setattr(sending, "WIRE", Answers(400, 200))
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    journey = make_workflow(linear({"kind": "webhook", "endpoint": str(where.pk)}, end()))
    (row,) = place(journey, make_people(1))
    run(seconds=5)
    run(seconds=5)
    assert Enrolment.objects.get(pk=row.pk).status == "attention"
    with later(days=800):
        tasks_intake.purge()
        steering.retry(journey, [row.pk], by=SYSTEM)
        run(seconds=5)
        assert Enrolment.objects.get(pk=row.pk).left_because == "end"
        tasks_intake.purge()
        assert not Call.objects.exists()


def test_notices_that_were_seen_to_are_forgotten_and_those_that_wait_never(settings: Any) -> None:
    settings.WORKFLOWS_NOTICE_DAYS = 30
    journey = make_workflow(linear({"kind": "tell", "role": "marketer", "text": "Please call."}, end()))
    place(journey, make_people(3))
    run(seconds=5)
    waiting, old, recent = Notice.objects.order_by("pk")
    notices.finish(old, by=SYSTEM)
    with later(days=20):
        notices.finish(recent, by=SYSTEM)
    with later(days=31):
        tasks_intake.purge()
    assert set(Notice.objects.values_list("pk", flat=True)) == {waiting.pk, recent.pk}


def test_simulations_go_with_their_paths(settings: Any) -> None:
    settings.WORKFLOWS_SIMULATION_DAYS = 30
    make_people(2)
    journey = make_draft(linear(wait(days=1), end()))
    asked = Settings(start=clock.now(), days=2, entering="all", segment=SegmentFactory(rule=EVERYBODY).pk)
    simulations.start(journey, asked, by=marketer())
    (old,) = Simulation.objects.all()
    assert (old.state, SimulatedPaths.objects.count()) == ("FINISHED", 1)
    with later(days=20):
        simulations.start(journey, asked, by=marketer())
        waiting = Simulation.objects.create(workflow=journey, definition={})
    with later(days=31):
        tasks_intake.purge()
    left = set(Simulation.objects.values_list("pk", flat=True))
    assert len(left) == 2
    assert old.pk not in left
    assert waiting.pk in left
    assert SimulatedPaths.objects.count() == 1


def test_however_many_there_are_they_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "SIZE", 2)
    journey = make_workflow(linear({"kind": "tell", "role": "marketer", "text": "Please call."}, end()))
    place(journey, make_people(5))
    run(seconds=5)
    Notice.objects.update(done_at=clock.now())
    assert forgetting.purge_notices(clock.now() + timedelta(days=1)) == 5


def test_the_page_of_an_endpoint_says_how_far_back_it_counts(client: Client, settings: Any) -> None:
    settings.WORKFLOWS_CALL_DAYS = 30
    where, _ = endpoints.create(name="Records", url="https://hooks.example.com/in", by=SYSTEM)
    sign_in(client, UserFactory(roles=[Role.ADMINISTRATOR.value]))
    page = client.get(reverse("workflows:endpoint", args=[where.pk])).content.decode()
    assert "last 30 days" in page
