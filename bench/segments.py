"""Counts over the encrypted store beside the same counts in PostgreSQL in the clear: `python -m bench.segments [SIZE]`.

One JSON object a line. `baseline`: what the plaintext tables took in this run; `ratio`: ours to theirs. "fresh" is the
first count of a process, the median of FRESH processes; "warm" the median of WARM counts in one. `.jsonb` lines
compare with documents. Then: what it weighs, how long it takes to build and to notice a change, and how it grows.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from bench import _door as door
from bench._count import fresh, timed

FRESH, WARM, CAMPAIGNS, GROWN = 5, 15, 6, 10


def emit(name: str, value: float, unit: str, baseline: float | None = None) -> None:
    line: dict[str, Any] = {"name": f"segments.{name}", "value": round(value, 3), "unit": unit}
    if baseline is not None:
        line |= {"baseline": round(baseline, 3), "ratio": round(value / baseline, 3)}
    print(json.dumps(line), flush=True)


def middle(count: Callable[[], int]) -> tuple[int, float]:
    """Answer and median milliseconds of WARM counts after the first two."""
    runs = [timed(count) for _ in range(WARM + 2)][2:]
    return runs[0][0], median(took for _, took in runs)


def compare(asked: Any) -> float:
    """Emit one question, fresh and warm, beside both baselines; the memory its process came to."""
    from bench import _plain as plain
    from segments import queries

    ours, typed, document = ({"rule": asked.rule}, {"sql": asked.typed}, {"sql": asked.document})
    runs = [[fresh(one) for one in (ours, typed, document)] for _ in range(FRESH)]
    answers = {run["count"] for three in runs for run in three}
    assert len(answers) == 1, f"{asked.name}: {answers}"
    first = [median(three[place]["ms"] for three in runs) for place in range(3)]
    warm = [
        middle(lambda: queries.count(asked.rule))[1],
        middle(lambda: plain.asked(asked.typed))[1],
        middle(lambda: plain.asked(asked.document))[1],
    ]
    emit(f"{asked.name}.people", answers.pop(), "people")
    for label, (mine, theirs, documents) in (("fresh", first), ("warm", warm)):
        emit(f"{asked.name}.{label}", mine, "ms", theirs)
        emit(f"{asked.name}.{label}.jsonb", mine, "ms", documents)
    return max(three[0]["peak_mb"] for three in runs)


def weigh(size: int) -> None:
    """Bytes at rest for each person: the store, and the plaintext tables with their indexes."""
    from bench import _plain as plain

    tables = ("segments_partition", "segments_partitionfile")
    typed = plain.bytes_of(*(f"plain.{table}" for table in ("person", *plain.LISTS)))
    emit("bytes_at_rest", plain.bytes_of(*tables) / size, "bytes/person", typed / size)
    emit("bytes_at_rest.jsonb", plain.bytes_of(*tables) / size, "bytes/person", plain.bytes_of("plain.document") / size)
    emit("bytes_at_rest.facts", plain.bytes_of("segments_factfile") / size, "bytes/person")
    emit("bytes_at_rest.sealed_records", plain.bytes_of("contacts_contact") / size, "bytes/person")


def rebuild(size: int) -> None:
    """Every partition from the sealed records, in one process; then one partition with a thousand changes."""
    from contacts.models import Contact
    from segments.models import Partition
    from segments.store import writing

    numbers = list(Partition.objects.order_by("number").values_list("number", flat=True))
    _, took = timed(lambda: sum(writing.from_records(number) or 1 for number in numbers))
    emit("rebuild", took / 1_000, "s")
    emit("rebuild.rate", size / took * 1_000, "people/s")
    from segments.models import ContactChange

    first = Contact.objects.order_by("number").values_list("number", flat=True)[0]
    ContactChange.objects.bulk_create(ContactChange(number=first + n) for n in range(min(1_000, size)))
    _, took = timed(lambda: writing.write(numbers[0]) or 1)
    emit("rewrite_with_1000_changes", took, "ms")


def notice(rule: dict[str, Any]) -> None:
    """Seconds from the commit of a change until a count by another process has it."""
    from contacts import queries as contacts
    from contacts.commands import update
    from contacts.models import Contact
    from core.actors import SYSTEM
    from tests.workers import database_url

    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "marketing.settings", "DATABASE_URL": database_url()}
    watch = subprocess.Popen(
        [sys.executable, "-m", "bench._watch"],
        env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watch.stdin is not None
    assert watch.stdout is not None
    print(json.dumps(rule), file=watch.stdin, flush=True)
    watch.stdout.readline()
    contact = Contact.objects.order_by("number")[0]
    values = contacts.open_one(contact).values
    update(contact, values={"sex": "male" if values["sex"] == "female" else "female"}, by=SYSTEM)
    committed = time.time()
    emit("until_a_change_counts", float(watch.stdout.readline()) - committed, "s")
    watch.wait()


def main(size: int) -> None:
    with door.scratch():
        from bench import _grow as grow
        from bench import _plain as plain
        from bench import _rules as rules
        from bench import million
        from campaigns.models import Campaign
        from consent.models import Topic
        from contacts.models import Contact
        from core import clock
        from core.models import Organization
        from tests.workers import database_url

        os.environ["DATABASE_URL"] = database_url()  # the seed's processes, too, fill the scratch database
        with clock.set_to(clock.now()):
            million.seed(size, campaigns=CAMPAIGNS)
            first = Contact.objects.order_by("number").values_list("number", flat=True)[0]
            plain.fill(size, first, clock.now().date())
            plain.settle()
        zone = ZoneInfo(Organization.current().time_zone)
        today = clock.now().astimezone(zone).date()
        last = Campaign.objects.filter(state="FINISHED").order_by("-started_at")[0]
        topic = Topic.objects.order_by("number")[0]
        world = rules.World(today, zone, str(last.pk), str(topic.pk))
        emit("people", size, "people")
        peak = max(compare(asked) for asked in rules.five(world))
        emit("peak_memory", peak, "MB")
        weigh(size)
        rebuild(size)
        notice(rules.five(world)[0].rule)
        grow.to(size * GROWN, [asked for asked in rules.five(world) if asked.name in grow.NAMES], emit)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
