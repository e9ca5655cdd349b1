"""What this room hears from below. Signals only wake: what happened is read from rows."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.urls import reverse

from accounts.signals import staff_disabled
from core.actors import SYSTEM
from segments.models import Use
from segments.signals import users_wanted
from segments.uses import WORKFLOW
from tracking.signals import events_forgotten
from workflows.intake import forgetting
from workflows.models import Workflow, WorkflowVersion
from workflows.versions import publishing


@receiver(events_forgotten)
def forget_events(origins: dict[str, list[UUID]], **_: Any) -> None:
    """What is forgotten there is forgotten here, at once (TRK-05)."""
    forgetting.forget_events(origins)


@receiver(users_wanted)
def name_journeys(sender: Any, uses: list[Use], **_: Any) -> dict[UUID, tuple[str, str]]:
    """What the journeys among those who rely on a segment are called, and where they are."""
    ids = [use.used_by for use in uses if use.kind == WORKFLOW]
    return {w.pk: (w.name, reverse("workflows:detail", args=[w.pk])) for w in Workflow.objects.filter(pk__in=ids)}


@receiver(staff_disabled)
def withdraw_theirs(sender: Any, user_id: UUID, **_: Any) -> None:
    """What a person who was shut out had proposed goes live only if somebody else proposes it anew (SEC-03)."""
    waiting = WorkflowVersion.objects.filter(state=WorkflowVersion.State.PROPOSED, proposed_by=user_id)
    for version in waiting.select_related("workflow"):
        publishing.withdraw(version, by=SYSTEM)
