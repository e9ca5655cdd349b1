"""Who did and said what, from files and what came since: always what the tables say."""

from collections.abc import Iterator
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from core import clock
from segments.context import Context
from segments.facts import lookup
from tests.segments.facts_world import Tables, World


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the same database."""
    second = connections["default"].copy()
    connections["other"] = second
    yield second
    second.close()
    del connections["other"]


def agree(world: World, *, now: bool = True) -> None:
    at = None if now else world.moment()
    context = Context(at or clock.now(), ZoneInfo("America/New_York"))
    clauses = world.clauses()
    sets = lookup.sets(clauses, context, at)
    tables = Tables(context, at)
    for clause in clauses:
        assert tables.held(sets[clause]) == tables.expected(clause), clause


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_facts_are_what_the_tables_say_whatever_happens(seed: int, other: BaseDatabaseWrapper) -> None:
    world = World(Random(seed))
    agree(world)
    other.set_autocommit(False)
    for step in range(14):
        with transaction.atomic():
            world.happen()
        world.happen("other")
        if step % 3 == 2:
            (other.commit if world.random.random() < 0.7 else other.rollback)()
        if step % 2:
            world.write()
        if step in (5, 9):
            world.lose()
        if step in (6, 11):
            other.commit()
            world.forget()
        agree(world)
        agree(world, now=False)
    other.rollback()
