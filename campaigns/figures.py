"""Counts that open every person of an audience: at once where they are few, else worked out by jobs, a piece at a time.

What a job found is kept with the moment it was found and what it was about, and pages say both.
"""

import hashlib
import hmac
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import transaction

from campaigns.models import Campaign, Figure
from core import clock
from core.jobs import enqueue
from core.purposes import Stream
from delivery import queries as delivery
from delivery.queries import Domains, Forecast
from phi.keyring import keyring
from segments import queries as segments

#: People up to whom a page counts for itself.
SMALL = 2_000
PIECE = 5_000
#: Seconds a job works before it makes room.
SLICE = 8.0
#: A forecast this old is made anew when somebody looks; a job that was not heard of for so long is taken for lost.
OLD, LOST = timedelta(minutes=10), timedelta(seconds=60)


def forecast(campaign: Campaign, rule: Any, size: int) -> Figure | Forecast:
    """What the gate would say of the audience; a Figure where that is (or was) a job's work."""
    if size <= SMALL:
        return delivery.forecast(_about(campaign), segments.audience(rule))
    version, sender, topic = campaign.template_version_id, campaign.sender_id, campaign.topic_id
    # Keyed: a rule is short enough to guess.
    text = repr((rule, version, sender, topic, campaign.tier)).encode(errors="surrogatepass")
    about = hmac.new(keyring().secret("campaigns:figures"), text, hashlib.sha256).hexdigest()
    return _look(campaign, Figure.Kind.FORECAST, about=about, total=size, until=OLD)


def domains(campaign: Campaign) -> Figure | Domains:
    """Outcomes by mail domain; a Figure where that is (or was) a job's work."""
    total = sum(delivery.counts_by_origin([campaign.pk])[campaign.pk].values())
    if total <= SMALL:
        return delivery.domains_of(campaign.pk, after=None, size=SMALL)[0]
    return _look(campaign, Figure.Kind.DOMAINS, about=str(total), total=total)


def _look(campaign: Campaign, kind: str, *, about: str, total: int, until: timedelta | None = None) -> Figure:
    """The figure as it stands; where it is missing, outdated or of something else, a job is set to work."""
    row, _ = Figure.objects.get_or_create(campaign=campaign, kind=kind)
    now = clock.now()
    row.outdated = row.found_about != about
    old = row.outdated or (until is not None and row.found_at is not None and row.found_at < now - until)
    if old and not (row.about and row.moved_at and row.moved_at > now - LOST):
        # One of several who look at once starts it.
        held = Figure.objects.filter(pk=row.pk, moved_at=row.moved_at)
        started = {"about": about, "total": total, "done": 0, "after": None, "counted": {}, "moved_at": now}
        if held.update(**started):
            enqueue("campaigns.count", campaign.pk, kind)
        for name, value in started.items():
            setattr(row, name, value)
    return row


def work(campaign_id: UUID, kind: str) -> None:
    """Count for a while, then make room for other jobs and come back if there is more."""
    until = time.monotonic() + SLICE
    campaign = Campaign.objects.select_related("segment", "template_version", "sender").get(pk=campaign_id)
    people = _audience(campaign) if kind == Figure.Kind.FORECAST else []
    while _piece(campaign, kind, people):
        if time.monotonic() > until and not current_app.conf.task_always_eager:
            enqueue("campaigns.count", campaign_id, kind)
            return


def _audience(campaign: Campaign) -> list[UUID]:
    rule = campaign.audience_rule or (segments.rule_of(campaign.segment) if campaign.segment else None)
    return segments.audience(rule) if rule is not None else []


def _about(campaign: Campaign) -> Any:
    version, sender = campaign.template_version, campaign.sender
    assert version is not None
    assert sender is not None
    return delivery.message_facts(
        stream=Stream.MARKETING, template_version=version, sender=sender, tier=campaign.tier, topic_id=campaign.topic_id
    )


@transaction.atomic
def _piece(campaign: Campaign, kind: str, people: list[UUID]) -> bool:
    """Count the next few thousand, unless another job is at it; whether there are more."""
    row = Figure.objects.select_for_update(skip_locked=True).filter(campaign=campaign, kind=kind).first()
    if row is None or not row.about:
        return False
    if kind == Figure.Kind.FORECAST:
        row.counted, row.after, size = _forecast_piece(campaign, row, people)
    else:
        found, row.after, size = delivery.domains_of(campaign.pk, after=row.after, size=PIECE)
        row.counted = {domain: Counter(row.counted.get(domain)) + ends for domain, ends in found.items()} | {
            domain: ends for domain, ends in row.counted.items() if domain not in found
        }
    row.done, row.moved_at = row.done + size, clock.now()
    if ended := row.after is None:
        row.found, row.found_about, row.found_at, row.about = row.counted, row.about, row.moved_at, ""
    row.save()
    return not ended


def _forecast_piece(campaign: Campaign, row: Figure, people: list[UUID]) -> tuple[dict[str, Any], UUID | None, int]:
    ids = people[row.done : row.done + PIECE]
    more = delivery.forecast(_about(campaign), ids)
    before = Forecast(**row.counted) if row.counted else Forecast()
    reasons = Counter(before.by_reason) + Counter(more.by_reason)
    counted = {
        "total": before.total + more.total,
        "allowed": before.allowed + more.allowed,
        "deferred": before.deferred + more.deferred,
        "refused": before.refused + more.refused,
        "by_reason": dict(reasons.most_common()),
    }
    return counted, ids[-1] if row.done + len(ids) < len(people) else None, len(ids)
