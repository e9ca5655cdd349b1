"""Background work of this room. Every task may run twice without harm."""

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db.models import Q

from contacts import damaged, imports
from contacts.importing import engine, lease
from contacts.models import Import
from core import clock
from core.jobs import enqueue

#: Uploads nobody came back to, and refused rows nobody fetched, are destroyed after this long.
ABANDONED = timedelta(days=7)
REFUSED_KEPT = timedelta(days=30)


@shared_task(name="contacts.run_import")
def run_import(import_id: str) -> None:
    """Work on one import for a slice of time, then come back for the rest."""
    if engine.work(UUID(import_id)):
        enqueue("contacts.run_import", import_id)


@shared_task(name="contacts.sweep_imports")
def sweep_imports() -> None:
    """Wake imports whose worker died, and destroy what was left behind."""
    moment = clock.now()
    free = Q(leased_until=None) | Q(leased_until__lt=moment)
    for import_id in Import.objects.filter(free, state__in=lease.WORKING).values_list("pk", flat=True):
        enqueue("contacts.run_import", import_id)
    imports.purge(abandoned_before=moment - ABANDONED, refused_before=moment - REFUSED_KEPT)


@shared_task(name="contacts.note_damaged")
def note_damaged(*contact_id: str) -> None:
    """Note that these records do not open, where that is so."""
    damaged.note(map(UUID, contact_id))


@shared_task(name="contacts.look_at_damaged")
def look_at_damaged() -> None:
    """Forget those records that open again."""
    damaged.look_again()
