"""Who is in the audience: rules, the column store they are answered from, and who belonged when."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from core.purposes import Purpose
from core.sensitivity import Sensitivity
from phi.fields import EncryptedJSONField, EncryptedTextField


class Segment(models.Model):
    """A saved rule, or whoever it matched on one day. Its name and rule may say a diagnosis: encrypted (IDX-04)."""

    DATA = Declaration(encrypted=("name", "description", "rule"), safe=("*",))

    class Kind(TextChoices):
        RULE = "rule", "Rule"
        #: Its one Membership says who; `rule` is what matched them then.
        SNAPSHOT = "snapshot", "Snapshot"

    id = uuid_pk()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.RULE)
    name: Any = EncryptedTextField()
    description: Any = EncryptedTextField(default="", blank=True)
    #: segments.schema: {"version": 1, "root": {"all"|"any"|"none": [...]}}
    rule: Any = EncryptedJSONField()
    #: The highest sensitivity of what the rule asks, as that counted when it was saved. What counts is
    #: segments.queries.tier_today; this is for lists kept by hand, and rules that make no sense any more.
    tier = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.IDENTITY)
    revision = models.PositiveIntegerField(default=1)
    created_by = models.UUIDField(null=True)
    #: Who saved the rule as it stands: no second person to a campaign that uses it (SND-08).
    saved_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)
    #: What was counted last, and when: shown in lists, where counting anew would keep people waiting.
    last_count = models.PositiveIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Segment {self.pk}"


class Unsaved(models.Model):
    """What somebody built and has not saved yet: theirs alone, and nobody's rule (segments.unsaved)."""

    DATA = Declaration(encrypted=("form",), safe=("*",))

    id = uuid_pk()
    person = models.UUIDField()
    #: None: of a new segment.
    segment = models.ForeignKey(Segment, null=True, on_delete=models.CASCADE, related_name="unsaved")
    #: {"name", "description", "revision": the segment's they began from, "rule": the builder's fields, URL-encoded}
    form: Any = EncryptedJSONField()
    #: Another one with each change: a page that knows an older one is told.
    mark = models.UUIDField()
    kept_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "segment"], name="unsaved_once", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"Unsaved {self.pk}"


class Question(models.Model):
    """A count given to somebody who may not see small cells, kept so that later ones cannot be played against it.

    What was told and whom it was about is sealed, and null where nothing new was told.
    """

    DATA = Declaration(encrypted=("answer",), wrapped=("data_key",), sealed=("members",), safe=("*",))

    id = uuid_pk()
    asked_by = models.UUIDField()
    at = models.DateTimeField(db_index=True)
    #: Keyed hash of the question as it was worded.
    wording = models.BinaryField(max_length=32, default=bytes)
    #: Answered by an earlier answer, though worded otherwise than this person worded any that day.
    near = models.BooleanField(default=False)
    #: {"told": n, "lots": how many of its people fall into each of asking.LOTS lots}
    answer: Any = EncryptedJSONField(null=True)
    kek_id = models.CharField(max_length=40, blank=True)
    data_key = models.BinaryField(null=True)
    members = models.BinaryField(null=True)

    def __str__(self) -> str:
        return f"Question {self.pk}"


class Partition(models.Model):
    """65,536 contact numbers of the column store (number >> 16), written as encrypted Parquet files.

    Everything in it is under a data key of its own; a new one each time it is written, so that who was deleted since
    opens with no key any more (KEY-06).
    """

    DATA = Declaration(wrapped=("data_key",), safe=("*",))

    number = models.PositiveIntegerField(primary_key=True)
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    #: Raised with every writing, and bound into the files: an older file is not taken for the current one.
    generation = models.PositiveBigIntegerField()
    people = models.PositiveIntegerField()
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Partition {self.number}"


class PartitionFile(models.Model):
    """One Parquet file of a partition: its people, one row a number, or one coded list, one row an entry."""

    DATA = Declaration(sealed=("data",), safe=("*",))

    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="files")
    #: "people", or "coded:" and the key of the coded list.
    table = models.CharField(max_length=80)
    data = models.BinaryField()
    #: {column: [[offset, length], …], "": where the footer is}: which bytes to fetch for which column.
    places = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["partition", "table"], name="partition_file_once")]

    def __str__(self) -> str:
        return f"{self.table} of partition {self.partition_id}"


class ContactChange(models.Model):
    """That a contact was added, changed or deleted since its partition was written. Triggers write these rows in the
    transaction of the change; whoever writes the partition anew takes them away."""

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    number = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"Change {self.pk}"


class FactFile(models.Model):
    """Who did what by contact number (received, opened, clicked; opted in or out), as one sealed file."""

    DATA = Declaration(wrapped=("data_key",), sealed=("data",), safe=("*",))

    id = uuid_pk()
    #: "received", "open", "click": of the campaign or other origin `subject` · "topic": of the topic `subject`.
    kind = models.CharField(max_length=12)
    subject = models.UUIDField()
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    data = models.BinaryField()
    #: Rows of transactions before this one are in it, but for those that had not ended; the rest is read beside it.
    before_xid = models.BigIntegerField()
    unfinished = ArrayField(models.BigIntegerField(), default=list)
    generation = models.PositiveBigIntegerField()
    rows = models.PositiveIntegerField()
    #: Moments of the oldest and the newest row in it.
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    written_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="fact_file_once")]

    def __str__(self) -> str:
        return f"Fact file {self.pk}"


class Membership(models.Model):
    """Who was in a segment at a moment: a Roaring bitmap of contact numbers, sealed under a data key of its own.

    Written by segments.bitmaps alone, and never changed but for `seen_at`.
    """

    DATA = Declaration(wrapped=("data_key",), sealed=("members",), safe=("*",))

    id = uuid_pk()
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships")
    #: Of the segment, when it was taken: a changed rule begins anew.
    revision = models.PositiveIntegerField()
    taken_at = models.DateTimeField()
    #: Looked at last with nobody entering or leaving since `taken_at`.
    seen_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    entered = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)
    #: Whether who entered and left was offered upward: not at the first look since something relies on the segment.
    told = models.BooleanField(default=False)
    #: 0: `members` are all of them. n: who differs from the row before, which is step n - 1.
    steps = models.PositiveSmallIntegerField(default=0)
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    members = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["segment", "-taken_at"], name="membership_newest")]

    def __str__(self) -> str:
        return f"Membership {self.pk}"


class Use(models.Model):
    """That something above relies on a segment: while any does, its membership is kept up to date."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="uses")
    #: "campaign", "workflow", "segment", "watch" (somebody wants its history kept).
    kind = models.CharField(max_length=12)
    used_by = models.UUIDField()
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "kind", "used_by"], name="segment_use_once")]

    def __str__(self) -> str:
        return f"Use {self.pk}"


class Evaluation(models.Model):
    """A rule being evaluated by several workers at once, a lot of partitions each."""

    DATA = Declaration(encrypted=("rule",), safe=("*",))

    id = uuid_pk()
    rule: Any = EncryptedJSONField()
    #: What "now" is for every part.
    at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"Evaluation {self.pk}"


class EvaluationPart(models.Model):
    """Partitions `first` to `last` of an evaluation; `members` once somebody has answered."""

    DATA = Declaration(wrapped=("data_key",), sealed=("members",), safe=("*",))

    id = uuid_pk()
    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="parts")
    first = models.PositiveIntegerField()
    last = models.PositiveIntegerField()
    count = models.PositiveIntegerField(null=True)
    kek_id = models.CharField(max_length=40, blank=True)
    data_key = models.BinaryField(null=True)
    members = models.BinaryField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evaluation", "first"], name="evaluation_part_once")]

    def __str__(self) -> str:
        return f"Part {self.pk}"


class Export(models.Model):
    """That somebody wants the people of a segment as a file, what for, and who said yes (TRK-08)."""

    DATA = Declaration(encrypted=("rule", "reason", "note", "party"), safe=("*",))

    class Recipient(TextChoices):
        OWN = "own", "Our own workforce"
        ASSOCIATE = "associate", "A business associate"

    class State(TextChoices):
        REQUESTED = "REQUESTED", "Waiting for approval"
        APPROVED = "APPROVED", "Approved"
        REFUSED = "REFUSED", "Refused"
        WITHDRAWN = "WITHDRAWN", "Withdrawn"

    id = uuid_pk()
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="exports")
    #: The rule as it was asked for: what is approved is what is exported.
    rule: Any = EncryptedJSONField()
    revision = models.PositiveIntegerField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    reason: Any = EncryptedTextField()
    #: Attribute keys that become columns, in order.
    attributes = ArrayField(models.SlugField(max_length=60))
    tier = models.CharField(max_length=12, choices=Sensitivity.choices)
    recipient = models.CharField(max_length=10, choices=Recipient.choices, default=Recipient.OWN)
    #: The business associate, and the days its agreement was signed and ends (SEC-09).
    party: Any = EncryptedTextField(default="", blank=True)
    agreed_on = models.DateField(null=True)
    agreed_until = models.DateField(null=True)
    #: People it matched when it was asked for.
    people = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    requested_by = models.UUIDField()
    requested_at = models.DateTimeField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    note: Any = EncryptedTextField(default="", blank=True)
    #: An approval is good until then.
    expires_at = models.DateTimeField(null=True)
    #: HMAC-SHA-256 over all that was approved: a row changed since opens nothing.
    approved_digest = models.BinaryField(max_length=32, null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="APPROVED") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("requested_by"))),
                name="export_second_person",
            )
        ]
        indexes = [models.Index(fields=["state", "-requested_at"], name="export_state")]

    def __str__(self) -> str:
        return f"Export {self.pk}"
