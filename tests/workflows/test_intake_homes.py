"""The organization moves to another time zone: who is known to be nowhere else waits by it, and is let in once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError

from contacts.models import Kind
from core import clock
from core.actors import SYSTEM
from tests.contacts.factories import make_people
from tests.workflows.factories import (
    AttributeFactory,
    end,
    linear,
    live,
    make_workflow,
    organization,
    place,
    publish,
    wait,
    wait_until,
)
from tests.workflows.test_intake import change
from workflows import steering, tasks_intake
from workflows import watched as listened
from workflows.engine.run import run
from workflows.intake import homes
from workflows.models import Cursor, Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
TEN = "10:00"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def moves_to(zone: str) -> None:
    here = organization()
    here.time_zone = zone
    here.save()


@contextmanager
def stood(now: datetime) -> Iterator[None]:
    """The clock stands still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: now)
        yield


def go(now: datetime) -> None:
    with stood(now):
        tasks_intake.listen()
        tasks_intake.look()
        run(seconds=5)


@pytest.fixture(autouse=True)
def _here() -> None:
    moves_to("America/New_York")
    AttributeFactory(key="visit", label="Visit", kind=Kind.DATE)


def awake_at(journey: Workflow) -> dict[UUID, datetime | None]:
    return dict(Enrolment.objects.filter(workflow=journey, status="active").values_list("contact_id", "wake_at"))


# -- who waits --------------------------------------------------------------------------------------------------------


def test_who_waits_for_ten_in_the_morning_waits_for_it_where_the_organization_is_now() -> None:
    daily = {"kind": "wait_weekday", "at": TEN}
    weekdays = make_workflow(linear(daily, wait(days=9), end(), exits=[]))
    dates = make_workflow(linear(wait_until("visit", days=-1, at=TEN), wait(days=9), end(), exits=[]))
    away, here = make_people(2, visit="2026-06-11", time_zone=lambda n: None if n else "Europe/Berlin")
    start = at("2026-06-09T19:00", "America/New_York")
    for journey in (weekdays, dates):
        place(journey, [away, here], at=start)
    go(start)
    berlin, york = at("2026-06-10T10:00", "Europe/Berlin"), at("2026-06-10T10:00", "America/New_York")
    assert awake_at(weekdays) == awake_at(dates) == {away: berlin, here: york}
    moves_to("America/Los_Angeles")
    go(start + timedelta(minutes=1))
    angeles = at("2026-06-10T10:00", "America/Los_Angeles")
    assert awake_at(weekdays) == awake_at(dates) == {away: berlin, here: angeles}
    moves_to("Pacific/Auckland")
    go(start + timedelta(minutes=2))
    assert set(Enrolment.objects.filter(workflow=dates).values_list("contact_id", "step")) == {
        (away, "s1"), (here, "s2"),
    }, "ten o'clock has passed there"  # fmt: skip


def test_only_those_are_looked_at_who_wait_by_it_and_that_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "SIZE", 2)
    journey = make_workflow(linear(wait(days=9), end(), exits=[]))
    people = make_people(6, time_zone=lambda n: "Europe/Berlin" if n % 2 else None)
    start = at("2026-06-09T12:00")
    place(journey, people, at=start)
    go(start)
    with stood(start):
        found = listened.watched()
        assert homes.look(found) == 0
        moves_to("Asia/Tokyo")
        assert (homes.look(found), homes.look(found)) == (3, 0)
    assert {who for who, wake in awake_at(journey).items() if wake == start} == set(people[::2])


def test_a_look_that_was_killed_goes_on_and_one_that_is_overtaken_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "SIZE", 1)
    journey = make_workflow(linear({"kind": "wait_weekday", "at": TEN}, end(), exits=[]))
    people = make_people(3)
    start = at("2026-06-09T12:00", "America/New_York")
    place(journey, people, at=start)
    go(start)
    whole, done = homes._slice, 0

    def killed(*args: Any) -> int | None:
        nonlocal done
        done += 1
        if done == 2:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(homes, "_slice", killed)
    moves_to("Asia/Tokyo")
    with pytest.raises(KeyboardInterrupt):
        go(start)
    run(seconds=5, now=start)
    tokyo, york = at("2026-06-10T10:00", "Asia/Tokyo"), at("2026-06-10T10:00", "America/New_York")
    assert sorted(filter(None, awake_at(journey).values())) == [tokyo, york, york]
    moves_to("America/New_York")
    go(start)
    assert set(awake_at(journey).values()) == {york}, "the first had been told of Tokyo"
    monkeypatch.setattr(homes, "_slice", whole)
    assert Cursor.objects.get(source="home").at is not None


# -- whose date comes -------------------------------------------------------------------------------------------------


def dated(reentry: str = "per_key", **more: Any) -> Workflow:
    trigger = {"kind": "date", "moment": {"attribute": "visit", "days": -1, "at": TEN}, **more}
    made = make_workflow(linear(wait(hours=1), end(), trigger=trigger, exits=[], reentry={"kind": reentry}))
    live(made).__class__.objects.filter(workflow=made).update(live_at=at("2026-06-01T00:00"))
    return made


def entered(journey: Workflow) -> list[tuple[UUID, datetime]]:
    rows = Enrolment.objects.filter(workflow=journey).order_by("entered_at", "contact_number")
    return list(rows.values_list("contact_id", "entered_at"))


def test_nobody_is_missed_whose_moment_has_passed_where_the_organization_is_now() -> None:
    journey = dated()
    here, away = make_people(2, visit="2026-06-11", time_zone=lambda n: "Europe/Berlin" if n else None)
    noon = at("2026-06-10T12:00", "Europe/Berlin")  # six in the morning in New York
    go(noon)
    assert entered(journey) == [(away, at("2026-06-10T10:00", "Europe/Berlin"))]
    moves_to("Europe/Berlin")
    for minutes in (1, 2, 600):
        go(noon + timedelta(minutes=minutes))
    assert entered(journey)[1:] == [(here, noon + timedelta(minutes=1))]


@pytest.mark.parametrize("reentry", ["per_key", "never", "after_leaving"])
def test_nobody_is_let_in_twice_to_whom_the_moment_comes_again(reentry: str) -> None:
    journey = dated(reentry)
    (who,) = make_people(1, visit="2026-06-11")
    ten = at("2026-06-10T10:00", "America/New_York")
    go(ten)
    go(ten + timedelta(hours=1))
    assert Enrolment.objects.get().left_because == "end"
    moves_to("America/Los_Angeles")
    for hours in (2, 3, 4, 30):
        go(ten + timedelta(hours=hours))
    assert entered(journey) == [(who, ten)]


def test_who_moves_on_to_a_later_zone_is_not_let_in_twice_either() -> None:
    journey = dated("after_leaving")
    (who,) = make_people(1, visit="2026-06-11", time_zone="America/New_York")
    ten = at("2026-06-10T10:00", "America/New_York")
    go(ten)
    go(ten + timedelta(hours=1))
    with stood(ten + timedelta(hours=1)):
        change(who, time_zone="America/Los_Angeles")
    for hours in (2, 4):
        go(ten + timedelta(hours=hours))
    assert entered(journey) == [(who, ten)]


def test_moments_still_to_come_are_those_of_the_new_zone_and_a_date_that_is_over_lets_nobody_in() -> None:
    journey = dated()
    passed, soon, over = make_people(3, visit=lambda n: ("2026-06-12", "2026-06-13", "2026-06-10")[n])
    evening = at("2026-06-10T20:00", "America/New_York")
    go(evening)
    Enrolment.objects.all().delete()
    moves_to("Pacific/Auckland")
    for hours in (1, 2, 3, 48):
        go(evening + timedelta(hours=hours))
    expected = [(passed, evening + timedelta(hours=1)), (soon, at("2026-06-12T10:00", "Pacific/Auckland"))]
    assert entered(journey) == expected
    assert over not in dict(expected)


def test_a_journey_that_is_paused_meanwhile_waits_by_the_new_zone_afterwards() -> None:
    journey = make_workflow(linear({"kind": "wait_weekday", "at": TEN}, wait(days=9), end(), exits=[]))
    start = at("2026-06-09T12:00", "America/New_York")
    (row,) = place(journey, make_people(1), at=start)
    go(start)
    journey.refresh_from_db()
    steering.pause(journey, by=SYSTEM)
    moves_to("Asia/Tokyo")
    go(start)
    journey.refresh_from_db()
    with stood(start):
        steering.resume(journey, by=SYSTEM)
    go(start)
    row.refresh_from_db()
    assert row.wake_at == at("2026-06-10T10:00", "Asia/Tokyo")


def test_a_journey_that_runs_again_after_long_knows_nothing_of_where_the_organization_was_then() -> None:
    journey = dated()
    go(at("2026-06-01T12:00"))
    journey.refresh_from_db()
    with stood(at("2026-06-02T12:00")):
        steering.stop(journey, by=SYSTEM)
    moves_to("Europe/Berlin")
    passed, soon = make_people(2, visit=lambda n: ("2026-06-11", "2026-06-12")[n])
    noon = at("2026-06-10T12:00", "Europe/Berlin")  # ten o'clock has passed in Berlin, and not in New York
    with stood(noon):
        publish(journey)
    for hours in (1, 24):
        go(noon + timedelta(hours=hours))
    assert [who for who, _ in entered(journey)] == [soon], f"not {passed}: it was to be published before"


def test_trouble_with_who_waits_keeps_nobody_out_whose_moment_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    journey, (who,) = dated(), make_people(1, visit="2026-06-11")

    def broken(_: Any) -> int:
        raise OperationalError

    monkeypatch.setattr(homes, "look", broken)
    ten = at("2026-06-10T10:00", "America/New_York")
    go(ten)
    assert entered(journey) == [(who, ten)]
