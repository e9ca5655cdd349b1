"""Real PostgreSQL for every test: DATABASE_URL if set, else the embedded server in a throw-away folder."""

from collections.abc import Iterator

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations

APPEND_ONLY = (
    "audit_entry",
    "audit_leaf",
    "audit_checkpoint",
    "consent_ledgerentry",
    "consent_authorization",
    "content_templateversion",
    "delivery_delivery",
    "tracking_event",
)
_flush = DatabaseOperations.sql_flush


def _sql_flush(self, style, tables, **options):  # type: ignore[no-untyped-def]
    """Let the flush between transactional tests through the append-only triggers, and through nothing else."""
    guarded = [t for t in APPEND_ONLY if t in tables]
    before = [f"ALTER TABLE {t} DISABLE TRIGGER USER" for t in guarded]
    after = [f"ALTER TABLE {t} ENABLE TRIGGER USER" for t in guarded]
    return [*before, *_flush(self, style, tables, **options), *after]


@pytest.fixture(autouse=True, scope="session")
def _flush_guarded_tables() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(DatabaseOperations, "sql_flush", _sql_flush)
    yield
    patch.undo()
