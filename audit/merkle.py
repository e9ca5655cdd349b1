"""RFC 6962 section 2.1: Merkle tree hash, inclusion and consistency proofs. Pure; the hashes come from a function.

`node(level, index)` is the hash of the complete subtree over leaves [index << level, (index + 1) << level).
"""

import hashlib
from collections.abc import Callable, Sequence

Node = Callable[[int, int], bytes]

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Every complete subtree above consecutive hashes: the hashes themselves first, then one list per level."""
    found = [list(hashes)]
    while len(found[-1]) > 1:
        row = found[-1]
        found.append([parent(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
    return found


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def subtree(begin: int, end: int, node: Node) -> bytes:
    """MTH(D[begin:end]) for a range the recursion of RFC 6962 meets: `begin` is a multiple of the size it fills."""
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, begin >> level)
    middle = begin + _split(count)
    return parent(subtree(begin, middle, node), subtree(middle, end, node))


def root(size: int, node: Node) -> bytes:
    """The tree head over the first `size` leaves."""
    return subtree(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]), nearest sibling first."""
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(subtree(middle, end, node))
            end = middle
        else:
            path.append(subtree(begin, middle, node))
            begin = middle
    return path[::-1]


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """PROOF(old, D[new]) that the head over `new` leaves extends the one over `old`, 0 <= old <= new."""
    if old in (0, new):
        return []
    proof: list[bytes] = []
    begin, end, whole = 0, new, True
    while old != end - begin:
        middle = _split(end - begin)
        if old <= middle:
            proof.append(subtree(begin + middle, end, node))
            end = begin + middle
        else:
            proof.append(subtree(begin, begin + middle, node))
            begin, old, whole = begin + middle, old - middle, False
    if not whole:
        proof.append(subtree(begin, end, node))
    return proof[::-1]


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The tree head that this proof leads to (RFC 9162 section 2.1.3.2); None if the proof has a wrong length."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = parent(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = parent(found, sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the new head only added to the old one (RFC 9162 section 2.1.4.2)."""
    if old == 0:
        return not proof and old_root == EMPTY
    if old >= new:
        return old == new and not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = parent(sibling, first), parent(sibling, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = parent(second, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
