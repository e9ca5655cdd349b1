"""News from the door."""

from typing import Any
from uuid import UUID

from delivery.signals import origin_drained
from django.dispatch import receiver

from campaigns import commands
from campaigns.models import Campaign


@receiver(origin_drained)
def finish_campaign(sender: Any, origin_id: UUID, **kwargs: Any) -> None:
    campaign = Campaign.objects.filter(pk=origin_id, state__in=[Campaign.State.SENDING, Campaign.State.PAUSED]).first()
    if campaign is not None:
        commands.finish(campaign)
