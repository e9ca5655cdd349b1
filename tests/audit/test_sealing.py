"""The sealer: gap-free, after commit, signed, and never over a trail that was changed."""

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from audit import commands, leaves, merkle, signing
from audit.commands import build, record, record_many, seal, verify
from audit.errors import TrailBroken
from audit.models import Checkpoint, Entry, Leaf, Node, Pending
from audit.queries import Tree, last_head
from core.actors import PATIENT, SYSTEM, Actor

pytestmark = pytest.mark.django_db
ANNA, BEN = Actor("staff", "anna", ("marketer",)), Actor("staff", "ben")


def many(count: int, by: Actor = SYSTEM) -> None:
    record_many(build("test.happened", by=by, n=n) for n in range(count))


def behind_the_triggers(statement: str) -> None:
    """What somebody with the database owner's rights could do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("audit_entry", "audit_leaf", "audit_node", "audit_checkpoint"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        for table in ("audit_entry", "audit_leaf", "audit_node", "audit_checkpoint"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_every_entry_gets_a_place_without_gaps() -> None:
    record("test.one", by=ANNA)
    many(3)
    assert Pending.objects.count() == 4
    assert seal() == 4
    many(2)
    assert seal() == 6
    assert seal() == 6
    assert list(Leaf.objects.order_by("index").values_list("index", flat=True)) == list(range(6))
    assert not Pending.objects.exists()
    assert list(Checkpoint.objects.order_by("size").values_list("size", flat=True)) == [4, 6]


def test_a_checkpoint_is_a_signed_note_over_the_root() -> None:
    many(5)
    seal()
    checkpoint = Checkpoint.objects.get()
    hashes = [merkle.leaf_hash(leaves.encode(leaf.entry, leaf)) for leaf in Leaf.objects.order_by("index")]
    rows = merkle.levels(hashes)
    assert bytes(checkpoint.root_hash) == merkle.root(5, lambda level, index: rows[level][index])
    origin, size, _root, blank, signature, end = checkpoint.note.split("\n")
    assert (origin, size, blank, end) == (signing.origin(), "5", "", "")
    assert signature.startswith(f"— {origin} ")
    assert signing.verifier_key().startswith(f"{origin}+")
    assert signing.read(checkpoint.note).root == bytes(checkpoint.root_hash)


def test_an_altered_note_is_not_ours() -> None:
    many(1)
    seal()
    note = Checkpoint.objects.get().note
    for bad in (note.replace("\n1\n", "\n2\n"), note.replace("— ", "- "), note[:-9] + "AAAAAA==\n", "", note + "x"):
        with pytest.raises(TrailBroken):
            signing.read(bad)


def test_actors_and_subjects_are_counted() -> None:
    contact = uuid4()
    record("test.a", by=ANNA, subject=contact)
    record("test.b", by=BEN)
    seal()
    record("test.c", by=ANNA)
    record("test.d", by=PATIENT, subject=contact)
    seal()
    found = Leaf.objects.order_by("index").values_list("entry__action", "actor", "actor_seq", "subject_seq")
    assert list(found) == [
        ("test.a", "staff:anna", 1, 1),
        ("test.b", "staff:ben", 1, None),
        ("test.c", "staff:anna", 2, None),
        ("test.d", "patient:", 1, 2),
    ]


@pytest.mark.parametrize("sizes", [(255, 1, 1), (256, 1), (300, 213, 600), (1,) * 12, (1024,)])
def test_proofs_from_the_stored_tree_hold(sizes: tuple[int, ...]) -> None:
    for size in sizes:
        many(size)
        seal()
    total = sum(sizes)
    head = last_head()
    assert head
    tree = Tree()
    hashes = [bytes(leaf.leaf_hash) for leaf in Leaf.objects.order_by("index")]
    for index in {0, total // 3, total // 2, total - 1, min(255, total - 1), min(256, total - 1)}:
        assert merkle.root_from_inclusion(index, total, hashes[index], tree.inclusion(index, total)) == head.root
    for checkpoint in Checkpoint.objects.all():
        proof = tree.consistency(checkpoint.size, total)
        assert merkle.is_consistent(checkpoint.size, bytes(checkpoint.root_hash), total, head.root, proof)
    assert Node.objects.count() == total // 256


def test_levels_of_nodes_are_stored_above_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With blocks of four, so that three levels of nodes appear in a small tree."""
    monkeypatch.setattr("audit.queries.BLOCK", 2)
    monkeypatch.setattr(commands, "BLOCK", 2)
    for size in (3, 14, 1, 50, 7):
        many(size)
        seal()
    assert sorted(set(Node.objects.values_list("level", flat=True))) == [2, 4, 6]
    assert verify().problem == ""
    head = last_head()
    assert head
    leaf = Leaf.objects.get(index=33)
    proof = Tree().inclusion(33, 75)
    assert merkle.root_from_inclusion(33, 75, bytes(leaf.leaf_hash), proof) == head.root


def test_large_arrears_are_sealed_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "BATCH", 10)
    many(25)
    assert seal() == 25
    assert list(Checkpoint.objects.order_by("size").values_list("size", flat=True)) == [10, 20, 25]


def test_sealing_costs_the_same_queries_for_a_short_and_a_long_trail(django_assert_max_num_queries) -> None:
    many(700)
    seal()
    many(3)
    with django_assert_max_num_queries(20):
        seal()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_leaf SET leaf_hash = 'x' WHERE index = 2",
        "DELETE FROM audit_leaf WHERE index = 4",
        "UPDATE audit_checkpoint SET note = replace(note, 'carillon', 'cari11on')",
    ],
)
def test_nothing_is_signed_over_a_changed_trail(statement: str) -> None:
    many(5)
    seal()
    behind_the_triggers(statement)
    many(1)
    with pytest.raises(TrailBroken), transaction.atomic():
        seal()
    assert Checkpoint.objects.count() == 1
    assert Pending.objects.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET action = 'test.innocent' WHERE action = 'test.happened'",
        "UPDATE audit_entry SET details = '{\"n\": 99}' WHERE details = '{\"n\": 3}'",
        "UPDATE audit_entry SET at = at - interval '1 second'",
        "DELETE FROM audit_leaf WHERE index = 299; DELETE FROM audit_entry WHERE details = '{\"n\": 299}'",
        "INSERT INTO audit_entry SELECT gen_random_uuid(), at, action, actor_kind, actor_id, actor_roles, source,"
        " target_kind, target_id, subject_id, details FROM audit_entry LIMIT 1",
        "UPDATE audit_node SET hash = 'x'",
        "UPDATE audit_leaf SET actor_seq = 5000 WHERE index = 4",
        "DELETE FROM audit_checkpoint",
    ],
)
def test_the_watchman_finds_what_was_changed(statement: str) -> None:
    many(300)
    seal()
    assert verify().problem == ""
    behind_the_triggers(statement)
    watch = verify()
    assert watch.problem
    assert Entry.objects.filter(action="trail.problem_found").count() == 1
    verify()
    assert Entry.objects.filter(action="trail.problem_found").count() == 1


def test_the_watchman_goes_round_in_stretches() -> None:
    many(25)
    seal()
    assert [verify(limit=10).cursor for _ in range(2)] == [10, 20]
    watch = verify(limit=10)
    assert (watch.cursor, watch.whole_size) == (0, 25)
    assert watch.whole_at


def test_a_stopped_sealer_is_noticed() -> None:
    many(1)
    Pending.objects.update(since=commands.clock.now() - timedelta(minutes=5))
    assert "waited" in verify().problem


def test_rolled_back_entries_are_never_sealed() -> None:
    with transaction.atomic():
        record("test.undone", by=SYSTEM)
        transaction.set_rollback(True)
    assert seal() == 0


@pytest.mark.django_db(transaction=True)
def test_sealers_and_writers_at_once_leave_no_gap() -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(8):
                with transaction.atomic():
                    record("test.happened", by=Actor("staff", f"w{number % 2}"), subject=UUID(int=number % 3))
                seal()
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert seal() == 32
    assert verify().problem == ""


@pytest.mark.django_db(transaction=True)
def test_the_watchman_raises_no_false_alarm_while_others_write_and_seal() -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            many(3)
            seal()
        connection.close()

    writers = [threading.Thread(target=work) for _ in range(2)]
    for writer in writers:
        writer.start()
    found = {verify().problem for _ in range(60)}
    stop.set()
    for writer in writers:
        writer.join()
    assert found == {""}
