"""Patterns for texts: a small language that no text can make slow, and that says what is wrong with a pattern. Pure.

    abc        itself; compared as all texts are (NFKC, small letters)
    .          any character           \\d  a digit    \\w  a letter, digit or _    \\s  a blank
    [a-z0-9-]  one of these            [^…] none of these         \\. \\* …  the sign itself
    (…)        a group                 a|b  one or the other
    ? * +      none or one, any number, one or more               {3} {2,5} {2,}  so many
    ^ $        the beginning and the end of the text

What may repeat without end is not repeated again, counts multiply to at most 1,000, and there are no look-around and
no references back. What is left is evaluated in time linear in the text.
"""

import unicodedata
from dataclasses import dataclass

import polars as pl

MAX_PATTERN = 200
MAX_COUNT = 1_000
MAX_GROUPS = 20
_SIGNS = frozenset("\\.+*?()|[]{}^$-/ #&~@%,:;!'\"=<>_")
_CLASSES = {"d": r"\p{Nd}", "w": r"\p{L}\p{N}_", "s": r"\s"}


class BadPattern(Exception):
    """What is wrong with it, in words for people."""


def folded(text: str) -> str:
    """A text as texts are compared."""
    return unicodedata.normalize("NFKC", text).lower()


def compiled(pattern: str) -> str:
    """The pattern as Polars takes it, over folded texts. Raises BadPattern."""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"This pattern is longer than {MAX_PATTERN} characters.")
    pattern = unicodedata.normalize("NFC", pattern)
    reader = _Reader(pattern)
    part = reader.choice(0)
    if reader.at < len(pattern):
        raise BadPattern("This pattern closes a group that was never opened.")
    found = f"(?s){part.text}"
    try:
        pl.Series([""]).str.contains(found)
    except pl.exceptions.PolarsError:
        raise BadPattern("This pattern is too costly. Use smaller counts, or fewer of them.") from None
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """`most`: so often can what is in it repeat, None without end. `nothing`: an anchor, which cannot repeat."""

    text: str
    most: int | None = 1
    anchor: bool = False


def _most(parts: list[_Part]) -> int | None:
    counts = [part.most for part in parts]
    return None if None in counts else max((count for count in counts if count is not None), default=1)


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def _next(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def _take(self) -> str:
        sign = self._next()
        self.at += 1
        return sign

    def choice(self, depth: int) -> _Part:
        if depth > MAX_GROUPS:
            raise BadPattern(f"This pattern has groups more than {MAX_GROUPS} deep.")
        branches = [self._sequence(depth)]
        while self._next() == "|":
            self._take()
            branches.append(self._sequence(depth))
        if len(branches) == 1:
            return branches[0]
        if not all(branch.text for branch in branches):
            raise BadPattern("One side of a | is empty in this pattern. Use ? for what may be missing.")
        return _Part("(?:" + "|".join(branch.text for branch in branches) + ")", _most(branches))

    def _sequence(self, depth: int) -> _Part:
        parts: list[_Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom(depth)))
        return _Part("".join(part.text for part in parts), _most(parts))

    def _atom(self, depth: int) -> _Part:  # noqa: PLR0911  one case per sign
        sign = self._take()
        match sign:
            case "(":
                if self._next() == "?":
                    raise BadPattern("Groups with (? are not understood here: no look-around, names or options.")
                part = self.choice(depth + 1)
                if self._take() != ")":
                    raise BadPattern("A group is not closed in this pattern.")
                if not part.text:
                    raise BadPattern("A group is empty in this pattern.")
                return _Part(f"(?:{part.text})", part.most)
            case "[":
                return _Part(self._set())
            case ".":
                return _Part(".")
            case "^":
                return _Part(r"\A", anchor=True)
            case "$":
                return _Part(r"\z", anchor=True)
            case "\\":
                return _Part(self._escaped())
            case "?" | "*" | "+" | "{":
                raise BadPattern(f"“{sign}” has nothing before it to repeat. Write \\{sign} for the sign itself.")
            case "]" | "}":
                raise BadPattern(f"“{sign}” was never opened. Write \\{sign} for the sign itself.")
            case _:
                return _Part(_literal(sign))

    def _escaped(self) -> str:
        sign = self._take()
        if sign in _CLASSES:
            return f"[{_CLASSES[sign]}]"
        if sign in _SIGNS and sign:
            return _literal(sign)
        if sign.isdigit():
            raise BadPattern("References back to a group are not understood here.")
        raise BadPattern(f"“\\{sign}” is not understood here. There are \\d, \\w and \\s.")

    def _set(self) -> str:
        out = "[^" if self._next() == "^" else "["
        if out == "[^":
            self._take()
        members = 0
        while (sign := self._take()) != "]":
            if not sign:
                raise BadPattern("A [ is not closed in this pattern.")
            if sign == "[":
                raise BadPattern("A [ stands within [ ]. Write \\[ for the sign itself.")
            members += 1
            first = self._member(sign)
            after = self.pattern[self.at + 1 : self.at + 2]
            if self._next() != "-" or after in ("]", ""):
                out += first if len(first) > 1 else _escape(first)
                continue
            self._take()
            last = self._member(self._take())
            if len(first) > 1 or len(last) > 1 or first > last:
                raise BadPattern("A range in [ ] goes from one character to a later one, like a-z.")
            out += f"{_escape(first)}-{_escape(last)}"
        if not members:
            raise BadPattern("A [ ] is empty in this pattern.")
        return out + "]"

    def _member(self, sign: str) -> str:
        """One character as it is compared, or the classes a sign stands for."""
        if sign == "\\":
            sign = self._take()
            if sign in _CLASSES:
                return _CLASSES[sign]
            if sign not in _SIGNS or not sign:
                raise BadPattern(f"“\\{sign}” is not understood within [ ].")
        found = folded(sign)
        if len(found) != 1:
            raise BadPattern("A character within [ ] stands for several. Write it outside of the [ ].")
        return found

    def _repeated(self, part: _Part) -> _Part:
        sign = self._next()
        if sign not in ("?", "*", "+", "{") or not sign:
            return part
        if part.anchor:
            raise BadPattern("^ and $ cannot be repeated.")
        self._take()
        text, most = sign, {"?": 1}.get(sign)
        if sign == "{":
            text, most = self._counts()
        if self._next() in ("?", "*", "+", "{") and self._next():
            raise BadPattern("This pattern repeats a repetition. Once is enough.")
        if part.most is None and most != 1:
            raise BadPattern("This pattern repeats what may already repeat without end. Take one of the two away.")
        total = None if most is None or part.most is None else part.most * most
        if total is not None and total > MAX_COUNT:
            raise BadPattern(f"This pattern counts to more than {MAX_COUNT:,}.")
        return _Part(f"(?:{part.text}){text}", total)

    def _counts(self) -> tuple[str, int | None]:
        end = self.pattern.find("}", self.at)
        inside = self.pattern[self.at : end] if end >= 0 else ""
        low, comma, high = inside.partition(",")
        if not _whole(low) or (high and not _whole(high)):
            raise BadPattern("Counts have the form {3}, {2,5} or {2,}. Write \\{ for the sign itself.")
        self.at = end + 1
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if least > MAX_COUNT or (most is not None and most > MAX_COUNT):
            raise BadPattern(f"This pattern counts to more than {MAX_COUNT:,}.")
        if most is not None and most < max(least, 1):
            raise BadPattern("Counts in { } go from a smaller number to a greater one.")
        return "{" + inside + "}", most


def _whole(text: str) -> bool:
    return 0 < len(text) <= 6 and text.isascii() and text.isdigit()


def _literal(sign: str) -> str:
    return "".join(_escape(character) for character in folded(sign))


def _escape(character: str) -> str:
    return f"\\x{{{ord(character):x}}}" if not character.isalnum() or not character.isascii() else character
