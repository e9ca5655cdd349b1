"""A journey, its immutable versions and their frozen mails."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices

from content.models import TemplateVersion
from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from phi.fields import EncryptedJSONField, EncryptedTextField


class Workflow(models.Model):
    """A journey: its draft, its versions and its switch. Names and drafts may say a diagnosis: encrypted."""

    DATA = Declaration(encrypted=("name", "description", "draft"), safe=("*",))

    class State(TextChoices):
        DRAFT = "DRAFT", "Draft"  # never published
        ACTIVE = "ACTIVE", "Running"
        PAUSED = "PAUSED", "Paused"
        STOPPED = "STOPPED", "Stopped"  # nobody enters, everybody has left

    id = uuid_pk()
    name: Any = EncryptedTextField()
    description: Any = EncryptedTextField(default="", blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, db_index=True)
    #: workflows.language.definition as JSON; what is drawn, not what runs.
    draft: Any = EncryptedJSONField(default=dict)
    #: Optimistic concurrency: a save names the revision it started from.
    draft_revision = models.PositiveIntegerField(default=1)
    paused_at = models.DateTimeField(null=True)
    #: What holds it though it runs, a code of workflows.troubles: noted by workflows.versions.standing.
    trouble = models.CharField(max_length=40, blank=True)
    #: A job lets it go on: "spread:<seconds>" or "skip:0". "": none does.
    resuming = models.CharField(max_length=20, blank=True, default="")
    created_by = models.UUIDField(null=True)
    #: Who wrote on the draft since a second person last approved of it.
    editors = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Workflow {self.pk}"


class WorkflowVersion(models.Model):
    """What was published: never changed (a trigger refuses), but for its state and who approved it."""

    DATA = Declaration(encrypted=("definition", "plan", "note"), safe=("*",))

    class State(TextChoices):
        PROPOSED = "PROPOSED", "Waits for approval"
        LIVE = "LIVE", "Live"  # new people enter this one: at most one of a workflow
        CLOSED = "CLOSED", "Closed"  # people finish on it
        RETURNED = "RETURNED", "Sent back"
        WITHDRAWN = "WITHDRAWN", "Withdrawn"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    definition: Any = EncryptedJSONField()
    #: HMAC-SHA-256 of everything an approval covers.
    digest = models.BinaryField(max_length=32)
    #: The highest of its trigger's, rules' and mails' sensitivities.
    tier = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.IDENTITY)
    #: What becomes of people on older versions: {"how": "finish"} or
    #: {"how": "move", "steps": {"<version id>": {"<old step>": "<new step>" | null (leaves) | "" (finishes there)}}}
    plan: Any = EncryptedJSONField(default=dict)
    proposed_by = models.UUIDField(null=True)
    proposed_at = models.DateTimeField()
    written_by = ArrayField(models.UUIDField(), default=list)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    note: Any = EncryptedTextField(default="", blank=True)
    live_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_number"),
            models.UniqueConstraint(fields=["workflow"], condition=Q(state="LIVE"), name="workflow_one_live"),
        ]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Workflow version {self.pk}"


class VersionMail(models.Model):
    """The frozen content of one mail step of a version; the row's id is the id of its delivery.Origin."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="mails")
    step = models.CharField(max_length=40)
    template_version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "step"], name="version_mail_once")]

    def __str__(self) -> str:
        return f"Mail {self.pk}"
