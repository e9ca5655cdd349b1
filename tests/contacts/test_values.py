from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts import addresses, values
from contacts.errors import BadValue
from contacts.persons import Person, fold_list, merge
from contacts.records import Coded, Record


@dataclass
class Definition:
    key: str = "custom"
    label: str = "Custom"
    kind: str = "text"
    choices: list[str] = field(default_factory=list)
    built_in: bool = False


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        ("text", "  Ada \n Lovelace ", "Ada \n Lovelace"),
        ("number", "12", 12),
        ("number", "-3.50", -3.5),
        ("number", "1,234,567.8", 1234567.8),
        ("number", "12,5", 12.5),
        ("number", "1e3", 1000.0),
        ("date", "1961-04-30", "1961-04-30"),
        ("date", "1961-04-30T10:00:00Z", "1961-04-30"),
        ("date", "04/30/1961", "1961-04-30"),
        ("date", "30.4.1961", "1961-04-30"),
        ("date", "19610430", "1961-04-30"),
        ("datetime", "2026-01-02 10:00", "2026-01-02T10:00:00Z"),
        ("datetime", "2026-01-02T10:00:00-05:00", "2026-01-02T15:00:00Z"),
        ("datetime", "2026-01-02", "2026-01-02T00:00:00Z"),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
    ],
)
def test_typed_text_becomes_the_stored_form(kind: str, text: str, stored: object) -> None:
    assert values.parse(kind, text) == stored


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "twelve"),
        ("number", "NaN"),
        ("number", "1e999"),
        ("number", "9" * 40),
        ("date", "31.02.1961"),
        ("date", "04/30/61"),
        ("date", "0001-01-01"),
        ("date", "13/13/2000"),
        ("datetime", "2026-01-02 25:00"),
        ("datetime", "tomorrow"),
        ("boolean", "perhaps"),
        ("choice", "unknown"),
        ("coded", "x"),
        ("text", ""),
        ("text", "   "),
        ("text", "a\x00b"),
        ("text", "a\x1bb"),
        ("text", "a\ud800b"),
        ("text", "x" * 4001),
    ],
)
def test_what_fits_no_kind_is_refused_without_repeating_it(kind: str, text: str) -> None:
    with pytest.raises(BadValue) as refusal:
        values.parse(kind, text)
    assert not text.strip() or text not in str(refusal.value)


def test_slashed_dates_mean_what_the_file_is_said_to_mean() -> None:
    assert values.parse("date", "03/04/2026") == "2026-03-04"
    assert values.parse("date", "03/04/2026", day_first=True) == "2026-04-03"


def test_choices_match_whatever_their_case_and_sex_takes_letters() -> None:
    plan = Definition(kind="choice", choices=["Gold", "Silver"])
    assert values.parse("choice", "gold", plan) == "Gold"
    sex = Definition("sex", "Sex", "choice", ["female", "male", "other", "unknown"], True)
    assert [values.parse("choice", text, sex) for text in ("F", "M", "Female")] == ["female", "male", "female"]


def test_built_in_texts_have_one_line_and_their_own_checks() -> None:
    assert values.parse("text", "Ada\r\n  Maria", Definition("first_name", built_in=True)) == "Ada Maria"
    assert values.parse("text", "america/los_angeles", Definition("time_zone", built_in=True)) == "America/Los_Angeles"
    assert values.parse("text", "Spanish", Definition("language", built_in=True)) == "es"
    with pytest.raises(BadValue):
        values.parse("text", "Mars/Olympus", Definition("time_zone", built_in=True))


@pytest.mark.parametrize(
    ("kind", "raw", "stored"),
    [
        ("boolean", False, False),
        ("number", 2.5, 2.5),
        ("datetime", datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    ],
)
def test_typed_values_are_taken_as_they_are(kind: str, raw: object, stored: object) -> None:
    assert values.accept(Definition(kind=kind), raw) == stored


@pytest.mark.parametrize(
    ("kind", "raw"),
    [("boolean", 1), ("number", True), ("number", float("nan")), ("text", 5), ("date", 5), ("coded", [])],
)
def test_typed_values_of_another_kind_are_refused(kind: str, raw: object) -> None:
    with pytest.raises(BadValue):
        values.accept(Definition(kind=kind), raw)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada.L+x@Example.COM ", "Ada.L+x@example.com"),
        ("o'neil@sub.example.org", "o'neil@sub.example.org"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_addresses_keep_their_local_part_and_get_an_ascii_domain(typed: str, kept: str) -> None:
    assert addresses.clean(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "a b@example.com", "ädä@example.com",
        "ada@example.com\nBcc: x@y.example", "ada@example.com\r", "ada@exa\x00mple.com", "ada@-example.com",
        "ada@example..com", ".ada@example.com", "ada.@example.com", '"a b"@example.com', "a@[127.0.0.1]", "a@127.0.0.1",
        "a" * 65 + "@example.com", "a@" + "b" * 64 + ".com", "a@" + "b." * 130 + "com", "Ada <ada@example.com>",
        "a@example.com,b@example.com",
    ],
)  # fmt: skip
def test_what_is_no_single_mailbox_is_refused(typed: str) -> None:
    with pytest.raises(BadValue):
        addresses.clean(typed)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_is_taken_as_an_address_can_stand_in_a_header(text: str) -> None:
    try:
        address = addresses.clean(text)
    except BadValue:
        return
    assert address.isascii()
    assert address.isprintable()
    assert len(address) <= 254
    assert addresses.clean(address) == address


@settings(deadline=None)
@given(st.sampled_from(["text", "number", "date", "datetime", "boolean"]), st.text(max_size=60))
def test_parsing_either_refuses_or_gives_a_form_that_parses_to_itself(kind: str, text: str) -> None:
    try:
        stored = values.parse(kind, text)
    except BadValue:
        return
    assert values.accept(Definition(kind=kind), stored) == stored


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_mask_shows_at_most_the_edges_of_a_value(text: str) -> None:
    for key in ("email", "first_name", "external_id", "custom"):
        shown = values.masked(Definition(key), text)
        assert len(shown.replace("•", "").replace("@", "").replace(".", "")) <= max(4, len(text.rpartition(".")[2]) + 3)
    assert values.masked(Definition(), text) == "•••"


codes = st.builds(
    Coded,
    st.sampled_from("abc"),
    st.sampled_from(["", "x"]),
    st.sampled_from([None, "2020-01-01", "2021-01-01"]),
    st.sampled_from([None, "2022-01-01"]),
)


@settings(deadline=None)
@given(st.lists(codes), st.lists(codes))
def test_folding_the_same_entries_again_changes_nothing(known: list[Coded], news: list[Coded]) -> None:
    once = fold_list(known, news)
    assert fold_list(once, news) == once
    assert {(e.code, e.start) for e in once} == {(e.code, e.start) for e in [*known, *news]}


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers()),
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers()),
)
def test_merging_says_exactly_what_was_said(known: dict[str, int], said: dict[str, int | None]) -> None:
    merged = merge(Record(dict(known)), Person(dict(said)), fold=False).values
    for key in "abcd":
        assert merged.get(key) == (said[key] if key in said else known.get(key))
