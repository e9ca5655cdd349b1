"""Moments around people's dates: the right one where they are, each once, and none missed whatever the clock does."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

import contacts.commands
from contacts.models import Contact, Kind
from core import clock
from core.actors import SYSTEM
from tests.contacts.factories import make_people
from tests.workflows.factories import AttributeFactory, end, linear, live, make_workflow, organization, publish, wait
from workflows import event_types, events, moments, tasks_intake, watched
from workflows.engine.run import run
from workflows.intake import dates, homes
from workflows.intake.matching import enter
from workflows.language.definition import Moment
from workflows.models import Cursor, Enrolment, Workflow

pytestmark = pytest.mark.django_db
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.fixture(autouse=True)
def _here() -> None:
    organization(time_zone="America/New_York")
    for key, kind in (("visit", Kind.DATE), ("starts", Kind.DATETIME)):
        AttributeFactory(key=key, label=key.title(), kind=kind)


def journey(attribute: str, begun: datetime, *, yearly: bool = False, late: str = "skip", **moment: Any) -> Workflow:
    """One that began to run at a moment; its first look starts there."""
    trigger = {"kind": "date", "moment": {"attribute": attribute, **moment}, "yearly": yearly, "late": late}
    made = make_workflow(linear(wait(days=1), end(), trigger=trigger, exits=[], reentry={"kind": "per_key"}))
    live(made).__class__.objects.filter(workflow=made).update(live_at=begun)
    return made


def look(made: Workflow, until: datetime) -> list[tuple[UUID, datetime]]:
    """Who entered by this look, and when, in order."""
    before = set(Enrolment.objects.values_list("pk", flat=True))
    (version,) = [v for v in watched.watched().versions if v.workflow_id == made.pk]
    with clock.set_to(until):
        homes.looked(version, until, enter)
    new = Enrolment.objects.filter(workflow=made).exclude(pk__in=before)
    return list(new.order_by("entered_at", "pk").values_list("contact_id", "entered_at"))


# -- when -------------------------------------------------------------------------------------------------------------


def test_each_person_enters_at_ten_in_their_own_morning_three_days_before() -> None:
    made = journey("visit", at("2026-03-01T00:00"), days=-3, at="10:00")
    zones = ["Pacific/Auckland", "Europe/Berlin", "America/New_York", "America/Los_Angeles", None, "Not/AZone"]
    people = [make_people(1, visit="2026-03-11", time_zone=zone)[0] for zone in zones[:5]]
    expected = {
        who: at("2026-03-08T10:00", zone or "America/New_York") for who, zone in zip(people, zones, strict=False)
    }
    found: dict[UUID, datetime] = {}
    moment = at("2026-03-07T19:00")
    while moment < at("2026-03-08T19:00"):
        moment += 37 * MINUTE
        for who, entered in look(made, moment):
            assert who not in found
            assert moment - 37 * MINUTE < entered <= moment
            found[who] = entered
    assert found == expected


@pytest.mark.parametrize(
    ("visit", "zone", "moment", "expected"),
    [
        ("2026-03-30", "Europe/Berlin", {"days": -1, "at": "02:30"}, at("2026-03-29T01:30")),  # left out: 03:30 there
        ("2026-10-26", "Europe/Berlin", {"days": -1, "at": "02:30"}, at("2026-10-25T00:30")),  # twice: the first
        ("2026-03-09", "America/New_York", {"days": -1, "at": "00:00"}, at("2026-03-08T05:00")),
        ("2026-11-02", "America/New_York", {"days": -1, "at": "23:59"}, at("2026-11-02T04:59")),  # a day of 25 hours
        ("2024-02-29", "UTC", {"days": 366, "at": "09:00"}, at("2025-03-01T09:00")),
        ("2026-06-01", "Pacific/Apia", {"at": "00:00"}, at("2026-05-31T11:00")),
    ],
)
def test_days_go_by_the_calendar_where_they_are(
    visit: str, zone: str, moment: dict[str, Any], expected: datetime
) -> None:
    made = journey("visit", expected - 30 * DAY, **moment)
    (who,) = make_people(1, visit=visit, time_zone=zone)
    assert look(made, expected - timedelta(seconds=1)) == []
    assert look(made, expected) == [(who, expected)]
    assert look(made, expected + DAY) == []


@pytest.mark.parametrize(
    ("starts", "zone", "moment", "expected"),
    [
        ("2026-03-09T14:00:00Z", "America/New_York", {"days": -3}, at("2026-03-06T15:00")),  # 10:00 before as after
        ("2026-03-09T14:00:00Z", "America/New_York", {"minutes": -72 * 60}, at("2026-03-06T14:00")),
        ("2026-03-09T02:00:00Z", "America/New_York", {"days": -1, "at": "10:00"}, at("2026-03-07T15:00")),  # the 8th
        ("2026-07-01T10:00:00Z", "Asia/Kolkata", {"minutes": 15}, at("2026-07-01T10:15")),
        ("2026-03-30T06:00:00Z", "Europe/Berlin", {"days": -1, "minutes": -30}, at("2026-03-29T05:30")),
    ],
)
def test_moments_are_counted_from_as_well_as_days(
    starts: str, zone: str, moment: dict[str, Any], expected: datetime
) -> None:
    made = journey("starts", expected - 2 * DAY, **moment)
    (who,) = make_people(1, starts=starts, time_zone=zone)
    make_people(2, starts="2026-01-01T10:00:00Z")
    assert look(made, expected - timedelta(seconds=1)) == []
    assert look(made, expected) == [(who, expected)]


def test_birthdays_come_every_year_and_those_of_29_february_on_the_28th() -> None:
    made = journey("birth_date", at("2027-02-27T20:00"), yearly=True, at="09:00")
    leap, other, unborn = (
        make_people(1, birth_date=day, time_zone="UTC")[0] for day in ("2000-02-29", "1990-03-01", "2031-02-28")
    )
    entered = [pair for year in (2027, 2028, 2029) for pair in look(made, at(f"{year}-03-01T10:00"))]
    assert entered == [
        (leap, at("2027-02-28T09:00")),
        (other, at("2027-03-01T09:00")),
        (leap, at("2028-02-29T09:00")),
        (other, at("2028-03-01T09:00")),
        (leap, at("2029-02-28T09:00")),
        (other, at("2029-03-01T09:00")),
    ]
    assert unborn not in {who for who, _ in entered}


@pytest.mark.parametrize(
    ("starts", "zone", "moment", "expected"),
    [
        ("2019-07-01T14:00:00Z", "America/New_York", {}, at("2026-07-01T14:00")),
        ("2019-07-01T14:00:00Z", "America/New_York", {"days": 180}, at("2026-12-28T15:00")),  # 10:00 there
        ("2019-03-08T16:00:00Z", "America/New_York", {"days": -1, "minutes": 30}, at("2026-03-07T16:30")),
        ("2019-03-08T16:00:00Z", "America/New_York", {}, at("2026-03-08T15:00")),  # 11:00, an hour ahead by then
        ("2019-03-29T01:30:00Z", "Europe/Berlin", {}, at("2026-03-29T01:30")),  # 02:30 is left out: 03:30 there
        ("2019-10-25T00:30:00Z", "Europe/Berlin", {}, at("2026-10-25T00:30")),  # 02:30 comes twice: the first
        ("2020-10-25T01:30:00Z", "Europe/Berlin", {}, at("2026-10-25T00:30")),  # the second, that year
        ("2020-02-29T22:30:00Z", "America/New_York", {}, at("2026-02-28T22:30")),
        ("2019-12-31T23:30:00Z", "Europe/Berlin", {"minutes": 45}, at("2026-01-01T00:15")),  # 1 January there
        ("2019-06-01T10:00:00Z", "UTC", {"at": "09:00"}, at("2026-06-01T09:00")),
    ],
)
def test_a_moment_comes_every_year_at_its_own_time_where_they_are(
    starts: str, zone: str, moment: dict[str, Any], expected: datetime
) -> None:
    made = journey("starts", expected - 2 * DAY, yearly=True, **moment)
    (who,) = make_people(1, starts=starts, time_zone=zone)
    make_people(1, starts="2031" + starts[4:].replace("02-29", "02-28"), time_zone=zone)  # not yet
    assert look(made, expected - timedelta(seconds=1)) == []
    assert look(made, expected) == [(who, expected)]
    assert look(made, expected + DAY) == []


def test_whose_yearly_moment_is_over_gets_no_reminder_of_it() -> None:
    made = journey("starts", at("2026-06-01T00:00"), yearly=True, minutes=-60)
    make_people(1, starts="2019-06-02T10:00:00Z", time_zone="UTC")
    (later,) = make_people(1, starts="2019-06-02T10:00:01Z", time_zone="UTC")
    assert look(made, at("2026-06-02T10:00")) == [(later, at("2026-06-02T09:00:01"))]


# -- each once, none missed -------------------------------------------------------------------------------------------


def test_looks_that_come_late_or_twice_or_of_a_clock_set_back_miss_nobody_and_let_nobody_in_twice() -> None:
    made = journey("starts", at("2026-06-01T00:00"), minutes=-60)
    people = make_people(60, starts=lambda i: f"2026-06-02T{10 + i // 10:02}:{i % 10 * 6:02}:00Z")
    entered = look(made, at("2026-06-02T09:00"))
    entered += look(made, at("2026-06-02T08:00"))  # the clock was set back
    entered += look(made, at("2026-06-02T09:00"))
    entered += look(made, at("2026-06-02T12:33"))  # nobody looked for hours
    for n in range(1, 10):
        entered += look(made, at("2026-06-02T12:33") + n * 20 * MINUTE)
    # Who was due meanwhile is not forgotten; whose visit was over by then gets no reminder for it any more.
    assert [who for who, _ in entered] == [people[0], *people[26:]]


def test_a_look_that_breaks_off_is_done_again_as_a_whole() -> None:
    made = journey("starts", at("2026-06-01T00:00"))
    people = make_people(3, starts="2026-06-01T10:00:00Z")
    (version,) = watched.watched().versions

    def killed(version: Any, entries: Any) -> int:
        enter(version, entries)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        homes.looked(version, at("2026-06-01T11:00"), killed)
    assert not Enrolment.objects.exists()
    assert not Cursor.objects.filter(source__startswith="date:").exists()
    assert {who for who, _ in look(made, at("2026-06-01T11:00"))} == set(people)


def test_a_date_that_moves_lets_in_again_for_the_new_day_and_only_then() -> None:
    made = journey("visit", at("2026-05-01T00:00"), days=-3, at="10:00")
    (who,) = make_people(1, visit="2026-06-10", time_zone="UTC")
    assert len(look(made, at("2026-06-08T00:00"))) == 1
    contacts.commands.update(Contact.objects.get(pk=who), values={"visit": "2026-06-20"}, by=SYSTEM)
    assert look(made, at("2026-06-16T00:00")) == []
    assert look(made, at("2026-06-18T00:00")) == [(who, at("2026-06-17T10:00"))]


def test_a_newer_version_goes_on_where_its_predecessor_had_looked_last() -> None:
    with clock.set_to(at("2026-06-01T09:59:30")):
        made = journey("starts", at("2026-06-01T00:00"))
    (who,) = make_people(1, starts="2026-06-01T10:00:00Z")
    assert look(made, at("2026-06-01T09:59:40")) == []
    with clock.set_to(at("2026-06-01T10:00:30")):
        publish(made, linear(wait(days=2), end(), **{k: live(made).definition[k] for k in ("trigger", "reentry")}))
    assert look(made, at("2026-06-01T10:00:40")) == [(who, at("2026-06-01T10:00"))]


def test_at_other_times_than_the_moment_nobody_is_looked_at(django_assert_max_num_queries: Any) -> None:
    made = journey("visit", at("2026-06-01T00:00"), days=-3, at="10:07")
    make_people(1, visit="2026-06-11")
    (version,) = watched.watched().versions
    with django_assert_max_num_queries(1):
        assert list(dates.due(version, at("2026-06-08T13:58"), at("2026-06-08T13:59"))) == []
    assert len(look(made, at("2026-06-08T14:07"))) == 1


def test_due_days_are_those_a_slow_reading_finds() -> None:
    zones = ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Kathmandu"]
    for moment in (Moment(days=-3, at="10:00"), Moment(days=1, minutes=-90), Moment(minutes=59), Moment(at="02:15")):
        after, until = at("2026-03-28T22:00"), at("2026-03-29T22:30")
        slow = {
            zone: found
            for zone in zones
            if (
                found := {
                    day: when
                    for n in range(-40, 40)
                    for day in [date(2026, 3, 28) + n * DAY]
                    if (when := moments.around(day, moment, ZoneInfo(zone))) and after < when <= until
                }
            )
        }
        assert dates.due_days(moment, zones, after, until) == slow


# -- late -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("late", "enters"), [("enter", True), ("skip", False)])
def test_whose_date_is_entered_late_enters_at_once_or_not_at_all(late: str, enters: bool) -> None:
    with clock.set_to(at("2026-06-01T00:00")):
        made = journey("visit", at("2026-06-01T00:00"), days=-3, at="10:00", late=late)
    with clock.set_to(at("2026-06-09T12:00")):
        tasks_intake.look()
        soon, over, far, none = (
            make_people(1, visit=day, time_zone="UTC")[0] for day in ("2026-06-10", "2026-06-08", "2026-06-20", None)
        )
        tasks_intake.look()
        tasks_intake.listen()
        tasks_intake.look()
        entered = set(Enrolment.objects.filter(workflow=made).values_list("contact_id", flat=True))
        assert entered == ({soon} if enters else set())
        contacts.commands.update(Contact.objects.get(pk=none), values={"visit": "2026-06-11"}, by=SYSTEM)
        contacts.commands.update(Contact.objects.get(pk=soon), values={"first_name": "Ann"}, by=SYSTEM)
        tasks_intake.listen()
        entered = set(Enrolment.objects.filter(workflow=made).values_list("contact_id", flat=True))
        assert entered == ({soon, none} if enters else set())
    assert {over, far} & entered == set()


@pytest.mark.django_db(transaction=True)
def test_who_moves_zone_between_the_moment_there_and_the_moment_here_is_not_missed() -> None:
    with clock.set_to(at("2026-06-01T00:00")):
        made = journey("visit", at("2026-06-01T00:00"), days=-3, at="10:00")
        (who,) = make_people(1, visit="2026-06-11", time_zone="America/Los_Angeles")
    with clock.set_to(at("2026-06-08T11:00", "America/New_York")):
        tasks_intake.look()
        tasks_intake.listen()
        assert not Enrolment.objects.exists()
        contacts.commands.update(Contact.objects.get(pk=who), values={"time_zone": "America/New_York"}, by=SYSTEM)
        tasks_intake.listen()
        tasks_intake.look()
    with clock.set_to(at("2026-06-08T11:00", "America/Los_Angeles")):
        tasks_intake.look()
    assert [row.contact_id for row in Enrolment.objects.filter(workflow=made)] == [who]


@pytest.mark.django_db(transaction=True)
def test_who_moves_to_where_it_is_another_day_is_not_missed() -> None:
    """03:00 in Greenwich is the 8th in Berlin, and still the 7th in New York, where ten o'clock of it is over."""
    with clock.set_to(at("2026-03-01T00:00")):
        made = journey("starts", at("2026-03-01T00:00"), at="10:00")
        (who,) = make_people(1, starts="2026-03-08T03:00:00Z", time_zone="Europe/Berlin")
    with clock.set_to(at("2026-03-07T20:00")):
        tasks_intake.look()
        tasks_intake.listen()
        assert not Enrolment.objects.exists()
        contacts.commands.update(Contact.objects.get(pk=who), values={"time_zone": "America/New_York"}, by=SYSTEM)
        tasks_intake.listen()
    assert [row.contact_id for row in Enrolment.objects.filter(workflow=made)] == [who]


def test_who_came_by_a_date_leaves_by_an_event_of_theirs() -> None:
    event_types.declare(name="cancelled", by=SYSTEM)
    trigger = {"kind": "date", "moment": {"attribute": "visit", "days": -3, "at": "10:00"}}
    exits = [{"kind": "event", "event": "cancelled", "same_key": False}]
    with clock.set_to(at("2026-06-01T00:00")):
        made = make_workflow(linear(wait(days=9), end(), trigger=trigger, exits=exits, reentry={"kind": "per_key"}))
    one, two = make_people(2, visit="2026-06-11", time_zone="UTC")
    assert len(look(made, at("2026-06-08T10:00"))) == 2
    with clock.set_to(at("2026-06-08T12:00")):
        (result,) = events.take([{"event": "cancelled", "person": {"id": str(one)}, "key": "4711"}], by=SYSTEM)
    assert result.status == "taken"
    run(seconds=5, now=at("2026-06-08T12:01"))
    left = dict(Enrolment.objects.values_list("contact_id", "left_because"))
    assert left == {one: "event", two: ""}
