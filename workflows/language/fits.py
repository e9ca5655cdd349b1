"""Whether what happened is what a journey listens to. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.language.definition import PropertyIs, Value


def same(held: object, asked: Value) -> bool:
    """Equal as people see it: texts in any case; yes and no are not numbers."""
    if isinstance(held, str) and isinstance(asked, str):
        return held.strip().casefold() == asked.strip().casefold()
    if isinstance(held, bool) != isinstance(asked, bool):
        return False
    return bool(held == asked)


def _among(held: object, asked: Sequence[Value]) -> bool:
    return any(same(held, value) for value in asked)


def event(where: Sequence[PropertyIs], properties: Mapping[str, Any]) -> bool:
    """Whether an event has the properties that are asked for."""
    return all(_among(properties.get(one.property), one.values) for one in where)


def change(was: Sequence[Value], becomes: Sequence[Value], said: Mapping[str, Any]) -> bool:
    """Whether a change of an attribute ({"was": …, "is": …}) is from and to what is asked for; nothing asked: any.

    Of a coded list both are lists of codes: what counts is which codes went and which came, and whether it is empty.
    """
    before, after = said.get("was"), said.get("is")
    if isinstance(before, list) or isinstance(after, list):
        held, there = list(before or ()), list(after or ())
        went, came = [code for code in held if code not in there], [code for code in there if code not in held]
        before, after = went or [None] * (not held), came or [None] * (not there)
        return (not was or any(_among(code, was) for code in before)) and (
            not becomes or any(_among(code, becomes) for code in after)
        )
    return (not was or _among(before, was)) and (not becomes or _among(after, becomes))
