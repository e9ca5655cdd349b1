"""The column store: what it says is what the records say, whatever happened to either."""

import pytest

from contacts import commands
from contacts.models import Contact
from contacts.records import Coded
from core.actors import SYSTEM
from segments.models import ContactChange, Partition
from segments.store import writing
from segments.store.memory import memory
from segments.store.part import SIZE
from tests.contacts.factories import make_people, make_person
from tests.segments.store import by_records, by_store

pytestmark = pytest.mark.django_db
DIABETES = Coded("E11.9", "Type 2 diabetes", "2019-01-01")
ASTHMA = Coded("J45.909", "Asthma", "2020-05-01", "2021-05-01")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.forget()


def write_all() -> None:
    """Every partition somebody lives in."""
    for number in {n // SIZE for n in Contact.objects.values_list("number", flat=True)}:
        writing.write(number)


def people(n: int = 30) -> None:
    make_people(
        n,
        state=lambda i: ["MA", "NY", None, "CT"][i % 4],
        sex=lambda i: ["female", "male", None][i % 3],
        birth_date=lambda i: f"{1940 + i}-02-28" if i % 5 else None,
        coded=lambda i: {"conditions": [DIABETES, ASTHMA][: i % 3]} if i % 3 else {},
    )


def test_people_nobody_has_written_yet_are_read_from_their_records() -> None:
    people()
    assert not Partition.objects.exists()
    assert by_store() == by_records()


def test_a_written_partition_says_what_the_records_say() -> None:
    people()
    write_all()
    assert not ContactChange.objects.exists()
    assert by_store() == by_records()


def test_a_change_is_seen_before_and_after_its_partition_is_written() -> None:
    people()
    write_all()
    changed = make_person(state="MA", conditions=None)
    first = Contact.objects.order_by("number").first()
    assert first is not None
    commands.update(first, values={"state": "VT"}, coded={"conditions": [ASTHMA]}, by=SYSTEM)
    commands.delete(Contact.objects.order_by("number")[5], by=SYSTEM)
    said = by_store()
    assert said == by_records()
    assert said[first.number]["state"] == "VT"
    assert said[changed.number]["state"] == "MA"
    write_all()
    assert not ContactChange.objects.exists()
    assert by_store() == by_records()
