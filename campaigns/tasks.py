"""Beat finds what is due, so a lost wake-up costs seconds and nothing else."""

import logging
from uuid import UUID

from celery import shared_task

from campaigns import commands, figures
from campaigns.errors import NotPossibleNow
from campaigns.models import Campaign
from core import clock
from delivery import queries as delivery

log = logging.getLogger(__name__)


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
    """Start whatever is due and finish whatever is drained but was not told so; one's trouble never holds others."""
    due = Campaign.objects.filter(state=Campaign.State.SCHEDULED, send_at__lte=clock.now())
    for pk in due.values_list("pk", flat=True):
        try:
            start(str(pk))
        except Exception:  # the next sweep tries again
            log.exception("campaign %s did not start", pk)
    for campaign in Campaign.objects.filter(state=Campaign.State.SENDING, expanded_at__isnull=False):
        if delivery.is_drained(campaign.pk):
            commands.finish(campaign)


@shared_task(name="campaigns.count")
def count(campaign_id: str, kind: str) -> None:
    """Work on a count that a page does not wait for."""
    figures.work(UUID(campaign_id), kind)
