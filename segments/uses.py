"""Who relies on a segment: what is in use is kept up to date, and says where it is used."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from audit import commands as audit
from core import clock
from core.actors import By
from core.jobs import enqueue
from segments.errors import InUse
from segments.membership import LIVE
from segments.models import Segment, Use
from segments.signals import users_wanted
from segments.tree import InSegment, Node, below

CAMPAIGN, WORKFLOW, WATCH, WITHIN = "campaign", "workflow", "watch", "segment"


@transaction.atomic
def claim(segment: Segment, *, kind: str, used_by: UUID) -> Use:
    """Note that something relies on a segment, once; from the first on its membership is kept up to date.

    Called by the command that begins to rely on it, whose trail entry says so.
    """
    use, new = Use.objects.get_or_create(segment=segment, kind=kind, used_by=used_by, defaults={"since": clock.now()})
    if new:
        look_soon(segment)
    return use


def look_soon(segment: Segment) -> None:
    """Have somebody look who is in it, if anything relies on it."""
    if segment.kind == Segment.Kind.RULE and Use.objects.filter(segment=segment, kind__in=LIVE).exists():
        enqueue("segments.refresh", segment.pk)


@transaction.atomic
def release(*, kind: str, used_by: UUID, but: Segment | None = None) -> None:
    """Take back what something claimed, all of it or all but one segment."""
    held = Use.objects.filter(kind=kind, used_by=used_by)
    (held.exclude(segment=but) if but else held).delete()


@transaction.atomic
def watch(segment: Segment, *, by: By) -> None:
    """Keep the history of a segment though nothing uses it."""
    if not is_watched(segment):
        claim(segment, kind=WATCH, used_by=segment.pk)
        audit.record("segment.watched", by=by, target=segment)


@transaction.atomic
def unwatch(segment: Segment, *, by: By) -> None:
    """Stop keeping its history for its own sake; what is kept stays for as long as retention says."""
    if is_watched(segment):
        release(kind=WATCH, used_by=segment.pk)
        audit.record("segment.unwatched", by=by, target=segment)


def is_watched(segment: Segment) -> bool:
    return Use.objects.filter(segment=segment, kind=WATCH).exists()


def parts_of(node: Node) -> set[UUID]:
    """The segments a rule names itself, not those that they name."""
    if isinstance(node, InSegment):
        return {node.segment}
    return {part for item in below(node) for part in parts_of(item)}


def contain(segment: Segment, parts: set[UUID]) -> None:
    """Note which segments the rule of this one names, and no others."""
    held = Use.objects.filter(kind=WITHIN, used_by=segment.pk)
    held.exclude(segment__in=parts).delete()
    known = set(held.values_list("segment", flat=True))
    for part in Segment.objects.filter(pk__in=parts - known):
        claim(part, kind=WITHIN, used_by=segment.pk)


@dataclass(frozen=True, slots=True)
class UsedBy:
    """What relies on a segment. `name` and `url` are "" where nobody says."""

    kind: str
    id: UUID
    name: str
    url: str


def used_where(segment: Segment) -> list[UsedBy]:
    """Where a segment is used, but for being watched: campaigns, workflows, segments that name it."""
    uses = list(Use.objects.filter(segment=segment).exclude(kind=WATCH).order_by("kind", "since"))
    within = [use.used_by for use in uses if use.kind == WITHIN]
    others = {s.pk: s for s in Segment.objects.filter(pk__in=within, archived_at=None)}
    said = {pk: (str(s.name), reverse("segments:detail", args=[pk])) for pk, s in others.items()}
    answers: list[tuple[Any, Any]] = users_wanted.send(sender=Segment, uses=uses)
    for _, answer in answers:
        said |= answer
    return [
        UsedBy(use.kind, use.used_by, *said.get(use.used_by, ("", "")))
        for use in uses
        if use.kind != WITHIN or use.used_by in others
    ]


def permit_archiving(segment: Segment) -> None:
    """Raises InUse where something would stand without it; a campaign keeps the rule it has, if it is a rule."""
    by_rule = segment.kind == Segment.Kind.RULE
    holders = [use for use in used_where(segment) if not (by_rule and use.kind == CAMPAIGN)]
    if holders:
        named = ", ".join(f"{use.kind} “{use.name}”" if use.name else f"a {use.kind}" for use in holders[:5])
        more = f" and {len(holders) - 5} more" if len(holders) > 5 else ""
        raise InUse(f"This segment is used by {named}{more}. Take it out there first; then archive it.")
