"""Reading the trail's tree: a few rows per proof, whatever its size."""

from functools import lru_cache

from audit import merkle
from audit.errors import TrailBroken
from audit.models import Checkpoint, Leaf, Node
from audit.signing import Head, read

BLOCK = 8  # levels between stored hashes


class Tree:
    """The hashes of complete subtrees, from leaves and stored nodes; reads blocks of 256 and keeps the last few.

    For one reading of a settled stretch: it does not notice leaves added to a block after it read that.
    """

    def __init__(self) -> None:
        self.block = lru_cache(maxsize=64)(self._block)

    def _block(self, base: int, number: int) -> list[list[bytes]]:
        first, last = number << BLOCK, (number + 1) << BLOCK
        if base:
            nodes = Node.objects.filter(level=base, index__gte=first, index__lt=last).order_by("index")
            return merkle.levels([bytes(found) for found in nodes.values_list("hash", flat=True)])
        leaves = Leaf.objects.filter(index__gte=first, index__lt=last).order_by("index")
        return merkle.levels([bytes(found) for found in leaves.values_list("leaf_hash", flat=True)])

    def node(self, level: int, index: int) -> bytes:
        base = level - level % BLOCK
        first = index << (level - base)
        rows = self.block(base, first >> BLOCK)
        try:
            return rows[level - base][index - ((first >> BLOCK) << BLOCK >> (level - base))]
        except IndexError:
            raise TrailBroken(f"Hashes of the trail are missing: level {level}, place {index}.") from None

    def root(self, size: int) -> bytes:
        return merkle.root(size, self.node)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return merkle.inclusion(index, size, self.node)

    def consistency(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency(old, new, self.node)


def last_checkpoint() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-size").first()


def last_head() -> Head | None:
    """The head last signed; TrailBroken if its row was tampered with."""
    checkpoint = last_checkpoint()
    return read(checkpoint.note) if checkpoint else None
