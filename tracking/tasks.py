"""What this room does by itself."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from core import clock
from tracking import commands, sums


@shared_task(name="tracking.purge")
def purge() -> None:
    """Forget opens and clicks older than the deployment keeps them (TRK-05)."""
    commands.purge(clock.now() - timedelta(days=settings.TRACKING_RETENTION_DAYS))


@shared_task(name="tracking.sum_up")
def sum_up() -> None:
    """Take what came back since the last time into the sums that reports read."""
    sums.sum_up()
