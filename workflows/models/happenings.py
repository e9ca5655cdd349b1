"""What happened that journeys may listen to, and how far it was read."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from core.transactions import xid
from phi.fields import EncryptedJSONField, EncryptedTextField


class EventType(models.Model):
    """An event that other systems may send, declared first. Its name may say a diagnosis: encrypted, found by hash."""

    DATA = Declaration(encrypted=("name", "label", "properties"), blind=("name_index",), safe=("*",))

    id = uuid_pk()
    #: A slug: "appointment_booked".
    name: Any = EncryptedTextField()
    name_index = models.BinaryField(max_length=32, unique=True)
    label: Any = EncryptedTextField(default="", blank=True)
    #: {property: "text" | "number" | "yes_no" | "date" | "datetime"}
    properties: Any = EncryptedJSONField(default=dict)
    sensitivity = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.PHI)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Event type {self.pk}"


class Happening(models.Model):
    """Something that happened to one person and that journeys may listen to. Append-only; read by xid.

    `about`: the event type, attribute, topic, origin or segment. `sealed` (under the contact's key): the properties of
    an event, or {"was": …, "is": …} of a change.
    """

    DATA = Declaration(sealed=("sealed",), blind=("key_index", "idempotency"), safe=("*",))

    class Kind(TextChoices):
        EVENT = "event", "Event"
        ATTRIBUTE = "attribute", "Attribute changed"
        ENTERED = "entered", "Entered a segment"
        LEFT = "left", "Left a segment"
        GIVEN = "given", "Consent given"
        WITHDRAWN = "withdrawn", "Consent withdrawn"
        OPENED = "opened", "Opened"
        CLICKED = "clicked", "Clicked"
        SENT = "sent", "Mail sent"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    about = models.UUIDField()
    contact_id = models.UUIDField()
    #: Keyed hash of the event's key: which appointment, which order.
    key_index = models.BinaryField(max_length=32, null=True)
    #: Keyed hash of what the sender calls this event: the same one twice is one.
    idempotency = models.BinaryField(max_length=32, null=True, unique=True)
    at = models.DateTimeField()
    sealed = models.BinaryField(null=True)
    xid = xid()

    class Meta:
        indexes = [
            models.Index(fields=["contact_id", "kind", "about", "at"], name="happening_of_contact"),
            models.Index(fields=["xid"], name="happening_xid"),
            models.Index(fields=["at"], name="happening_at"),
        ]

    def __str__(self) -> str:
        return f"Happening {self.pk}"


class Cursor(models.Model):
    """How far a source was read: `before_xid`, `unfinished` as core.transactions.Ended; `at` for sources by time.

    `about`: of dates the zone the organization was in. "home": where it is, by which people wait; `before_xid`: the
    last enrolment that was told so, `at`: when all had been.
    """

    DATA = Declaration(safe=("*",))

    #: "happenings", "consent", "tracking", "deliveries"; "segment:<id>"; "date:<version id>"; "home"
    source = models.CharField(max_length=80, primary_key=True)
    before_xid = models.BigIntegerField(default=0)
    unfinished = ArrayField(models.BigIntegerField(), default=list)
    at = models.DateTimeField(null=True)
    about = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        return self.source


class ContactChange(models.Model):
    """That a person was added, changed or deleted while journeys run: written by a trigger, gone when it was read."""

    DATA = Declaration(sealed=("before",), safe=("*",))

    id = models.BigAutoField(primary_key=True)
    contact_id = models.UUIDField(db_index=True)
    #: The record as it was, under the contact's own key; null: a new person, or a deleted one.
    before = models.BinaryField(null=True)
    gone = models.BooleanField(default=False)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Change {self.pk}"
