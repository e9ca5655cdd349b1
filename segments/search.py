"""Find people by part of a name, over the columns of the store: nothing of the term ever reaches SQL, log or trail."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from contacts import queries as contacts
from contacts.models import Contact, Kind
from segments import people
from segments.columns import Frame, Int, Mask, Words, folded, words

#: The names that are looked through.
NAMES = ("first_name", "last_name")
#: People shown of those found.
SHOWN = 50
EXACT, BEGINS, CONTAINS, NOT = range(4)
#: A part of a name begins at its start or after one of these.
GAPS = " -'’."


@dataclass(frozen=True, slots=True)
class Found:
    """How many people have such a name, and the contact numbers of the best matches, best first, then newest."""

    total: int
    numbers: list[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search box says: whoever has exactly this email or external id, else whoever has it in their name."""

    people: list[Contact]
    total: int
    exact: bool = False
    #: Too little was typed to look for.
    short: bool = False


def find(text: str) -> Answer:
    """Answer a search box; at most SHOWN people, best first."""
    if ids := contacts.find(text):
        return Answer(list(Contact.objects.filter(pk__in=ids).order_by("-pk")[:SHOWN]), len(ids), exact=True)
    if "@" in text or too_short(text):
        return Answer([], 0, short="@" not in text)
    found = by_name(text)
    return Answer(people_of(found.numbers), found.total)


def people_of(numbers: list[int]) -> list[Contact]:
    """These people in this order; whoever was deleted just now is left out."""
    known = {contact.number: contact for contact in Contact.objects.filter(number__in=numbers)}
    return [known[number] for number in numbers if number in known]


def parts_of(term: str) -> list[str]:
    """The words of the term, folded as names are; their order does not matter."""
    return str(folded(pl.Series([term.replace(",", " ")]))[0]).split()


def too_short(term: str) -> bool:
    """One Latin letter is in nearly every name; one ideograph may be a whole name."""
    whole = "".join(parts_of(term))
    return len(whole) < 2 and whole.isascii()


def by_name(term: str, frames: Iterable[Frame] | None = None) -> Found:
    """Everybody who has each word of the term in their first or last name."""
    parts, total = parts_of(term), 0
    best: list[tuple[int, int]] = []
    for frame in people.frames_of(dict.fromkeys(NAMES, Kind.TEXT)) if frames is None else frames:
        ranks = _ranks(parts, frame)
        for rank in (EXACT, BEGINS, CONTAINS):
            rows = np.flatnonzero(ranks == rank)
            total += len(rows)
            best += [(rank, -int(number)) for number in np.sort(frame.numbers[rows])[-SHOWN:]]
        best = heapq.nsmallest(SHOWN, best)
    return Found(total, [-number for _, number in best])


def _ranks(parts: list[str], frame: Frame) -> Int:
    """How well each person of the frame fits, EXACT to NOT."""
    names = [_words(frame, key) for key in NAMES]
    contains, begins = frame.present, frame.present
    for part in parts:
        held = [_held(name, part) for name in names]
        contains = contains & (held[0][0] | held[1][0])
        begins = begins & (held[0][1] | held[1][1])
    exact = np.zeros(len(frame), dtype=np.bool_)
    for cut in range(len(parts)):
        here, there = " ".join(parts[:cut]), " ".join(parts[cut:])
        for one, other in (names, names[::-1]):
            same = other.where(other.folded == there)
            exact |= same & one.where(one.folded == here) if here else same
    found: Int = np.select([exact & contains, begins & contains, contains], [EXACT, BEGINS, CONTAINS], NOT)
    return found


def _words(frame: Frame, key: str) -> Words:
    column = frame.columns[key]
    return column if isinstance(column, Words) else words(column)


def _held(name: Words, part: str) -> tuple[Mask, Mask]:
    """Whose name contains the part, and who has a name that begins with it."""
    found = name.folded.str.contains(part, literal=True)
    few = name.folded.filter(found)
    begin = few.str.starts_with(part)
    for gap in GAPS:
        begin |= few.str.contains(f"{gap}{part}", literal=True)
    begins = found.to_numpy(writable=True)
    begins[begins] = begin.to_numpy()
    return name.where(found), name.where(pl.Series(begins))
