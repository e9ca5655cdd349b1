"""Listen, look and forget. Who works takes a lock; whoever comes meanwhile goes again."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from core import clock
from core.transactions import ended
from workflows.intake import changes, forgetting, looking, matching, memberships, reading, sources
from workflows.versions import standing
from workflows.watched import Watched, watched

log = logging.getLogger(__name__)

#: Seconds that one call reads at most; the next goes on.
SECONDS = 20
LOOKING = 0x0B0B
SOURCES: tuple[Callable[[Watched], bool | None], ...] = (
    changes.changes,
    sources.consents,
    sources.engagement,
    sources.deliveries,
    memberships.memberships,
    matching.matched,
)


@shared_task(name="workflows.listen")
def listen() -> None:
    """Read what happened since, source by source; one's trouble never holds the others."""
    found = watched()
    if not found.versions:
        return
    until = time.monotonic() + SECONDS
    with reading.alone() as mine:
        if not mine:
            return
        for read in SOURCES:
            try:
                while read(found) and time.monotonic() < until:
                    pass
            except Exception:  # nothing of it was kept: it is read again
                log.exception("%s was not read", read.__name__)


@shared_task(name="workflows.look")
def look() -> None:
    """Look for moments that came and rules that began to hold; pass over what nobody listens to."""
    mark, at = ended(), clock.now()  # first: who begins to listen meanwhile is told of what happens from now on
    found = watched()
    with reading.alone(LOOKING) as mine:
        if mine:
            looking.look(found)
            if found.versions:
                looking.wake_missed()
            standing.look()
    with reading.alone() as mine:
        if mine:
            reading.rest([source for source in reading.SOURCES if sources.listened(source, found) is None], mark)
            memberships.rest(found, at)
            changes.forget_unheard()


@shared_task(name="workflows.purge")
def purge() -> None:
    """Forget what is over for longer than the deployment keeps it."""
    now = clock.now()
    forgetting.purge(now - timedelta(days=settings.WORKFLOWS_HAPPENING_DAYS))
    forgetting.purge_calls(now - timedelta(days=settings.WORKFLOWS_CALL_DAYS))
    forgetting.purge_notices(now - timedelta(days=settings.WORKFLOWS_NOTICE_DAYS))
    forgetting.purge_simulations(now - timedelta(days=settings.WORKFLOWS_SIMULATION_DAYS))
