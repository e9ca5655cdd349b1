"""How long a count takes, cold and warm, over made-up people: `python -m bench.segments [SIZE]`. JSON lines."""

import random
import resource
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta

from bench import _door as door

CONDITIONS = [("E11.9", "Type 2 diabetes"), ("I10", "Hypertension"), ("J45.909", "Asthma"), ("E78.5", "Lipids")]
RULES = {
    "one_clause": {"all": [{"attribute": "state", "op": "is", "value": "MA"}]},
    "four_clauses": {
        "all": [
            {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 74}},
            {"attribute": "sex", "op": "one_of", "value": ["female"]},
            {"attribute": "conditions", "op": "has", "value": ["E11.*"], "when": "active"},
            {"none": [{"attribute": "conditions", "op": "has", "value": ["I10"], "when": {"in_last": 730}}]},
        ]
    },
    "with_topic_and_mailing": {
        "all": [
            {"attribute": "conditions", "op": "has", "value": ["E11.9", "J45.*"]},
            {"topic": "TOPIC", "op": "opted_in"},
            {"event": "opened", "op": "did_not", "days": 30},
        ]
    },
}


def fill(size: int) -> str:
    """Made-up people in lots of 5,000, half of them opted in to a topic; the topic's id."""
    from consent.commands import NewAct, record_many
    from contacts.commands import Person, upsert_many
    from contacts.records import Coded
    from core.actors import SYSTEM
    from tests.consent.factories import TopicFactory

    lot, topic = random.Random(1), TopicFactory()
    for start in range(0, size, 5_000):
        people = []
        for n in range(start, min(start + 5_000, size)):
            born = date(1935, 1, 1) + timedelta(days=lot.randrange(30_000))
            values = {
                **{"email": f"person{n}@example.com", "external_id": f"B{n:08}", "first_name": f"First{n % 997}"},
                **{
                    "last_name": f"Last{n % 1009}",
                    "birth_date": born.isoformat(),
                    "sex": lot.choice(["female", "male"]),
                },
                **{"city": "Visalia", "state": lot.choice(["MA", "NY", "CT", "NJ"]), "zip": f"{n % 9_999:05}"},
            }
            coded = [Coded(c, d, f"20{lot.randrange(10, 26)}-01-01") for c, d in CONDITIONS if lot.random() < 0.4]
            people.append(Person(values, {"conditions": coded}))
        ids = upsert_many(people, by=SYSTEM).ids.values()
        evidence = {"text": "yes", "text_version": "1"}
        record_many([NewAct(i, "opt_in", "staff", topic.pk, evidence) for i in list(ids)[::2]], by=SYSTEM)
    return str(topic.pk)


def timed(count: Callable[[], int]) -> float:
    began = time.perf_counter()
    count()
    return (time.perf_counter() - began) * 1_000


def main(size: int) -> None:
    with door.scratch():
        import json

        from segments import people, queries

        topic = fill(size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        door.emit("segments.people", size, "people")
        for name, root in RULES.items():
            rule = json.loads(json.dumps({"version": 1, "root": root}).replace("TOPIC", topic))

            def count(rule: object = rule) -> int:
                return queries.count(rule)

            people.forget()
            door.emit(f"segments.{name}.cold", timed(count), "ms")
            door.emit(f"segments.{name}.warm", sorted(timed(count) for _ in range(5))[2], "ms")
        door.emit("segments.codes_offered.cold", timed(lambda: len(queries.codes_offered("conditions"))), "ms")
        frame = people._kept.frame
        door.emit("segments.kept_columns", frame.estimated_size() / size if frame is not None else 0, "bytes/person")
        people.KEEP_PEOPLE = 0
        door.emit(
            "segments.four_clauses.streamed",
            timed(lambda: queries.count({"version": 1, "root": RULES["four_clauses"]})),
            "ms",
        )
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        door.emit("segments.memory_growth", grown / 1024, "MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
