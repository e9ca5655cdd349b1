"""What those may learn who may not see small cells: nothing about a handful of people (IDX-09, PRV-14)."""

import hashlib
import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from accounts.models import User
from accounts.policy import Role
from audit.models import Entry
from contacts.models import Kind
from contacts.records import Coded
from core import clock
from phi.errors import SealBroken
from segments import asking, counting, queries
from segments.asking import CELL, Answer, Told
from segments.errors import IdentifiersWithHealth, NearlyTheSame, PartTooSmall, TooManyQuestions
from segments.models import Question
from segments.rules import parse
from segments.tree import nodes_of
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule

EVERYBODY = BitMap(range(60))
crowds = st.frozensets(st.integers(0, 59)).map(BitMap)


def ask_all(asked: list[BitMap]) -> list[tuple[BitMap, Told]]:
    """What is remembered after these crowds were asked about, one after another."""
    told: list[tuple[BitMap, Told]] = []
    for members in asked:
        answer, news = asking.answer(members, EVERYBODY, [t for _, t in told])
        if news is not None:
            assert answer.count == news.count == asking.coarse(len(members))
            told.append((members, news))
        if len(members) < CELL:
            assert answer.count is None
    return told


@given(st.lists(st.tuples(crowds, st.frozensets(st.integers(0, 59), max_size=12).map(BitMap)), max_size=12))
def test_no_two_answers_differ_by_a_handful(asked: list[tuple[BitMap, BitMap]]) -> None:
    told = ask_all([members for base, change in asked for members in (base, base ^ change, base | change)])
    for one, other in itertools.combinations([*(members for members, _ in told), BitMap(), EVERYBODY], 2):
        assert len(one ^ other) >= CELL


@given(st.lists(crowds, min_size=3, max_size=9))
def test_no_two_answers_add_up_to_a_third_but_for_a_handful(asked: list[BitMap]) -> None:
    one, other, *rest = asked
    told = [members for members, _ in ask_all([one, other, one | other, one - other, *rest, rest[0] | one])]
    for a, b, c in itertools.permutations([*told, EVERYBODY], 3):
        apart = sum(abs((n in a) + (n in b) - (n in c)) for n in range(60))
        assert apart >= CELL, (a, b, c)


def test_what_two_answers_add_up_to_is_what_they_say_together() -> None:
    everybody, whole = BitMap(range(1000)), BitMap(range(400))
    one, other = BitMap(range(150)), BitMap(range(151, 400))
    for asked, said in (([whole, one, other], 250), ([one, other, whole], 400), ([other, whole, one], 150)):
        told: list[Told] = []
        for members in asked:
            answer, news = asking.answer(members, everybody, told)
            told += [news] if news else []
        assert answer.count == said
        assert news is None


@given(st.frozensets(st.integers(0, 2**32 - 1), max_size=300).map(BitMap), st.integers(0, 40))
def test_crowds_differ_by_at_least_what_their_lots_differ_by(members: BitMap, more: int) -> None:
    other = members | BitMap(range(more))
    apart = abs(asking.lots_of(members) - asking.lots_of(other)).sum()
    assert apart <= members.symmetric_difference_cardinality(other)
    assert asking.lots_of(members).sum() == len(members)


def test_counts_are_told_to_the_nearest_ten() -> None:
    assert [asking.coarse(n) for n in (11, 14, 15, 24, 25, 1_000_004, 1_000_005)] == [
        *(10, 10, 20, 20, 30, 1_000_000, 1_000_010)
    ]


def test_answers_are_sentences() -> None:
    assert str(Answer(None, exact=False)) == "Fewer than 11 people match."
    assert str(Answer(1204, exact=False)) == "About 1,204 people match."
    assert str(Answer(1, exact=True)) == "1 person matches."


@pytest.fixture(autouse=True)
def _same_for_every_wording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SPREAD", 1)


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
    some = {"attribute": "salads", "op": "at_least", "value": 27}  # eleven of the twenty
    assert ask(analyst, HIV) == ask(analyst, HIV, some) == Answer(20, exact=False)
    later = clock.now() + counting.REMEMBERED + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert ask(analyst, HIV, some) == Answer(10, exact=False)


def test_a_series_of_nearly_the_same_questions_is_refused(analyst: User, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic()
    monkeypatch.setattr(counting, "NEAR_A_DAY", 3)
    ask(analyst, HIV)
    for _ in range(5):
        assert ask(analyst, HIV) == Answer(20, exact=False)  # to count again tries nothing
    for city in ("Ashfield", "Atlantis", "Springfield"):
        ask(analyst, HIV, {"attribute": "city", "op": "is_not", "value": city})
    salads = {"attribute": "salads", "op": "at_least", "value": 30}
    for clauses in ([HIV, TOWN], [HIV], [salads]):  # whatever is asked: a refusal of some would tell which are near
        with pytest.raises(NearlyTheSame, match="nearly the same as earlier ones"):
            ask(analyst, *clauses)
    assert ask(UserFactory(roles=[Role.ANALYST]), salads) == Answer(30, exact=False)
    later = clock.now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert ask(analyst, HIV, TOWN) == Answer(20, exact=False)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_crowd_cut_in_two_around_a_person_does_not_give_them_away(analyst: User, order: tuple[int, ...]) -> None:
    """Everybody with it, less those before and those behind the person: where they have it, and where they have not."""
    attribute("salads", Kind.NUMBER)
    make_people(130, salads=lambda i: i, coded=lambda i: {"conditions": [Coded("B20")] if i < 100 else []})
    person = {"attribute": "salads", "op": "is", "value": 50}
    before, behind = ({"attribute": "salads", "op": op, "value": 50} for op in ("less_than", "more_than"))
    told = []
    for clauses in ([HIV], [{"all": [HIV, {"any": [before, behind]}]}]):
        Question.objects.all().delete()
        three = [[HIV, *clauses[1:]], [HIV, before], [HIV, behind]]
        found = {place: ask(analyst, *three[place]).count for place in order}
        told.append((found[0] or 0) - (found[1] or 0) - (found[2] or 0))
        queries.contacts.Contact.objects.filter(pk__in=queries.audience(rule(HIV, person))).delete()
    assert told[0] == told[1] == 0


def test_what_is_remembered_is_sealed_in_a_length_that_tells_nothing(analyst: User) -> None:
    clinic()
    for clause in (HIV, {"attribute": "salads", "op": "at_least", "value": 15}, is_("state", "MA")):
        ask(analyst, clause)
    kept = list(Question.objects.filter(members__isnull=False))
    assert len({len(bytes(q.members or b"")) for q in kept}) == 1
    assert len(kept) == 2  # everybody is not remembered
    members = counting._members(kept[0].pk)
    assert len(members) == 20
    assert members.serialize() not in bytes(kept[0].members or b"")
    Question.objects.filter(pk=kept[0].pk).update(members=kept[1].members)
    with pytest.raises(SealBroken):
        counting._members(kept[0].pk)


def overlap(user: Any, one: list[dict[str, Any]], other: list[dict[str, Any]]) -> tuple[int | None, ...]:
    found = counting.ask_overlap(parse(rule(*one)), parse(rule(*other)), by=user)
    return found.both.count, found.only_one.count, found.only_other.count


def test_parts_are_asked_about_as_if_each_were_asked_alone(analyst: User) -> None:
    clinic()
    asked = parse(rule(HIV, TOWN, is_("state", "MA")))
    parts = nodes_of(asked.root)[1:]
    found = counting.ask_parts(asked, parts, by=analyst)
    assert [answer.count for answer in found] == [20, 20, 60, 60]  # the town is everybody but one
    assert Question.objects.filter(asked_by=analyst.pk).count() == 4
    assert counting.ask_parts(asked, parts, by=UserFactory(roles=[Role.MARKETER]))[2] == Answer(59, exact=True)
    with pytest.raises(PartTooSmall):
        counting.ask_parts(parse(rule(HIV, is_("city", "Ashfield"))), [], by=analyst)


def test_how_few_are_too_few_is_left_to_chance(analyst: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a count or a refusal begins at one number, the person who makes it that number is known to be in it."""
    clinic()
    monkeypatch.setattr(counting, "SPREAD", 10)
    told, refused = set(), set()
    for n in range(40):
        monkeypatch.setattr(counting, "_wording", lambda rule, n=n: bytes([n]) * 32)
        Question.objects.all().delete()
        told.add(ask(analyst, HIV, {"attribute": "salads", "op": "at_least", "value": 18}).count)  # fourteen
        try:
            refused.add(ask(analyst, {"attribute": "salads", "op": "at_least", "value": 46}).count)  # as many
        except PartTooSmall:
            refused.add(-1)
    assert told == {None, 10}
    assert refused == {-1, 10}


def test_an_overlap_has_three_regions(analyst: User) -> None:
    clinic()
    low = {"attribute": "salads", "op": "less_than", "value": 40}
    assert overlap(UserFactory(roles=[Role.MARKETER]), [HIV], [low]) == (14, 6, 26)
    assert overlap(analyst, [HIV], [low]) == (10, None, 30)
    assert Question.objects.filter(asked_by=analyst.pk).count() == 3


def test_an_overlap_gives_no_region_away_by_subtraction(analyst: User) -> None:
    clinic()
    assert ask(analyst, HIV) == Answer(20, exact=False)
    low = {"attribute": "salads", "op": "less_than", "value": 48}  # sixteen of the twenty
    assert overlap(analyst, [HIV], [low]) == (20, None, 40)  # who has it not, told by who has
    with pytest.raises(PartTooSmall):
        overlap(analyst, [HIV], [is_("city", "Ashfield")])
    with pytest.raises(IdentifiersWithHealth):
        overlap(UserFactory(roles=[Role.APPROVER]), [HIV], [is_("last_name", "Smith")])


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


def test_guessing_one_persons_diagnosis_from_counts_is_no_better_than_guessing() -> None:
    """An attacker who knows everybody's place in a line asks pairs of counts that differ by one person only. Where the
    second is another than the first, they say that the person has it: no more often right than whoever says it of all.
    """
    lot, n = random.Random(7), 400
    guesses = []
    everybody = BitMap(range(n))
    ill = BitMap(i for i in range(n) if lot.random() < 0.5)
    told: list[Told] = []

    def ask_for(members: BitMap, wording: str) -> int | None:
        if len(members) < CELL:
            return None
        apart = CELL + hashlib.sha256(wording.encode()).digest()[0] % 10
        found, news = asking.answer(members, everybody, told, apart)
        told.extend([news] if news else [])
        return found.count

    def crowd(first: int, last: int) -> BitMap:
        return BitMap(range(first, last))

    for i in range(12, n - 12):
        pairs = [
            ((ill & crowd(i, n), f"at least {i}"), (ill & crowd(i + 1, n), f"more than {i}")),
            ((ill & crowd(0, i + 1), f"at most {i}"), (ill & crowd(0, i), f"less than {i}")),
            ((ill, "ill"), (ill - BitMap([i]), f"ill and is not {i}")),
            ((ill | crowd(0, i), f"ill or before {i}"), (ill | crowd(0, i + 1), f"ill or at most {i}")),
            ((ill & crowd(i - 12, i + 40), f"from {i}"), (ill & crowd(i - 12, i + 40) - BitMap([i]), f"but {i}")),
        ]
        for one, other in pairs:
            first, second = ask_for(*one), ask_for(*other)
            if first != second and None not in (first, second):
                guesses.append(i in ill)
    assert len(guesses) > 100
    assert sum(guesses) / len(guesses) <= len(ill) / n + 0.01


def test_two_questions_that_differ_by_one_person_get_one_answer(analyst: User) -> None:
    clinic()

    def salads(op: str, n: int) -> dict[str, Any]:
        return {"attribute": "salads", "op": op, "value": n}

    pairs: list[Callable[[int], list[Any]]] = [
        lambda n: [HIV, salads("is_not", n)],
        lambda n: [HIV, {"none": [salads("more_than", n + 15)]}],
        lambda n: [{"any": [HIV, salads("less_than", n)]}],
    ]
    for pair in pairs:
        assert ask(analyst, *pair(30)) == ask(analyst, *pair(31)) == ask(analyst, *pair(32))


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


@pytest.mark.django_db
def test_two_segments_that_may_not_be_asked_as_one_are_not_overlapped_either(client: Client) -> None:
    clinic()
    one = SegmentFactory(rule=rule({"attribute": "first_name", "op": "is", "value": "Ann"}))
    other = SegmentFactory(rule=rule(HIV))
    for role, told in ((Role.ADMINISTRATOR, False), (Role.MARKETER, True)):
        sign_in(client, UserFactory(roles=[role]))
        page = client.post(reverse("segments:overlap"), {"one": str(one.pk), "other": str(other.pk)})
        assert ("overlap" in page.context) is told
