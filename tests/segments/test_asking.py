"""What those may learn who may not see small cells: nothing about a handful of people (IDX-09, PRV-14)."""

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.policy import Role
from audit.models import Entry
from contacts.models import Kind
from contacts.records import Coded
from core import clock
from segments import asking, counting, queries
from segments.asking import CELL, Answer, Told
from segments.errors import IdentifiersWithHealth, PartTooSmall, TooManyQuestions
from segments.models import Question
from segments.rules import parse
from tests.accounts.factories import UserFactory, api_token
from tests.contacts.factories import make_people
from tests.segments.factories import attribute, has, is_, rule

EVERYBODY = (1 << 60) - 1
crowds = st.integers(0, EVERYBODY)


@given(st.lists(st.tuples(crowds, st.integers(0, 4095)), max_size=12))
def test_no_two_answers_differ_by_a_handful(asked: list[tuple[int, int]]) -> None:
    told: list[Told] = []
    for base, change in asked:
        for members in (base, base ^ change, base | change, base & ~change):
            answer, news = asking.answer(members, EVERYBODY, told)
            if news:
                assert answer.count == members.bit_count()
                told.append(Told(members.bit_count(), members))
            if answer.count is not None:
                assert abs(answer.count - members.bit_count()) < CELL
    for one, other in itertools.combinations([*told, Told(0, 0), Told(60, EVERYBODY)], 2):
        assert (one.members ^ other.members).bit_count() >= CELL


@given(st.sets(st.integers(0, 500)), st.integers(500, 900))
def test_members_are_kept_in_a_length_that_tells_nothing(numbers: set[int], size: int) -> None:
    members = asking.bits(numbers, size)
    assert members.bit_count() == len(numbers)
    assert asking.unpack(asking.pack(members, size)) == members
    assert len(asking.pack(members, size)) == len(asking.pack(0, size))


def test_answers_are_sentences() -> None:
    assert str(Answer(None, exact=False)) == "Fewer than 11 people match."
    assert str(Answer(1204, exact=False)) == "About 1,204 people match."
    assert str(Answer(1, exact=True)) == "1 person matches."


@pytest.fixture
def analyst(db: None) -> User:
    return UserFactory(roles=[Role.ANALYST])


def clinic(n: int = 60) -> list[Any]:
    """Every third has HIV, every second a salad a day; person 0 is the only one of their town."""
    attribute("salads", Kind.NUMBER)

    def lists(i: int) -> dict[str, list[Coded]]:
        return {"conditions": [Coded("B20", "HIV disease")] if i % 3 == 0 else [Coded("I10")]}

    return make_people(
        n, city=lambda i: "Ashfield" if i == 0 else "Boston", salads=lambda i: i, state="MA", coded=lists
    )


def ask(user: Any, *clauses: dict[str, Any], match: str = "all") -> Answer:
    return counting.ask(parse(rule(*clauses, match=match)), by=user)


HIV, TOWN = has("B20"), {"attribute": "city", "op": "is_not", "value": "Ashfield"}


def test_whoever_sees_small_cells_gets_the_exact_count(db: None) -> None:
    clinic()
    marketer = UserFactory(roles=[Role.MARKETER])
    assert ask(marketer, HIV, is_("city", "Ashfield")) == Answer(1, exact=True)
    assert not Question.objects.exists()


def test_an_analyst_is_told_a_count_and_never_a_small_one(analyst: User) -> None:
    clinic()
    assert ask(analyst, HIV) == Answer(20, exact=False)
    few = {"attribute": "salads", "op": "less_than", "value": 15}
    assert ask(analyst, HIV, few) == Answer(None, exact=False)


def test_a_person_cannot_be_learned_by_taking_them_away(analyst: User) -> None:
    clinic()
    assert ask(analyst, HIV) == ask(analyst, HIV, TOWN) == Answer(20, exact=False)
    # Neither by somebody else asking the other half.
    assert ask(UserFactory(roles=[Role.ANALYST]), HIV, TOWN) == Answer(20, exact=False)


def test_the_answer_is_the_same_whether_or_not_the_person_has_it(analyst: User) -> None:
    """The same two questions in two worlds that differ in one diagnosis."""
    answers = []
    for ill in (True, False):
        Question.objects.all().delete()
        queries.people.forget()
        for contact in queries.contacts.iter_open():
            for i, _ in contact:
                queries.contacts.Contact.objects.filter(pk=i).delete()
        make_people(
            40,
            city=lambda i: "Ashfield" if i == 0 else "Boston",
            coded=lambda i, ill=ill: {"conditions": [Coded("B20")] if i in range(1, 21) or (i == 0 and ill) else []},
        )
        boston = {"any": [{"attribute": "city", "op": "is", "value": "Boston"}]}
        answers.append(ask(analyst, HIV).count - ask(analyst, HIV, boston).count)
    assert answers == [0, 0]


def test_a_part_about_a_handful_is_refused_and_named(analyst: User) -> None:
    clinic()
    for clauses in (
        [HIV, is_("city", "Ashfield")],
        [HIV, {"none": [is_("city", "Ashfield")]}],
        [{"any": [TOWN, {"all": [HIV, {"attribute": "salads", "op": "at_most", "value": 20}]}]}],
        [HIV, is_("city", "Atlantis")],
    ):
        with pytest.raises(PartTooSmall, match="fewer than 11 people"):
            ask(analyst, *clauses)
    with pytest.raises(PartTooSmall, match="City is “Ashfield”"):
        ask(analyst, HIV, is_("city", "Ashfield"))


def test_refused_questions_count_and_there_are_so_many_in_a_day(analyst: User, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic()
    monkeypatch.setattr(counting, "QUESTIONS_A_DAY", 3)
    for _ in range(2):
        with pytest.raises(PartTooSmall):
            ask(analyst, is_("city", "Ashfield"))
    ask(analyst, HIV)
    with pytest.raises(TooManyQuestions, match="tomorrow"):
        ask(analyst, HIV)
    later = clock.now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    ask(analyst, HIV)


def test_an_old_answer_is_forgotten(analyst: User, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic()
    ask(analyst, HIV)
    later = clock.now() + counting.REMEMBERED + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert ask(analyst, HIV, TOWN) == Answer(19, exact=False)


def test_identifiers_are_not_combined_with_health(analyst: User) -> None:
    clinic()
    attribute("hiv", Kind.BOOLEAN)
    name = is_("last_name", "Smith")
    for user in (analyst, UserFactory(roles=[Role.APPROVER]), UserFactory(roles=[Role.ADMINISTRATOR])):
        for clauses in (
            [name, HIV],
            [HIV, {"none": [{"any": [name]}]}],
            [is_("hiv", True), is_("email", "a@b.example")],
        ):
            with pytest.raises(IdentifiersWithHealth, match="Remove one of the two"):
                ask(user, *clauses)
    assert ask(UserFactory(roles=[Role.APPROVER]), name, is_("state", "MA")).exact
    assert ask(UserFactory(roles=[Role.MARKETER]), name, HIV).exact


def test_a_token_sees_what_its_scopes_say(db: None) -> None:
    clinic()
    narrow, _ = api_token(["segments.view"])
    wide, _ = api_token(["segments.view", "reports.small_cells"])
    assert ask(narrow, HIV) == Answer(20, exact=False)
    assert ask(wide, is_("city", "Ashfield")) == Answer(1, exact=True)
    assert ask(wide, HIV, is_("city", "Boston")) == Answer(19, exact=True)
    with pytest.raises(PartTooSmall):
        ask(wide, HIV, is_("city", "Ashfield"))
    with pytest.raises(IdentifiersWithHealth):
        ask(wide, HIV, is_("last_name", "Smith"))


def test_guessing_one_persons_diagnosis_from_counts_is_no_better_than_guessing(analyst: User) -> None:
    """An attacker who knows somebody's town, salads and state asks pairs of counts that differ by that person only."""
    attribute("salads", Kind.NUMBER)
    lot = random.Random(7)
    ill = [lot.random() < 0.5 for _ in range(48)]
    make_people(48, salads=lambda i: i, state="MA", coded=lambda i: {"conditions": [Coded("B20")] if ill[i] else []})

    def told(*clauses: dict[str, Any]) -> int | None:
        try:
            return ask(analyst, *clauses).count
        except PartTooSmall:
            return None

    def salads(op: str, n: int) -> dict[str, Any]:
        return {"attribute": "salads", "op": op, "value": n}

    attacks: list[Callable[[int], tuple[int | None, int | None]]] = [
        lambda i: (told(HIV, salads("at_least", i)), told(HIV, salads("more_than", i))),
        lambda i: (told(HIV, salads("at_most", i)), told(HIV, salads("less_than", i))),
        lambda i: (told(HIV), told(HIV, salads("is_not", i))),
        lambda i: (told(HIV, {"none": [salads("is", i)]}), told(HIV)),
        lambda i: (told({"any": [HIV, salads("less_than", 24)]}), told({"any": [HIV, salads("less_than", 25)]})),
    ]
    learned = 0
    for i in range(0, 48, 2):
        for attack in attacks:
            Question.objects.filter(answer__isnull=True).delete()
            first, second = attack(i)
            if first is not None and second is not None and abs(first - second) == 1:
                learned += 1
    assert learned == 0


def test_who_asks_about_a_known_persons_health_leaves_a_trace(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic(3)
    marketer = UserFactory(roles=[Role.MARKETER])
    for name in ("Smith", "Smith", "Jones"):  # the second is the same question, as live counting asks it again
        ask(marketer, is_("last_name", name), HIV)
    ask(marketer, HIV, is_("state", "MA"))
    ask(marketer, is_("last_name", "Smith"), is_("state", "MA"))
    traces = Entry.objects.filter(action="segment.person_asked", actor_id=str(marketer.pk))
    assert [e.details["fields"] for e in traces] == [["conditions", "last_name"]] * 2
    assert not any(word in str(e.details) for e in traces for word in ("Smith", "Jones", "B20"))
    later = clock.now() + counting.RECORDED_AGAIN + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    ask(marketer, is_("last_name", "Smith"), HIV)
    assert traces.all().count() == 3


def test_a_day_of_birth_names_a_person_and_an_age_does_not(db: None) -> None:
    make_people(12, birth_date="1961-04-30", coded={"conditions": [Coded("B20")]})
    approver = UserFactory(roles=[Role.APPROVER])
    with pytest.raises(IdentifiersWithHealth):
        ask(approver, {"attribute": "birth_date", "op": "is", "value": "1961-04-30"}, HIV)
    ages = {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 110}}
    assert ask(approver, ages, HIV) == Answer(12, exact=True)


def test_a_handful_is_not_asked_for_their_health_by_who_may_not_reveal_them(db: None) -> None:
    clinic()
    ashfield = is_("city", "Ashfield")
    for role in (Role.APPROVER, Role.ADMINISTRATOR):
        user = UserFactory(roles=[role])
        for clauses in (
            [ashfield, HIV],
            [{"any": [{"all": [ashfield, HIV]}, {"none": [is_("state", "MA")]}]}],
            [{"all": [{"any": [HIV, ashfield]}, is_("state", "MA")]}],
            [{"any": [{"none": [TOWN, HIV]}, HIV]}],
        ):
            with pytest.raises(PartTooSmall, match="fewer than 11 people"):
                ask(user, *clauses)
        assert ask(user, HIV, is_("city", "Boston")) == Answer(19, exact=True)
        assert ask(user, HIV) == Answer(20, exact=True)
        assert ask(user, ashfield) == Answer(1, exact=True)
