"""The trail: what happened, in the transaction in which it happened. Ids, never values."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk


class Entry(models.Model):
    """One event. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE, and note it in Pending."""

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


class Pending(models.Model):
    """An entry that has no leaf yet. A trigger adds it with the entry, the sealer removes it with the leaf."""

    DATA = Declaration(safe=("*",))

    entry_id = models.UUIDField(primary_key=True)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"Pending {self.entry_id}"


class Leaf(models.Model):
    """An entry's place in the log: gap-free index, RFC 6962 leaf hash. Appended by the sealer after commit.

    The hash covers the entry, the index and both counters (audit.leaves), so that an entry left out of a list of
    somebody's entries shows (LOG-07).
    """

    DATA = Declaration(safe=("*",))

    index = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="leaf")
    leaf_hash = models.BinaryField(max_length=32)
    #: "kind:id" of who acted, and which of their entries this is: 1, 2, 3 …
    actor = models.CharField(max_length=81)
    actor_seq = models.BigIntegerField()
    #: The same for the contact the entry is about.
    subject_id = models.UUIDField(null=True)
    subject_seq = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "actor_seq"], name="leaf_actor_seq"),
            models.UniqueConstraint(fields=["subject_id", "subject_seq"], name="leaf_subject_seq"),
        ]

    def __str__(self) -> str:
        return f"Leaf {self.index}"


class Node(models.Model):
    """Hash of a complete subtree of 256 leaves (level 8), of 65,536 (level 16) …: so that a proof reads a few rows."""

    DATA = Declaration(safe=("*",))

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="node_place")]

    def __str__(self) -> str:
        return f"Node {self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint): `note` is the signed text an auditor keeps."""

    DATA = Declaration(safe=("*",))

    size = models.BigIntegerField(primary_key=True)
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Checkpoint {self.size}"


class Watch(models.Model):
    """What the watchman last found: one row, written by `audit.verify`."""

    DATA = Declaration(safe=("*",))

    at = models.DateTimeField()
    #: How far the present round has come, in leaves.
    cursor = models.BigIntegerField(default=0)
    #: The last full round: every entry below `whole_size` was hashed anew, finished at `whole_at`.
    whole_size = models.BigIntegerField(default=0)
    whole_at = models.DateTimeField(null=True)
    #: Empty: nothing wrong.
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_watch")]

    def __str__(self) -> str:
        return self.problem or "Nothing wrong"
