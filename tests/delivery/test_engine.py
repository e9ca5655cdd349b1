"""From queued people to messages in a real server's hands, and the rows that prove it."""

from collections import Counter

import pytest

from core.purposes import Stream
from delivery import engine, queries
from delivery.models import Delivery, Origin, Relay, SendBatch
from tests.delivery.factories import make_origin, make_people
from tests.delivery.smtp import Catcher

pytestmark = pytest.mark.django_db


def run(stream: str = Stream.MARKETING) -> None:
    engine.drain(stream, seconds=30)


def outcomes(origin: Origin) -> Counter[str]:
    return Counter(Delivery.objects.filter(origin=origin).values_list("outcome", flat=True))


def test_everybody_of_a_batch_gets_their_own_message_and_a_row_that_proves_it(relay: Relay, catcher: Catcher) -> None:
    people = make_people(7)
    origin = make_origin(people)
    run()
    assert catcher.recipients() == Counter({f"{a}": 1 for a in catcher.recipients()})
    assert len(catcher.messages) == 7
    assert all(len(message.recipients) == 1 and message.tls for message in catcher.messages)
    for row in Delivery.objects.filter(origin=origin).select_related("session"):
        assert row.outcome == "sent"
        assert row.decision is not None
        assert row.decision["verdict"] == "allow"
        assert row.decision["basis"]["relay"] == str(relay.pk)
        assert row.session is not None
        assert row.session.tls_version in ("TLSv1.2", "TLSv1.3")
        assert row.session.basis == "private-ca"
        assert (row.smtp_code, row.smtp_status) == (250, "2.0.0")
    batch = SendBatch.objects.get()
    assert batch.done_at is not None
    assert queries.is_drained(origin.pk)
