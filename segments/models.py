"""Who is in the audience: a rule, never a list."""

from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from phi.fields import EncryptedJSONField, EncryptedTextField


class Segment(models.Model):
    """A saved rule. Its name and rule may say a diagnosis, so both are encrypted (IDX-04)."""

    DATA = Declaration(encrypted=("name", "description", "rule"), safe=("*",))

    id = uuid_pk()
    name = EncryptedTextField()
    description = EncryptedTextField(default="", blank=True)
    #: segments.schema: {"version": 1, "root": {"all"|"any"|"none": [...]}}
    rule = EncryptedJSONField()
    #: The highest sensitivity among the attributes the rule names; kept in step by segments.commands.
    tier = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.IDENTITY)
    revision = models.PositiveIntegerField(default=1)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Segment {self.pk}"
