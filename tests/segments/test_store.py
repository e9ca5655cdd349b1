"""The column store: what it says is what the records say, whatever happened to either."""

from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from contacts import attributes, commands
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded
from core.actors import SYSTEM
from segments import people as source
from segments.models import ContactChange, Partition, PartitionFile
from segments.store import care, changes, memory, reading, writing
from segments.store.part import SIZE
from tests.contacts.factories import make_people, make_person
from tests.segments.factories import attribute
from tests.segments.store import ASTHMA, DIABETES, at_the_edge, by_records, by_store, people, rebuilt, written

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.memory.forget()


# -- the same whatever was written -------------------------------------------------------------------------------------


def test_people_nobody_has_written_yet_are_read_from_their_records() -> None:
    people()
    assert by_store() == by_records()
    assert not Partition.objects.exists()


def test_written_partitions_say_what_the_records_say_at_the_edge_between_two() -> None:
    at_the_edge()
    people(25)
    first, second = written()
    assert second.number == first.number + 1
    assert (first.people, second.people) == (10, 15)
    assert not ContactChange.objects.exists()
    assert by_store() == by_records()
    only = by_store(only=range(second.number, second.number + 1))
    assert only == {n: said for n, said in by_records().items() if n >= second.number * SIZE}


def test_a_change_is_seen_before_and_after_its_partition_is_written() -> None:
    people()
    written()
    changed, gone, *_ = Contact.objects.order_by("number")
    for _ in range(2):
        commands.update(changed, values={"state": "VT", "sex": None}, coded={"conditions": [ASTHMA]}, by=SYSTEM)
        make_people(2, state="MA")
        commands.delete(gone, by=SYSTEM)
        said = by_store()
        assert said == by_records()
        assert said[changed.number]["state"] == "VT"
        assert gone.number not in said
        written()
        assert not ContactChange.objects.exists()
        assert by_store() == by_records()
        changed, gone = Contact.objects.order_by("number")[1:3]
    assert rebuilt() == []


def test_whoever_was_deleted_is_not_kept_opened_once_they_are_out_of_their_partition() -> None:
    people()
    written()
    gone = Contact.objects.order_by("number")[0]
    commands.update(gone, values={"state": "VT"}, coded={}, by=SYSTEM)
    by_store()
    assert [number for number, *_ in changes.changed_people().people] == [gone.number]
    commands.delete(gone, by=SYSTEM)
    written()
    by_store()
    assert not memory.memory.peek(("changed", None))


def test_many_of_a_thousand_people_change_at_once() -> None:
    """So many that texts go from a list of words to value by value and back."""
    ids = people(1_200, state=lambda i: f"Place {i}")
    written()
    assert by_store() == by_records()
    given = [commands.Person({"external_id": f"X{n}", "state": f"Place {n}"}, {}) for n in range(50)]
    commands.upsert_many(given, by=SYSTEM)
    written()
    assert by_store() == by_records()
    commands.delete_many(ids[5:], by=SYSTEM)
    written()
    assert by_store() == by_records()


def test_a_fan_out_over_partitions_meets_everybody_once() -> None:
    at_the_edge()
    people(20)
    written()
    make_people(3)
    commands.delete(Contact.objects.order_by("number")[2], by=SYSTEM)
    numbers = [n for p in source.partitions() for n in by_store(only=range(p, p + 1))]
    assert sorted(numbers) == sorted(Contact.objects.values_list("number", flat=True))


def test_one_person_is_read_from_the_record() -> None:
    person = make_person(state="MA", coded={"conditions": [DIABETES]})
    frame = source.one(person.pk, {"state": Kind.TEXT, "conditions": Kind.CODED})
    assert frame is not None
    assert frame.entries["conditions"].codes == ("E11.9",)
    assert source.one(UUID(int=1), {"state": Kind.TEXT}) is None


def test_codes_are_counted_with_and_without_changes() -> None:
    people(9)
    expected = [("E11.9", "Type 2 diabetes", 6), ("J45.909", "Asthma", 3)]
    assert source.codes()["conditions"] == expected
    written()
    assert source.codes()["conditions"] == expected
    sick = Contact.objects.order_by("number")[2]
    commands.update(
        sick, values={}, coded={"conditions": [Coded("I10", "Hypertension"), DIABETES, DIABETES]}, by=SYSTEM
    )
    expected = [("E11.9", "Type 2 diabetes", 6), ("J45.909", "Asthma", 2), ("I10", "Hypertension", 1)]
    assert source.codes()["conditions"] == expected
    written()
    assert source.codes()["conditions"] == expected


# -- attributes --------------------------------------------------------------------------------------------------------


def test_an_attribute_defined_after_the_writing_is_missing_in_everybody_but_whoever_got_it() -> None:
    people(5)
    number = written()[-1]
    attribute("mood", Kind.TEXT)
    attribute("a1c", Kind.NUMBER)
    attribute("allergies", Kind.CODED)
    kinds = {"mood": Kind.TEXT, "a1c": Kind.NUMBER, "allergies": Kind.CODED}
    assert all(said.keys() == {"id"} for said in by_store(kinds).values())
    person = Contact.objects.order_by("number")[1]
    allergies = {"allergies": [Coded("Z88.0", "Penicillin")]}
    commands.update(person, values={"mood": "good", "a1c": 7.5}, coded=allergies, by=SYSTEM)
    assert by_store(kinds) == by_records(kinds)
    generation = number.generation
    written()
    assert by_store(kinds) == by_records(kinds)
    number.refresh_from_db()
    assert number.generation == generation + 1  # nothing was read anew to know that nobody had it
    assert rebuilt() == []


@pytest.mark.parametrize("looked_first", [False, True])
def test_an_attribute_that_comes_back_comes_back_with_its_values(
    looked_first: bool, django_capture_on_commit_callbacks: Any
) -> None:
    mood = attribute("mood", Kind.TEXT)
    people(5, mood="good")
    attributes.remove(mood, by=SYSTEM)
    written()
    with django_capture_on_commit_callbacks(execute=looked_first):  # the signal has the store looked at
        attributes.restore(mood, by=SYSTEM)
    (partition,) = Partition.objects.all()
    assert partition.generation == (2 if looked_first else 1)
    assert by_store({"mood": Kind.TEXT}) == by_records({"mood": Kind.TEXT})
    assert all(said["mood"] == "good" for said in by_store({"mood": Kind.TEXT}).values())


def test_an_attribute_of_another_kind_is_read_anew() -> None:
    attribute("score", Kind.TEXT)
    people(4, score="7")
    written()
    Attribute.objects.filter(key="score").update(kind=Kind.NUMBER)
    assert all("score" not in said for said in by_store({"score": Kind.NUMBER}).values())  # "7" is no number
    Attribute.objects.filter(key="score").update(kind=Kind.TEXT)
    assert all(said["score"] == "7" for said in by_store({"score": Kind.TEXT}).values())


# -- memory ------------------------------------------------------------------------------------------------------------


def test_memory_keeps_to_its_limit_and_lets_the_least_recently_used_go(settings: Any) -> None:
    settings.SEGMENTS_MEMORY = 100
    kept = memory.Memory()
    kept.put("a", 1, 40)
    kept.put("b", 2, 40)
    assert kept.peek("a") == 1
    kept.put("c", 3, 40)
    assert (kept.peek("a"), kept.peek("b"), kept.peek("c")) == (1, None, 3)
    kept.put("large", 4, 101)
    assert kept.peek("large") is None
    assert kept.bytes == 80
    assert kept.get("a", lambda: 9, lambda _: 1) == 1
    kept.forget()
    assert kept.bytes == 0


def test_answers_are_right_without_any_memory(settings: Any) -> None:
    settings.SEGMENTS_MEMORY = 0
    people(10)
    written()
    make_people(2)
    assert by_store() == by_records()
    assert memory.memory.bytes == 0


def test_only_what_is_named_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    people(50)
    written()
    fetched: list[int] = []
    laid_out = reading.files.Slices.laid_out

    def counted(self: Any) -> Any:
        fetched.append(len(self.data))
        return laid_out(self)

    monkeypatch.setattr(reading.files.Slices, "laid_out", counted)
    list(reading.frames({"sex": Kind.CHOICE}))
    whole = sum(len(bytes(data)) for data in PartitionFile.objects.values_list("data", flat=True))
    assert len(fetched) == 1
    assert fetched[0] < whole / 3
    list(reading.frames({"sex": Kind.CHOICE}))
    assert len(fetched) == 1  # the second time nothing at all


def test_what_was_kept_of_an_earlier_writing_is_let_go() -> None:
    people(10)
    written()
    by_store()
    before = memory.memory.bytes
    commands.delete(Contact.objects.order_by("number")[0], by=SYSTEM)
    written()
    by_store()
    assert memory.memory.bytes <= before


# -- when to write -----------------------------------------------------------------------------------------------------


def test_partitions_are_written_when_changes_are_many_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    people(10)
    assert care.due()  # never written
    (partition,) = written()
    assert care.due() == []
    make_people(2)
    assert care.due() == []
    monkeypatch.setattr(care, "MANY", 2)
    assert care.due() == [partition.number]
    monkeypatch.undo()
    Partition.objects.update(written_at="2020-01-01T00:00:00Z")
    assert care.due() == [partition.number]
    written()
    Partition.objects.update(written_at="2020-01-01T00:00:00Z")
    assert care.due() == []  # nothing changed


def test_a_crowd_of_changes_is_written_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "LAY_OVER", 5)
    people(10)
    assert by_store() == by_records()
    assert Partition.objects.count() == 1
    assert not ContactChange.objects.exists()


def test_a_writer_with_too_many_changes_to_lay_over_reads_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    people(10)
    written()
    monkeypatch.setattr(writing, "MOST", 2)
    people(5)
    written()
    assert not ContactChange.objects.exists()
    assert by_store() == by_records()


def test_the_store_can_be_made_anew_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    people(5)
    (partition,) = written()
    call_command("rebuild_store", "--partition", str(partition.number))
    assert "1 of 1" in capsys.readouterr().out
    assert rebuilt() == ["asked"]
    assert by_store() == by_records()
