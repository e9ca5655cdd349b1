"""The column store: what it says is what the records say, whatever happened to either."""

from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from audit.models import Entry
from contacts import attributes, commands
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded
from core.actors import SYSTEM
from phi import commands as keys
from phi.errors import KeyUnavailable
from phi.keyring import keyring
from segments import people as source
from segments.models import ContactChange, EvaluationPart, Partition, PartitionFile
from segments.store import care, memory, reading, tables, writing
from segments.store.part import SIZE
from tests.contacts.factories import make_people, make_person
from tests.segments.factories import attribute
from tests.segments.store import by_records, by_store

pytestmark = pytest.mark.django_db
DIABETES = Coded("E11.9", "Type 2 diabetes", "2019-01-01")
ASTHMA = Coded("j45.909", "Asthma", "2020-05-01", "2021-05-01")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.memory.forget()


def people(n: int = 30, **values: Any) -> list[UUID]:
    return make_people(
        n,
        **{
            "state": lambda i: ["MA", "NY", None, "CT"][i % 4],
            "sex": lambda i: ["female", "male", None][i % 3],
            "birth_date": lambda i: f"{1940 + i % 60}-02-28" if i % 5 else None,
            **values,
        },
        coded=lambda i: {"conditions": [DIABETES, ASTHMA][: i % 3]} if i % 3 else {},
    )


def written() -> list[Partition]:
    """The partitions somebody lives in, each written."""
    for number in sorted({number // SIZE for number in Contact.objects.values_list("number", flat=True)}):
        writing.write(number)
    return list(Partition.objects.order_by("number"))


def at_the_edge(before: int = 10) -> None:
    """The next contacts get the last numbers of a partition and then those of the next one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('contact_number', (last_value / %s + 1) * %s - %s) FROM contact_number",
            [SIZE, SIZE, before + 1],
        )


def rebuilt() -> list[str]:
    """Why partitions were made anew, as the trail tells it."""
    entries = Entry.objects.filter(action="segments.store_rebuilt").order_by("at")
    return [str(entry.details["reason"]) for entry in entries]


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


# -- nothing in it is trusted ------------------------------------------------------------------------------------------


def _flip(table: str, place: float) -> None:
    for file in PartitionFile.objects.filter(table=table):
        data = bytearray(file.data)
        data[int(place * (len(data) - 1))] ^= 1
        file.data = bytes(data)
        file.save()


def _all_bytes_after(column: str) -> None:
    """Every byte of one column's first page changed."""
    for file in PartitionFile.objects.filter(table="people"):
        offset, length = file.places[column][0]
        data = bytes(file.data)
        file.data = (
            data[:offset] + bytes(byte ^ 0xFF for byte in data[offset : offset + length]) + data[offset + length :]
        )
        file.save()


def _swap_tables() -> None:
    one, two = PartitionFile.objects.filter(table__in=["coded:conditions", "coded:visits"]).order_by("pk")[:2]
    one.data, two.data, one.places, two.places = two.data, one.data, two.places, one.places
    one.save(), two.save()


def _swap_partitions() -> None:
    one, two = PartitionFile.objects.filter(table="people").order_by("pk")[:2]
    one.data, two.data, one.places, two.places = two.data, one.data, two.places, one.places
    one.save(), two.save()


def _swap_whole_partitions() -> None:
    one, two = Partition.objects.order_by("number")[:2]
    files = [list(partition.files.all()) for partition in (one, two)]
    one.data_key, two.data_key, one.kek_id, two.kek_id = two.data_key, one.data_key, two.kek_id, one.kek_id
    one.save(), two.save()
    PartitionFile.objects.all().delete()
    for owner, theirs in ((one, files[1]), (two, files[0])):
        for file in theirs:
            PartitionFile.objects.create(partition=owner, table=file.table, data=bytes(file.data), places=file.places)


def _put_back_files() -> None:
    """The files of the writing before, beside the key of now."""
    old = list(PartitionFile.objects.values("partition_id", "table", "data", "places"))
    commands.update(Contact.objects.order_by("number")[0], values={"state": "ZZ"}, by=SYSTEM)
    written()
    for row in old:
        kept = PartitionFile.objects.filter(partition_id=row["partition_id"], table=row["table"])
        kept.update(data=bytes(row["data"]), places=row["places"])


def _move_places() -> None:
    for file in PartitionFile.objects.filter(table="people"):
        file.places = {**file.places, "a:state": file.places["a:sex"]}
        file.save()


def _forget_column() -> None:
    for file in PartitionFile.objects.filter(table="people"):
        file.places.pop("a:state")
        file.save()


TAMPERED = {
    "a flipped byte in a column": lambda: _flip("people", 0.2),
    "a flipped byte in the middle of all": lambda: _all_bytes_after("a:state"),
    "a flipped byte in the footer": lambda: _flip("people", 0.999),
    "a flipped byte in a coded list": lambda: _flip("coded:conditions", 0.1),
    "a flipped byte among the codes": lambda: _flip("codes:conditions", 0.01),
    "nothing left of a file": lambda: PartitionFile.objects.update(data=b""),
    "a file of something else": lambda: PartitionFile.objects.update(data=b"PAR1" * 500),
    "a table in another's place": _swap_tables,
    "a file in another partition's place": _swap_partitions,
    "a partition in another's place": _swap_whole_partitions,
    "files of the writing before": _put_back_files,
    "places that are wrong": _move_places,
    "places that lack a column": _forget_column,
    "places beyond the end": lambda: PartitionFile.objects.update(places={"": [[0, 9]], "present": [[5, 10**8]]}),
    "no places": lambda: PartitionFile.objects.update(places={}),
    "a missing file": lambda: PartitionFile.objects.filter(table="people").delete(),
    "a missing coded list": lambda: PartitionFile.objects.filter(table="coded:conditions").delete(),
    "missing codes": lambda: PartitionFile.objects.filter(table="codes:conditions").delete(),
    "a missing partition": lambda: Partition.objects.order_by("number")[:1].get().delete(),
    "all partitions missing": lambda: Partition.objects.all().delete(),
    "a data key that does not unwrap": lambda: Partition.objects.update(data_key=b"x" * 60),
    "a wrapping key that is none": lambda: Partition.objects.update(kek_id="k99"),
    "another generation": lambda: Partition.objects.update(generation=99),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_is_made_anew_and_the_trail_says_so(what: str) -> None:
    at_the_edge()
    people(20)
    written()
    TAMPERED[what]()
    memory.memory.forget()
    assert by_store() == by_records()
    assert set(rebuilt()) <= {"unreadable", "missing"}
    assert rebuilt()
    before = len(rebuilt())
    memory.memory.forget()
    assert by_store() == by_records()
    assert len(rebuilt()) == before  # once is enough


def test_a_writer_does_not_build_on_what_was_tampered_with() -> None:
    people(10)
    written()
    _all_bytes_after("a:email")
    make_people(1)
    written()
    assert rebuilt() == ["unreadable"]
    assert by_store() == by_records()


def test_an_older_state_put_back_whole_is_found_by_holding_it_against_the_records() -> None:
    people(10)
    (partition,) = written()
    old = Partition.objects.values().get()
    files = list(PartitionFile.objects.values("partition_id", "table", "data", "places"))
    commands.update(Contact.objects.order_by("number")[0], values={"state": "ZZ"}, by=SYSTEM)
    written()
    Partition.objects.filter(pk=partition.pk).update(**old)
    PartitionFile.objects.all().delete()
    PartitionFile.objects.bulk_create(PartitionFile(**{**row, "data": bytes(row["data"])}) for row in files)
    for _ in range(2):
        care.look(partition.number)
        assert rebuilt() == ["outdated"]
        assert by_store() == by_records()


def test_looking_finds_nothing_wrong_while_changes_wait() -> None:
    people(10)
    (partition,) = written()
    make_people(2)
    care.look(partition.number)
    assert rebuilt() == []


# -- keys --------------------------------------------------------------------------------------------------------------


def test_without_keys_there_is_no_answer_not_even_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    people(5)
    written()
    assert by_store() == by_records()

    def unavailable(*_: Any) -> Any:
        raise KeyUnavailable("The key store does not answer.")

    for call in ("current_kek", "wrap", "unwrap"):
        monkeypatch.setattr(keyring(), call, unavailable)
    with pytest.raises(KeyUnavailable):
        by_store()
    with pytest.raises(KeyUnavailable):
        source.codes()
    memory.memory.forget()
    with pytest.raises(KeyUnavailable):
        by_store()
    assert rebuilt() == []


def test_rotated_keys_open_the_same_store() -> None:
    people(10)
    (partition,) = written()
    expected = by_store()
    evaluation = EvaluationPart._meta.get_field("evaluation").related_model.objects.create(
        rule={}, at=partition.written_at
    )
    EvaluationPart.objects.create(evaluation=evaluation, first=0, last=0)  # not answered yet: it has no key
    new = keys.add_key(by=SYSTEM)
    list(keys.rewrap(by=SYSTEM))
    partition.refresh_from_db()
    assert partition.kek_id == new
    assert not ContactChange.objects.exists()  # a key in another wrapping changes nobody
    memory.memory.forget()
    assert by_store() == expected == by_records()
    assert rebuilt() == []


def test_each_writing_has_a_key_of_its_own() -> None:
    people(3)
    (partition,) = written()
    before = bytes(partition.data_key)
    make_people(1)
    (partition,) = written()
    assert bytes(partition.data_key) != before


def _coded(column: Any) -> bool:
    return hasattr(column.type, "index_type")


def test_nothing_of_a_deleted_person_is_left_in_any_file(django_capture_on_commit_callbacks: Any) -> None:
    make_people(40, state="MA", coded={"conditions": [DIABETES]})
    secret = Coded("ZZZ.1", "xq-canary-name", "2001-01-01")
    gone = make_person(state="xq-canary", last_name="xq-canary", coded={"conditions": [secret]})
    (partition,) = written()
    held = {file.table: bytes(file.data) for file in PartitionFile.objects.all()}
    assert by_store()[gone.number]["state"] == "xq-canary"
    with django_capture_on_commit_callbacks(execute=True):
        commands.delete(gone, by=SYSTEM)
    assert not ContactChange.objects.exists()  # written at once
    head = reading.rows.head(partition.number)
    assert head is not None
    opened, _ = writing.opened(head)
    held_now = [table for _, table in tables.of_part(opened)]
    every = repr([table.to_pydict() for table in held_now])
    words = [column.chunk(0).dictionary.to_pylist() for table in held_now for column in table.columns if _coded(column)]
    every += repr(words)  # nor is a word left that only they had
    assert "xq-canary" not in every
    assert "ZZZ" not in every
    assert repr(gone.pk.bytes) not in every
    now = {file.table: bytes(file.data) for file in PartitionFile.objects.all()}
    assert not set(held.values()) & set(now.values())


def test_files_show_neither_values_nor_the_names_of_columns() -> None:
    people(30, last_name="xq-canary")
    written()
    for file in PartitionFile.objects.all():
        for secret in (b"xq-canary", b"birth_date", b"E11.9", b"Type 2", b"example.com", b"ARROW:schema"):
            assert secret not in bytes(file.data)
        assert bytes(file.data[-4:]) == b"PARE"  # an encrypted footer


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
    sparse = reading.files.Slices.sparse

    def counted(self: Any) -> Any:
        fetched.append(len(self.data))
        return sparse(self)

    monkeypatch.setattr(reading.files.Slices, "sparse", counted)
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
    monkeypatch.setattr(reading, "LAY_OVER", 5)
    people(10)
    assert by_store() == by_records()
    assert Partition.objects.count() == 1
    assert not ContactChange.objects.exists()


def test_partitions_that_are_not_all_opened_at_once_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 1)
    at_the_edge()
    people(25)
    written()
    _flip("coded:conditions", 0.1)
    assert by_store() == by_records()
    assert rebuilt() == ["unreadable", "unreadable"]


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
