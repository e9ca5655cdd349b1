"""An export as CSV: a fixed number of statements for each lot of people, and memory that does not grow with them.

Who may not be in it is left out whoever approved it: special categories without the person's consent to that (42 CFR
2.31), marketing with health information without an authorization (45 CFR 164.508(a)(3)), marketing and fundraising to
who opted out of everything. An address that opted out leaves in no export (15 USC 7704(a)(4)(A)(iv)).
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from consent import queries as consent
from consent.state import ConsentFacts
from contacts import opening
from contacts.csvfile import neutral
from contacts.models import Attribute, Kind
from contacts.records import Coded, Record
from core import clock
from core.purposes import Purpose
from core.sensitivity import Sensitivity
from phi import blind

#: People looked at together.
LOT = 5_000
#: What 42 CFR 2.32 wants beside each disclosure, as the last column of every row.
NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
#: Kinds whose values cannot begin a formula: a number keeps its sign.
PLAIN = frozenset({Kind.NUMBER, Kind.DATE, Kind.DATETIME, Kind.BOOLEAN})


@dataclass(frozen=True, slots=True)
class Limits:
    """What decides who may be in the file."""

    purpose: str
    tier: Sensitivity

    @property
    def sells(self) -> bool:
        return self.purpose in (Purpose.MARKETING, Purpose.FUNDRAISING)


def kept_out(limits: Limits, said: ConsentFacts, now: datetime) -> str:
    """Why a person is left out; "" for whoever may be in the file. Pure."""
    if limits.tier == Sensitivity.SPECIAL and said.special_consent is None:
        return "no_special_consent"
    if limits.sells and said.opted_out_all:
        return "opted_out_all"
    if limits.purpose == Purpose.MARKETING and limits.tier.rank >= Sensitivity.PHI.rank:
        given = said.authorization
        if given is None or not given.complete or Purpose.MARKETING not in given.purposes:
            return "no_authorization"
        if given.expires_at is not None and given.expires_at <= now:
            return "no_authorization"
    return ""


def stream(
    numbers: BitMap, columns: Sequence[Attribute], limits: Limits, done: Callable[[int, dict[str, int]], None]
) -> Iterator[str]:
    """The file, a lot of people at a time. `done` hears how many rows it had, and how many people were left out why."""
    out = io.StringIO()
    writer = csv.writer(out)
    special = limits.tier == Sensitivity.SPECIAL
    writer.writerow([*(column.key for column in columns), *(["notice"] if special else [])])
    yield "\ufeff"
    rows, left_out = 0, Counter[str]()
    places = numbers.to_array()
    for start in range(0, len(places), LOT):
        people = opening.numbered(places[start : start + LOT])
        left_out["deleted"] += len(places[start : start + LOT]) - len(people)
        for record in _permitted(people, any(column.key == "email" for column in columns), limits, left_out):
            writer.writerow([*(_cell(column, record) for column in columns), *([NOTICE] if special else [])])
            rows += 1
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    done(rows, {why: n for why, n in left_out.items() if n})


def _permitted(
    people: list[opening.Person], addressed: bool, limits: Limits, left_out: Counter[str]
) -> Iterator[Record]:
    """Who may be in the file, without the addresses that may not. Three statements a lot, whoever is in it."""
    said = consent.facts_for([i for _, i, _ in people], None)
    hashes = {i: blind.index("suppression", r.email) for _, i, r in people if r.email} if addressed else {}
    stopped = consent.suppressed(set(hashes.values())) if hashes else {}
    now = clock.now()
    for _, person, record in people:
        if why := kept_out(limits, said[person], now):
            left_out[why] += 1
            continue
        if addressed and (hashes.get(person) in stopped or said[person].opted_out_all):
            left_out["addresses"] += 1
            record.values.pop("email", None)
        yield record


def _cell(column: Attribute, record: Record) -> str:
    """A value as it is imported again; texts that a spreadsheet would take for a formula are marked (CWE-1236)."""
    if column.kind == Kind.CODED:
        return neutral("; ".join(_entry(entry) for entry in record.coded.get(column.key, ())))
    value: Any = record.values.get(column.key)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if column.kind in PLAIN else neutral(str(value))


def _entry(entry: Coded) -> str:
    """E11.9 Type 2 diabetes (2019-06-29 to 2020-01-01)."""
    named = f"{entry.code} {entry.display}".strip()
    if not entry.start and not entry.stop:
        return named
    return f"{named} ({entry.start or '…'} to {entry.stop or 'now'})"
