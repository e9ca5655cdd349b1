"""Small field helpers shared by every room."""

from typing import Any
from uuid import UUID

from django.db import models

from core.ids import uuid7


def uuid_pk() -> "models.UUIDField[UUID | str, UUID]":
    """An opaque, time-ordered primary key."""
    options: dict[str, Any] = {"primary_key": True, "default": uuid7, "editable": False}
    return models.UUIDField(**options)
