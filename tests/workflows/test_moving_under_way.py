"""A move while the engine is at work: everybody is moved once, and nobody stands still or goes twice."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from delivery.models import SendBatch
from tests.workflows.factories import graph, live, mail, make_people, make_workflow, marketer, place, publish, wait
from workflows import commands
from workflows.engine.run import run
from workflows.models import Enrolment, Move, Moved, Transition
from workflows.versions import moving

PEOPLE = 300


@pytest.mark.django_db(transaction=True)
def test_a_move_while_the_engine_works_moves_everybody_once(
    monkeypatch: pytest.MonkeyPatch, settings: object, unstarted: None
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 10)
    monkeypatch.setattr(moving, "enqueue", lambda *args, **options: None)
    settings.WORKFLOWS_CLAIM = 15  # type: ignore[attr-defined]
    steps = {
        "rest": {**wait(days=2), "exits": {"next": "fork"}},
        "fork": {"kind": "split", "shares": [{"percent": 50}, {"percent": 50}], "exits": {"1": "letter", "2": "last"}},
        "letter": {**mail(), "exits": {"next": "last"}},
        "last": {**wait(days=9), "exits": {"next": None}},
    }
    workflow = make_workflow(graph("rest", steps))
    old = live(workflow)
    place(workflow, make_people(PEOPLE), since=clock.now() - timedelta(days=3))
    newer = {**steps, "last": {**wait(days=5), "exits": {"next": None}}}
    commands.save_draft(workflow, graph("rest", newer), revision=None, by=marketer())
    workflow.refresh_from_db()
    version = publish(workflow, plan={"how": "move"})
    move = Move.objects.get(version=version)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while run(seconds=0.2) or Enrolment.objects.filter(version=old).exclude(status="left").exists():
                pass
        except BaseException as failure:  # told in the main thread
            failures.append(failure)
        finally:
            connection.close()

    engines = [threading.Thread(target=work) for _ in range(2)]
    for engine in engines:
        engine.start()
    moving.carry_out(move.pk)
    for engine in engines:
        engine.join(timeout=60)
    assert not failures
    while run(seconds=5):
        pass
    rows = list(Enrolment.objects.all())
    assert {row.version_id for row in rows} == {version.pk}
    assert Moved.objects.filter(move=move).count() == PEOPLE
    for row in rows:
        assert list(row.transitions.order_by("visit").values_list("visit", flat=True)) == list(range(row.visit))
    mailed = [who for batch in SendBatch.objects.all() for who in batch.contact_ids]
    assert len(mailed) == len(set(mailed))
    assert len(mailed) == sum(row.step == "letter" for row in rows)
    assert Transition.objects.filter(step="rest").count() == PEOPLE
    assert moving.settle(move.pk)
