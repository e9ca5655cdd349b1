"""Show a person's values to somebody who says why; both are kept."""

from django.db import transaction

from audit.commands import record as audit
from contacts import queries
from contacts.imports import write_reason
from contacts.models import Contact
from contacts.records import Record
from core.actors import By


@transaction.atomic
def reveal(contact: Contact, *, reason: str, by: By) -> Record:
    """The values of one person. The trail gets who, whom and which fields; the reason is kept encrypted (SEC-02)."""
    record = queries.open_one(contact)
    note = write_reason("contact.revealed", contact.pk, reason, by)
    keys = sorted({*record.values, *record.coded})
    audit("contact.revealed", by=by, target=contact, subject=contact.pk, keys=keys, reason_id=str(note.pk))
    return record


@transaction.atomic
def searched(*, found: int, by: By) -> None:
    """Record that somebody looked for people, and how many there were; what for stands nowhere."""
    audit("contacts.searched", by=by, found=found)
