"""What is known of the people of one claim, read once for all of them, and again where an act has changed it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from contacts import opening
from contacts.records import Record
from core.models import Organization
from segments import evaluate
from segments.calendar import zone_called
from segments.columns import Person as Opened
from segments.columns import of_people
from segments.context import Context
from segments.dates import TIME_ZONE
from segments.facts.lookup import sets
from segments.tree import asked_of_facts
from workflows import happenings
from workflows.engine.plans import Asked


class Person(Protocol):
    """Somebody on a journey, as far as facts about them are asked for: an Enrolment, or a Traveller."""

    @property
    def id(self) -> int: ...
    @property
    def contact_id(self) -> UUID: ...
    @property
    def contact_number(self) -> int: ...
    @property
    def key_index(self) -> bytes | None: ...
    @property
    def happening_id(self) -> int | None: ...
    @property
    def entered_at(self) -> datetime: ...
    @property
    def since(self) -> datetime: ...
    @property
    def awaits(self) -> UUID | None: ...


class Known:
    """PHI, in memory only, for as long as one claim takes."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._opened: dict[int, Opened | None] = {}
        #: Which exits hold, by enrolment.
        self.exits: dict[int, tuple[bool, ...]] = {}

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where the organization is."""
        return ZoneInfo(Organization.current().time_zone)

    def open(self, people: Collection[Person]) -> None:
        """Have their records open, in one statement. Raises SealBroken where one of them does not open."""
        wanted = {person.contact_number for person in people} - self._opened.keys()
        if wanted:
            found = {one[0]: one for one in opening.numbered(sorted(wanted))}
            self._opened.update((number, found.get(number)) for number in wanted)

    def forget(self, people: Iterable[Person]) -> None:
        """What is known of these may have changed; of exits, also that of who is on the journey twice."""
        for person in people:
            self._opened.pop(person.contact_number, None)
        self.exits.clear()

    def record(self, person: Person) -> Record | None:
        """What is known of somebody whose record is open; None: they were deleted."""
        found = self._opened[person.contact_number]
        return None if found is None else found[2]

    def zone_of(self, record: Record) -> tzinfo:
        """Where somebody is; where that is not known, where the organization is."""
        name = record.values.get(TIME_ZONE)
        return (zone_called(name) if isinstance(name, str) and name else None) or self.zone

    def matching(self, asked: Sequence[Asked], people: Sequence[Person]) -> list[set[int]]:
        """For each of these rules the contact numbers it matches, of people whose records are open."""
        there = [found for person in people if (found := self._opened[person.contact_number]) is not None]
        if not there:
            return [set() for _ in asked]
        kinds = {key: kind for one in asked for key, kind in one.kinds.items()}
        frame = of_people(there, kinds)
        base = Context(self.now, self.zone)
        facts = frozenset[Any]().union(*(asked_of_facts(one.rule) for one in asked))
        context = Context(base.now, base.zone, sets(facts, base)) if facts else base
        masks = [evaluate.matches(one.rule, frame, context) for one in asked]
        return [set(frame.numbers[mask].tolist()) for mask in masks]


def properties(people: Iterable[Person]) -> dict[int, dict[str, Any]]:
    """What the events said that let these people in, by enrolment. One statement."""
    entered = {person.id: person.happening_id for person in people if person.happening_id is not None}
    said = happenings.opened(entered.values()) if entered else {}
    return {pk: said[happening] for pk, happening in entered.items() if happening in said}
