"""Who matches, as Roaring bitmaps of contact numbers: a whole rule, or each of its parts in one pass."""

from array import array
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pyroaring import BitMap

from segments import catalog as catalogs
from segments import evaluate, queries
from segments.catalog import Catalog
from segments.columns import Int
from segments.tree import Node, Rule


def numbers_of(rule: queries.AnyRule, at: datetime | None = None, catalog: Catalog | None = None) -> BitMap:
    """The contact numbers of everybody the rule matches."""
    catalog = catalog or catalogs.load()
    rule = queries.as_rule(rule, catalog)
    found = BitMap()
    for frame, context in queries.evaluated(rule, catalog, at):
        found |= _bitmap(frame.numbers[evaluate.matches(rule, frame, context)])
    return found


def crowds_of(rule: Rule, nodes: Sequence[Node], catalog: Catalog) -> tuple[list[BitMap], BitMap]:
    """Whom each of these parts of the rule matches by itself, and everybody there is."""
    crowds, everybody = [BitMap() for _ in nodes], BitMap()
    for frame, context in queries.evaluated(rule, catalog):
        everybody |= _bitmap(frame.numbers[frame.present])
        for crowd, mask in zip(crowds, evaluate.masks(nodes, frame, context), strict=True):
            crowd |= _bitmap(frame.numbers[mask])  # noqa: PLW2901  in place
    return crowds, everybody


def _bitmap(numbers: Int) -> BitMap:
    return BitMap(array("I", np.asarray(numbers, dtype=np.uint32).tobytes()))
