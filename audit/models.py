"""The trail: what happened, in the transaction in which it happened. Ids, never values."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk


class Entry(models.Model):
    """One event. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    at = models.DateTimeField()
    action = models.CharField(max_length=64)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_roles = ArrayField(models.CharField(max_length=24), default=list)
    source = models.CharField(max_length=64, blank=True)
    target_kind = models.CharField(max_length=48, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    #: The contact the event is about, where there is exactly one.
    subject_id = models.UUIDField(null=True)
    #: Ids, enum values and numbers; a typed reason has its text in `note_sealed` of the room that asked for it.
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["-at"], name="audit_entry_at"),
            models.Index(fields=["action", "-at"], name="audit_entry_action"),
            models.Index(fields=["actor_id", "-at"], name="audit_entry_actor"),
            models.Index(fields=["subject_id", "-at"], name="audit_entry_subject"),
            models.Index(fields=["target_id", "-at"], name="audit_entry_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.id}"


class Leaf(models.Model):
    """An entry's place in the log: gap-free index, RFC 6962 leaf hash. Appended by the sealer after commit."""

    DATA = Declaration(safe=("*",))

    index = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="leaf")
    leaf_hash = models.BinaryField(max_length=32)


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint): `note` is the signed text an auditor keeps."""

    DATA = Declaration(safe=("*",))

    size = models.BigIntegerField(primary_key=True)
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    at = models.DateTimeField()
