"""Beat finds what is due, so a lost wake-up costs seconds and nothing else."""

from celery import shared_task

from campaigns import commands
from campaigns.errors import NotPossibleNow
from campaigns.models import Campaign
from core import clock
from delivery import queries as delivery


@shared_task(name="campaigns.start")
def start(campaign_id: str) -> None:
    """Start one scheduled campaign; does nothing if somebody else has, or it was taken off the schedule."""
    campaign = Campaign.objects.filter(pk=campaign_id, state=Campaign.State.SCHEDULED, send_at__lte=clock.now()).first()
    if campaign is None:
        return
    try:
        commands.start(campaign)
    except NotPossibleNow:
        return


@shared_task(name="campaigns.start_due")
def start_due() -> None:
    """Start whatever is due and finish whatever is drained but was not told so."""
    for pk in Campaign.objects.filter(state=Campaign.State.SCHEDULED, send_at__lte=clock.now()).values_list(
        "pk", flat=True
    ):
        start(str(pk))
    for campaign in Campaign.objects.filter(state=Campaign.State.SENDING, expanded_at__isnull=False):
        if delivery.is_drained(campaign.pk):
            commands.finish(campaign)
