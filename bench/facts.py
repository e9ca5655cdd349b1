"""What engagement and topic clauses cost, over made-up people: `python -m bench.facts [PEOPLE] [ORIGINS]`. JSON lines.

Filled by SQL alone: contacts have no values here, only numbers, which is all that facts are about.
"""

import sys
import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from bench import _door as door

CONTACTS = """
INSERT INTO contacts_contact (id, kek_id, data_key, sealed, created_at, updated_at)
SELECT gen_random_uuid(), 'k', '', repeat('x', 600)::bytea, now(), now() FROM generate_series(1, %s)
"""
#: Three of ten get each mailing within two hours; half of them open (a third of that are machines), one in eight clicks.
SENT = """
INSERT INTO delivery_delivery (id, origin_id, batch_id, visit, contact_id, outcome, at, decision, reasons, method,
    session_id, smtp_status, content_sha256)
SELECT gen_random_uuid(), %(origin)s, %(batch)s, '', id, 'sent', now() - %(days)s * interval '1 day' + random() * interval '2 hours',
    '{"verdict": "allow"}', '{}', '', %(session)s, '', '\\x00' FROM contacts_contact WHERE random() < 0.3
"""
HAPPENED = """
INSERT INTO tracking_event (id, delivery_id, origin_id, contact_id, kind, link, at, verdict, client)
SELECT gen_random_uuid(), d.id, d.origin_id, d.contact_id, k.kind, k.link, d.at + random() ^ 3 * interval '2 days', k.verdict, ''
FROM delivery_delivery d
JOIN (VALUES ('open', NULL, 'human', 0.4), ('open', NULL, 'machine', 0.2), ('click', 0, 'human', 0.08),
             ('click', 1, 'human', 0.05), ('click', 2, 'unknown', 0.02)) k(kind, link, verdict, share)
    ON (hashtextextended(d.id::text || k.kind || coalesce(k.link, 9), %(seed)s) & 1048575) < k.share * %(share)s * 1048576
WHERE d.origin_id = %(origin)s
"""
SAID = """
INSERT INTO consent_ledgerentry (id, contact_id, topic_id, act, at, source, evidence, recorded_by_kind, recorded_by, double)
SELECT gen_random_uuid(), id, CASE WHEN number %% 100 < 95 THEN %(topic)s::uuid END,
    CASE WHEN number %% 100 < 60 THEN 'opt_in' WHEN number %% 100 < 95 THEN 'opt_out' ELSE 'opt_out_all' END,
    now(), 'staff', '', 'system', '', false FROM contacts_contact
"""
#: The same counts by SQL alone.
PLAIN_OPENS = "SELECT count(DISTINCT contact_id) FROM tracking_event WHERE kind = 'open' AND verdict <> 'machine'"
PLAIN_TOPIC = """
SELECT count(*) FROM (
    SELECT contact_id, max(number) FILTER (WHERE topic_id IS NOT NULL) AS last,
        max(number) FILTER (WHERE topic_id IS NOT NULL AND act = 'opt_in') AS yes,
        coalesce(max(number) FILTER (WHERE topic_id IS NULL AND act = 'opt_out_all'), 0) AS out
    FROM consent_ledgerentry WHERE topic_id = %(topic)s OR topic_id IS NULL GROUP BY contact_id
) w WHERE yes = last AND yes > out
"""


def run(sql: str, **params: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def timed(work: Callable[[], Any], times: int = 1) -> float:
    """The median of so many runs, in ms."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1_000)
    return sorted(taken)[len(taken) // 2]


def fill(size: int, origins: int) -> tuple[list[Any], Any]:
    from django.db import connection

    from core import clock
    from delivery.models import SendBatch, SmtpSession
    from tests.consent.factories import TopicFactory
    from tests.delivery.factories import RelayFactory, make_origin

    with connection.cursor() as cursor:
        cursor.execute(CONTACTS, [size])
    session = SmtpSession.objects.create(
        relay=RelayFactory(), host="h", address="a", tls_version="TLSv1.3", cipher="c", certificate_sha256="0" * 64,
        basis="webpki", started_at=clock.now(),
    )  # fmt: skip
    topic = TopicFactory()
    made = []
    for n in range(origins):
        origin = make_origin(topic=topic)
        batch = SendBatch.objects.create(origin=origin, stream=origin.stream, contact_ids=[], due_at=clock.now())
        run(SENT, origin=origin.pk, batch=batch.pk, session=session.pk, days=3 + 20 * n, n=n)
        run(HAPPENED, origin=origin.pk, share=1, seed=n)
        made.append(origin)
    run(SAID, topic=topic.pk)
    for table in ("contacts_contact", "delivery_delivery", "tracking_event", "consent_ledgerentry"):
        run(f"VACUUM ANALYZE {table}")
    return made, topic


def appended(origin: Any, rows: int = 20_000) -> float:
    """Outcome rows a second, 500 a statement."""
    from core import clock
    from core.ids import uuid7
    from delivery import outcomes
    from delivery.models import SendBatch

    batch = SendBatch.objects.filter(origin=origin).values_list("pk", flat=True)[0]
    lots = [[outcomes.Row(uuid7(), uuid7(), "cancelled", clock.now()) for _ in range(500)] for _ in range(rows // 500)]
    began = time.perf_counter()
    for lot in lots:
        outcomes.append(origin.pk, batch, "", lot)
    return rows / (time.perf_counter() - began)


def main(size: int, origins: int) -> None:
    with door.scratch():
        from core import clock
        from segments.context import Context
        from segments.facts import lookup, writing
        from segments.models import FactFile
        from segments.store.memory import memory
        from segments.tree import Engaged, Span, Times, TopicIs

        made, topic = fill(size, origins)
        first = made[0].pk
        for kind, subject in [("received", first), ("open", first), ("click", first), ("topic", topic.pk)]:
            door.emit(f"facts.write.{kind}", timed(lambda k=kind, s=subject: writing.write((k, s), 0)), "ms")
            file = FactFile.objects.get(kind=kind, subject=subject)
            door.emit(f"facts.bytes.{kind}", len(bytes(file.data)) / max(file.rows, 1), "bytes/row")
        began = time.perf_counter()
        for subject in writing.subjects():
            writing.write(subject, 0)
        door.emit("facts.write.all_others", time.perf_counter() - began, "s")
        clauses: dict[str, Any] = {
            "received_one": Engaged("received", True, mailing=first),
            "opened_one": Engaged("opened", True, mailing=first, span=Span(30)),
            "clicked_one": Engaged("clicked", True, mailing=first),
            "opened_any_ever": Engaged("opened", True),
            "opened_any_in_30_days": Engaged("opened", True, span=Span(30)),
            "opened_any_three_times": Engaged("opened", True, times=Times("at_least", 3)),
            "topic": TopicIs(topic.pk, "opted_in"),
        }

        def measure(label: str) -> None:
            for name, clause in clauses.items():

                def ask(clause: Any = clause) -> Any:
                    return lookup.sets([clause], Context(clock.now(), ZoneInfo("America/New_York")))[clause]

                def fresh(ask: Callable[[], Any] = ask) -> None:
                    memory.forget()
                    ask()

                door.emit(f"facts.{name}.fresh{label}", timed(fresh, 3), "ms")
                door.emit(f"facts.{name}.warm{label}", timed(ask, 5), "ms")

        measure("")
        door.emit(
            "facts.opened_one.by_sql",
            timed(lambda: run(PLAIN_OPENS + " AND origin_id = %(origin)s", origin=first)),
            "ms",
        )
        door.emit("facts.opened_any_ever.by_sql", timed(lambda: run(PLAIN_OPENS)), "ms")
        door.emit("facts.topic.by_sql", timed(lambda: run(PLAIN_TOPIC, topic=topic.pk)), "ms")
        run(HAPPENED, origin=first, share=9_000 / size, seed=99)
        measure(".with_2000_new")
        door.emit("facts.write.open.again", timed(lambda: writing.write(("open", first), 1)), "ms")
        door.emit("facts.write.click.again", timed(lambda: writing.write(("click", first), 1)), "ms")
        door.emit("facts.due", timed(writing.due, 3), "ms")
        appended(made[1])
        with_it = [appended(made[1]) for _ in range(3)]
        run("DROP INDEX delivery_by_xid")
        run("ALTER TABLE delivery_delivery ALTER COLUMN xid SET DEFAULT 0")
        without = [appended(made[1]) for _ in range(3)]
        door.emit("facts.deliveries_appended", sorted(with_it)[1], "rows/s")
        door.emit("facts.deliveries_appended.without_xid", sorted(without)[1], "rows/s")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments or [20_000]), *([] if len(arguments) > 1 else [3]))
