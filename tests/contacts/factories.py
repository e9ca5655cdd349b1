"""People for tests, made set-wise."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import factory

from contacts.commands import Person, upsert_many
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded
from core.actors import SYSTEM
from core.sensitivity import Sensitivity

_numbers = itertools.count(1)


class AttributeFactory(factory.django.DjangoModelFactory[Attribute]):
    class Meta:
        model = Attribute

    key = factory.Sequence(lambda n: f"attribute_{n}")
    label = factory.LazyAttribute(lambda a: a.key.replace("_", " ").capitalize())
    kind = Kind.TEXT
    sensitivity = Sensitivity.PHI


def make_people(
    n: int = 1,
    *,
    coded: Mapping[str, Sequence[Coded]] | Callable[[int], Mapping[str, Sequence[Coded]]] | None = None,
    **values: Any,
) -> list[UUID]:
    """Make n contacts in one go, in order; a value may be a function of 0, 1, … n-1, None leaves it out.

    Defaults: a unique email and external_id, first_name, last_name. Attributes must exist.
    """
    people = []
    for i in range(n):
        number = next(_numbers)
        given = {
            "email": f"person{number}@example.com",
            "external_id": f"X-{number:06}",
            "first_name": f"First{number}",
            "last_name": f"Last{number}",
            **{key: value(i) if callable(value) else value for key, value in values.items()},
        }
        lists = coded(i) if callable(coded) else coded
        people.append(Person(given, {key: list(entries) for key, entries in (lists or {}).items()}))
    result = upsert_many(people, by=SYSTEM)
    assert not result.refused, result.refused
    return [result.ids[i] for i in range(n)]


def make_person(*, coded: Mapping[str, Sequence[Coded]] | None = None, **values: Any) -> Contact:
    return Contact.objects.get(pk=make_people(1, coded=coded, **values)[0])
