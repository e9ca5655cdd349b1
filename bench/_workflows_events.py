"""Events taken by the API and matched, changes of people, and looks for moments; called by bench.workflows.

Among SIZE people who wait on other journeys. Every event is opened to be asked for a property, lets somebody in whose
values are asked for, and wakes somebody who waits for it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bench._workflows_engine import Watch

#: People whom events are about, two each.
PEOPLE = 20_000
CALL = 1_000

_WAITING = """
INSERT INTO workflows_enrolment (workflow_id, version_id, contact_id, contact_number, sequence, entered_at, status,
    step, visit, since, wake_at, attempts, trouble, overdue, left_because)
SELECT %(workflow)s, %(version)s, gen_random_uuid(), 10000000 + n, 1, now(), 'active', 's1', 0, now(),
    now() + interval '30 days', 0, '', false, ''
FROM generate_series(1, %(count)s) n
"""


def line(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": f"workflows.events.{name}", "value": round(value, 2), "unit": unit}


def _journeys() -> tuple[Any, Any]:
    """One that events let in; one whose people wait for them; and one that begins with a date."""
    from contacts.models import Kind
    from core.actors import SYSTEM
    from tests.workflows import factories as make
    from workflows import event_types

    event_types.declare(name="ordered", properties={"kind": "text", "amount": "number"}, by=SYSTEM)
    make.AttributeFactory(key="starts", kind=Kind.DATETIME)
    make.AttributeFactory(key="plan", kind=Kind.TEXT)
    where = [{"property": "kind", "values": ["book", "film"]}]
    entering = make.make_workflow(
        make.linear(
            make.wait_until("starts"),
            make.end(),
            trigger={"kind": "event", "event": "ordered", "where": where},
            only=make.rule({"attribute": "plan", "op": "is", "value": "gold"}),
            reentry={"kind": "per_key"},
            exits=[{"kind": "unsubscribed"}],
        )
    )
    step = {"kind": "wait_event", "event": "ordered", "timeout": {"days": 9}, "exits": {"happened": "b"}}
    waiting = make.make_workflow(make.graph("a", {"a": step, "b": make.end()}, exits=[]))
    moment = {"attribute": "starts", "minutes": -60}
    trigger = {"kind": "date", "moment": moment}
    make.make_workflow(make.linear(make.wait(), make.end(), trigger=trigger, exits=[]))
    return entering, waiting


def _execute(sql: str, params: object = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _people(count: int) -> list[UUID]:
    """With a plan, and a moment from an hour on."""
    from tests.contacts.factories import make_people

    soon, people = datetime.now(UTC).replace(microsecond=0), []
    for first in range(0, count, 5_000):
        starts = [f"{soon + timedelta(minutes=62 + 7 * n % 40_000):%Y-%m-%dT%H:%M:%SZ}" for n in range(5_000)]
        people += make_people(min(5_000, count - first), plan="gold", starts=lambda i, s=starts: s[i])
    return people


def _timed(name: str, count: int, unit: str, work: Callable[[], None]) -> Iterator[dict[str, Any]]:
    with (watch := Watch()):
        work()
    yield line(f"{name}_per_second", count / watch.wall, f"{unit}/s")
    yield line(f"{name}_per_core_second", count / watch.cores, f"{unit}/s")


def run(size: int) -> Iterator[dict[str, Any]]:
    """Lines of the bench."""
    from core import clock
    from tests.workflows import factories as make
    from workflows import tasks_intake
    from workflows.models import Enrolment, Happening

    # What one call reads at most, so that the bench measures all of it.
    tasks_intake.SECONDS = 3600
    entering, waiting = _journeys()
    people = _people(min(PEOPLE, size))
    _execute(_WAITING, {"workflow": waiting.pk, "version": make.live(waiting).pk, "count": size})
    make.place(waiting, people, at=clock.now() + timedelta(days=1))
    tasks_intake.listen()
    _execute("VACUUM ANALYZE")

    total = 2 * len(people)
    yield from _timed("taken", total, "events", lambda: _send(people, total))
    yield from _timed("matched", total, "events", tasks_intake.listen)
    assert Happening.objects.count() == total
    assert Enrolment.objects.filter(workflow=entering).count() == total // 2
    assert Enrolment.objects.filter(workflow=waiting, wake_at__lte=clock.now()).count() == len(people)

    yield from _milliseconds("listen_where_nothing_came", tasks_intake.listen)
    some = people[:5_000]
    _change(some)
    yield from _timed("changes_read", len(some), "people", tasks_intake.listen)
    tasks_intake.look()
    with clock.set_to(clock.now() + timedelta(minutes=1)):
        yield from _milliseconds("look", tasks_intake.look)


def _send(people: Sequence[UUID], total: int) -> None:
    """Half of them let somebody in."""
    from core.actors import SYSTEM
    from workflows import events

    for first in range(0, total, CALL):
        items = [
            {
                "event": "ordered",
                "person": {"id": str(people[n % len(people)])},
                "key": str(n),
                "id": f"e{n}",
                "properties": {"kind": ("book", "toy")[n % 2], "amount": n},
            }
            for n in range(first, min(first + CALL, total))
        ]
        assert all(result.status == "taken" for result in events.take(items, by=SYSTEM))


def _change(people: Sequence[UUID]) -> None:
    from contacts.commands import Person, upsert_many
    from contacts.queries import open_many
    from core.actors import SYSTEM

    names = [record.external_id for record in open_many(people).values()]
    upsert_many([Person({"external_id": name, "starts": "2027-05-05T10:00:00Z"}) for name in names], by=SYSTEM)


def _milliseconds(name: str, work: Callable[[], None]) -> Iterator[dict[str, Any]]:
    begun = time.perf_counter()
    work()
    yield line(name, (time.perf_counter() - begun) * 1e3, "ms")


if __name__ == "__main__":
    import sys

    from bench import _door

    with _door.scratch():
        for each in run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000):
            print(each, flush=True)
