"""Canonical JSON: the vectors of RFC 8785."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical


@pytest.mark.parametrize(
    ("bits", "text"),
    [  # RFC 8785 appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers(bits: str, text: str) -> None:
    assert canonical.encode(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == text


def test_names_are_sorted_by_utf16_code_units() -> None:
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical.encode(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


def test_strings_are_escaped_as_little_as_possible() -> None:
    assert canonical.encode('\u20ac$\x0f\nA\'B"\\"/').decode() == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/"'


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), b"bytes", {"a": {1, 2}}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical.encode(value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_it_reads_back_as_the_same_value_and_is_stable(value: object) -> None:
    try:
        encoded = canonical.encode(value)
    except UnicodeEncodeError:  # lone surrogates
        return
    assert json.loads(encoded, parse_int=float) == value  # as JavaScript reads it
    assert canonical.encode(json.loads(encoded)) == encoded
