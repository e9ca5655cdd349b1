"""The engine: people due on a wait–branch–send–wait journey among so many who are not; called by bench.workflows.

All facts are read and all rows written: records opened, a rule, two exits (out of everything or the topic; an event),
mail queued, outcomes asked for. Deliveries and events, which other parts make, are put there between the passes.
"""

import os
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

#: People with records, a lot of whom is due at a time.
PEOPLE = 20_000
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

_WAITING = """
INSERT INTO workflows_enrolment (workflow_id, version_id, contact_id, contact_number, sequence, entered_at, status,
    step, visit, since, wake_at, attempts, trouble, overdue, left_because)
SELECT %(workflow)s, %(version)s, gen_random_uuid(), 10000000 + n, 1, %(now)s, 'active', 'first', 1, %(now)s,
    %(now)s + interval '30 days' + n %% 7776000 * interval '1 second', 0, '', false, ''
FROM generate_series(%(from)s::bigint, %(to)s - 1) n
"""
_BEFORE = """
INSERT INTO workflows_transition (enrolment_id, visit, version_id, step, arrived_at, at, way, note)
SELECT id, 0, version_id, 'first', since, since, 'next', 'waited' FROM workflows_enrolment e
WHERE version_id = %s AND NOT EXISTS (SELECT FROM workflows_transition t WHERE t.enrolment_id = e.id)
"""
_DUE = """
INSERT INTO workflows_enrolment (workflow_id, version_id, contact_id, contact_number, sequence, entered_at, status,
    step, visit, since, wake_at, attempts, trouble, overdue, left_because)
SELECT %(workflow)s, %(version)s, id, number, %(sequence)s, %(since)s, 'active', 'first', 0, %(since)s, %(now)s, 0, '',
    false, '' FROM contacts_contact
"""
_SENT = """
INSERT INTO delivery_delivery (id, origin_id, batch_id, visit, contact_id, outcome, at, decision, reasons, method,
    session_id, smtp_status, content_sha256)
SELECT e.awaits, b.origin_id, b.id, b.visit, e.contact_id, 'sent', %(now)s, '{"verdict": "allow"}', '{}', 'relay_tls',
    %(session)s, '', '\\x00' FROM delivery_sendbatch b, unnest(b.contact_ids) who
JOIN workflows_enrolment e ON e.contact_id = who AND e.awaits IS NOT NULL WHERE b.done_at IS NULL
"""


class Watch:
    """Seconds of processor here and in the server's process, and by the clock."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self._server = Path(f"/proc/{cursor.fetchone()[0]}/stat")
        self.wall = self.here = self.server = 0.0

    def _now(self) -> tuple[float, float, float]:
        server = 0.0
        if self._server.exists():  # the server is on this machine
            fields = self._server.read_text().rpartition(")")[2].split()
            server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), time.process_time(), server

    def __enter__(self) -> None:
        self._before = self._now()

    def __exit__(self, *exc: object) -> None:
        wall, here, server = (now - before for now, before in zip(self._now(), self._before, strict=True))
        self.wall, self.here, self.server = self.wall + wall, self.here + here, self.server + server

    @property
    def cores(self) -> float:
        """Seconds of one core, here and in the server together."""
        return self.here + self.server


def journey() -> Any:
    """The journey, live."""
    from contacts.models import Kind
    from tests.workflows import factories as make
    from workflows.happenings import name_index
    from workflows.models import EventType

    make.AttributeFactory(key="plan", kind=Kind.CHOICE, choices=["gold", "silver"])
    EventType.objects.create(name="cancelled", name_index=name_index("cancelled"))
    gold = make.rule({"attribute": "plan", "op": "is", "value": "gold"})
    steps = {
        "first": {**make.wait(days=1), "exits": {"next": "which"}},
        "which": {**make.branch(gold), "exits": {"1": "golden", "else": "plain"}},
        "golden": {**make.mail(), "exits": {"next": "second", "refused": "second"}},
        "plain": {**make.mail(), "exits": {"next": "second", "refused": "second"}},
        "second": {**make.wait(days=2), "exits": {"next": "end"}},
        "end": make.end(),
    }
    exits = [{"kind": "unsubscribed"}, {"kind": "event", "event": "cancelled", "same_key": False}]
    return make.make_workflow(make.graph("first", steps, exits=exits))


def people(count: int) -> None:
    from consent.models import Topic
    from tests.contacts.factories import make_people
    from tests.delivery.factories import opt_in

    zones = ("America/New_York", "Europe/Berlin", None)
    for _ in range(0, count, 5_000):
        made = make_people(
            min(5_000, count), plan=lambda i: ("gold", "silver", None)[i % 3], time_zone=lambda i: zones[i % 3]
        )
        opt_in(Topic.objects.get(), made)


class Bench:
    def __init__(self, count: int) -> None:
        import delivery.commands
        from delivery.models import SmtpSession
        from tests.delivery.factories import RelayFactory

        delivery.commands.enqueue = lambda *args, **options: None  # type: ignore[assignment]  # nobody sends here
        self.workflow = journey()
        version = self.workflow.versions.get()
        self.known: dict[str, Any] = {"workflow": self.workflow.pk, "version": version.pk, "now": NOON}
        self.session = SmtpSession.objects.create(
            relay=RelayFactory(), host="localhost", address="127.0.0.1", tls_version="TLSv1.3", cipher="x",
            certificate_sha256="0" * 64, basis="private-ca", started_at=NOON,
        ).pk  # fmt: skip
        people(count)
        self.count, self.waiting, self.sequence, self.now = count, 0, 0, NOON

    def execute(self, sql: str, params: object = None) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    def grow(self, size: int) -> None:
        """So many wait who are not due."""
        self.execute(_WAITING, {**self.known, "from": self.waiting, "to": size})
        self.execute(_BEFORE, [self.known["version"]])
        self.waiting = size
        self.execute("VACUUM ANALYZE workflows_enrolment, workflows_transition")

    def through(self) -> tuple[int, dict[str, Watch]]:
        """Everybody with a record through the whole journey; the visits that ended, and what each pass took."""
        from workflows.engine.run import run
        from workflows.models import Transition

        self.sequence += 1
        before = Transition.objects.count()
        since = self.now - timedelta(days=1)
        self.execute(_DUE, {**self.known, "sequence": self.sequence, "since": since, "now": self.now})
        passes = {"to_the_mail": Watch(), "past_the_mail": Watch(), "to_the_end": Watch()}
        with passes["to_the_mail"]:
            assert run(seconds=3600, now=self.now) == self.count
        self.execute(_SENT, {"now": self.now, "session": self.session})
        self.execute("UPDATE delivery_sendbatch SET done_at = now() WHERE done_at IS NULL")
        self.execute("UPDATE workflows_enrolment SET wake_at = %s WHERE awaits IS NOT NULL", [self.now])
        with passes["past_the_mail"]:
            assert run(seconds=3600, now=self.now) == self.count
        self.now += timedelta(days=2, hours=1)
        with passes["to_the_end"]:
            assert run(seconds=3600, now=self.now) == self.count
        return Transition.objects.count() - before, passes


def line(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": f"workflows.{name}", "value": round(value, 2), "unit": unit}


def run(size: int) -> Iterator[dict[str, Any]]:
    """Lines of the bench, at 10,000, 100,000 and `size` who wait and are not due."""
    bench = Bench(min(PEOPLE, size))
    bench.grow(min(1_000, size))
    bench.through()  # to warm up
    for waiting in sorted({min(each, size) for each in (10_000, 100_000, size)}):
        bench.grow(waiting)
        began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        visits, passes = bench.through()
        assert visits == 5 * bench.count, visits
        name = f"engine.{waiting}_waiting"
        wall, cores = (sum(getattr(one, what) for one in passes.values()) for what in ("wall", "cores"))
        yield line(f"{name}.transitions_per_second", visits / wall, "transitions/s")
        yield line(f"{name}.transitions_per_core_second", visits / cores, "transitions/s")
        for key, one in passes.items():
            yield line(f"{name}.{key}.per_person", one.cores / bench.count * 1e6, "µs of a core")
            yield line(f"{name}.{key}.per_person_here", one.here / bench.count * 1e6, "µs of a core")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield line(f"{name}.peak_memory", peak, "MB")
        yield line(f"{name}.peak_memory_grew", peak - began, "MB")


if __name__ == "__main__":
    import sys

    from bench import _door

    with _door.scratch():
        for each in run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000):
            print(each, flush=True)
