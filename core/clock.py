"""The one clock, so that tests and the simulator can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils import timezone

_shift = timedelta()


def now() -> datetime:
    """The current moment, aware, UTC."""
    return timezone.now() + _shift


@contextmanager
def set_to(moment: datetime) -> Iterator[None]:
    """Within this, the clock of this process starts at `moment` and goes on from there. For demos and simulations."""
    global _shift  # noqa: PLW0603  there is one clock
    before, _shift = _shift, moment - timezone.now()
    try:
        yield
    finally:
        _shift = before
