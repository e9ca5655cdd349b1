"""The simulator: so many people with appointments within 90 days, reminded, asked again, followed up; called by
bench.workflows in a scratch database."""

import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

DAYS = 90
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "")


def _people(size: int, start: datetime) -> None:
    from contacts.commands import Person, upsert_many
    from contacts.models import Attribute, Kind
    from core.actors import SYSTEM
    from tests.contacts.factories import AttributeFactory

    AttributeFactory(key="sim_visit", kind=Kind.DATE)
    # Health information would need an address that each of them confirmed: nothing would leave, and nothing be read.
    Attribute.objects.update(sensitivity="identity")
    for first in range(0, size, 5_000):
        people = []
        for n in range(first, min(first + 5_000, size)):
            values: dict[str, Any] = {
                "email": f"simulated{n}@example.com",
                "external_id": f"SIM-{n}",
                "birth_date": f"{1940 + n % 70}-{1 + n % 12:02}-{1 + n % 28:02}",
                "sim_visit": (start + timedelta(days=11 + n % (DAYS - 12))).date().isoformat(),
            }
            if zone := ZONES[n % len(ZONES)]:
                values["time_zone"] = zone
            people.append(Person(values))
        refused = upsert_many(people, by=SYSTEM).refused
        assert not refused


def _journey() -> Any:
    from tests.workflows import factories as make

    fifty = make.rule({"attribute": "birth_date", "op": "age_at_least", "value": 50})
    reached = make.rule({"event": "clicked", "op": "did", "times": {"at_least": 3}, "mailing": None})
    counted = {"track_opens": True, "track_clicks": True}
    steps = {
        "until": {**make.wait_until("sim_visit", days=-3, at="10:00"), "exits": {"next": "remind"}},
        "remind": {**make.mail(**counted), "exits": {"next": "asked"}},
        "asked": {"kind": "wait_event", "event": "confirmed", "same_key": False, "timeout": {"days": 2}, "exits": {"happened": "old", "timeout": "again"}},
        "again": {**make.mail(), "exits": {"next": "old"}},
        "old": {**make.branch(fifty), "exits": {"1": "wait", "else": "wait"}},
        "wait": {**make.wait(days=5), "exits": {"next": "after"}},
        "after": {"kind": "branch_mail", "mail": "remind", "cases": ["clicked", "opened"], "exits": {"clicked": "e", "opened": "ask", "else": "ask"}},
        "ask": {**make.mail(**counted), "exits": {"next": "e"}},
        "e": make.end(),
    }  # fmt: skip
    trigger = {"kind": "date", "moment": {"attribute": "sim_visit", "days": -10, "at": "09:00"}}
    exits = [{"kind": "unsubscribed"}, {"kind": "goal", "rule": reached}]
    return make.make_draft(make.graph("until", steps, trigger=trigger, exits=exits))


def run(size: int) -> Iterator[dict[str, Any]]:
    """Lines of the bench: seconds for the whole job, transitions and mails foreseen, peak memory of the process."""
    from tests.delivery.factories import RelayFactory
    from tests.workflows.factories import organization
    from workflows.happenings import name_index
    from workflows.models import EventType
    from workflows.simulate.assumptions import Assumptions, Expected, Settings

    organization(quiet_from_hour=21, quiet_until_hour=8, cap_messages=3, cap_days=7, time_zone="America/New_York")
    RelayFactory()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    _people(size, start)
    EventType.objects.create(name="confirmed", name_index=name_index("confirmed"), sensitivity="identity")
    assumed = Assumptions(opens=40, clicks=6, events={"confirmed": Expected(60, 8)})
    journey = _journey()
    began = time.perf_counter()
    found = _simulated(journey, Settings(start, DAYS, assumptions=assumed))
    took = time.perf_counter() - began
    passed = sum(step["arrived"] for step in found["steps"].values())
    yield {"name": "workflows.simulate.people", "value": found["people"], "unit": "people", "days": DAYS}
    yield {"name": "workflows.simulate.took", "value": round(took, 2), "unit": "s"}
    yield {"name": "workflows.simulate.visits", "value": passed, "unit": "visits"}
    yield {"name": "workflows.simulate.mails", "value": found["sent"], "unit": "mails"}
    yield {
        "name": "workflows.simulate.tried",
        "value": sum(t["tried"] for t in found["tried"].values()),
        "unit": "mails",
    }
    _put_inside(journey)
    began = time.perf_counter()
    found = _simulated(journey, Settings(start, DAYS, inside="move", assumptions=assumed))
    took = time.perf_counter() - began
    yield {"name": "workflows.simulate.inside", "value": found["inside"], "unit": "people", "days": DAYS}
    yield {"name": "workflows.simulate.inside_took", "value": round(took, 2), "unit": "s"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield {"name": "workflows.simulate.peak_memory", "value": round(peak), "unit": "MB"}


def _simulated(journey: Any, settings: Any) -> Any:
    from core.actors import SYSTEM
    from workflows import simulations
    from workflows.models import Simulation

    simulation = simulations.start(journey, settings, by=SYSTEM)
    simulations.work(simulation.pk)
    simulation.refresh_from_db()
    assert simulation.state == Simulation.State.FINISHED, simulation.result
    return simulation.result


def _put_inside(journey: Any) -> None:
    """Everybody on the journey, since yesterday at its wait for an event."""
    from contacts.models import Contact
    from core import clock
    from tests.workflows import factories as make

    make.publish(journey)
    at = clock.now() - timedelta(days=1)
    people = list(Contact.objects.values_list("pk", flat=True))
    for first in range(0, len(people), 5_000):
        some = people[first : first + 5_000]
        make.place(journey, some, step="asked", at=at, wake_at=at + timedelta(days=2))
