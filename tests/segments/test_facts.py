"""Who did and said what, from files and what came since: always what the tables say."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from consent.models import LedgerEntry
from core import clock
from core.ids import uuid7
from delivery import outcomes
from delivery.models import Delivery
from segments.context import Context
from segments.facts import files, lookup, restored, writing
from segments.facts.source import CLICK, OPEN, RECEIVED, TOPIC
from segments.models import FactFile
from segments.store.memory import memory
from segments.tasks_facts import write_facts
from segments.tree import Engaged, TopicIs
from tests.delivery.factories import opt_in
from tests.segments.facts_world import Tables, World
from tracking.commands import append
from tracking.models import Event
from tracking.resolvers import Resolved
from tracking.verdict import Judged


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the same database."""
    second = connections["default"].copy("other")
    connections["other"] = second
    yield second
    second.close()
    del connections["other"]


@pytest.fixture
def world(transactional_db: None) -> World:
    """What is committed is what files can know."""
    return World(Random(3))


def agree(world: World, *, now: bool = True) -> None:
    at = None if now else world.moment()
    context = Context(at or clock.now(), ZoneInfo("America/New_York"))
    clauses = world.random.sample(world.clauses(), 50)
    sets = lookup.sets(clauses, context, at)
    tables = Tables(context, at)
    for clause in clauses:
        assert tables.held(sets[clause]) == tables.expected(clause), clause


def written(world: World) -> None:
    """Things happened, and there is a file of everything."""
    for _ in range(10):
        world.happen()
    for subject in writing.subjects():
        writing.write(subject, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_facts_are_what_the_tables_say_whatever_happens(seed: int, other: BaseDatabaseWrapper) -> None:
    world = World(Random(seed))
    agree(world)
    other.set_autocommit(False)
    for step in range(12):
        with transaction.atomic():
            world.happen()
        world.happen("other")
        if step % 3 == 2:
            (other.commit if world.random.random() < 0.7 else other.rollback)()
        if step % 2:
            world.write()
        if step in (5, 9):
            world.lose()
        if step in (6, 10):
            other.commit()
            world.forget()
        agree(world)
        if step % 3 == 0:
            agree(world, now=False)
    other.rollback()
    assert FactFile.objects.filter(rows__gt=0).count() > 5


@pytest.mark.parametrize("kind", [RECEIVED, CLICK, TOPIC])
def test_a_file_that_was_changed_is_not_trusted_and_written_anew(world: World, kind: str) -> None:
    written(world)
    memory.forget()
    file = FactFile.objects.filter(kind=kind, rows__gt=0).first()
    assert file is not None
    data = bytearray(file.data)
    data[len(data) // 2] ^= 1
    FactFile.objects.filter(pk=file.pk).update(data=bytes(data))
    agree(world)
    line = Entry.objects.get(action="segments.facts_rebuilt")
    assert line.details["kind"] == kind
    assert not FactFile.objects.filter(pk=file.pk).exists()
    write_facts()
    agree(world)


def test_a_file_does_not_open_in_the_place_of_another_or_of_a_later_one(world: World) -> None:
    written(world)
    memory.forget()
    one, two = FactFile.objects.filter(kind=RECEIVED, rows__gt=0)[:2]
    for field in ("data", "data_key", "kek_id"):
        setattr(two, field, getattr(one, field))
    two.save()
    agree(world)
    assert Entry.objects.filter(action="segments.facts_rebuilt").count() == 1
    FactFile.objects.filter(pk=one.pk).update(generation=one.generation + 1)
    memory.forget()
    agree(world)
    assert Entry.objects.filter(action="segments.facts_rebuilt").count() == 2


def test_what_is_in_a_file_cannot_be_read_off_it(world: World) -> None:
    written(world)
    for file in FactFile.objects.all():
        assert b"ARROW" not in bytes(file.data)
        assert b"steps" not in bytes(file.data)
        # Padded: small ones do not tell how few are in them.
        assert len(bytes(file.data)) > 1_000


def test_a_file_written_anew_between_two_statements_is_read_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written(world)
    memory.forget()
    real, moved = files.opened, []

    def opened(wanted: list[files.Head]) -> object:
        if not moved:
            moved.append(1)
            world.write()
        return real(wanted)

    monkeypatch.setattr(files, "opened", opened)
    agree(world)
    assert moved


def test_the_statements_are_as_many_whatever_is_asked_and_however_much_there_is(world: World) -> None:
    def statements(clauses: list[object]) -> int:
        memory.forget()
        context = Context(clock.now(), ZoneInfo("UTC"))
        with CaptureQueriesContext(connection) as ran:
            lookup.sets(clauses, context)
        return len(ran)

    written(world)
    few = [Engaged(event, True) for event in ("received", "opened", "clicked")]
    few += [TopicIs(world.topics[0].pk, "no_choice")]
    first = statements(few)
    assert first <= 11
    for _ in range(4):
        world.happen()
    assert statements(world.clauses()) == first
    assert statements(few) == first


def test_files_are_written_when_much_came_and_left_alone_when_nothing_did(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    def sweep() -> set[tuple[str, UUID, int]]:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            write_facts()
        return set(FactFile.objects.values_list("kind", "subject", "generation"))

    first = sweep()
    assert len(first) == len(writing.subjects())
    assert {generation for _, _, generation in first} == {1}
    monkeypatch.setattr(writing, "MUCH", 3)
    Event.objects.bulk_create([world.event() for _ in range(30)])
    later = sweep()
    assert 0 < len(later - first) < len(first)
    agree(world)


def test_what_came_to_a_mailing_counts_at_once(world: World) -> None:
    written(world)
    origin, who = world.origins[0], world.people[0]
    asked = Engaged("clicked", True, mailing=origin.pk, link=7)
    context = Context(clock.now() + timedelta(minutes=1), ZoneInfo("UTC"))
    assert not lookup.sets([asked], context)[asked].flags.any()
    message = Resolved(origin.pk, who, [], clock.now(), True, True, "identity")
    append("click", delivery_id=uuid7(), message=message, judged=Judged("human", ""), link=7)
    assert lookup.sets([asked], context)[asked].flags.sum() == 1


def test_every_way_in_says_which_transaction_it_was(world: World) -> None:
    origin, who = world.origins[0], world.people[0]
    row = outcomes.Row(uuid7(), who, "failed", clock.now())
    outcomes.append(origin.pk, world.batches[0].pk, "", [row])
    message = Resolved(origin.pk, who, [], clock.now(), True, True, "identity")
    append("open", delivery_id=uuid7(), message=message, judged=Judged("human", ""))
    opt_in(world.topics[0], [who])
    for model in (Delivery, Event, LedgerEntry):
        with connection.cursor() as cursor:
            # xmin of a row is PostgreSQL's own word for it; a savepoint has a number of its own, just after.
            cursor.execute(f"SELECT xid, xmin::text::bigint FROM {model._meta.db_table}")
            ((xid, xmin),) = cursor.fetchall()
        assert xid <= xmin <= xid + 3


@pytest.fixture
def as_before(transactional_db: None) -> Iterator[None]:
    """Transactions are numbered as they were once the test is over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('carillon_xid_base()'::regprocedure)")
        (function,) = cursor.fetchone()
        yield
        cursor.execute(function)


@pytest.mark.usefixtures("as_before")
def test_after_a_dump_is_restored_nothing_new_is_missed(world: World) -> None:
    written(world)
    ahead = 10**9
    # As in a dump of a server that had come further: rows and files know its transactions.
    events = [world.event() for _ in range(5)]
    for event in events:
        event.xid = ahead
    Event.objects.bulk_create(events)
    FactFile.objects.update(before_xid=ahead)
    agree(world)
    world.happen()
    agree(world)
    assert restored.heal()
    assert not restored.heal()
    assert not FactFile.objects.exists()
    agree(world)
    written(world)
    world.happen()
    assert Event.objects.order_by("-xid").values_list("xid", flat=True)[0] > ahead
    assert FactFile.objects.filter(kind__in=[OPEN, CLICK], rows__gt=0).exists()
    agree(world)
