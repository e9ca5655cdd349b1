"""People for tests, made set-wise."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import factory

from accounts.models import User
from contacts import imports
from contacts.commands import Person, upsert_many
from contacts.importing import engine
from contacts.models import Attribute, Contact, Import, Kind
from contacts.records import Coded
from contacts.uploads import PIECE, SealingUploadHandler
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


def make_import(
    data: bytes | str, *, shape: str = "people", by: User | None = None, name: str = "people.csv"
) -> Import:
    """An uploaded file, sealed as the upload handler does it, its columns guessed."""
    by = by or make_staff()
    raw = data.encode() if isinstance(data, str) else data
    handler = SealingUploadHandler(None, created_by=by.pk)
    handler.new_file("file", name, "text/csv", len(raw))
    for start in range(0, len(raw), PIECE):
        handler.receive_data_chunk(raw[start : start + PIECE], start)
    handler.file_complete(len(raw))
    if handler.problem:
        raise handler.problem
    assert handler.owner is not None
    return imports.receive(handler.owner, shape=shape, by=by)


def make_staff(*roles: str) -> User:
    number = next(_numbers)
    return User.objects.create_user(f"staff{number}@example.org", f"Staff {number}", list(roles) or ["marketer"])


def finish(owner: Import, seconds: float = 60) -> Import:
    """Let the engine work until the import rests, as workers would."""
    while engine.work(owner.pk, seconds=seconds):
        pass
    owner.refresh_from_db()
    return owner


def run_import(owner: Import, *, by: User | None = None) -> Import:
    """Dry run and import."""
    by = by or make_staff()
    imports.check(owner, by=by)
    owner = finish(owner)
    assert owner.state == Import.State.CHECKED, (owner.state, owner.problems)
    imports.start(owner, by=by)
    return finish(owner)
