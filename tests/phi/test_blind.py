"""Equal identifiers meet, others do not, and nothing else may be indexed."""

import contextlib
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phi import blind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann.Lee@Example.COM", " ann.lee@example.com "),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@B\u00dcCHER.example", "ann@b\u00fccher.example"),
    ],
)
def test_one_address_in_two_spellings_has_one_index(one: str, other: str) -> None:
    assert blind.index("email", one) == blind.index("email", other)
    assert blind.index("suppression", one) == blind.index("suppression", other)


def test_different_people_and_different_fields_never_share_an_index() -> None:
    found = {blind.index(field, value) for field in blind.FIELDS for value in ("a@example.com", "b@example.com", "A-1")}
    assert len(found) == 9
    assert {len(index) for index in found} == {32}


def test_an_external_id_keeps_its_case() -> None:
    assert blind.index("external_id", " x-1 ") == blind.index("external_id", "x-1")
    assert blind.index("external_id", "X-1") != blind.index("external_id", "x-1")


@pytest.mark.parametrize("field", ["sex", "zip", "birth_date", "diagnosis", ""])
def test_nothing_low_in_entropy_is_indexed(field: str) -> None:
    with pytest.raises(ValueError, match="may not be indexed"):
        blind.index(field, "x")


@pytest.mark.parametrize("address", ["", "@", "no at sign", "a@" + "x" * 300, "a@.", "a@\ud800", "\u0000@x"])
def test_what_is_no_address_still_has_an_index_and_never_an_error(address: str) -> None:
    assert len(blind.index("email", address)) == 32


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_an_address_in_ascii_is_compared_as_any_other(address: str) -> None:
    local, _, domain = normalize("NFC", address.strip()).rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    assert blind.normalise_email(address) == f"{local}@{domain}".lower()


def test_many_indexes_are_those_of_each() -> None:
    values = ["Ada@Example.com", "müller@münchen.example", "x"]
    for name in ("email", "external_id", "suppression"):
        assert blind.indexes(name, values) == [blind.index(name, value) for value in values]
    assert len({blind.index(name, "x") for name in ("email", "external_id", "suppression")}) == 3
