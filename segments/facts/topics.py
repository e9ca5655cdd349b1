"""Who opted in and out, as clauses ask it: by their own last words, as consent.state takes them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection

from segments.columns import Numbers
from segments.facts import answers, words
from segments.facts.answers import Facts
from segments.facts.rows import Flags, Subject
from segments.facts.source import POOL, TOPIC
from segments.facts.words import Words
from segments.store.memory import memory
from segments.tree import TopicIs

EVERYTHING: Subject = (TOPIC, POOL)
#: People that may be added between the reading of facts and that of people, and still have made no choice.
_SLACK = 100_000


def sets(clauses: Sequence[TopicIs], at: datetime | None, *, by_files: bool) -> dict[TopicIs, Numbers]:
    """The contact numbers each clause holds for, now or as of `at`. Raises files.Moved."""
    if not clauses:
        return {}
    topics = sorted({clause.topic for clause in clauses})
    facts = answers.of([EVERYTHING, *((TOPIC, topic) for topic in topics)], at, by_files=by_files)
    known = {topic: memory.peek(_key(topic, facts)) for topic in topics}
    new = [topic for topic in topics if answers.later(facts, (TOPIC, topic), Words) is not None]
    if answers.later(facts, EVERYTHING, Words) is not None:
        new = topics
    unknown = {*new, *(topic for topic in topics if known[topic] is None)}
    facts.open([EVERYTHING, *((TOPIC, topic) for topic in unknown)] if unknown else [])
    states = {topic: _states(topic, known[topic], facts) for topic in topics}
    everybody = _everybody() if any(clause.state == "no_choice" for clause in clauses) else 0
    return {clause: Numbers(_in_state(clause.state, *states[clause.topic], everybody)) for clause in clauses}


def _key(topic: UUID, facts: Facts) -> tuple[object, ...]:
    """What the files say of a topic holds as long as they do."""
    both = ((TOPIC, topic), EVERYTHING)
    return ("states", *(facts.heads[s].key if s in facts.heads else s for s in both))


def _states(topic: UUID, base: tuple[Flags, Flags] | None, facts: Facts) -> tuple[Flags, Flags]:
    """Who is in the topic and who is out of it, one place a number."""
    both = ((TOPIC, topic), EVERYTHING)
    held = [some if isinstance(some := facts.opened.get(s), Words) else words.empty() for s in both]
    if base is None:
        base = words.everybody(held[0], held[1])
        memory.put(_key(topic, facts), base, base[0].nbytes * 2)
    later = [answers.later(facts, subject, Words) or words.empty() for subject in both]
    whom = np.union1d(later[0].numbers, later[1].numbers)
    if len(whom) == 0:
        return base
    last = [np.maximum(words.of(old, whom), words.of(new, whom)) for old, new in zip(held, later, strict=True)]
    length = max(len(base[0]), int(whom[-1]) + 1)
    inside, outside = np.zeros((2, length), dtype=np.bool_)
    for flags, old, new in zip((inside, outside), base, words.states(*last), strict=True):
        flags[: len(old)] = old
        flags[whom] = new
    return inside, outside


def _everybody() -> int:
    """More than the highest contact number there is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM contact_number")
        return int(cursor.fetchone()[0]) + _SLACK


def _in_state(state: str, inside: Flags, outside: Flags, everybody: int) -> Flags:
    if state == "opted_in":
        return inside
    if state == "opted_out":
        return outside
    neither = np.ones(max(everybody, len(inside)), dtype=np.bool_)
    neither[: len(inside)] = ~(inside | outside)
    return neither
