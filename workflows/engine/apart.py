"""Do something for many at once; where it fails, for fewer and fewer, so that one person's failure is theirs alone."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import InterfaceError, OperationalError, transaction

from phi.errors import KeyUnavailable
from workflows import troubles

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Of this machine, not of anybody: everything is tried again later.
EVERYBODYS = (OperationalError, InterfaceError, KeyUnavailable, MemoryError)


def apart(people: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> tuple[list[R], list[tuple[T, str]]]:
    """What `work` answers, and for whom it failed with which trouble. Each call of `work` stands or falls whole."""
    try:
        with transaction.atomic():
            return work(people), []
    except EVERYBODYS:
        raise
    except Exception as failure:
        if code := troubles.shared(failure):
            return [], [(person, code) for person in people]
        if len(people) == 1:
            # Only the type: the text could quote the person.
            log.warning("a step of a journey failed for one person: %s", type(failure).__name__)
            return [], [(people[0], troubles.own(failure))]
    half = len(people) // 2
    first, failed = apart(people[:half], work)
    second, too = apart(people[half:], work)
    return first + second, failed + too
