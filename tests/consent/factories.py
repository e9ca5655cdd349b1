"""Topics, people and what they said."""

from itertools import count
from typing import Any
from uuid import UUID

import factory

import contacts.commands
from consent.commands import opt_in
from consent.models import LedgerEntry, Source, Topic
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7

_numbers = count(1)

EVIDENCE = {"text": "I want to receive these emails.", "text_version": "2026-01", "address": "192.0.2.0/24"}

DOCUMENT: dict[str, Any] = {
    "information": "My name, my email address and that I am a patient here",
    "discloser": "Example Clinic",
    "recipient": "Example Clinic's own mail service",
    "purpose": "To write to me about products and offers",
    "expires_on": "2030-12-31",
    "signature": "Signed on paper, form 12",
    "signed_on": "2026-01-15",
    "right_to_revoke": "I may revoke this in writing at any time, except where it was already relied on",
    "conditioning": "My treatment does not depend on signing",
    "redisclosure": "What is disclosed may be disclosed again",
}


class TopicFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Topic

    number = factory.Sequence(lambda n: n + 1)
    name = factory.Sequence(lambda n: f"Diabetes programme {n}")
    public_name = factory.Sequence(lambda n: f"News {n}")


def contact(email: str | None = None, **values: Any) -> Contact:
    """A person with an address of their own unless told otherwise."""
    n = next(_numbers)
    address = {"email": email or f"patient{n}@example.com"}
    return contacts.commands.create(values={"external_id": f"c-{n}", **address, **values}, by=SYSTEM)


def opted_in(topic: Topic, *, contact_id: UUID | None = None) -> LedgerEntry:
    return opt_in(contact_id or contact().pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)


class LedgerEntryFactory(factory.django.DjangoModelFactory):
    """A bare ledger row, for tests of reading."""

    class Meta:
        model = LedgerEntry

    contact_id = factory.LazyFunction(uuid7)
    act = "opt_in"
    at = factory.LazyFunction(clock.now)
    source = Source.STAFF
    evidence = factory.LazyFunction(lambda: dict(EVIDENCE))
    recorded_by_kind = "system"
