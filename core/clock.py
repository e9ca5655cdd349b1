"""The one clock, so that tests and the simulator can set it."""

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """The current moment, aware, UTC."""
    return timezone.now()
