"""The pure core: what one step does with one person, and when. Tables and properties; no database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows import interpreter
from workflows import moments
from workflows.language import definition as d
from workflows.step import Effect, Facts, Left, Mailing, Note, Place, decide, exit_of, moved, step

NEW_YORK, BERLIN, LORD_HOWE, KATHMANDU = map(
    ZoneInfo, ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu")
)
NOW = datetime(2026, 3, 6, 15, tzinfo=UTC)
WHO = UUID("01890000-0000-7000-8000-000000000001")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def place(**more: Any) -> Place:
    return Place(**{"contact": WHO, "step": "a", "visit": 0, "entered_at": NOW, "since": NOW, **more})


# -- moments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "span", "zone", "end"),
    [
        ("2026-03-06T15:00", d.Span(hours=1), NEW_YORK, "2026-03-06T16:00"),
        # Clocks go forward on 8 March in New York: ten o'clock stays ten o'clock.
        ("2026-03-07T15:00", d.Span(days=1), NEW_YORK, "2026-03-08T14:00"),
        ("2026-03-07T15:00", d.Span(hours=24), NEW_YORK, "2026-03-08T15:00"),
        # 02:30 is left out that night: it becomes 03:30.
        ("2026-03-07T07:30", d.Span(days=1), NEW_YORK, "2026-03-08T07:30"),
        # They go back on 1 November: 01:30 comes twice, and the first counts.
        ("2026-10-31T05:30", d.Span(days=1), NEW_YORK, "2026-11-01T05:30"),
        # Lord Howe moves its clocks by half an hour only.
        ("2026-04-03T23:00", d.Span(days=1), LORD_HOWE, "2026-04-04T23:30"),
        ("2026-04-04T14:00", d.Span(days=1), LORD_HOWE, "2026-04-05T14:30"),
        ("2026-02-27T12:00", d.Span(weeks=1, days=1, minutes=5), KATHMANDU, "2026-03-07T12:05"),
        ("2028-02-28T12:00", d.Span(days=1), BERLIN, "2028-02-29T12:00"),
    ],
)
def test_a_span_goes_by_the_calendar_in_days_and_by_the_clock_in_hours(
    start: str, span: d.Span, zone: ZoneInfo, end: str
) -> None:
    assert moments.later(at(start), span, zone) == at(end)


@pytest.mark.parametrize(
    ("value", "moment", "zone", "expected"),
    [
        ("2026-03-08", d.Moment("x", days=-3, at="10:00"), NEW_YORK, "2026-03-05T15:00"),
        ("2026-03-08", d.Moment("x", at="02:30"), NEW_YORK, "2026-03-08T07:30"),
        ("2026-11-01", d.Moment("x", at="01:30"), NEW_YORK, "2026-11-01T05:30"),
        # The day of a moment is the one it is where the person is.
        ("2026-03-08T02:00:00Z", d.Moment("x", at="10:00"), NEW_YORK, "2026-03-07T15:00"),
        ("2026-03-08T02:00:00Z", d.Moment("x", at="10:00"), KATHMANDU, "2026-03-08T04:15"),
        # Without a time of day it keeps its own, on the calendar.
        ("2026-03-08T15:00:00Z", d.Moment("x", days=-1), NEW_YORK, "2026-03-07T16:00"),
        ("2026-03-08T15:00:00Z", d.Moment("x", minutes=-90), NEW_YORK, "2026-03-08T13:30"),
        ("2026-03-08", d.Moment("x"), NEW_YORK, "2026-03-08T05:00"),
        ("2028-02-29", d.Moment("x", days=1, at="10:00"), BERLIN, "2028-03-01T09:00"),
    ],
)
def test_a_moment_around_a_date(value: str, moment: d.Moment, zone: ZoneInfo, expected: str) -> None:
    assert moments.around(moments.parsed(value), moment, zone) == at(expected)


@pytest.mark.parametrize("value", [None, "", "soon", 5, "2026-02-30", "2026-13-01T00:00:00Z", True, [], "9999-99-99"])
def test_what_is_no_date_has_no_moment(value: object) -> None:
    assert moments.parsed(value) is None
    assert moments.around(moments.parsed(value), d.Moment("x", at="10:00"), BERLIN) is None


@pytest.mark.parametrize(
    "value", [date.min, date.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_a_date_at_the_end_of_all_time_has_none_either(value: date) -> None:
    for days in (-1000, 1000):
        for text in ("", "10:00"):
            found = moments.around(value, d.Moment("x", days=days, at=text), KATHMANDU)
            assert found is None or found.tzinfo is UTC


def test_who_was_born_on_29_february_has_their_day_on_the_28th_where_there_is_none() -> None:
    born, wish = date(2000, 2, 29), d.Moment("birth_date", at="09:00")
    for year, day in ((2026, "2026-02-28T08:00"), (2028, "2028-02-29T08:00")):
        assert moments.around(moments.in_year(born, year, BERLIN), wish, BERLIN) == at(day)


def test_the_next_weekday_is_later_than_now_and_at_that_time_there() -> None:
    friday = at("2026-03-06T15:00")  # ten in New York
    assert moments.next_weekday(friday, (), "10:00", NEW_YORK) == at("2026-03-07T15:00")
    assert moments.next_weekday(friday - timedelta(minutes=1), (), "10:00", NEW_YORK) == friday
    assert moments.next_weekday(friday, (4,), "10:00", NEW_YORK) == at("2026-03-13T14:00")
    assert moments.next_weekday(friday, (6,), "02:30", NEW_YORK) == at("2026-03-08T07:30")
    assert moments.next_weekday(friday, (0, 2), "08:00", KATHMANDU) == at("2026-03-09T02:15")


zones = st.sampled_from(
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
)
minutes = st.integers(0, 30 * 525_600).map(lambda n: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
days = st.dates(date(2005, 1, 1), date(2035, 1, 1))
times = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.integers(0, 59))


@given(minutes, st.integers(0, 400), st.integers(0, 3000), zones)
def test_spans_are_what_another_calendar_says(start: datetime, some: int, more: int, zone: str) -> None:
    found = moments.later(start, d.Span(days=some, minutes=more), ZoneInfo(zone))
    assert found == interpreter.after_span(start, {"days": some, "minutes": more}, zone)
    assert found >= start


@given(st.one_of(days, minutes), st.integers(-400, 400), st.integers(-3000, 3000), st.one_of(st.just(""), times), zones)
def test_moments_are_what_another_calendar_says(value: date, away: int, more: int, text: str, zone: str) -> None:
    stored = value.isoformat().replace("+00:00", "Z")
    given_ = {"days": away, "minutes": more, "at": text}
    found = moments.around(moments.parsed(stored), d.Moment("x", **given_), ZoneInfo(zone))
    assert found == interpreter.around(stored, given_, zone)


@given(minutes, st.lists(st.integers(0, 6), unique=True), times, zones)
def test_weekdays_are_what_another_calendar_says(start: datetime, weekdays: list[int], text: str, zone: str) -> None:
    found = moments.next_weekday(start, tuple(weekdays), text, ZoneInfo(zone))
    assert found == interpreter.next_weekday(start, weekdays, text, zone)
    assert start < found <= start + timedelta(days=9)


# -- steps ---------------------------------------------------------------------------------------------------------


def facts(**more: Any) -> Facts:
    return Facts(**{"zone": NEW_YORK, **more})


def test_a_mail_is_handed_over_once_and_its_end_decides() -> None:
    mail = d.Mail()
    assert step(mail, place(), facts(), NOW) == Effect(act=True)
    waiting = place(awaits=True)
    assert step(mail, waiting, facts(), NOW) == Effect()
    ends = {"sent": "next", "unknown": "next", "refused": "refused", "failed": "refused", "cancelled": "refused"}
    for outcome, way in ends.items():
        assert step(mail, waiting, facts(mail=Mailing(outcome)), NOW) == Effect(way, Note(outcome))
    assert step(mail, place(overdue=True), facts(), NOW) == Effect("next", Note.SKIPPED)
    assert step(mail, place(awaits=True, overdue=True), facts(), NOW) == Effect()


def test_a_wait_goes_on_at_its_moment_and_says_when_that_is() -> None:
    wait = d.Wait(span=d.Span(days=1))
    end = NOW + timedelta(days=1)
    assert step(wait, place(), facts(), NOW) == Effect(until=end)
    assert step(wait, place(), facts(), end - timedelta(microseconds=1)) == Effect(until=end)
    assert step(wait, place(), facts(), end) == step(wait, place(), facts(), end + timedelta(days=99))
    assert step(wait, place(), facts(), end) == Effect("next", Note.WAITED)
    assert step(wait, place(), facts(), NOW - timedelta(days=9)) == Effect(until=end)  # the clock was set back


def test_a_wait_for_a_date_moves_with_it() -> None:
    until = d.WaitUntil(moment=d.Moment("visit", days=-1, at="10:00"))
    far, near, past = ({"visit": value} for value in ("2026-03-20", "2026-03-09", "2026-03-07"))
    assert step(until, place(), facts(values=far), NOW) == Effect(until=at("2026-03-19T14:00"))
    assert step(until, place(), facts(values=near), NOW) == Effect(until=at("2026-03-08T14:00"))
    assert step(until, place(), facts(values=past), NOW) == Effect("past", Note.PAST)  # ten o'clock is now: not later
    assert step(until, place(), facts(values={}), NOW) == Effect("past", Note.NO_DATE)
    assert step(until, place(), facts(values=near), at("2026-03-08T14:00")) == Effect("next", Note.WAITED)
    assert step(until, place(), facts(values=near, zone=BERLIN), NOW) == Effect(until=at("2026-03-08T09:00"))
    by_event = d.WaitUntil(moment=d.Moment(property="day", at="10:00"))
    assert step(by_event, place(), facts(properties={"day": "2026-03-09"}), NOW) == Effect(until=at("2026-03-09T14:00"))
    assert step(by_event, place(), facts(values={"": "2026-03-09"}), NOW) == Effect("past", Note.NO_DATE)


def test_what_is_waited_for_comes_before_the_timeout() -> None:
    wait = d.WaitEvent(event="x", timeout=d.Span(hours=2))
    late = NOW + timedelta(hours=2)
    assert step(wait, place(), facts(), NOW) == Effect(until=late)
    assert step(wait, place(), facts(), late) == Effect("timeout", Note.TIMEOUT)
    assert step(wait, place(), facts(happened=True), late) == Effect("happened", Note.HAPPENED)


def test_branches_take_the_first_that_holds() -> None:
    branch = d.Branch(cases=(d.Case(None), d.Case(None)))
    for cases, way in (((True, True), "1"), ((False, True), "2"), ((False, False), "else"), ((), "else")):
        assert step(branch, place(), facts(cases=cases), NOW) == Effect(way, Note.CHOSEN)


@pytest.mark.parametrize(
    ("mail", "way"),
    [
        (None, "else"),
        (Mailing("sent"), "sent"),
        (Mailing("unknown"), "sent"),
        (Mailing("refused"), "refused"),
        (Mailing("cancelled"), "else"),
        (Mailing("failed"), "else"),
        (Mailing("sent", opened=True), "opened"),
        (Mailing("sent", opened=False, clicked=True), "opened"),
    ],
)
def test_a_branch_on_a_mail_asks_what_came_of_it(mail: Mailing | None, way: str) -> None:
    branch = d.BranchMail(mail="m", cases=("opened", "refused", "sent"))
    assert step(branch, place(), facts(mail=mail), NOW) == Effect(way, Note.CHOSEN)


def test_a_split_draws_the_same_for_one_person_and_step_and_each_share_gets_its_part() -> None:
    split = d.Split(shares=(d.Share(25), d.Share(75)))
    people = [uuid4() for _ in range(4_000)]

    def drawn(node: d.Split, where: str = "a") -> list[str | None]:
        return [step(node, place(contact=who, step=where), facts(), NOW).way for who in people]

    first = drawn(split)
    assert first == drawn(split)
    assert 850 < first.count("1") < 1_150
    for others in (drawn(d.Split(shares=split.shares, seed=1)), drawn(split, "b")):
        assert 0.5 < sum(one == two for one, two in zip(first, others, strict=True)) / len(people) < 0.75
    assert set(drawn(d.Split(shares=(d.Share(100), d.Share(0))))) == {"1"}


def test_acts_are_carried_out_and_people_go_on() -> None:
    for node in (d.ChangeList(), d.Tell(), d.Enter()):
        assert step(node, place(), facts(), NOW) == Effect("next", Note.DONE, act=True)
    assert step(d.SetAttribute(value="x"), place(), facts(), NOW).value == "x"
    by_property = d.SetAttribute(property="p", value="ignored")
    assert step(by_property, place(), facts(properties={"p": 5}), NOW).value == 5
    assert step(by_property, place(), facts(), NOW).value is None


def test_a_call_that_failed_for_good_takes_its_way_or_needs_somebody() -> None:
    bare, drawn = d.Webhook(), d.Webhook(exits={"failed": "b"})
    assert step(bare, place(), facts(), NOW) == Effect(act=True)
    waiting = place(awaits=True)
    assert step(bare, waiting, facts(), NOW) == Effect()
    assert step(bare, waiting, facts(call="done"), NOW) == Effect("next", Note.DONE)
    assert step(bare, waiting, facts(call="failed"), NOW) == Effect(trouble="call_failed")
    assert step(drawn, waiting, facts(call="failed"), NOW) == Effect("failed", Note.FAILED)


def test_goals_and_ends_let_go() -> None:
    assert step(d.Goal(), place(), facts(cases=(True,)), NOW) == Effect(left=Left.GOAL)
    assert step(d.Goal(), place(), facts(cases=(False,)), NOW) == Effect("next", Note.CHOSEN)
    assert step(d.End(), place(), facts(), NOW) == Effect(left=Left.END)


# -- journeys ------------------------------------------------------------------------------------------------------

EXITS = (d.Unsubscribed(), d.EventExit("x"), d.GoalExit(None), d.SegmentLeft(uuid4()))


def journey(**steps: d.AnyStep) -> d.Definition:
    return d.Definition(exits=EXITS, start="a", steps=steps)


def test_exits_come_before_the_step_and_deletion_before_exits() -> None:
    graph = journey(a=d.Mail())
    assert decide(graph, place(), facts(exits=(False, True, True, False)), NOW) == Effect(left=Left.EVENT)
    assert decide(graph, place(), facts(exits=(True, True, True, True), exists=False), NOW) == Effect(left=Left.DELETED)
    assert decide(graph, place(), facts(exits=(False,) * 4), NOW) == Effect(act=True)
    reasons = [exit_of(EXITS, tuple(n == place_ for n in range(4))) for place_ in range(4)]
    assert reasons == [Left.UNSUBSCRIBED, Left.EVENT, Left.GOAL, Left.SEGMENT_LEFT]
    assert exit_of(EXITS, (False,) * 4) is None


def test_who_goes_on_arrives_now_and_is_looked_at_now() -> None:
    graph = journey(a=d.Wait(exits={"next": "b"}), b=d.End())
    there, passed = moved(graph, place(awaits=True, visit=4), Effect("next", Note.WAITED), NOW + timedelta(days=1))
    assert passed is not None
    assert (passed.step, passed.visit, passed.arrived_at, passed.at) == ("a", 4, NOW, NOW + timedelta(days=1))
    assert (passed.way, passed.note) == ("next", "waited")
    assert (there.step, there.visit, there.since, there.wake_at) == ("b", 5, passed.at, passed.at)
    assert not there.awaits


@pytest.mark.parametrize(
    ("exits", "way", "to"),
    [
        ({"next": "b"}, "refused", "b"),  # not drawn: as next
        ({"next": "b", "refused": None}, "refused", None),  # drawn to nowhere: the end
        ({"next": "b", "refused": "c"}, "refused", "c"),
        ({}, "next", None),
        ({"next": None}, "next", None),
    ],
)
def test_ways_that_are_not_drawn(exits: dict[str, str | None], way: str, to: str | None) -> None:
    graph = journey(a=d.Mail(exits=exits), b=d.End(), c=d.End())
    there, passed = moved(graph, place(), Effect(way, Note.REFUSED), NOW)
    assert passed is not None
    assert (there.step, there.left) == (to, None if to else Left.END)


def test_staying_keeps_the_place_and_trouble_changes_nothing() -> None:
    graph = journey(a=d.Mail())
    handed, passed = moved(graph, place(overdue=True), Effect(act=True), NOW)
    assert (passed, handed.awaits, handed.wake_at, handed.overdue) == (None, True, None, True)
    later = NOW + timedelta(hours=1)
    waits, passed = moved(graph, place(overdue=True), Effect(until=later), NOW)
    assert (passed, waits.wake_at, waits.overdue, waits.visit) == (None, later, False, 0)
    assert moved(graph, place(), Effect(trouble="x"), NOW) == (place(), None)


@given(
    st.sampled_from(
        [
            d.Mail(), d.Wait(span=d.Span(days=1)), d.WaitUntil(moment=d.Moment("v", at="10:00")), d.WaitWeekday(),
            d.WaitEvent(event="x"), d.Webhook(), d.Goal(), d.Branch(cases=(d.Case(None),)), d.BranchMail(mail="m"),
        ]
    ),
    st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "done", "failed"]),
    st.sampled_from([None, Mailing("sent"), Mailing("refused")]), st.sampled_from([None, "2026-03-05", "2026-03-20"]),
    st.integers(-100, 100_000),
)  # fmt: skip
def test_a_second_look_at_the_same_moment_changes_nothing(  # noqa: PLR0917  everything a step may be told
    node: Any, awaits: bool, happened: bool, holds: bool, call: str, mail: Mailing | None, day: str | None, after: int
) -> None:
    """A wake-up too many: whoever stays, stays where they are with the same moment, and acts once only."""
    graph = journey(a=node)
    now = NOW + timedelta(minutes=after)
    told = facts(happened=happened, cases=(holds,), call=call, mail=mail, values={"v": day}, exits=(False,) * 4)
    there, passed = moved(graph, place(awaits=awaits), decide(graph, place(awaits=awaits), told, now), now)
    if passed is None and there.awaits == awaits:
        again = decide(graph, there, told, now)
        assert not again.act
        assert moved(graph, there, again, now) == (there, None)
        sooner = decide(graph, there, told, now - timedelta(days=3))  # the clock is set back
        assert sooner.way is None
        assert moved(graph, there, sooner, now)[0] == there


def test_what_is_written_is_read_the_same() -> None:
    graph = d.Definition(
        trigger=d.ByDate(d.Moment("x", at="10:00"), yearly=True), reentry=d.Reentry("per_key"), exits=EXITS, start="a",
        steps={"a": d.Split(shares=(d.Share(50), d.Share(50)), exits={"1": "b", "2": None}), "b": d.End(name="Bye")},
    )  # fmt: skip
    assert d.from_json(d.to_json(graph)) == graph
