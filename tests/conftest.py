"""What every test stands on: real PostgreSQL (tests/settings.py), eager jobs, and on request workers and a browser."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.backends.signals import connection_created

from tests import browser as browsing
from tests.workers import Workers

_flush = DatabaseOperations.sql_flush


def _sql_flush(self: DatabaseOperations, style: Any, tables: list[str], **options: Any) -> list[str]:
    """Let the flush between transactional tests through the append-only triggers, and through nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND relname = ANY(%s)",
            [list(tables)],
        )
        guarded = [row[0] for row in cursor.fetchall()]
    before = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in guarded]
    after = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in guarded]
    return [*before, *_flush(self, style, tables, **options), *after]


@pytest.fixture(autouse=True, scope="session")
def _keys_without_guard() -> None:
    """Test databases come and go under one key file, so that connections do not compare fingerprints (phi.guard)."""
    connection_created.disconnect(dispatch_uid="phi.guard")


@pytest.fixture(autouse=True, scope="session")
def _flush_guarded_tables() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(DatabaseOperations, "sql_flush", _sql_flush)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _nothing_left_in_the_cache() -> None:
    """Throttles and previews of one test are not the next one's."""
    cache.clear()


@pytest.fixture
def workers(transactional_db: None, tmp_path: Any) -> Iterator[Workers]:
    """Real Celery workers on the test database's own queues; jobs are no longer eager. `workers.start()` begins."""
    crew = Workers(tmp_path)
    crew.open()
    yield crew
    crew.close()


# -- the browser -------------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if "browser" in item.keywords]
    if not wanted or browsing.chromium_path():
        return
    if os.environ.get("CARILLON_BROWSER") == "required":
        raise pytest.UsageError(f"CARILLON_BROWSER=required, but {browsing.MISSING}")
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=browsing.MISSING))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    left_out = [
        report for report in terminalreporter.stats.get("skipped", []) if browsing.MISSING in str(report.longrepr)
    ]
    if left_out:
        terminalreporter.section("BROWSER TESTS LEFT OUT", red=True, bold=True)
        terminalreporter.line(f"{len(left_out)} browser tests did not run: {browsing.MISSING}", red=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One Chromium for the process."""
    with browsing.launched() as browser:
        yield browser


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    """The address of a real server on the test database; links in mails lead there."""
    settings.PUBLIC_URL = live_server.url
    settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = [live_server.url]
    return str(live_server.url)


@pytest.fixture
def visitors(chromium: Any, site: str) -> Iterator[browsing.Visitors]:
    """Opens browsers of different people: `page = visitors.new()`; fails if any of them left our host."""
    people = browsing.Visitors(chromium, site)
    yield people
    people.leave()


@pytest.fixture
def page(visitors: browsing.Visitors) -> Any:
    """One person's browser at 1440 pixels, at `site`. Use with `pytestmark = pytest.mark.browser`."""
    return visitors.new()
