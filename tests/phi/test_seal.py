"""AES-256-GCM over padded bytes: properties, not examples."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phi import seal
from phi.errors import KeyUnavailable, SealBroken

KEY = bytes(range(32))
plaintexts = st.binary(max_size=20_000)


def sealed_row(number: int, plaintext: bytes = b"value") -> tuple[str, bytes, bytes, bytes]:
    key, wrapped = seal.new_data_key()
    aad = seal.aad("people", UUID(int=number).bytes)
    return wrapped.kek_id, wrapped.wrapped, seal.seal(plaintext, key=key, aad=aad), aad


@given(plaintexts, st.binary(max_size=40))
def test_what_was_sealed_opens(plaintext: bytes, aad: bytes) -> None:
    assert seal.open_sealed(seal.seal(plaintext, key=KEY, aad=aad), key=KEY, aad=aad) == plaintext


@given(st.binary(max_size=300), st.data())
def test_a_flip_of_any_byte_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = seal.seal(plaintext, key=KEY, aad=b"row")
    place = data.draw(st.integers(0, len(sealed) - 1))
    change = data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        seal.open_sealed(sealed[:place] + bytes([sealed[place] ^ change]) + sealed[place + 1 :], key=KEY, aad=b"row")


@given(st.integers(0, 300))
def test_a_truncated_value_is_refused(length: int) -> None:
    with pytest.raises(SealBroken):
        seal.open_sealed(seal.seal(b"x" * 200, key=KEY, aad=b"")[: min(length, 284)], key=KEY, aad=b"")


def test_swapped_keys_ciphertexts_and_places_never_open() -> None:
    rows = [sealed_row(n, f"value {n}".encode()) for n in range(4)]
    for i, (kek_id, wrapped, _, _) in enumerate(rows):
        for j, (_, _, sealed, _) in enumerate(rows):
            for k, (_, _, _, aad) in enumerate(rows):
                if i == j == k:
                    assert seal.open_many([(kek_id, wrapped, sealed, aad)]) == [f"value {i}".encode()]
                else:
                    with pytest.raises(SealBroken):
                        seal.open_many([(kek_id, wrapped, sealed, aad)])


def test_another_table_and_another_schema_version_do_not_open() -> None:
    row = UUID(int=1).bytes
    sealed = seal.seal(b"x", key=KEY, aad=seal.aad("people", row, 1))
    for aad in (seal.aad("peoples", row, 1), seal.aad("people", row, 2), seal.aad("people", row[::-1], 1)):
        with pytest.raises(SealBroken):
            seal.open_sealed(sealed, key=KEY, aad=aad)


def test_an_unknown_algorithm_is_refused() -> None:
    sealed = seal.seal(b"x", key=KEY, aad=b"")
    for algorithm in (0, 2, 255):
        with pytest.raises(SealBroken, match="unknown form"):
            seal.open_sealed(bytes([algorithm]) + sealed[1:], key=KEY, aad=b"")


def test_no_nonce_comes_twice() -> None:
    assert len({seal.seal(b"", key=KEY, aad=b"")[1:13] for _ in range(20_000)}) == 20_000


def test_lengths_tell_one_of_four_sizes() -> None:
    lengths = {len(seal.seal(b"x" * n, key=KEY, aad=b"")) for n in range(0, 16_380, 7)}
    assert lengths == {size + 29 for size in seal.SIZES}


def test_a_data_key_under_an_unknown_key_says_so() -> None:
    _, wrapped, sealed, aad = sealed_row(1)
    with pytest.raises(KeyUnavailable):
        seal.open_many([("k999", wrapped, sealed, aad)])
