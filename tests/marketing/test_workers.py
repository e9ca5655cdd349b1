import base64
import json
from uuid import uuid4

import pytest
from django.db import connection

from core.jobs import enqueue
from tests.workers import Workers, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.workers]


def _waiting(queue: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pgmq.q_{queue}")
        return cursor.fetchone()[0]


def test_a_job_waits_in_postgresql_until_a_worker_takes_it(workers: Workers) -> None:
    enqueue("audit.seal")
    assert _waiting("default") == 1
    workers.start()
    wait_for(lambda: _waiting("default") == 0)
    assert "audit.seal" in workers.logs()


def test_a_job_of_a_killed_worker_is_not_lost(workers: Workers) -> None:
    (worker,) = workers.start()
    worker.kill()
    worker.wait()
    enqueue("audit.seal", queue="marketing")
    workers.start(queues="marketing")
    wait_for(lambda: _waiting("marketing") == 0)


def test_the_broker_holds_ids_and_nothing_else(workers: Workers) -> None:
    contact = uuid4()
    enqueue("campaigns.start", contact)
    with connection.cursor() as cursor:
        cursor.execute("SELECT message::text FROM pgmq.q_default")
        (message,) = cursor.fetchone()
    assert str(contact) in base64.b64decode(json.loads(message)["body"]).decode()
