"""Whether the mails can be made: tried for some of the people who would get them. A check, which changes no count."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from contacts import opening
from contacts.models import Kind
from content.errors import MissingValue, TemplateBroken
from content.models import TemplateVersion
from content.preview import PREVIEW_LINKS
from content.rendering import Compiled, compiled_draft
from segments import catalog as catalogs
from segments import people
from segments.columns import Int
from workflows.simulate.people import stored
from workflows.simulate.trace import Trace
from workflows.simulate.world import World

#: People tried of each mail, spread evenly over all who would get it.
SAMPLE = 200
#: And of those who lack a value that the mail merges in.
LACKING = 50
#: What the template itself cannot do.
BROKEN = "broken"


def tried(trace: Trace, world: World, tick: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """By step: how many would get it, were tried and failed, and why: "missing:" and the field, or "broken".

    `lacking`: of fields whose absence stops the mail, how many of all of them have no value. Contents are those of now.
    """
    person, step, _, outcome, _ = trace.mails.columns()
    sent = outcome == trace.words.place("sent")
    empty = _Empty()
    found: dict[str, Any] = {}
    for key, mail in ((c.prefix + key, mail) for c in world.courses for key, mail in c.mails.items()):
        rows = np.unique(person[sent & (step == trace.words.place(key))])
        if mail.content is None or not len(rows):
            continue
        found[key] = _one(mail.content, rows, world, trace, empty)
        tick()
    return found


def _one(content: TemplateVersion, rows: Int, world: World, trace: Trace, empty: "_Empty") -> dict[str, Any]:
    made = compiled_draft(content)
    numbers = world.people.numbers[rows]
    evenly = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int))
    why = _failures(made, rows[evenly], world, trace)
    lacking: dict[str, int] = {}
    for field in made.fields_used:
        without = rows[np.isin(numbers, empty.of(field))]
        # What the journey itself gives them is no gap.
        without = without[[field not in trace.given.get(row, {}) for row in without.tolist()]]
        if len(without) and f"missing:{field}" in _failures(made, without[:LACKING], world, trace):
            lacking[field] = len(without)
    return {"people": len(rows), "tried": len(evenly), "why": dict(why), "lacking": lacking}


def _failures(made: Compiled, rows: Int, world: World, trace: Trace) -> "Counter[str]":
    """Why mails could not be made, of these people."""
    places = dict(zip(world.people.numbers[rows].tolist(), rows.tolist(), strict=True))
    found: Counter[str] = Counter()
    for number, who, record in opening.readable(sorted(places)):
        values = {**record.values, **record.coded, **trace.given.get(places[number], {})}
        try:
            made.render(who, values, PREVIEW_LINKS)
        except MissingValue as missing:
            found[f"missing:{missing.key}"] += 1
        except TemplateBroken:
            found[BROKEN] += 1
        except (TypeError, ValueError, ArithmeticError):  # as at the door: one person's value stops their mail alone
            found[BROKEN] += 1
    return found


class _Empty:
    """Who has no value of a field, by contact number; each field is looked at once. Coded lists are not looked at."""

    def __init__(self) -> None:
        self._fields = catalogs.load().fields
        self._known: dict[str, Int] = {}

    def of(self, field: str) -> Int:
        if field not in self._known:
            self._known[field] = self._look(field)
        return self._known[field]

    def _look(self, field: str) -> Int:
        kind = self._fields[field].kind if field in self._fields else Kind.CODED
        if kind == Kind.CODED:
            return np.zeros(0, dtype=np.int64)
        parts: Sequence[Int] = [
            frame.numbers[frame.present & np.array([value is None for value in stored(frame.columns[field], kind)])]
            for frame in people.frames_of({field: kind})
            if len(frame)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
