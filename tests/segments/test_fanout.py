"""One evaluation by several workers gives the answer of one process, whoever dies."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from core import clock
from core.sensitivity import Sensitivity
from segments import fanout, membership, people, queries, rules, tasks_membership, tree, wire
from segments.models import Evaluation, EvaluationPart
from tests.contacts.factories import make_people
from tests.segments.factories import is_, rule
from tests.workers import Workers, database_url, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
PARTITIONS = 6

IN_MA = rule(is_("state", "MA"))


@pytest.fixture
def spread(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """People in six partitions, one partition a part, shared from three partitions on."""
    settings.SEGMENTS_FAN_OUT = 2
    monkeypatch.setattr(fanout, "PART", 1)
    for partition in range(PARTITIONS):
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval('contact_number', %s)", [partition << 16 | 100])
        make_people(20, state=lambda n: ("MA", "NY", None)[n % 3])
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('contact_number', 1)")


def job_of(parsed: tree.Rule) -> fanout._Job:
    return fanout._Job(parsed, tree.nodes_of(parsed.root), clock.now())


def asked(raw: object = IN_MA) -> tuple[tree.Rule, fanout.Crowds]:
    """The rule, and what one process finds."""
    parsed = rules.parse(raw)
    found = job_of(parsed).alone()
    assert [len(crowd) for crowd in found[:2]] == [20 * PARTITIONS, 7 * PARTITIONS]
    return parsed, found


def ask(parsed: tree.Rule) -> fanout.Crowds:
    return fanout.crowds(parsed, tree.nodes_of(parsed.root), clock.now())


def answered() -> int:
    return EvaluationPart.objects.filter(members__isnull=False).count()


def test_without_a_worker_the_asker_does_everything(spread: None, workers: Workers) -> None:
    parsed, found = asked()
    assert ask(parsed) == found
    assert queries.count(IN_MA) == 7 * PARTITIONS
    assert queries.audience(IN_MA) == sorted(i for ids in membership.ids_of(found[1]) for i in ids)
    assert not Evaluation.objects.exists()


@pytest.mark.workers
def test_workers_share_an_evaluation_and_the_answer_is_the_same(
    spread: None, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, found = asked()
    workers.start()
    own = fanout._Job.alone
    # The asker takes its time, so that others get at the rest.
    monkeypatch.setattr(fanout._Job, "alone", lambda *args: (wait_for(lambda: answered() >= 3), own(*args))[1])
    assert ask(parsed) == found
    assert not Evaluation.objects.exists()


@pytest.mark.workers
def test_a_worker_killed_at_its_part_is_replaced(spread: None, workers: Workers) -> None:
    parsed, found = asked()
    [worker] = workers.start()
    results: list[fanout.Crowds] = []

    def go() -> None:
        results.append(ask(parsed))
        connection.close()

    asker = threading.Thread(target=go)
    with psycopg.connect(database_url()) as other:
        # Nobody gets at what attributes there are: asker and worker hold parts, and the worker is killed at its own.
        other.execute("LOCK TABLE contacts_attribute IN ACCESS EXCLUSIVE MODE")
        asker.start()
        wait_for(lambda: _stuck() >= 3)
        worker.kill()
        worker.wait()
    asker.join(timeout=30)
    assert results == [found]
    assert not Evaluation.objects.exists()


def _stuck() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def _parts_of(parsed: tree.Rule) -> list[EvaluationPart]:
    evaluation = fanout._begin(job_of(parsed), people.partitions())
    return list(EvaluationPart.objects.filter(evaluation=evaluation).order_by("first"))


def test_parts_are_answered_once_sealed_and_taken_for_what_they_are(spread: None, workers: Workers) -> None:
    parsed, found = asked()
    parts = _parts_of(parsed)
    for part in parts:
        fanout.answer(part.pk)
        fanout.answer(part.pk)
    assert answered() == len(parts) == PARTITIONS
    job, evaluation = fanout._Job.of(parts[0].evaluation), parts[0].evaluation
    assert job.rule == parsed
    with connection.cursor() as cursor:  # one altered, one put in the place of another
        cursor.execute(
            "UPDATE segments_evaluationpart SET members = set_byte(members, 40, get_byte(members, 40) # 1)"
            " WHERE id = %s",
            [parts[0].pk],
        )
        cursor.execute(
            "UPDATE segments_evaluationpart p SET members = o.members, data_key = o.data_key"
            " FROM segments_evaluationpart o WHERE p.id = %s AND o.id = %s",
            [parts[1].pk, parts[2].pk],
        )
    together = [fanout.BitMap.union(*some) for some in zip(*fanout._of_others(evaluation, job), strict=True)]
    assert together == found


def test_a_worker_that_hangs_is_not_waited_for(spread: None, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "HUNG", 0.2)
    parsed, found = asked()
    held, done = threading.Event(), threading.Event()

    def hang() -> None:
        wait_for(EvaluationPart.objects.exists)
        with fanout._held(EvaluationPart.objects.order_by("first")):
            held.set()
            done.wait(30)
        connection.close()

    own = fanout._Job.alone
    monkeypatch.setattr(fanout._Job, "alone", lambda *args: (held.wait(30), own(*args))[1])
    hanging = threading.Thread(target=hang)
    hanging.start()
    assert ask(parsed) == found
    assert EvaluationPart.objects.count() == 1
    done.set()
    hanging.join()
    tasks_membership.sweep_evaluations()
    assert Evaluation.objects.count() == 1  # not old enough to be taken for abandoned
    with clock.set_to(clock.now() + fanout.ABANDONED * 2):
        tasks_membership.sweep_evaluations()
    assert not Evaluation.objects.exists()


def test_few_people_are_not_worth_sharing(workers: Workers) -> None:
    make_people(3, state="MA")
    parsed = rules.parse(IN_MA)
    assert [len(crowd) for crowd in ask(parsed)] == [3, 3, 3]
    assert not EvaluationPart.objects.exists()
    tasks_membership.evaluate_part(str(uuid4()))


def test_a_rule_travels_whole() -> None:
    everything = rules.parse(
        rule(
            {"attribute": "birth_date", "op": "between", "value": {"from": "1970-01-01", "to": {"days": -3}}},
            {"any": [is_("state", "MA"), {"event": "opened", "op": "did_not", "when": {"in_last": {"days": 30}}}]},
        )
    )
    nested = tree.Group(
        "none",
        (
            tree.InSegment(uuid4(), False, False, everything.root, Sensitivity.SPECIAL),
            tree.InSegment(uuid4(), True, True),
            tree.YesNoIs("b", True),
        ),
    )
    assert wire.unpacked(wire.packed(nested)) == nested
