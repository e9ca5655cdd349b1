"""The context a rule is evaluated in: the moment, the place, and who is known to have done what."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from core import clock
from core.models import Organization
from segments import bitmaps
from segments.columns import Numbers
from segments.context import Context
from segments.facts import engaged, topics
from segments.facts.files import Moved
from segments.tree import Clause, Engaged, InSegment, Rule, TopicIs, asked_of_facts

#: So often a file may be written anew between two statements before only the tables are asked.
_TRIES = 3


def context_for(rule: Rule, at: datetime | None = None) -> Context:
    """What a rule needs beside people's values, now or as of `at`: what happened and was said until then.

    At most a dozen statements, however many clauses, people and mailings; one more a snapshot.
    """
    base = Context(at or clock.now(), ZoneInfo(Organization.current().time_zone))
    return Context(base.now, base.zone, sets(asked_of_facts(rule), base, at))


def sets(clauses: Iterable[Clause], base: Context, at: datetime | None = None) -> dict[Clause, Numbers]:
    """The contact numbers that each of these clauses (as tree.asked_of_facts gives them) holds for."""
    clauses = list(clauses)
    did = [clause for clause in clauses if isinstance(clause, Engaged)]
    said = [clause for clause in clauses if isinstance(clause, TopicIs)]
    found: dict[Clause, Numbers] = {c: _of_snapshot(c) for c in clauses if isinstance(c, InSegment)}
    for left in range(_TRIES, -1, -1):
        try:
            return found | engaged.sets(did, base, by_files=left > 0) | topics.sets(said, at, by_files=left > 0)
        except Moved:
            continue
    raise AssertionError("Tables do not move.")


def _of_snapshot(clause: InSegment) -> Numbers:
    kept = bitmaps.read(clause.segment)
    return Numbers.of(np.asarray(kept.members.to_array()) if kept else [])
