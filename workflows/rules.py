"""Whom a rule of the segment language matches among some people, or among everybody."""

from collections.abc import Iterable
from datetime import datetime

from pyroaring import BitMap

from contacts import opening
from segments import catalog as catalogs
from segments import evaluate, fanout
from segments.columns import of_people
from segments.facts.lookup import context_for
from segments.frames import as_rule, kinds_of


def among(rule: object, numbers: Iterable[int], at: datetime) -> set[int]:
    """The contact numbers of those whom it matches as of `at`. A fixed number of statements. Raises RuleError.

    Whose record does not open is not among them, and holds up nobody else.
    """
    catalog = catalogs.load()
    parsed = as_rule(rule, catalog)
    people = opening.readable(sorted(numbers))
    if not people:
        return set()
    frame = of_people(people, kinds_of(parsed, catalog))
    held = evaluate.matches(parsed, frame, context_for(parsed, at))
    return {int(number) for number in frame.numbers[held]}


def everybody(rule: object, at: datetime) -> BitMap:
    """The contact numbers of all whom it matches as of `at`. Raises RuleError."""
    return fanout.members(rule, at)
