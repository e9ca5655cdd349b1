"""What a value picker offers: what exists, most frequent first."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from segments import people
from segments.asking import CELL
from segments.catalog import Field
from segments.columns import Frame, Words
from segments.draft import Clause, chosen
from segments.operators import Takes
from segments.people import Code

#: So many are offered at a time.
OFFERED = 20


def offered(node: Clause, known: Field, *, counts: bool) -> dict[str, Any]:
    """What fits what is typed into a condition's search; `counts`: the asker may see small cells."""
    takes = chosen(node, known).takes
    if takes is Takes.CODES:
        every = people.codes().get(known.key, [])
        if not counts:
            every = [code for code in every if code.people >= CELL]
        typed = node.part("q").strip()
    elif takes in (Takes.TEXT, Takes.TEXTS) and not known.identifier:
        every = texts(known)
        typed = (node.part("q") if takes is Takes.TEXTS else "".join(node.values)).strip()
    else:
        return {}
    wanted, had = typed.casefold(), {line.strip() for value in node.values for line in value.splitlines()}
    fitting = [c for c in every if wanted in c.code.casefold() or wanted in c.display.casefold()]
    fitting = [c for c in fitting if c.code not in had]
    return {
        "offers": fitting[:OFFERED],
        "more": max(0, len(fitting) - OFFERED),
        "typed": typed.upper(),
        "verb": {Takes.CODES: "code", Takes.TEXTS: "word"}.get(takes, "value"),
        "noun": "code" if takes is Takes.CODES else "value",
    }


def texts(known: Field) -> list[Code]:
    """The values of a text that at least 11 people share: fewer could name somebody, whoever asks."""
    found: Counter[str] = Counter()
    for frame in people.frames_of({known.key: known.kind}):
        found.update(dict(_counted(frame, known.key)))
    shared = [(text, n) for text, n in found.items() if n >= CELL and text.strip()]
    return [Code(text, "", n) for text, n in sorted(shared, key=lambda pair: (-pair[1], pair[0]))]


def _counted(frame: Frame, key: str) -> Iterator[tuple[str, int]]:
    column = frame.columns[key]
    if isinstance(column, Words):
        counts = np.bincount(column.places[frame.present], minlength=len(column.words) + 1)
        yield from ((text, int(n)) for text, n in zip(column.words.to_list(), counts[:-1], strict=True) if n)
    else:
        held = column.filter(pl.Series(frame.present)).drop_nulls().value_counts(name="n")
        yield from ((str(text), int(n)) for text, n in held.iter_rows())
