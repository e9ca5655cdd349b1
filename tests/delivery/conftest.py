from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import commands
from delivery.models import Relay
from delivery.transports import smtp
from tests.delivery.factories import RelayFactory
from tests.delivery.smtp import Catcher


@pytest.fixture(autouse=True)
def _no_connections_left() -> Iterator[None]:
    yield
    smtp.close()


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    """A real SMTP server with verified TLS."""
    with Catcher(tmp_path) as server:
        yield server
        smtp.close()


@pytest.fixture
def relay(db: None, catcher: Catcher) -> Relay:
    """The way to that server."""
    made: Relay = RelayFactory(**catcher.relay_fields())
    return made


@pytest.fixture
def unstarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queued work waits for the test's own workers; without this, eager jobs would have sent it at once."""
    monkeypatch.setattr(commands, "enqueue", lambda *args, **options: None)
