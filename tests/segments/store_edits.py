"""Random edits of people, the store written and forgotten in between: for the suite and bench/store_edits.py."""

import random
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from contacts import commands, opening
from contacts.commands import Person
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded, Record
from core.actors import SYSTEM
from segments import queries
from segments.models import Partition
from segments.store import care, writing
from segments.store.memory import memory
from segments.store.part import SIZE
from tests.segments.store import by_records, by_store

KINDS: dict[str, str] = {
    "email": Kind.TEXT, "state": Kind.TEXT, "sex": Kind.CHOICE, "birth_date": Kind.DATE, "score": Kind.NUMBER,
    "smoker": Kind.BOOLEAN, "seen_at": Kind.DATETIME, "conditions": Kind.CODED, "visits": Kind.CODED,
}  # fmt: skip
_CODES = ["E11", "E11.9", "e11.65", "I10", "J45.909", "Z00"]


class Edits:
    """A seeded lot of people who are edited in every way there is, and looked at in two."""

    def __init__(self, seed: int) -> None:
        self.lot = random.Random(seed)
        self.made = 0
        self.ids: list[UUID] = []
        for key, kind in (("score", Kind.NUMBER), ("smoker", Kind.BOOLEAN), ("seen_at", Kind.DATETIME)):
            Attribute.objects.get_or_create(
                key=key, defaults={"label": key, "kind": kind, "sensitivity": "phi", "position": 900}
            )
        with connection.cursor() as cursor:  # at the edge of two partitions
            cursor.execute(
                "SELECT setval('contact_number', (last_value / %s + 1) * %s - 20) FROM contact_number", [SIZE, SIZE]
            )

    # What happens

    def edit(self) -> str:
        """Something happens; its name."""
        deeds = {
            self.create: 4, self.update: 8, self.delete: 2, self.many: 2, self.write: 3, self.forget: 2, self.sweep: 1,
            self.look: 1,
        }  # fmt: skip
        (deed,) = self.lot.choices(list(deeds), list(deeds.values()))
        deed()
        return deed.__name__

    def create(self) -> None:
        person = self._person(new=True)
        self.ids.append(commands.create(values=person.values, coded=person.coded, by=SYSTEM).pk)

    def update(self) -> None:
        if contact := self._somebody():
            person = self._person()
            commands.update(contact, values=person.values, coded=person.coded, by=SYSTEM)

    def delete(self) -> None:
        if contact := self._somebody():
            self.ids.remove(contact.pk)
            commands.delete(contact, by=SYSTEM)

    def many(self) -> None:
        """Some new and some known people in one go."""
        people = [self._person(new=True) for _ in range(self.lot.randrange(1, 9))]
        known = self.lot.sample(range(1, self.made + 1), min(5, self.made))
        people += [self._person(external_id=f"E{n}") for n in known]
        result = commands.upsert_many(people, by=SYSTEM, fold=self.lot.random() < 0.5)
        self.ids += result.created

    def write(self) -> None:
        numbers = {n // SIZE for n in Contact.objects.filter(pk__in=self.ids).values_list("number", flat=True)}
        if numbers:
            writing.write(self.lot.choice(sorted(numbers)))

    def sweep(self) -> None:
        for number in care.due():
            writing.write(number)

    def look(self) -> None:
        for number in Partition.objects.values_list("number", flat=True):
            care.look(number)

    def forget(self) -> None:
        memory.forget()

    # What is asked

    def agree(self) -> None:
        """All columns say what the records say; AssertionError if not."""
        assert by_store(KINDS) == by_records(KINDS)

    def count(self) -> None:
        """A rule's count is that of a look at every record; AssertionError if not."""
        state, code, smoker = self.lot.choice(_STATES), self.lot.choice(_CODES), self.lot.random() < 0.5
        asked = [
            {"attribute": "state", "op": "is", "value": state},
            {"attribute": "conditions", "op": "has", "value": [code], "when": "ever"},
            {"attribute": "smoker", "op": "is", "value": smoker},
        ]
        expected = [_looked(record, state, code, smoker) for record in self._records()]
        for match, holds in (("all", all), ("any", any)):
            found = queries.count({"version": 1, "root": {match: asked}})
            assert found == sum(map(holds, expected)), (found, match, state, code, smoker)

    def _records(self) -> list[Record]:
        return [record for _, _, record in opening.numbered(self._numbers())]

    def _numbers(self) -> list[int]:
        return list(Contact.objects.values_list("number", flat=True))

    # Whom it happens to

    def _somebody(self) -> Contact | None:
        return Contact.objects.get(pk=self.lot.choice(self.ids)) if self.ids else None

    def _person(self, *, new: bool = False, external_id: str = "") -> Person:
        lot, values = self.lot, {}
        if new:
            self.made += 1
            external_id = f"E{self.made}"
        if external_id:
            values["external_id"] = external_id
        day = date(1920, 1, 1) + timedelta(days=lot.randrange(40_000))
        choices: dict[str, list[Any]] = {
            "state": [*_STATES, None], "sex": ["female", "male", None], "birth_date": [day.isoformat(), None],
            "score": [lot.randrange(-5, 5), 0.5, None], "smoker": [True, False, None],
            "seen_at": [f"{day.isoformat()}T03:04:05Z", None], "email": [f"e{lot.randrange(10**6)}@example.com", None],
        }  # fmt: skip
        values |= {key: lot.choice(offered) for key, offered in choices.items() if lot.random() < 0.6}
        coded = {key: self._entries() for key in ("conditions", "visits") if lot.random() < 0.4}
        return Person(values, coded)

    def _entries(self) -> list[Coded]:
        lot = self.lot
        return [
            Coded(
                lot.choice(_CODES),
                lot.choice(["", "Name", "Another name"]),
                lot.choice([None, f"20{lot.randrange(10, 20)}-05-06"]),
                lot.choice([None, f"20{lot.randrange(20, 27)}-01-31"]),
            )
            for _ in range(lot.randrange(4))
        ]


_STATES = ["MA", "NY", "Ümlaut", "ma"]


def _looked(record: Record, state: str, code: str, smoker: bool) -> tuple[bool, bool, bool]:
    """Plain Python: whether each of the three clauses holds."""
    return (
        str(record.values.get("state", "")).lower() == state.lower(),
        any(entry.code.upper() == code.upper() for entry in record.coded.get("conditions", ())),
        record.values.get("smoker") is smoker,
    )
