"""Which rules stand in a definition, and which segments it names: from its JSON alone, nothing is looked up."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from workflows.language.definition import Branch, BySegment, Definition, Goal, GoalExit, SegmentLeft


def rules_of(definition: Definition) -> Iterator[Any]:
    """Every rule of the segment language in it, as JSON."""
    if definition.only is not None:
        yield definition.only
    for way in definition.exits:
        if isinstance(way, GoalExit):
            yield way.rule
    for step in definition.steps.values():
        if isinstance(step, Branch):
            yield from (case.rule for case in step.cases)
        if isinstance(step, Goal) and step.rule is not None:
            yield step.rule


def segments_in(definition: Definition) -> Iterator[UUID]:
    """The segments that it asks about: in its trigger, its exits and its rules."""
    if isinstance(definition.trigger, BySegment) and definition.trigger.segment:
        yield definition.trigger.segment
    yield from (way.segment for way in definition.exits if isinstance(way, SegmentLeft) and way.segment)
    for rule in rules_of(definition):
        yield from _named(rule)


def _named(raw: object) -> Iterator[UUID]:
    """The segments that a rule names; what cannot be read is left to whoever reads it."""
    if isinstance(raw, list):
        for part in raw:
            yield from _named(part)
    elif isinstance(raw, dict):
        for key, part in raw.items():
            if key == "segment" and isinstance(part, str):
                with suppress(ValueError):
                    yield UUID(part)
            else:
                yield from _named(part)
