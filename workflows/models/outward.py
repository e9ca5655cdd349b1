"""What journeys tell other systems and the staff."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from phi.fields import EncryptedTextField
from workflows.models.journeys import Workflow
from workflows.models.people import Enrolment


class Endpoint(models.Model):
    """Where webhooks go, and the agreement under which values may go there (SEC-09)."""

    DATA = Declaration(encrypted=("secret",), safe=("*",))

    id = uuid_pk()
    name = models.CharField(max_length=80)
    url = models.URLField(max_length=500)
    secret: Any = EncryptedTextField()
    baa_party = models.CharField(max_length=120, blank=True)
    baa_signed_on = models.DateField(null=True, blank=True)
    baa_expires_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Call(models.Model):
    """One webhook call: made in the engine's transaction, carried out by a job, tried again until it has ended."""

    DATA = Declaration(safe=("*",))

    class State(TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True)  # follows from enrolment and visit
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="calls")
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="calls", db_constraint=False)
    visit = models.PositiveIntegerField()
    step = models.CharField(max_length=40)
    contact_id = models.UUIDField()
    #: Keys of the attributes whose values go along.
    attributes = ArrayField(models.CharField(max_length=60), default=list)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    trouble = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="call_due", condition=Q(state="waiting")),
            models.Index(fields=["at"], name="call_ended", condition=~Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"Call {self.pk}"


class Notice(models.Model):
    """Something a journey told the staff about a person, until somebody has seen to it."""

    DATA = Declaration(encrypted=("text",), safe=("*",))

    id = models.UUIDField(primary_key=True)  # follows from enrolment and visit
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="notices")
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="notices", db_constraint=False)
    contact_id = models.UUIDField()
    user_id = models.UUIDField(null=True)
    role = models.CharField(max_length=16, blank=True)
    text: Any = EncryptedTextField(default="", blank=True)
    at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.UUIDField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="notice_open", condition=Q(done_at__isnull=True)),
            models.Index(fields=["done_at"], name="notice_done", condition=Q(done_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"Notice {self.pk}"
