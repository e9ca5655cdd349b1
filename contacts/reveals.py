"""Show a person's values to somebody who says why; both are kept."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from accounts.models import User
from accounts.policy import Action
from audit.commands import record as audit
from audit.models import Entry
from contacts import queries
from contacts.imports import write_reason
from contacts.models import Contact
from contacts.records import Record
from core import clock
from core.actors import By

#: What says something of somebody's health is shown so long after its viewer revealed the person, and said why.
SHOWN_FOR = timedelta(minutes=15)


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


def lately(contact_id: UUID, *, by: User) -> bool:
    """Whether this viewer, who may, revealed the person in the last minutes."""
    mine = Entry.objects.filter(action="contact.revealed", actor_id=by.as_actor().id)
    since = clock.now() - SHOWN_FOR
    return by.may(Action.CONTACTS_REVEAL) and mine.filter(subject_id=contact_id, at__gt=since).exists()
