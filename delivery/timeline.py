"""All that happened with one person, from every room below, in one order: the fragment on the contact's page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import contacts.queries
from accounts.models import User
from accounts.policy import Action
from consent import queries as consent
from consent.views import name_recorders
from contacts.models import Contact
from delivery import queries
from delivery.models import Delivery, Origin
from delivery.reasons import words
from tracking.queries import events_for_contact

#: What can be shown alone, as asked for in the address and as said.
KINDS = {
    "messages": "Messages",
    "responses": "Opens and clicks",
    "consents": "Consents",
    "record": "Record and imports",
}
#: So many lines are shown, the newest.
SHOWN = 100

RESPONSES = {
    "open": ("open", "Opened a mail"),
    "click": ("click", "Clicked in a mail"),
    "unsubscribe": ("out", "Unsubscribed from a mail"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `delivery_id` leads to the proof of a mail, `entry_id` to an entry of the ledger; `campaign_id` and
    `import_id` to where it came from."""

    at: datetime
    icon: str
    text: str
    by: str = ""
    delivery_id: UUID | None = None
    entry_id: UUID | None = None
    campaign_id: UUID | None = None
    import_id: UUID | None = None


def of(contact_id: UUID, reader: User, kind: str = "") -> list[Item]:
    """The newest lines of these kinds (none: all), newest first; SHOWN + 1 where there are more.

    A fixed number of statements. People who were deleted have one, too, without their record.
    """
    found: list[Item] = []
    for name, source in (("messages", _messages), ("responses", _responses), ("record", _record)):
        if kind in ("", name):
            found += source(contact_id)
    if kind in ("", "consents") and reader.may(Action.CONSENT_VIEW):
        found += _consents(contact_id)
    return sorted(found, key=lambda item: item.at, reverse=True)[: SHOWN + 1]


def _messages(contact_id: UUID) -> Iterator[Item]:
    for waiting in queries.waiting_for(contact_id)[: SHOWN + 1]:
        yield Item(waiting.due_at, "clock", "A mail waits, and is tried again then")
    for one in queries.of_contact(contact_id)[: SHOWN + 1]:
        campaign = one.origin_id if one.origin.kind == Origin.Kind.CAMPAIGN else None
        if one.outcome == Delivery.Outcome.SENT:
            yield Item(one.at, "mailbox", "Mail sent", delivery_id=one.pk, campaign_id=campaign)
        else:
            why = " ".join(words(code).sentence for code in one.reasons)
            text = f"Mail: {one.get_outcome_display().lower()}. {why}".strip()
            yield Item(one.at, "lock", text, delivery_id=one.pk, campaign_id=campaign)


def _responses(contact_id: UUID) -> Iterator[Item]:
    for event in events_for_contact(contact_id, limit=SHOWN + 1):
        icon, text = RESPONSES[event.kind]
        by = "probably a scanner, not the person" if event.verdict == "machine" else ""
        yield Item(event.at, icon, text, by, delivery_id=event.delivery_id)


def _consents(contact_id: UUID) -> Iterator[Item]:
    entries = list(consent.history(contact_id).order_by("-at", "-number")[: SHOWN + 1])
    name_recorders(entries)
    for entry in entries:
        text = f"{entry.get_act_display()}: {entry.topic.name}" if entry.topic else entry.get_act_display()
        by = f"{entry.recorder} · {entry.get_source_display()}"  # type: ignore[attr-defined]
        yield Item(entry.at, "compliance", text, by, entry_id=entry.pk)


def _record(contact_id: UUID) -> Iterator[Item]:
    contact = Contact.objects.filter(pk=contact_id).first()
    for one in contacts.queries.history(contact, limit=SHOWN + 1) if contact else ():
        yield Item(one.at, one.icon, one.text, one.by, import_id=one.import_id)
