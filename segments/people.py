"""Where rules find people: opened records as frames, kept in this process while nobody has changed.

This is the one module that knows where the columns come from.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from django.db import connection

from contacts import queries as contacts
from segments import columns
from segments.columns import Frame

#: Above this many people nothing is kept: frames stream through in chunks, memory stays flat.
KEEP_PEOPLE = 250_000

#: Changes whenever a committed change to any contact becomes visible: every write gives its row a new xmin.
STATE = "SELECT count(*), max(updated_at), coalesce(sum(xmin::text::bigint), 0) FROM contacts_contact"
State = tuple[int, object, object]


@dataclass(frozen=True, slots=True)
class Code:
    """A code that occurs in a coded list, what it is called there, and how many people have it."""

    code: str
    display: str
    people: int


@dataclass(slots=True)
class _Kept:
    state: State | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    frame: Frame | None = None
    codes: dict[str, list[Code]] | None = None


_kept = _Kept()
_lock = Lock()


def _state() -> State:
    with connection.cursor() as cursor:
        cursor.execute(STATE)
        count, latest, writes = cursor.fetchone()
    return count, latest, writes


def frames_of(kinds: Mapping[str, str], *, ids: bool = False) -> Iterator[Frame]:
    """Everybody in one frame or in several: a column per attribute key of `kinds`, and "id" where asked for."""
    state = _state()
    if state[0] > KEEP_PEOPLE:
        yield from (columns.of_people(people, kinds, ids=ids) for people in contacts.iter_numbered())
        return
    yield _whole(state, kinds)


def _whole(state: State, kinds: Mapping[str, str]) -> Frame:
    with _lock:
        if _kept.state != state:
            forget()
        if _kept.frame is not None and kinds.items() <= _kept.kinds.items():
            return _kept.frame
        # All columns come from one reading, so that they belong to the same people.
        wanted = {**_kept.kinds, **kinds}
        people: Sequence[columns.Person] = [person for chunk in contacts.iter_numbered() for person in chunk]
        _kept.state, _kept.kinds, _kept.frame = state, wanted, columns.of_people(people, wanted, ids=True)
        return _kept.frame


def forget() -> None:
    """Drop everything kept in this process."""
    _kept.state, _kept.kinds, _kept.frame, _kept.codes = None, {}, None, None


def codes() -> dict[str, list[Code]]:
    """Of every coded list the codes in use, most frequent first."""
    state = _state()
    with _lock:
        if _kept.state != state:
            forget()
        if _kept.codes is None:
            _kept.state, _kept.codes = state, _count_codes()
        return _kept.codes


def _count_codes() -> dict[str, list[Code]]:
    people: dict[str, Counter[str]] = {}
    names: dict[tuple[str, str], Counter[str]] = {}
    for chunk in contacts.iter_open():
        for _, record in chunk:
            for key, entries in record.coded.items():
                people.setdefault(key, Counter()).update({entry.code.upper() for entry in entries})
                for entry in entries:
                    if entry.display:
                        names.setdefault((key, entry.code.upper()), Counter())[entry.display] += 1
    return {
        key: [
            Code(code, names[key, code].most_common(1)[0][0] if (key, code) in names else "", count)
            for code, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        ]
        for key, counted in people.items()
    }
