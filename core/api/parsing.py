"""How every body of JSON is read, the API's and the pages': hostile JSON is a refusal in words, never a crash."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

#: Objects and lists inside each other; the deepest honest body, a segment's rule, needs about twenty.
MAX_DEPTH = 100
#: Of a whole number. Which numbers an operation takes it says itself, of each thing that was sent.
MAX_DIGITS = 1_000
#: Of a name that is said again in a refusal, and of names on the way to it.
_SHOWN_NAME, _SHOWN_NAMES = 40, 6


class JsonParser(BaseParser):
    """JSON as `read` takes it."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        # `body`, where there is one, minds DATA_UPLOAD_MAX_MEMORY_SIZE.
        return read(stream.body if isinstance(stream, HttpRequest) else stream.read())


def read(raw: bytes) -> Any:
    """JSON in UTF-8 (RFC 8259) that says one thing only. Raises ParseError, in words that repeat no value.

    Refused: a name twice in one object (readers differ in which one counts), NaN and infinity, absurdly long numbers,
    half characters, absurd nesting.
    """
    twice: list[tuple[dict[str, Any], str]] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            times = Counter(name for name, _ in pairs)
            twice.append((found, next(name for name in times if times[name] > 1)))
        return found

    try:
        found = json.loads(
            raw.decode(), object_pairs_hook=once, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
        )
        if _deeper_than(MAX_DEPTH, found):
            raise RecursionError
        # Half of a surrogate pair is no character: it can be neither kept nor written out again.
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ParseError(f"This is nested too deep to be read: {MAX_DEPTH} levels at most.") from None
    except ValueError:
        raise ParseError("This is not JSON.") from None
    if twice:
        raise ParseError(_said_twice(found, twice))
    return found


def _no_number(name: str) -> Any:
    raise ParseError("A number has no value: NaN and infinity are not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ParseError(f"A number is too long to be read: {MAX_DIGITS:,} digits at most.")
    return int(digits)


def _deeper_than(levels: int, value: Any) -> bool:
    row = [value]
    for _ in range(levels):
        row = [
            inner
            for item in row
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not row:
            return False
    return any(isinstance(item, dict | list) for item in row)


def _said_twice(found: Any, twice: list[tuple[dict[str, Any], str]]) -> str:
    names = {id(item): name for item, name in twice}
    # What a later value of the same name replaced is not there any more, but then whatever holds that name is.
    place, name = next((place, names[id(item)]) for place, item in _objects(found) if id(item) in names)
    where = " in ".join(["", *(_shown(step) for step in reversed(place[-_SHOWN_NAMES:]))])
    return f"The name {_shown(name)} stands twice in the same object{where}. Only one of them can count: leave one out."


def _objects(found: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every object and list with the way to it, from the outside in."""
    row: list[tuple[tuple[str | int, ...], Any]] = [((), found)]
    while row:
        yield from row
        row = [
            ((*place, step), inner)
            for place, item in row
            for step, inner in (item.items() if isinstance(item, dict) else enumerate(item))
            if isinstance(inner, dict | list)
        ]


def _shown(step: str | int) -> str:
    """A name, cut, without what would not show; items of lists are counted from 1."""
    if isinstance(step, int):
        return f"item {step + 1:,}"
    kept = "".join(sign if sign.isprintable() else "·" for sign in step[:_SHOWN_NAME])
    return f"“{kept}{'…' if len(step) > _SHOWN_NAME else ''}”"
