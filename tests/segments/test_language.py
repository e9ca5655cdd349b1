"""Version 2 of the language: patterns, rules of version 1, segments in segments, samples, days where people are."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pytest

from contacts.models import Kind
from contacts.records import Coded
from core.actors import SYSTEM
from core.models import Organization
from core.sensitivity import Sensitivity
from segments import catalog as catalogs
from segments import commands, patterns, queries
from segments.catalog import Saved
from segments.errors import IdentifiersWithHealth
from segments.models import Segment
from segments.rules import RuleError, parse
from segments.sampling import drawn
from segments.sentence import sentence
from segments.tree import clauses_of
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.segments import people as make
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule

A, B, C = (UUID(int=n) for n in (31, 32, 33))


def within(segment: UUID, op: str = "in") -> dict[str, Any]:
    return {"segment": str(segment), "op": op}


# Patterns


@pytest.mark.parametrize(
    ("pattern", "held", "found"),
    [
        ("st", "Boston", True),
        ("^st", "Boston", False),
        ("^BO.*n$", "Boston", True),
        (r"^\d{5}(-\d{4})?$", "02139-1234", True),
        (r"^\d{5}(-\d{4})?$", "02139-12", False),
        (r"^\d{5}$", "02139\n", False),
        ("^[A-C]", "boston", True),
        ("^[^a-c]", "boston", False),
        (r"^\w+$", "žluťoučký_9", True),
        (r"a\.b", "a.b", True),
        (r"a\.b", "axb", False),
        ("a.b", "a\nb", True),
        ("ﬁn", "fin", True),
        ("^(saint|st\\.?) ", "St. Paul", True),
        ("^(a|b)+$", "abba", True),
        ("a{2,3}c", "aac", True),
        ("^a{0}b$", "b", None),
        ("É", "e\u0301cole", True),
        ("[\\]\\-x]", "-", True),
        ("[-x]", "-", True),
        ("[x-]", "-", True),
        (r"[\d_]", "_", True),
        ("#", "a#b", True),
    ],
)
def test_a_pattern_means_what_the_page_says(pattern: str, held: str, found: bool | None) -> None:
    if found is None:
        with pytest.raises(patterns.BadPattern):
            patterns.compiled(pattern)
        return
    series = pl.Series([patterns.folded(held)])
    assert series.str.contains(patterns.compiled(pattern)).to_list() == [found]


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a+)+",
            "(a*)*",
            "(a|a+)*b",
            "(.*)*",
            "((a+)b)+",
            "([a-z]+)*",
            "(a{2,})*",
            "(a+){2}",
            "a**",
            "a+?",
            "a{2}{3}",
        ),
        *(
            "(?:a)",
            "(?i)a",
            "(?<n>a)",
            "(?!a)",
            r"\1",
            r"\b",
            r"\p{L}",
            "(",
            ")",
            "a)",
            "[",
            "[]",
            "[a",
            "[b-a]",
            "[a-\\d]",
        ),
        *(
            "*a",
            "a|",
            "|a",
            "()",
            "(|a)",
            "{2}",
            "a{",
            "a{x}",
            "a{2,1}",
            "a{0}",
            "a{1001}",
            "a{1,1001}",
            "^*",
            "a]",
            "}",
        ),
        *("((((a{10}){10}){10}){10})", "[[:alpha:]]", "[ﬁ]", "\\", "[\\", "a" * 201, "(" * 21 + "a" + ")" * 21),
        r"(\w{1000})(\w{1000})(\w{1000})",
    ],
)
def test_what_could_be_slow_or_is_not_understood_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(patterns.BadPattern) as refused:
        patterns.compiled(pattern)
    assert str(refused.value).endswith(".")


def test_the_worst_pattern_that_is_let_through_is_quick() -> None:
    texts = pl.Series(["a" * 500] * 1_000)
    for pattern in ("(a?){1000}b", "(a|a|a)*b", r"\w*\w*\w*\w*\w*b", ".*.*.*.*.*.*=.*", "(a{1,9})+b"):
        began = time.perf_counter()
        assert not texts.str.contains(patterns.compiled(pattern)).any()
        assert time.perf_counter() - began < 10


# Version 1

FIRST = {
    "version": 1,
    "root": {
        "any": [
            {"attribute": "d", "op": "days_ago", "value": 3},
            {"attribute": "d", "op": "in_last", "value": 30},
            {"attribute": "m", "op": "days_ahead", "value": 3},
            {"none": [{"attribute": "d", "op": "anniversary_in_next", "value": 7}]},
            {"attribute": "d", "op": "between", "value": {"from": {"days": -9}, "to": {"days": 0}}},
            {"attribute": "k", "op": "has", "value": ["E11.*"], "when": {"started_in_last": 90}},
            {
                "attribute": "k",
                "op": "has_none",
                "value": ["E11.*"],
                "when": {"between": {"from": "2020-01-01", "to": {"days": 0}}},
            },
            {"event": "clicked", "op": "did_not", "mailing": None, "days": 90},
            {"event": "opened", "mailing": None, "days": None},
            {"attribute": "n", "op": "between", "value": {"from": 1, "to": 2}},
        ]
    },
}
SECOND = {
    "version": 2,
    "root": {
        "any": [
            {"attribute": "d", "op": "ago", "value": {"days": 3}},
            {"attribute": "d", "op": "in_last", "value": {"days": 30}},
            {"attribute": "m", "op": "ahead", "value": {"days": 3}},
            {"none": [{"attribute": "d", "op": "birthday_in_next", "value": {"days": 7}}]},
            {"attribute": "d", "op": "between", "value": {"from": {"days": -9}, "to": {"days": 0}}},
            {"attribute": "k", "op": "has", "value": ["E11.*"], "when": {"started_in_last": {"days": 90}}},
            {
                "attribute": "k",
                "op": "has_none",
                "value": ["E11.*"],
                "when": {"between": {"from": "2020-01-01", "to": {"days": 0}}},
            },
            {"event": "clicked", "op": "did_not", "mailing": None, "when": {"in_last": {"days": 90}}},
            {"event": "opened", "mailing": None},
            {"attribute": "n", "op": "between", "value": {"from": 1, "to": 2}},
        ]
    },
}


def test_a_rule_of_version_1_means_what_it_meant() -> None:
    assert parse(FIRST, make.CATALOG) == parse(SECOND, make.CATALOG)
    assert sentence(parse(FIRST, make.CATALOG), make.CATALOG) == sentence(parse(SECOND, make.CATALOG), make.CATALOG)


@pytest.mark.django_db
def test_what_is_saved_is_version_2_and_saving_it_anew_changes_nothing() -> None:
    old = {"version": 1, "root": {"all": [{"attribute": "birth_date", "op": "days_ago", "value": 3}]}}
    segment = commands.create(name="A", rule=old, by=SYSTEM)
    assert segment.rule == rule({"attribute": "birth_date", "op": "ago", "value": {"days": 3}})
    Segment.objects.filter(pk=segment.pk).update(last_count=7)
    assert commands.edit(segment, name="B", rule=old, by=SYSTEM).last_count == 7


# Segments in segments


def catalog_of(**rules: Any) -> Any:
    ids = {"a": A, "b": B, "c": C}
    saved = {ids[k]: Saved(ids[k], k, r, Sensitivity.IDENTITY) for k, r in rules.items()}
    return replace(make.CATALOG, segments=saved)


def test_a_circle_is_refused_whichever_way_round_and_the_clause_named() -> None:
    is_a = {"attribute": "t", "op": "is", "value": "a"}
    catalog = catalog_of(a=rule(is_a), b=rule(within(A)), c=rule(is_a, {"any": [within(B, "not_in")]}))
    for saved, raw in ((A, within(A)), (A, within(B)), (A, within(C)), (B, within(C))):
        with pytest.raises(RuleError, match=r"Condition 2\.1: A segment cannot be part of itself"):
            parse(rule(is_a, {"none": [raw]}), catalog, saving=saved)
        parse(rule(is_a, {"none": [raw]}), catalog)
    # Two people saved at the same time.
    both = catalog_of(a=rule(within(B)), b=rule(within(A)))
    with pytest.raises(RuleError, match="Condition 1: A segment cannot be part of itself"):
        parse(rule(within(A)), both)


def test_what_a_named_segment_may_not_be() -> None:
    is_a = {"attribute": "t", "op": "is", "value": "a"}
    archived = replace(catalog_of(a=rule(is_a)).segments[A], archived=True)
    with pytest.raises(RuleError, match="Condition 1: The segment named here is archived"):
        parse(rule(within(A)), replace(make.CATALOG, segments={A: archived}))
    broken = catalog_of(a=rule(is_a, {"attribute": "hair", "op": "is", "value": "x"}))
    with pytest.raises(RuleError, match=r"Condition 1: The segment named here needs attention\. Condition 2: There"):
        parse(rule(within(A)), broken)


def test_segments_within_segments_have_a_limit_of_depth_and_of_clauses() -> None:
    is_a = {"attribute": "t", "op": "is", "value": "a"}
    chain = {UUID(int=100 + n): rule(within(UUID(int=101 + n))) for n in range(8)} | {UUID(int=108): rule(is_a)}
    saved = {i: Saved(i, "S", r, Sensitivity.IDENTITY) for i, r in chain.items()}
    catalog = replace(make.CATALOG, segments=saved)
    assert len(clauses_of(parse(rule(within(UUID(int=101))), catalog).root)) == 9
    with pytest.raises(RuleError, match="more than 8 deep"):
        parse(rule(within(UUID(int=100))), catalog)
    # Doubling eight times over would be 2 ** 30 clauses.
    wide = {UUID(int=200 + n): rule(*([within(UUID(int=201 + n))] * 14)) for n in range(7)} | {
        UUID(int=207): rule(*([is_a] * 14))
    }
    catalog = replace(make.CATALOG, segments={i: Saved(i, "S", r, Sensitivity.IDENTITY) for i, r in wide.items()})
    began = time.perf_counter()
    with pytest.raises(RuleError, match="at most 1,000 conditions, those of the segments it names included"):
        parse(rule(within(UUID(int=200))), catalog)
    assert time.perf_counter() - began < 5


@pytest.mark.django_db
def test_a_named_segment_brings_its_people_its_tier_and_its_fields() -> None:
    ids = make_people(
        4,
        state=lambda n: "MA" if n < 3 else "NY",
        coded=lambda n: {"conditions": [Coded("E11.9")] if n in (1, 3) else []},
    )
    diabetic = commands.create(name="Diabetic", rule=rule(has("E11.*")), by=SYSTEM)
    asked = rule(is_("state", "MA"), within(diabetic.pk))
    assert queries.audience(asked) == [ids[1]]
    assert queries.audience(rule(is_("state", "MA"), within(diabetic.pk, "not_in"))) == sorted([ids[0], ids[2]])
    assert queries.tier_of(asked) == Sensitivity.PHI
    assert queries.fields_of(asked) == ["conditions", "state"]
    assert queries.sentence(asked) == "People where State is “MA”, and they are in the segment “Diabetic”."
    named = parse(rule(is_("last_name", "Lee"), within(diabetic.pk)))
    assert queries.mixes_identifiers_with_health(named, catalogs.load())
    outer = commands.create(name="Outer", rule=asked, by=SYSTEM)
    with pytest.raises(RuleError, match="Condition 1: A segment cannot be part of itself"):
        commands.edit(diabetic, name="Diabetic", rule=rule(within(outer.pk)), by=SYSTEM)


@pytest.mark.django_db
def test_who_may_not_reveal_cannot_reach_health_by_way_of_a_segment() -> None:
    diabetic = SegmentFactory(rule=rule(has("E11.*")), tier=Sensitivity.PHI)
    nobody = UserFactory()
    with pytest.raises(IdentifiersWithHealth):
        commands.create(name="A", rule=rule(is_("last_name", "Lee"), within(diabetic.pk)), by=nobody)


# Samples


def test_a_sample_is_as_large_as_it_says_grows_with_its_percent_and_differs_by_seed() -> None:
    numbers = np.arange(100_000)
    ten, twenty, other = drawn(numbers, 10, 0), drawn(numbers, 20, 0), drawn(numbers, 10, 1)
    assert 9_700 < ten.sum() < 10_300
    assert not (ten & ~twenty).any()
    assert 19_500 < twenty.sum() < 20_500
    assert 850 < (ten & other).sum() < 1_150
    assert drawn(numbers, 100, 7).all()
    assert np.array_equal(drawn(numbers[5:9], 20, 0), twenty[5:9])


# Days where people are


@pytest.mark.django_db
def test_a_birthday_is_today_where_the_person_is() -> None:
    zones = ["Pacific/Kiritimati", "America/New_York", "Pacific/Pago_Pago", "Europe/London", ""]
    ids = make_people(5, birth_date="1990-06-02", time_zone=lambda n: zones[n])
    Organization.objects.update_or_create(pk=1, defaults={"time_zone": "America/New_York"})
    late = datetime(2026, 6, 2, 10, 30, tzinfo=UTC)  # 3 June in Kiritimati, 1 June in Pago Pago
    there = {"attribute": "birth_date", "op": "birthday_in_next", "value": {"days": 0}, "zone": "contact"}
    assert queries.audience(rule(there), at=late) == sorted([ids[1], ids[3], ids[4]])
    assert len(queries.audience(rule({**there, "zone": "organization"}), at=late)) == 5
    yesterday = {"attribute": "birth_date", "op": "birthday_in_next", "value": {"days": 1}, "zone": "contact"}
    assert len(queries.audience(rule(yesterday), at=late)) == 4


@pytest.mark.django_db
def test_a_pasted_list_of_fifty_thousand_values_is_quick() -> None:
    attribute("member", Kind.TEXT)
    make_people(20, member=lambda n: f"M{n:06}")
    asked = rule({"attribute": "member", "op": "one_of", "value": [f"m{n:06}" for n in range(10, 50_010)]})
    parsed = parse(asked)
    began = time.perf_counter()
    assert queries.count(parsed) == 10
    assert time.perf_counter() - began < 2


def test_a_missing_value_is_said_in_the_sentence() -> None:
    raw = rule({"attribute": "t", "op": "is_not", "value": "a"}, {"sample": {"percent": 10}})
    assert sentence(parse(raw, make.CATALOG), make.CATALOG) == (
        "People where T is known and not “a”, and they are in a random sample of 10 %."
    )
