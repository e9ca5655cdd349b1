"""The sealer and the watchman in real workers, several at once, with keys of their own loading."""

import pytest

from audit.commands import build, record_many
from audit.models import Checkpoint, Leaf, Pending, Watch
from audit.queries import last_head
from core.actors import SYSTEM
from core.jobs import enqueue
from tests.workers import Workers, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.workers]


def test_workers_at_once_seal_each_entry_once_and_sign(workers: Workers) -> None:
    workers.start(2)
    for part in range(6):
        record_many(build("test.happened", by=SYSTEM, n=part * 50 + n) for n in range(50))
        enqueue("audit.seal")
        enqueue("audit.seal")
    wait_for(lambda: not Pending.objects.exists() and Leaf.objects.count() == 300)
    head = last_head()
    assert head
    assert head.size == 300 == Checkpoint.objects.order_by("-size")[0].size
    enqueue("audit.verify")
    wait_for(lambda: Watch.objects.filter(whole_size=300, problem="").exists())
