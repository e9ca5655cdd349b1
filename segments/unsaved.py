"""What somebody builds is kept as they go, for them alone, until they save or discard it.

It is a form and not a rule: half-typed, never counted, named nowhere, and so on no trail.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import QueryDict

from core import clock
from core.ids import uuid7
from segments import draft
from segments.errors import KeptElsewhere
from segments.models import Segment, Unsaved

#: Whoever did not come back to it for so long will not.
KEPT = timedelta(days=14)


def form_of(data: QueryDict) -> dict[str, Any]:
    """What is kept of the form that was posted."""
    rule = QueryDict(mutable=True)
    for name in data:
        if name == "node" or name.startswith((f"{draft.ROOT}-", f"{draft.ROOT}.")):
            rule.setlist(name, data.getlist(name))
    given = {name: data.get(name, "") for name in ("name", "description", "revision")}
    return {**given, "rule": rule.urlencode()}


def root_of(kept: Unsaved) -> draft.Group:
    """The builder's draft, as it stood."""
    return draft.from_post(QueryDict(kept.form["rule"]))


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody may go on with, in a few words. `segment` is None for a new one."""

    segment: UUID | None
    name: str
    conditions: int
    mark: UUID
    kept_at: datetime


def offer_of(kept: Unsaved) -> Offer:
    conditions = sum(isinstance(node, draft.Clause) for _, node in draft.walk(root_of(kept)))
    return Offer(kept.segment_id, kept.form["name"], conditions, kept.mark, kept.kept_at)


def kept_by(person: UUID) -> "QuerySet[Unsaved]":
    return Unsaved.objects.filter(person=person)


def find(person: UUID, segment: Segment | None) -> Unsaved | None:
    """What this person has not saved of this segment, or of a new one."""
    return kept_by(person).filter(segment=segment).first()


@transaction.atomic
def keep(person: UUID, segment: Segment | None, form: dict[str, Any], *, mark: UUID | None) -> Unsaved:
    """Keep the form as it stands. `mark`: what the page last knew was kept; KeptElsewhere if that is no longer so."""
    fresh = {"form": form, "mark": uuid7(), "kept_at": clock.now()}
    kept = kept_by(person).select_for_update().filter(segment=segment).first()
    if kept is None and mark is None:
        kept, begun = Unsaved.objects.get_or_create(person=person, segment=segment, defaults=fresh)
        if begun:
            return kept
    if kept is None or kept.mark != mark:
        raise KeptElsewhere("In another tab this was changed, saved or discarded since.")
    for name, value in fresh.items():
        setattr(kept, name, value)
    kept.save()
    return kept


def drop(person: UUID, segment: Segment | None, *, mark: UUID | None) -> bool:
    """Forget what was kept, if it is what the page knows: newer changes from elsewhere stay. Whether there was any."""
    return bool(mark and kept_by(person).filter(segment=segment, mark=mark).delete()[0])


def purge(before: datetime) -> None:
    Unsaved.objects.filter(kept_at__lt=before).delete()
