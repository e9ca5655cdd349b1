"""Read a definition that came from people, machines or old rows, and say in plain words what cannot be read.

Nothing about its form is believed: size and depth are looked at before anything else, without recursion.
What a definition that can be read lacks or gets wrong is workflows.language.checks' matter.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from workflows.errors import BadDefinition, Problem
from workflows.language.definition import MAX_STEPS, VERSION, AnyStep, Definition

MAX_ID = 40
MAX_NAME = 120
MAX_TEXT = 2_000
#: Lists and objects inside each other: rules of the segment language need about twenty.
MAX_DEPTH = 60
#: Values, lists and objects altogether, and bytes of text: rules may hold long lists of codes.
MAX_PARTS = 400_000
MAX_BYTES = 8 * 1024 * 1024

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FORM = 'A journey has the form {"version": 1, "trigger": {…}, "start": "a", "steps": {"a": {…}}}.'
_TOO_MANY = f"A journey has at most {MAX_STEPS} steps. Divide it: one journey can have people enter another."
#: Only these hold rules and texts as they come; msgspec reads the rest.
_PARTS = {field.name for field in msgspec.structs.fields(Definition)}


def parse(raw: object) -> Definition:
    """The typed definition, from plain JSON types. Raises BadDefinition with what is wrong, by step."""
    _bounded(raw)
    if not isinstance(raw, dict):
        raise BadDefinition(_FORM)
    version = raw.get("version", VERSION)
    if version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        raise BadDefinition(f"This definition says another version than {VERSION}, the one that is understood.")
    steps = raw.get("steps", {})
    if not isinstance(steps, dict):
        raise BadDefinition("`steps` is an object: each step by its id.")
    if len(steps) > MAX_STEPS:
        raise BadDefinition(f"{_TOO_MANY} This one has {len(steps):,}.")
    problems = [_extra(name) for name in raw if name not in _PARTS]
    frame: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _PARTS and name not in ("steps", "version"):
            try:
                frame[name] = msgspec.convert({name: value}, Definition)
            except msgspec.ValidationError as error:
                problems.append(Problem("", f"{name}{_place(error)[len(name) + 1 :]}", _words(error)))
    read: dict[str, AnyStep] = {}
    for step, value in steps.items():
        if not _ID.match(step):
            text = f"A step's id is 1 to {MAX_ID} letters, digits, hyphens and underscores."
            problems.append(Problem(step[:MAX_ID], "id", text))
            continue
        try:
            read[step] = msgspec.convert(value, AnyStep)
        except msgspec.ValidationError as error:
            problems.append(Problem(step, _place(error).lstrip("."), _words(error)))
    problems += [*_texts(read), *_goal_names(frame)]
    start = raw.get("start")
    if isinstance(start, str) and not _ID.match(start):
        problems.append(Problem("", "start", "The first step is named by its id."))
    if problems:
        raise BadDefinition(said(problems), problems)
    return Definition(**{name: getattr(held, name) for name, held in frame.items()}, steps=read)


def _bounded(raw: object) -> None:
    """Raises BadDefinition where it is too large, too deep, or holds what is no JSON."""
    row, depth, parts, size = [raw], 0, 0, 0
    while row:
        depth, parts = depth + 1, parts + len(row)
        if depth > MAX_DEPTH:
            raise BadDefinition(f"This is nested more than {MAX_DEPTH} deep.")
        below: list[object] = []
        for item in row:
            if isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list | tuple):
                below += item
            else:
                size += _plain(item)
            if parts + len(below) > MAX_PARTS or size > MAX_BYTES:
                raise BadDefinition("This definition is too large. Refer to segments instead of repeating long lists.")
        if any(isinstance(item, dict) and not all(isinstance(name, str) for name in item) for item in row):
            raise BadDefinition("The names in an object are texts.")
        row = below


def _plain(item: object) -> int:
    """The length of a single value. Raises BadDefinition where it is none of JSON's."""
    match item:
        case str():
            if _CONTROL.search(item):
                raise BadDefinition("A text holds characters that are none: control characters, or half of one.")
            return len(item)
        case float() if not math.isfinite(item):
            raise BadDefinition("A number has no value: NaN and infinity are no JSON.")
        case int() if abs(item) > 2**53:
            raise BadDefinition("A number is too large.")
        case None | int() | float():
            return 0
    raise BadDefinition("A definition is made of JSON: objects, lists, texts, numbers, true, false, null.")


def _texts(steps: dict[str, AnyStep]) -> list[Problem]:
    problems = []
    for step, node in steps.items():
        if len(node.name) > MAX_NAME:
            problems.append(Problem(step, "name", f"A name has at most {MAX_NAME} characters."))
        for part in ("cases", "shares"):
            if any(len(getattr(one, "name", "")) > MAX_NAME for one in getattr(node, part, ())):
                problems.append(Problem(step, part, f"A name has at most {MAX_NAME} characters."))
        text = getattr(node, "text", "")
        if len(text) > MAX_TEXT:
            problems.append(Problem(step, "text", f"The text has at most {MAX_TEXT:,} characters."))
    return problems


def _goal_names(frame: dict[str, Any]) -> list[Problem]:
    exits = frame["exits"].exits if "exits" in frame else ()
    long = [n for n, way in enumerate(exits) if len(getattr(way, "name", "")) > MAX_NAME]
    return [Problem("", f"exits[{n}].name", f"A name has at most {MAX_NAME} characters.") for n in long]


def _extra(name: str) -> Problem:
    return Problem("", name[:MAX_ID], "A journey has no such part.")


def _place(error: msgspec.ValidationError) -> str:
    """Where in what was read: ".span.days"; "" at its top."""
    _, _, place = str(error).rpartition(" - at `")
    return place.rstrip("`").removeprefix("$") if place != str(error) else ""


_EXPECTED = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "uuid": "an id",
}


def _words(error: msgspec.ValidationError) -> str:
    """What msgspec says, for people; it names types and fields, and no value but that of `kind`."""
    text = str(error).partition(" - at `")[0]
    if found := re.match(r"Expected `(.+)`, got `(.+)`", text):
        wanted, got = (" or ".join(_EXPECTED.get(t, t) for t in part.split(" | ")) for part in found.groups())
        return f"Here stands {wanted}, not {got}."
    if found := re.match(r"Object contains unknown field `(.{1,40})", text):
        return f"There is no part called “{found[1].rstrip('`')}” here."
    if found := re.match(r"Object missing required field `(.+)`", text):
        return f"“{found[1]}” is missing."
    if text.startswith("Invalid UUID"):
        return "This is not an id (a UUID)."
    if found := re.match(r"Invalid (?:value|enum value) '(.{0,40})", text):
        return f"“{found[1].rstrip(chr(39))}” is none of what may stand here."
    return "This cannot be read."


def said(problems: Sequence[Problem]) -> str:
    """The first in words, and how many more there are."""
    first, more = problems[0], len(problems) - 1
    where = f"Step “{first.step}”" if first.step else "The journey"
    rest = "" if not more else f" And {more} more such problem{'s' if more > 1 else ''}."
    return f"{where}{f', {first.field}' if first.field else ''}: {first.text}{rest}"
