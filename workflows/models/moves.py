"""People inside being moved to another version."""

from typing import Any

from django.db import models
from django.db.models import TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from phi.fields import EncryptedJSONField
from workflows.models.journeys import Workflow, WorkflowVersion


class Move(models.Model):
    """What publishing does to people on older versions: foretold, confirmed by somebody, carried out by a job.

    `forecast`, `happened`: a list of moving.Fate as JSON; the first is what was shown before, the second what came.
    """

    DATA = Declaration(encrypted=("definition", "plan", "forecast", "happened"), safe=("*",))

    class State(TextChoices):
        COUNTING = "COUNTING", "Being foretold"
        FORETOLD = "FORETOLD", "Foretold"
        MOVING = "MOVING", "Moving people"
        MOVED = "MOVED", "Moved, not all looked at yet"
        DONE = "DONE", "Done"
        FAILED = "FAILED", "Failed"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="moves")
    #: Where they move to, once it was proposed.
    version = models.OneToOneField(WorkflowVersion, null=True, on_delete=models.CASCADE, related_name="move")
    definition: Any = EncryptedJSONField()
    plan: Any = EncryptedJSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.COUNTING)
    forecast: Any = EncryptedJSONField(default=list)
    forecast_at = models.DateTimeField(null=True)
    happened: Any = EncryptedJSONField(default=list)
    #: People the job has been through in this state, of all.
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    #: A job that has not said anything since is taken for lost.
    seen_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Move {self.pk}"


class Moved(models.Model):
    """That one person was moved to another version, at which visit, from which step to which."""

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    move = models.ForeignKey(Move, on_delete=models.CASCADE, related_name="people", db_index=False)
    enrolment = models.ForeignKey(
        "Enrolment", on_delete=models.CASCADE, related_name="moves", db_constraint=False, db_index=True
    )
    visit = models.PositiveIntegerField()
    from_version = models.UUIDField()
    from_step = models.CharField(max_length=40)
    #: "": left.
    to_step = models.CharField(max_length=40, blank=True)
    #: A mail of theirs was on its way, or a call: not made again.
    awaited = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["move", "enrolment"], name="moved_once")]

    def __str__(self) -> str:
        return f"Moved {self.pk}"
