"""What came back: opens, clicks and unsubscribes, each a row, never an edit."""

from django.db import models
from django.db.models import TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from core.transactions import xid


class Event(models.Model):
    """One open, click or unsubscribe of one message. No address, no user agent: only what was concluded (TRK-05)."""

    DATA = Declaration(safe=("*",))

    class Kind(TextChoices):
        OPEN = "open", "Open"
        CLICK = "click", "Click"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribe"

    class Verdict(TextChoices):
        """Who did it, as far as can be told (TRK-06)."""

        HUMAN = "human", "Probably a person"
        MACHINE = "machine", "Probably a scanner or a prefetch"
        UNKNOWN = "unknown", "Cannot be told"

    id = uuid_pk()
    delivery_id = models.UUIDField(db_index=True)
    origin_id = models.UUIDField()
    contact_id = models.UUIDField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    link = models.PositiveSmallIntegerField(null=True)
    at = models.DateTimeField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    #: Coarse client class ("phone", "desktop", "proxy", "scanner").
    client = models.CharField(max_length=16, blank=True)
    xid = xid()

    class Meta:
        indexes = [
            models.Index(fields=["xid"], name="event_xid"),
            models.Index(fields=["origin_id", "kind", "at"], name="event_origin"),
            models.Index(fields=["contact_id", "kind", "at"], name="event_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Mark(models.Model):
    """Up to which transaction the sums have everything; see tracking.sums. One row."""

    DATA = Declaration(safe=("*",))

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    before_xid = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"Mark {self.before_xid}"


class Sum(models.Model):
    """What came back to one origin, counted: [[kind, link or null, label, how many], …]."""

    DATA = Declaration(safe=("*",))

    origin_id = models.UUIDField(primary_key=True)
    counts = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Sum {self.pk}"
