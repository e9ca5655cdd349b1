"""Who is on which journey and where, where they were, and how many did what."""

from django.db import models
from django.db.models import Q, TextChoices

from core.declarations import Declaration
from workflows.models.journeys import Workflow, WorkflowVersion


class Enrolment(models.Model):
    """One person on one journey, pinned to a version. Where they are is one row; where they were is Transition."""

    DATA = Declaration(blind=("key_index",), safe=("*",))

    class Status(TextChoices):
        ACTIVE = "active", "On the way"
        ATTENTION = "attention", "Needs attention"
        LEFT = "left", "Has left"

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    contact_id = models.UUIDField()
    contact_number = models.BigIntegerField()
    #: The how many-th time this person is on this journey, from 1 on.
    sequence = models.PositiveIntegerField(default=1)
    #: Of the event or date that let them in; null: there is none.
    key_index = models.BinaryField(max_length=32, null=True)
    #: The happening that let them in; null: by hand, a list, a date.
    happening_id = models.BigIntegerField(null=True)
    entered_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    #: Where they are; of who has left: where they were last.
    step = models.CharField(max_length=40)
    #: Steps they were at before this one, in this enrolment: with the id the name of this visit.
    visit = models.PositiveIntegerField(default=0)
    #: When they came to this step.
    since = models.DateTimeField()
    #: When somebody looks at them next (of who needs attention: whether they leave); null: only when news comes.
    wake_at = models.DateTimeField(null=True)
    #: The delivery or the call whose end they wait for at this step.
    awaits = models.UUIDField(null=True)
    #: Failures at this step, and why (a code of workflows.troubles).
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=40, blank=True)
    #: Resumed with "skip what is overdue": until they wait again, mails are passed over.
    overdue = models.BooleanField(default=False)
    #: Why they left: "end", "goal", "unsubscribed", "segment_left", "event", "removed", "moved", "deleted", "stopped"
    left_because = models.CharField(max_length=16, blank=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "contact_id", "sequence"], name="enrolment_once"),
            models.CheckConstraint(
                condition=Q(status="left", left_at__isnull=False) | (~Q(status="left") & Q(left_at__isnull=True)),
                name="enrolment_left_when",
            ),
        ]
        indexes = [
            models.Index(fields=["version", "wake_at"], name="enrolment_due", condition=~Q(status="left")),
            models.Index(fields=["contact_id"], name="enrolment_of_contact"),
            models.Index(fields=["awaits"], name="enrolment_awaits", condition=Q(awaits__isnull=False)),
            models.Index(fields=["version", "step"], name="enrolment_inside", condition=~Q(status="left")),
            models.Index(fields=["workflow", "since"], name="enrolment_attention", condition=Q(status="attention")),
            models.Index(fields=["workflow"], name="enrolment_goal", condition=Q(left_because="goal")),
        ]

    def __str__(self) -> str:
        return f"Enrolment {self.pk}"


class Transition(models.Model):
    """That somebody left a step, by which way and why. Append-only, one a visit: a second worker adds none."""

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="transitions", db_index=False)
    visit = models.PositiveIntegerField()
    version = models.ForeignKey(
        WorkflowVersion, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    step = models.CharField(max_length=40)
    arrived_at = models.DateTimeField()
    at = models.DateTimeField()
    #: The way out; "" where they left the journey here.
    way = models.CharField(max_length=16, blank=True)
    #: What happened, a code: workflows.step.Note.
    note = models.CharField(max_length=24, blank=True)
    #: The delivery, call or notice that was made here.
    made = models.UUIDField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["enrolment", "visit"], name="transition_once")]

    def __str__(self) -> str:
        return f"Transition {self.pk}"


class Tally(models.Model):
    """How many did what at one step, as one transaction of the engine left it; their sum is the exact number.

    `what`: "entered" (step: the start), "arrived", "passed", "left", "goal", "refused", "failed", "attention".
    """

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    step = models.CharField(max_length=40)
    what = models.CharField(max_length=10)
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"Tally {self.pk}"
