"""Runs on a virtual clock, which send nothing."""

from typing import Any

from django.db import models
from django.db.models import TextChoices

from core.declarations import Declaration
from core.fields import uuid_pk
from phi.fields import EncryptedJSONField
from workflows.models.journeys import Workflow


class Simulation(models.Model):
    """A run of a draft or version on a virtual clock over real people; nothing is sent. Its results are encrypted."""

    DATA = Declaration(encrypted=("definition", "settings", "result"), safe=("*",))

    class State(TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        FINISHED = "FINISHED", "Finished"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="simulations")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    definition: Any = EncryptedJSONField()
    #: {"segment": id, "start": date, "days": n, "assumptions": {…}}; see workflows.simulate
    settings: Any = EncryptedJSONField(default=dict)
    #: Virtual days done, of all.
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(null=True)
    result: Any = EncryptedJSONField(default=dict)
    trouble = models.CharField(max_length=40, blank=True)
    #: How often it was begun: a worker may die at it.
    attempts = models.PositiveSmallIntegerField(default=0)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Simulation {self.pk}"


class SimulatedPaths(models.Model):
    """Where people went in a simulation, those of a thousand contact numbers from `first` on: simulate.paths."""

    DATA = Declaration(wrapped=("data_key",), sealed=("sealed",), safe=("*",))

    id = models.BigAutoField(primary_key=True)
    simulation = models.ForeignKey(Simulation, on_delete=models.CASCADE, related_name="paths")
    first = models.BigIntegerField()
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["simulation", "first"], name="simulated_paths_once")]

    def __str__(self) -> str:
        return f"Paths {self.pk}"
