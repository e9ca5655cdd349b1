"""Who is in the audience: a rule, never a list."""

from typing import Any

from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from phi.fields import EncryptedJSONField, EncryptedTextField


class Segment(models.Model):
    """A saved rule. Its name and rule may say a diagnosis, so both are encrypted (IDX-04)."""

    DATA = Declaration(encrypted=("name", "description", "rule"), safe=("*",))

    id = uuid_pk()
    name: Any = EncryptedTextField()
    description: Any = EncryptedTextField(default="", blank=True)
    #: segments.schema: {"version": 1, "root": {"all"|"any"|"none": [...]}}
    rule: Any = EncryptedJSONField()
    #: The highest sensitivity among the attributes the rule names; kept in step by segments.commands.
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


class Question(models.Model):
    """A count given to somebody who may not see small cells, kept so that later ones cannot be played against it."""

    DATA = Declaration(encrypted=("answer",), safe=("*",))

    id = uuid_pk()
    asked_by = models.UUIDField()
    at = models.DateTimeField(db_index=True)
    #: {"count": n, "members": base64 of one bit a contact number}; null: nothing new was told.
    answer: Any = EncryptedJSONField(null=True)

    def __str__(self) -> str:
        return f"Question {self.pk}"
