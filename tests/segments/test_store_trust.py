"""What stands in the store is trusted only as far as it proves to be what the records say; and keys come first."""

from typing import Any

import pytest

from contacts import commands
from contacts.models import Contact
from contacts.records import Coded
from core.actors import SYSTEM
from phi import commands as keys
from phi.errors import KeyUnavailable
from phi.keyring import keyring
from segments import people as source
from segments.models import ContactChange, EvaluationPart, Partition, PartitionFile
from segments.store import care, memory, reading, tables, writing
from tests.contacts.factories import make_people, make_person
from tests.segments.store import DIABETES, at_the_edge, by_records, by_store, people, rebuilt, written

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.memory.forget()


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


def test_partitions_that_are_not_all_opened_at_once_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 1)
    at_the_edge()
    people(25)
    written()
    _flip("coded:conditions", 0.1)
    assert by_store() == by_records()
    assert rebuilt() == ["unreadable", "unreadable"]


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


def test_one_damaged_record_matches_no_rule_and_keeps_nobody_else_from_being_found() -> None:
    damaged, *others = make_people(4)
    writing.write(0)
    sealed = bytes(Contact.objects.get(pk=damaged).sealed)
    Contact.objects.filter(pk=damaged).update(sealed=sealed[:-1] + bytes([sealed[-1] ^ 1]))
    ids = [row for frame in source.frames_of({}, ids=True) for row in frame.columns["id"].to_list()]
    present = [bool(flag) for frame in source.frames_of({}, ids=True) for flag in frame.present]
    found = {one for one, flag in zip(ids, present, strict=True) if flag}
    assert found == {other.bytes for other in others}
    writing.write(0)
    frames = list(source.frames_of({}, ids=True))
    assert sum(int(frame.present.sum()) for frame in frames) == 3
