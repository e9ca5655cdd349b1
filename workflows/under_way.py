"""What runs, for Home: how many are on each journey and came lately, who cannot go on, and what is held."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count

from core import clock
from workflows import numbers, troubles
from workflows.models import Enrolment, Workflow

#: How far back somebody came lately.
LATELY = timedelta(days=7)
#: Of so many journeys, the latest changed, Home shows those that need somebody first, then the fullest.
LOOKED_AT, SHOWN = 100, 6
#: Nobody needs to know to the second who came within a week.
SECONDS = 60
State = Workflow.State


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A journey that runs or is paused. `held`: why nobody goes on, in words; "" where it is not held."""

    workflow: Workflow
    inside: int
    entered: int
    attention: int
    held: str


def journeys() -> tuple[list[UnderWay], int]:
    """Those shown on Home, and how many more there are. Six statements, however many there are of anything."""
    running = Workflow.objects.filter(state__in=[State.ACTIVE, State.PAUSED], archived_at=None)
    found = list(running.order_by("-updated_at", "-pk")[:LOOKED_AT])
    if not found:
        return [], 0
    sums, lately = numbers.totals(found), _entered_lately()
    rows = [
        UnderWay(
            one,
            sums[one.pk].get("inside", 0),
            lately.get(one.pk, 0),
            sums[one.pk].get("attention", 0),
            troubles.said(one.trouble) if one.trouble else "",
        )
        for one in found
    ]
    rows.sort(key=lambda row: (not row.held, not row.attention, -row.inside))
    return rows[:SHOWN], len(rows) - len(rows[:SHOWN])


def _entered_lately() -> dict[UUID, int]:
    """How often somebody entered each journey of late, at most a minute old."""
    known: dict[UUID, int] | None = cache.get("workflows:entered")
    if known is None:
        rows = Enrolment.objects.filter(entered_at__gte=clock.now() - LATELY)
        known = dict(rows.order_by().values_list("workflow").annotate(n=Count("*")))
        cache.set("workflows:entered", known, SECONDS)
    return known
