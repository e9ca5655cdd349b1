"""What this room does by itself."""

from celery import shared_task

from consent import counts


@shared_task(name="consent.count_topics")
def count_topics() -> None:
    """Count who is in each topic as far as it is settled, so that pages add only what was said since."""
    counts.count_topics()
