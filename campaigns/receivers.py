"""News from the door and of the staff."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.urls import reverse

from accounts.signals import staff_disabled
from campaigns import commands
from campaigns.models import Campaign
from core.actors import SYSTEM
from delivery.signals import origin_drained
from segments.models import Use
from segments.signals import users_wanted
from segments.uses import CAMPAIGN


@receiver(origin_drained)
def finish_campaign(sender: Any, origin_id: UUID, **kwargs: Any) -> None:
    campaign = Campaign.objects.filter(pk=origin_id, state__in=[Campaign.State.SENDING, Campaign.State.PAUSED]).first()
    if campaign is not None:
        commands.finish(campaign)


@receiver(staff_disabled)
def unschedule_theirs(sender: Any, user_id: UUID, **kwargs: Any) -> None:
    """What a person who was shut out had waiting leaves only if somebody else schedules it anew (SEC-03)."""
    for campaign in Campaign.objects.filter(state=Campaign.State.SCHEDULED, submitted_by=user_id):
        commands.unschedule(campaign, by=SYSTEM)


@receiver(users_wanted)
def name_campaigns(sender: Any, uses: list[Use], **kwargs: Any) -> dict[UUID, tuple[str, str]]:
    """What the campaigns among those who rely on a segment are called, and where they are."""
    ids = [use.used_by for use in uses if use.kind == CAMPAIGN]
    return {c.pk: (c.name, reverse("campaigns:detail", args=[c.pk])) for c in Campaign.objects.filter(pk__in=ids)}
