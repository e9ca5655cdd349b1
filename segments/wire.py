"""A parsed rule as JSON and back, so that another process asks exactly the same. Pure.

Unlike the JSON people write, it has the rules of the segments it names in it.
"""

from typing import Any
from uuid import UUID

import msgspec

from core.sensitivity import Sensitivity
from segments import tree
from segments.tree import Clause, Group, InSegment, Node

_CLAUSES: dict[str, Any] = {kind.__name__: kind for kind in tree.Clause.__args__}


def packed(node: Node) -> list[Any]:
    """The node as lists, texts and numbers."""
    if isinstance(node, Group):
        return ["Group", node.match, [packed(item) for item in node.items]]
    if isinstance(node, InSegment):
        root = None if node.root is None else packed(node.root)
        return ["InSegment", str(node.segment), node.inside, node.snapshot, root, str(node.tier)]
    return [type(node).__name__, msgspec.to_builtins(node)]


def unpacked(raw: list[Any]) -> Node:
    """The node that was packed. Raises KeyError or msgspec.ValidationError on anything else."""
    name, *rest = raw
    if name == "Group":
        match, items = rest
        return Group(match, tuple(unpacked(item) for item in items))
    if name == "InSegment":
        segment, inside, snapshot, inner, tier = rest
        root = None if inner is None else unpacked(inner)
        assert root is None or isinstance(root, Group)
        return InSegment(UUID(segment), inside, snapshot, root, Sensitivity(tier))
    clause: Clause = msgspec.convert(rest[0], _CLAUSES[name])
    return clause
