"""How every operation of the API reads its body: JSON that may be hostile is a refusal, never a crash."""

import json
import math
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

#: Objects and lists inside each other; the deepest honest body, a segment's rule, needs about twenty.
MAX_DEPTH = 100


class JsonParser(BaseParser):
    """JSON in UTF-8 (RFC 8259), without NaN and infinity, half characters, or absurd nesting."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        # `body`, where there is one, minds DATA_UPLOAD_MAX_MEMORY_SIZE.
        raw: bytes = stream.body if isinstance(stream, HttpRequest) else stream.read()
        try:
            found = json.loads(raw.decode(), parse_constant=_no_number, parse_float=_finite)
            if _deeper_than(MAX_DEPTH, found):
                raise RecursionError
            # Half of a surrogate pair is no character: it can be neither kept nor written out again.
            json.dumps(found, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError(f"This is nested too deep to be read: {MAX_DEPTH} levels at most.") from None
        except ValueError:
            raise ParseError("This is not JSON.") from None
        return found


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


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
