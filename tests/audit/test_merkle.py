"""RFC 6962 trees: known answers of Certificate Transparency, a second implementation, and properties."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
hashes = st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=90).map(
    lambda items: [merkle.leaf_hash(item) for item in items]
)


def tree(leaves: list[bytes]) -> merkle.Node:
    rows = merkle.levels(leaves)
    return lambda level, index: rows[level][index]


def slow_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


KNOWN = [merkle.leaf_hash(leaf) for leaf in LEAVES]


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    assert merkle.root(size, tree(KNOWN)).hex() == ROOTS[size - 1]


def test_the_empty_tree() -> None:
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root(0, tree([])).hex() == expected


def test_a_known_inclusion_proof() -> None:
    assert [found.hex() for found in merkle.inclusion(0, 8, tree(KNOWN))] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_a_known_consistency_proof() -> None:
    assert [found.hex() for found in merkle.consistency(6, 8, tree(KNOWN))] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(hashes)
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle.root(len(leaves), tree(leaves)) == slow_root(leaves)


@given(hashes, st.data())
def test_inclusion_proofs_lead_to_the_root_and_only_from_their_own_leaf(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(index, size, tree(leaves))
    root = slow_root(leaves)
    assert merkle.root_from_inclusion(index, size, leaves[index], proof) == root
    assert merkle.root_from_inclusion(index, size, merkle.leaf_hash(b"another"), proof) != root
    assert merkle.root_from_inclusion(index, size, leaves[index], [*proof, root]) is None
    if proof:
        assert merkle.root_from_inclusion(index, size, leaves[index], proof[:-1]) != root
    assert merkle.root_from_inclusion(size, size, leaves[index], proof) is None


@given(hashes, st.data())
def test_consistency_proofs_hold_for_extensions_and_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    new = len(leaves)
    old = data.draw(st.integers(0, new))
    old_root, new_root = slow_root(leaves[:old]), slow_root(leaves)
    proof = merkle.consistency(old, new, tree(leaves))
    assert merkle.is_consistent(old, old_root, new, new_root, proof)
    rewritten = [merkle.leaf_hash(b"rewritten"), *leaves[1:]]
    if old and rewritten != leaves:
        other = slow_root(rewritten)
        assert not merkle.is_consistent(old, old_root, new, other, merkle.consistency(old, new, tree(rewritten)))
    assert not merkle.is_consistent(old, b"\x00" * 32, new, new_root, proof)
    assert not merkle.is_consistent(old, old_root, new, new_root, [*proof, new_root])
    assert not merkle.is_consistent(new + 1, new_root, new, new_root, proof)
