"""What a person may be told when they ask how many people match (IDX-09, PRV-14). The decisions are pure.

Whoever may see small cells is told the exact count. Everybody else is told counts that cannot be played against each
other (docs/segments.md, "Small counts"):

- a part of the question that is about fewer than 11 people is refused, whatever the whole is about;
- fewer than 11 people are "fewer than 11", and all but fewer than 11 are everybody;
- people who differ from those of an earlier answer by fewer than 11 get the earlier answer. A refusal, or a number
  that moved, would say that somebody was added or taken away.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: PRV-14: the smallest group that is told apart.
CELL = 11


@dataclass(frozen=True, slots=True)
class Answer:
    """`count` None: fewer than CELL. `exact` False: true to within CELL - 1 people."""

    count: int | None
    exact: bool

    def __str__(self) -> str:
        if self.count is None:
            return f"Fewer than {CELL} people match."
        about = "" if self.exact else "About "
        people = "1 person matches" if self.count == 1 else f"{self.count:,} people match"
        return f"{about}{people}."


@dataclass(frozen=True, slots=True)
class Told:
    """An answer given before: the number, and a bit for each person it was about."""

    count: int
    members: int


def bits(numbers: Iterable[int], size: int) -> int:
    """Contact numbers as one large integer with a bit for each."""
    field = bytearray(size // 8 + 1)
    for number in numbers:
        field[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(field, "little")


def pack(members: int, size: int) -> str:
    """As text of a length that depends on `size` alone, not on who is in it (IDX-07)."""
    return b64encode(members.to_bytes(size // 8 + 1, "little")).decode()


def unpack(text: str) -> int:
    return int.from_bytes(b64decode(text), "little")


def small_part(counts: Sequence[int]) -> int | None:
    """The place of the first part that is about fewer than CELL people, if there is one."""
    return next((place for place, count in enumerate(counts) if count < CELL), None)


def answer(members: int, everybody: int, told: Iterable[Told]) -> tuple[Answer, bool]:
    """What to say of these people, and whether it is news that later answers must be held against."""
    if members.bit_count() < CELL:
        return Answer(None, exact=False), False
    for earlier in (Told(everybody.bit_count(), everybody), *told):
        if (members ^ earlier.members).bit_count() < CELL:
            return Answer(earlier.count, exact=False), False
    return Answer(members.bit_count(), exact=False), True
