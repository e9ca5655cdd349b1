"""Bad rules are refused with the clause and the reason; good ones survive the builder's form unchanged."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from segments import draft
from segments.builder import Builder, View
from segments.rules import RuleError, parse, parse_leniently
from segments.sentence import sentence
from tests.segments import people as make
from tests.segments.test_evaluate import VALIDATOR, relaxed

IS_A = {"attribute": "t", "op": "is", "value": "a"}


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = IS_A
    for _ in range(levels):
        node = {"all": [node]}
    return {"version": 2, "root": node}


def one(clause: Any) -> dict[str, Any]:
    return {"version": 2, "root": {"all": [IS_A, clause]}}


def asks(attribute: str, op: Any, value: Any = None, **more: Any) -> dict[str, Any]:
    return one({"attribute": attribute, "op": op, "value": value, **more})


#: A list of texts of 2.5 MB.
MUCH = {"attribute": "t", "op": "one_of", "value": [f"{n:050}" for n in range(50_000)]}

BAD: list[tuple[Any, str]] = [
    (None, "A rule has the form"),
    ("DROP TABLE contacts", "A rule has the form"),
    ([], "A rule has the form"),
    ({}, "A rule has the form"),
    ({"version": 2}, "A rule has the form"),
    ({"version": 3, "root": {"all": [IS_A]}}, "version 2 is understood"),
    ({"version": True, "root": {"all": [IS_A]}}, "version 2 is understood"),
    ({"version": [1], "root": {"all": [IS_A]}}, "version 2 is understood"),
    ({"version": 2, "root": {"all": [IS_A]}, "sql": "1=1"}, "A rule has no part “sql”"),
    ({"version": 2, "root": IS_A}, "The root of a rule is a group"),
    ({"version": 2, "root": {}}, "The root of a rule is a group"),
    ({"version": 2, "root": None}, "The root of a rule is a group"),
    ({"version": 2, "root": {"all": []}}, "names nothing yet"),
    ({"version": 2, "root": {"all": {}}}, "A group holds a list"),
    ({"version": 2, "root": {"all": [IS_A], "any": [IS_A]}}, "exactly one of all, any and none"),
    (one({"any": []}), "Condition 2: This group is empty"),
    (one({"none": None}), "Condition 2: A group holds a list"),
    (one({"any": [IS_A, 7]}), "Condition 2.2: This is neither"),
    (one(None), "Condition 2: This is neither"),
    (one({}), "Condition 2: Choose what"),
    (one({"attribute": "t", "topic": str(make.TOPICS[0])}), "Condition 2: A condition is about one thing"),
    (deep(9), "nested more than 8 deep"),
    (deep(1000), "nested more than 8 deep"),
    ({"version": 2, "root": {"all": [IS_A] * 10_000}}, "Condition 1001: A rule has at most 1,000 conditions"),
    ({"version": 2, "root": {"all": [{"any": [IS_A] * 600}] * 2}}, "Condition 2.401: A rule has at most 1,000"),
    (asks("hair", "is", "red"), "Condition 2: There is no attribute “hair”"),
    (asks("gone", "is", "x"), "Condition 2: The attribute “Gone” was removed on 01 Mar 2026"),
    (asks(["t"], "is", "x"), "Condition 2: Choose an attribute"),
    (asks("", "is", "x"), "Condition 2: Choose an attribute"),
    (asks("t", "sounds_like", "a"), "Condition 2 (T): T cannot be asked “sounds_like”. It can be asked: is, "),
    (asks("t", "matches", "(a+)+$"), "Condition 2 (T): This pattern repeats what may already repeat without end"),
    (asks("t", "matches", "(.*a){12}"), "Condition 2 (T): This pattern repeats what may already repeat without end"),
    (asks("t", "matches", r"(a)\1"), "Condition 2 (T): References back"),
    (asks("t", "matches", "(?=a)"), "Condition 2 (T): Groups with (?"),
    (asks("t", "matches", "a{1001}"), "counts to more than 1,000"),
    (asks("t", "matches", "(a{50}){50}"), "counts to more than 1,000"),
    (asks("t", "matches", "a" * 201), "longer than 200"),
    (asks("t", "matches", "(a"), "Condition 2 (T): A group is not closed"),
    (asks("t", "matches", 5), "Condition 2 (T): This must be a text"),
    (asks("t", "age_between", 3), "cannot be asked “age_between”"),
    (asks("t", ["is"], "a"), "cannot be asked"),
    (asks("t", {"$ne": 1}, "a"), "cannot be asked"),
    (asks("t", None, "a"), "Choose a comparison"),
    (asks("t", "is"), "Condition 2 (T): Enter a text"),
    (asks("t", "is", "  "), "Enter a text"),
    (asks("t", "is", 5), "This must be a text"),
    (asks("t", "is", {"$gt": ""}), "This must be a text"),
    (asks("t", "is", "a" * 501), "longer than 500"),
    (asks("t", "is", "a\x00b"), "cannot be stored"),
    (asks("t", "is", "\ud800"), "cannot be stored"),
    (asks("t", "one_of", []), "Enter at least one value"),
    (asks("t", "one_of", "a"), "must be a list"),
    (asks("t", "one_of", ["a"] * 50_001), "more than 50,000 values"),
    (asks("k", "has", ["E11"] * 1001), "more than 1,000 values"),
    ({"version": 2, "root": {"all": [MUCH, MUCH, IS_A]}}, "Condition 3: The texts of a rule take at most 4 MB"),
    (asks("t", "one_of", ["a", None]), "Enter a text"),
    (asks("t", "is", "a", when="ever"), "no part “when”"),
    (asks("t", "is_empty", "a"), "no part “value”"),
    (asks("t", "is", "a", regex="a*"), "no part “regex”"),
    (asks("n", "is", "1"), "must be a number"),
    (asks("n", "is", True), "must be a number"),
    (asks("n", "is", float("nan")), "finite"),
    (asks("n", "is", float("inf")), "finite"),
    (asks("n", "is", 10**400), "too large"),
    (asks("n", "between", {"from": 2, "to": 1}), "first number is greater"),
    (asks("n", "between", {"from": 2}), "Enter a number"),
    (asks("n", "between", [1, 2]), "must have the form"),
    (asks("n", "between", {"from": 1, "to": 2, "or": 3}), "must have the form"),
    (asks("d", "is", "2025-02-29"), "There is no such day"),
    (asks("d", "is", "20250228"), "YYYY-MM-DD"),
    (asks("d", "is", "2025-02-28T00:00:00Z"), "YYYY-MM-DD"),
    (asks("d", "is", "٢٠٢٥-٠٢-٢٨"), "YYYY-MM-DD"),
    (asks("d", "is", 20250228), "YYYY-MM-DD"),
    (asks("d", "is", {"days": 1.5}), "whole number"),
    (asks("d", "is", {"days": 99_999}), "from -36,500 to 36,500"),
    (asks("d", "is", {"hours": 1}), "A length of time has the form"),
    (asks("d", "is", {"weeks": 1, "days": 1}), "A length of time has the form"),
    (asks("d", "is", {"months": 1_201}), "a number of months from -1,200 to 1,200"),
    (asks("d", "between", {"from": "2025-02-02", "to": "2025-02-01"}), "first day is after the second"),
    (asks("d", "between", {"from": {"days": 1}, "to": {"days": -1}}), "first day is after the second"),
    (asks("d", "in_last", 7), "A length of time has the form"),
    (asks("d", "in_last", {"days": -1}), "from 0 to 36,500"),
    (asks("d", "in_last", {"days": 10**30}), "from 0 to 36,500"),
    (asks("d", "in_last", {"years": "7"}), "a number of years as a whole number"),
    (asks("d", "in_last", {"days": 1}, zone="mine"), "the zone of the “organization” or of the “contact”"),
    (asks("d", "in_last", {"days": 1}, on="2026-01-01"), "no part “on”"),
    (asks("d", "age_at_least", 151), "from 0 to 150"),
    (asks("d", "age_at_least", 3, on="tomorrow"), "YYYY-MM-DD"),
    (asks("d", "weekday", ["someday"]), "Days of the week are: monday"),
    (asks("d", "weekday", []), "Choose at least one day of the week"),
    (asks("t", "is", "a", zone="contact"), "no part “zone”"),
    (asks("d", "age_between", {"from": 0, "to": 151}), "from 0 to 150"),
    (asks("d", "age_between", {"from": 9, "to": 8}), "first age is greater"),
    (asks("b", "is", "yes"), "yes or no"),
    (asks("b", "is", 1), "yes or no"),
    (asks("c", "one_of", ["Cigna"]), "Condition 2 (C): This is not one of the choices of C"),
    (asks("c", "is", 3), "not one of the choices"),
    (asks("c", "one_of", None), "Choose at least one value"),
    (asks("k", "has", []), "Choose at least one code"),
    (asks("k", "has", ["*"]), "“*” is not a code"),
    (asks("k", "has", ["E*1"]), "“E*1” is not a code"),
    (asks("k", "has", ["E11"], when="sometimes"), '"when" is'),
    (asks("k", "has", ["E11"], when={"in_last": {"days": "3"}}), "whole number"),
    (asks("k", "has", ["E11"], times={"at_least": 0}), "how many times from 1 to 10,000"),
    (asks("k", "has", ["E11"], times={"about": 2}), '"times" has the form'),
    (asks("k", "has_none", ["E11"], times={"at_most": 2}), "no part “times”"),
    (asks("k", "has", ["E11"], when="in_last"), '"when" is'),
    (asks("k", "has", ["E11"], when={"ever": 1}), '"when" is'),
    (asks("k", "has", ["E11"], when={}), '"when" is'),
    (asks("k", "has", ["E11"], when=None), '"when" is'),
    (asks("k", "has", ["E11"], when={"between": {"from": "x", "to": "y"}}), "YYYY-MM-DD"),
    (one({"topic": "news", "op": "opted_in"}), "Condition 2: This is not an id"),
    (one({"topic": 3, "op": "opted_in"}), "Condition 2: This is not an id"),
    (one({"topic": str(uuid4()), "op": "opted_in"}), "There is no such topic"),
    (one({"topic": str(make.TOPICS[0]), "op": "maybe"}), "A topic can be asked"),
    (one({"topic": str(make.TOPICS[0]), "op": ["opted_in"]}), "A topic can be asked"),
    (one({"event": "bounced"}), "is one of: received, opened, clicked"),
    (one({"event": ["opened"]}), "is one of: received, opened, clicked"),
    (one({"event": "opened", "op": "maybe"}), "did or did_not"),
    (one({"event": "opened", "mailing": str(uuid4())}), "There is no such mailing"),
    (one({"event": "opened", "mailing": 5}), "This is not an id"),
    (one({"event": "opened", "days": 3}), "no part “days”"),
    (one({"event": "opened", "when": {"in_last": {"days": -1}}}), "from 0 to 36,500"),
    (one({"event": "opened", "when": "ever"}), '"when" of a mailing is'),
    (one({"event": "opened", "mailing": str(make.MAILINGS[0]), "link": 1}), "where somebody clicked in one mailing"),
    (one({"event": "clicked", "link": 1}), "where somebody clicked in one mailing"),
    (one({"event": "clicked", "mailing": str(make.MAILINGS[0]), "link": 2}), "the place of a link from 0 to 1"),
    (one({"event": "opened", "op": "did_not", "times": {"at_least": 2}}), "Ask “did” with “at most” instead"),
    (one({"event": "opened", "of_topic": str(uuid4())}), "There is no such topic"),
    (
        one({"event": "opened", "mailing": str(make.MAILINGS[0]), "of_topic": str(make.TOPICS[0])}),
        "one mailing, or the topic of several",
    ),
    (one({"sample": 10}), "A sample has the form"),
    (one({"sample": {"percent": 0}}), "more than 0 and at most 100"),
    (one({"sample": {"percent": 100.5}}), "more than 0 and at most 100"),
    (one({"sample": {"percent": 5, "seed": -1}}), "the number of the lot from 0 to"),
    (one({"segment": str(uuid4()), "op": "in"}), "Condition 2: There is no such segment"),
    (one({"segment": "x", "op": "in"}), "Condition 2: This is not an id"),
    (one({"segment": str(make.SEGMENTS[0]), "op": "within"}), "“in” a segment or “not_in” it"),
]


@pytest.mark.parametrize(("rule", "says"), BAD, ids=[says for _, says in BAD])
def test_a_bad_rule_is_refused_in_words(rule: Any, says: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(rule, make.CATALOG)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_rule_that_went_stale_says_so_without_a_value_or_a_name() -> None:
    """Its refusal may end in the log of a task."""
    topic = uuid4()
    catalog = replace(make.CATALOG, removed_topics={topic: date(2026, 3, 1)})
    stale = [asks("c", "one_of", ["xq-canary"]), one({"topic": str(topic), "op": "opted_in"})]
    for rule, says in zip(stale, ["choices of C", "Condition 2: Its topic was removed on 01 Mar 2026"], strict=True):
        with pytest.raises(RuleError, match=says) as refused:
            parse(rule, catalog)
        assert "canary" not in str(refused.value)


def test_every_problem_is_found_at_once_and_placed() -> None:
    rule = {"version": 2, "root": {"any": [asks("n", "is", "x")["root"], {"attribute": "hair", "op": "is"}]}}
    with pytest.raises(RuleError) as refused:
        parse(rule, make.CATALOG)
    assert [(p.path, p.clause) for p in refused.value.problems] == [
        ("root.any[0].all[1]", "Condition 1.2 (N)"),
        ("root.any[1]", "Condition 2"),
    ]
    assert "And 1 more such condition." in str(refused.value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["t", "is", "k"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("all", "any", "none", "attribute", "op", "value", "when", "topic", "event", "mailing", "days"),
                    *("from", "zone", "times", "sample", "percent", "seed", "segment", "of_topic", "in_last"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(relaxed, max_examples=300)
@given(json_like)
def test_whatever_comes_is_a_rule_or_a_refusal(raw: Any) -> None:
    for rule in (raw, {"version": 2, "root": raw}, {"version": 2, "root": {"all": [raw]}}):
        try:
            found = parse(rule, make.CATALOG)
        except RuleError:
            continue
        else:
            assert VALIDATOR.is_valid(rule)
            assert sentence(found, make.CATALOG)


def test_unfinished_conditions_are_left_out_of_the_count_and_only_of_it() -> None:
    raw = {"version": 2, "root": {"all": [IS_A, {}, asks("n", "is")["root"]["all"][1], {"any": []}]}}
    rule, problems = parse_leniently(raw, make.CATALOG)
    assert rule is not None
    assert len(rule.root.items) == 1
    assert all(p.unfinished for p in problems)
    with pytest.raises(RuleError):
        parse(raw, make.CATALOG)


def form_of(view: View, data: QueryDict) -> None:
    """Fill a form in as the templates do."""
    if view.name != draft.ROOT:
        data.appendlist("node", f"{view.name}:{'group' if view.form == 'group' else 'condition'}")
    if view.form == "group":
        data[f"{view.name}.match"] = view.match
        for item in view.items:
            form_of(item, data)
        return
    for part, value in view.clause.parts.items():
        data[f"{view.name}.{part}"] = value
    for value in view.clause.values:
        data.appendlist(f"{view.name}.value", value)


@settings(relaxed, max_examples=80)
@given(st.data())
def test_a_rule_survives_the_form(data: st.DataObject) -> None:
    world = data.draw(make.worlds())
    raw = data.draw(make.rules(world))
    drawn = draft.from_rule(raw)
    posted = QueryDict(mutable=True)
    form_of(Builder(make.CATALOG).draw(drawn), posted)
    again = draft.to_rule(draft.from_post(posted), make.CATALOG)
    assert parse(again, make.CATALOG) == parse(raw, make.CATALOG)
