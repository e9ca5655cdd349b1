"""A file of consents leaves the house: who asked, why, what it held (TRK-08, CAN-12)."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit.commands import record
from consent.errors import InvalidDate
from consent.models import Export
from core import clock


@transaction.atomic
def start_export(*, format: str, as_of: datetime, purpose: str, by: User) -> Export:
    """Record that somebody takes the consents as of a date. Raises InvalidDate for the future."""
    if as_of > clock.now():
        raise InvalidDate("Consents of the future are not known. Choose today or an earlier day.")
    export = Export.objects.create(format=format, as_of=as_of, purpose=purpose, by=by.pk)
    record("consent.export_started", by=by, target=export, format=format, as_of=as_of.isoformat())
    return export


@transaction.atomic
def finish_export(export: Export, *, rows: int, sha256: str, by: User) -> Export:
    """Record that the last byte was handed over, and what it all came to."""
    export.rows, export.sha256, export.finished_at = rows, sha256, clock.now()
    export.save(update_fields=["rows", "sha256", "finished_at"])
    record("consent.export_finished", by=by, target=export, rows=rows, sha256=sha256)
    return export
