"""What people said last about a topic, or about everything, as arrays ordered by contact number. Pure.

A word is the number of the ledger row times four, plus what was said: of several the greatest is the last, so that
nothing is lost by reading one twice. consent.state says what the words add up to.
"""

from dataclasses import dataclass

import numpy as np

from segments.facts.rows import Flags, Ints

#: What was said: opted in (on everything: back in), opted out, taken back.
IN, OUT, VOIDED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Words:
    numbers: Ints  # uint32, ascending, each once
    said: Ints  # int64

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def size(self) -> int:
        return self.numbers.nbytes + self.said.nbytes


def empty() -> Words:
    return Words(np.empty(0, np.uint32), np.empty(0, np.int64))


def unpacked(numbers: bytes, said: bytes) -> Words:
    """The last word of everybody, from int4 and int8 values as PostgreSQL sends them, one after another."""
    return _last(
        np.frombuffer(numbers, dtype=">i4").astype(np.uint32), np.frombuffer(said, dtype=">i8").astype(np.int64)
    )


def joined(one: Words, other: Words) -> Words:
    """The last word of everybody in either."""
    if len(one) == 0 or len(other) == 0:
        return one if len(one) else other
    return _last(np.concatenate([one.numbers, other.numbers]), np.concatenate([one.said, other.said]))


def _last(numbers: Ints, said: Ints) -> Words:
    order = np.lexsort((said, numbers))
    numbers, said = numbers[order], said[order]
    last = np.append(numbers[1:] != numbers[:-1], True)[: len(numbers)]
    return Words(numbers[last], said[last])


def of(words: Words, whom: Ints) -> Ints:
    """The words of these people; 0 for whoever said nothing."""
    if len(words) == 0:
        return np.zeros(len(whom), dtype=np.int64)
    places = np.minimum(np.searchsorted(words.numbers, whom), len(words) - 1)
    return np.where(words.numbers[places] == whom, words.said[places], 0)


def states(topic: Ints, everything: Ints) -> tuple[Flags, Flags]:
    """Who is in and who is out, given the last words on the topic and on everything, one place a person."""
    inside = (topic & 3) == IN
    # Whoever opted in to the topic after opting out of everything is in.
    out_of_all = ((everything & 3) == OUT) & ~(inside & (topic > everything))
    return inside & ~out_of_all, ((topic & 3) == OUT) | out_of_all


def everybody(topic: Words, everything: Words) -> tuple[Flags, Flags]:
    """Who is in and who is out, one place a number from 0 on; few ever say anything about everything."""
    length = max((int(some.numbers[-1]) + 1 for some in (topic, everything) if len(some)), default=0)
    inside, outside = np.zeros((2, length), dtype=np.bool_)
    acts = (topic.said & 3).astype(np.uint8)
    inside[topic.numbers], outside[topic.numbers] = acts == IN, acts == OUT
    whom = everything.numbers
    inside[whom], outside[whom] = states(of(topic, whom), everything.said)
    return inside, outside
