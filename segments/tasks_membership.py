"""Keep memberships up to date and old ones away; answer parts of evaluations."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import connection

from core import clock
from core.errors import DomainError
from segments import fanout, membership, unsaved
from segments.models import Segment

log = logging.getLogger(__name__)

#: A sweep works so many seconds, then leaves the rest to the next one.
SECONDS = 50
LOCK = 0x5E6_0002


@shared_task(name="segments.refresh")
def refresh(segment_id: str) -> None:
    """Look who is in one segment, unless somebody is looking."""
    _refresh(UUID(segment_id))


@shared_task(name="segments.refresh_used")
def refresh_used() -> None:
    """Look who is in each segment somebody relies on, longest unseen first; where one sweep is at it, another goes."""
    until = time.monotonic() + SECONDS
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return
        try:
            for segment_id in membership.due():
                if time.monotonic() > until:
                    break
                _refresh(segment_id)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _refresh(segment_id: UUID) -> None:
    try:
        membership.refresh_if_idle(segment_id)
    except Segment.DoesNotExist:
        return
    except DomainError as refusal:  # a rule that no longer makes sense: its page says so
        log.info("segment %s was not looked at: %s", segment_id, refusal.code)
    except Exception:  # one's trouble never holds others
        log.exception("segment %s was not looked at", segment_id)


@shared_task(name="segments.purge_memberships")
def purge_memberships() -> None:
    """Forget who was in which segment longer ago than the deployment keeps it."""
    membership.purge(clock.now() - timedelta(days=settings.MEMBERSHIP_DAYS))


@shared_task(name="segments.purge_unsaved")
def purge_unsaved() -> None:
    """Forget what somebody began to build and came back to no more."""
    unsaved.purge(clock.now() - unsaved.KEPT)


@shared_task(name="segments.evaluate_part", expires=60)  # the asker waits no longer
def evaluate_part(part_id: str) -> None:
    """Look at a lot of partitions for whoever asked."""
    fanout.answer(UUID(part_id))


@shared_task(name="segments.sweep_evaluations")
def sweep_evaluations() -> None:
    """Take away what askers who died left behind."""
    fanout.forget_abandoned()
