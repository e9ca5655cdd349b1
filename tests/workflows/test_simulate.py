"""The simulator: real people, the real step function, a virtual clock, and nothing sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from core.models import Organization
from delivery.models import Delivery, SendBatch
from tests.workflows.factories import (
    RelayFactory,
    SegmentFactory,
    end,
    linear,
    mail,
    make_draft,
    make_people,
    marketer,
    wait,
)
from workflows import simulations
from workflows.models import Enrolment, Simulation, Transition, Workflow
from workflows.simulate.assumptions import Assumptions, Settings

pytestmark = pytest.mark.django_db

START = datetime(2026, 12, 1, 15, tzinfo=UTC)


def run(workflow: Workflow, *, days: int = 10, assumptions: Any = None, **more: Any) -> Simulation:
    """A finished simulation."""
    given = {"start": START, "days": days, "entering": "all", "segment": SegmentFactory(rule=EVERYBODY).pk, **more}
    settings = Settings(**given, assumptions=Assumptions(**(assumptions or {})))
    simulation = simulations.start(workflow, settings, by=marketer())
    simulations.work(simulation.pk)
    simulation.refresh_from_db()
    assert simulation.state == Simulation.State.FINISHED, (simulation.state, simulation.result)
    return simulation


EVERYBODY = {"version": 1, "root": {"all": [{"attribute": "email", "op": "is_not_empty"}]}}


def test_everybody_of_a_segment_walks_through_and_nothing_is_sent_or_written() -> None:
    RelayFactory()
    make_people(3)
    found = run(make_draft(linear(wait(days=2), mail(), wait(days=3), mail(), end()))).result
    assert (found["people"], found["sent"], found["refused"], found["ends"]) == (3, 6, 0, {"end": 3})
    assert [day for day in found["days"] if day[2]] == [["2026-12-03", 0, 3, 0], ["2026-12-06", 0, 3, 0]]
    assert found["in_a_week"] == [0, 0, 3]
    assert not Delivery.objects.exists()
    assert not SendBatch.objects.exists()
    assert not Enrolment.objects.exists()
    assert not Transition.objects.exists()


__all__ = ["Organization", "msgspec", "timedelta"]
