"""Change segments. A rule is parsed before it is kept, so what is kept made sense on that day."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from pyroaring import BitMap

from accounts.policy import Action
from accounts.queries import person_of
from audit import commands as audit
from core import clock
from core.actors import By
from core.sensitivity import Sensitivity
from segments import asking, bitmaps, fanout, membership, queries, uses
from segments import catalog as catalogs
from segments.catalog import Catalog
from segments.errors import (
    Archived,
    IdentifiersWithHealth,
    NameMissing,
    NotARule,
    NotASnapshot,
    NotTheLatest,
    PartTooSmall,
)
from segments.migrate_rules import migrated
from segments.models import Segment
from segments.rules import parse
from segments.sentence import sentence
from segments.tree import Group, Node, Rule
from segments.values import BadValue, text

MAX_NAME = 120
EMPTY = BitMap()


def _name(name: str) -> str:
    try:
        name = text(name)
    except BadValue:
        raise NameMissing("Give the segment a name.") from None
    if len(name) > MAX_NAME:
        raise NameMissing(f"Give the segment a name of at most {MAX_NAME} characters.")
    return name


def _description(description: str) -> str:
    try:
        return text(description) if description.strip() else ""
    except BadValue as bad:
        raise NameMissing(f"Description: {bad}") from None


def _may_reveal(by: By) -> bool:
    """The product itself (no staff, no token) may."""
    may = getattr(by, "may", None)
    return may is None or bool(may(Action.CONTACTS_REVEAL))


def permit(rule: Rule, catalog: Catalog, by: By) -> None:
    """IDX-09: whoever may not reveal a person's values may not ask about a known person's health either."""
    if not _may_reveal(by) and queries.mixes_identifiers_with_health(rule, catalog):
        raise IdentifiersWithHealth(
            "This rule asks about identified people's health: it names both something like a name or an address and "
            "health information. Remove one of the two, or ask somebody who may reveal contacts."
        )


def permit_beside_health(rule: Rule, catalog: Catalog, by: By) -> None:
    """A handful picked out by town, sex and language, and one code, is a diagnosis: who may not reveal contacts is not
    told exact counts of it, and keeps no such rule."""
    parts = [] if _may_reveal(by) else queries.beside_health(rule, catalog)
    small = asking.small_part(queries.counts(rule, parts, catalog)) if parts else None
    if small is not None:
        raise too_small(parts[small], catalog)


def too_small(part: Node, catalog: Catalog) -> PartTooSmall:
    """The refusal of a question that names the part of it that is about too few."""
    group = part if isinstance(part, Group) else Group("all", (part,))
    said = sentence(Rule(group), catalog).removeprefix("People where ").rstrip(".")
    return PartTooSmall(
        f"A part of this question is about fewer than {asking.CELL} people, and nobody may be singled out: {said}. "
        "Widen this condition or remove it."
    )


def _kept(segment: Segment, rule: object, by: By) -> dict[str, Any]:
    """Parse the rule, put it on the segment, and say what the trail keeps of it."""
    catalog = catalogs.load()
    parsed = parse(rule, catalog, saving=segment.pk)
    permit(parsed, catalog, by)
    permit_beside_health(parsed, catalog, by)
    segment.rule = migrated(rule)
    segment.tier = queries.tier_of(parsed, catalog)
    if segment.kind == Segment.Kind.RULE:
        uses.contain(segment, uses.parts_of(parsed.root))
    return {"tier": str(segment.tier), "fields": queries.fields_of(parsed, catalog)}


def _locked(segment: Segment) -> Segment:
    return Segment.objects.select_for_update().get(pk=segment.pk)


@transaction.atomic
def create(*, name: str, rule: object, description: str = "", by: By) -> Segment:
    """Keep a new segment. Raises RuleError, NameMissing, IdentifiersWithHealth."""
    segment = Segment(name=_name(name), description=_description(description))
    kept = _kept(segment, rule, by)
    segment.created_by = segment.saved_by = person_of(by)
    segment.save()
    audit.record("segment.created", by=by, target=segment, **kept)
    return segment


@transaction.atomic
def edit(
    segment: Segment, *, name: str, rule: object, description: str = "", revision: int | None = None, by: By
) -> Segment:
    """Change a segment. `revision` is the one the editor started from; NotTheLatest if it is another by now."""
    segment = _locked(segment)
    if segment.archived_at is not None:
        raise Archived("This segment is archived. Restore it before you change it.")
    if revision is not None and revision != segment.revision:
        raise NotTheLatest(
            "Somebody saved this segment while you were editing. Open it in another tab to compare, or save as a copy."
        )
    segment.name, segment.description = _name(name), _description(description)
    ruled_otherwise = migrated(segment.rule) != migrated(rule)
    if segment.kind == Segment.Kind.SNAPSHOT and ruled_otherwise:
        raise NotARule("Who is in a snapshot does not follow from a rule. Add or remove people, or take another one.")
    kept = {} if segment.kind == Segment.Kind.SNAPSHOT else _kept(segment, rule, by)
    segment.revision += 1
    if ruled_otherwise:
        segment.last_count = segment.counted_at = None
        segment.saved_by = person_of(by)
    segment.save()
    uses.look_soon(segment)
    audit.record("segment.edited", by=by, target=segment, revision=segment.revision, rule=ruled_otherwise, **kept)
    return segment


@transaction.atomic
def duplicate(segment: Segment, *, by: By) -> Segment:
    """A copy to change freely."""
    name = f"Copy of {segment.name}"[:MAX_NAME]
    return create(name=name, rule=segment.rule, description=segment.description, by=by)


@transaction.atomic
def archive(segment: Segment, *, by: By) -> Segment:
    """Take a segment off the lists. Campaigns that use it keep it. Raises InUse where something else relies on it."""
    segment = _locked(segment)
    if segment.archived_at is None:
        uses.permit_archiving(segment)
        segment.archived_at = clock.now()
        segment.save(update_fields=["archived_at"])
        audit.record("segment.archived", by=by, target=segment)
    return segment


@transaction.atomic
def restore(segment: Segment, *, by: By) -> Segment:
    """Put an archived segment back."""
    segment = _locked(segment)
    if segment.archived_at is not None:
        segment.archived_at = None
        segment.save(update_fields=["archived_at"])
        audit.record("segment.restored", by=by, target=segment)
    return segment


def keep_count(segment: Segment, count: int) -> None:
    """Remember what was counted last, unless the rule is another by now; no part of the segment's history."""
    segment.last_count, segment.counted_at = count, clock.now()
    Segment.objects.filter(pk=segment.pk, revision=segment.revision).update(
        last_count=count, counted_at=segment.counted_at
    )


def snapshot(rule: object, *, name: str, description: str = "", by: By) -> Segment:
    """Keep whoever a rule matches now, for good, as a segment of its own. Raises what `create` raises."""
    at = clock.now()
    return _take(rule, fanout.members(rule, at), at, name=name, description=description, by=by)


@transaction.atomic
def _take(rule: object, members: BitMap, at: datetime, *, name: str, description: str, by: By) -> Segment:
    segment = Segment(kind=Segment.Kind.SNAPSHOT, name=_name(name), description=_description(description))
    kept = _kept(segment, rule, by)
    segment.created_by = segment.saved_by = person_of(by)
    segment.save()
    membership.keep(segment, members, None, at=at, told=False)
    audit.record("segment.snapshot_taken", by=by, target=segment, people=len(members), **kept)
    return segment


@transaction.atomic
def start_list(*, name: str, description: str = "", tier: Sensitivity = Sensitivity.PHI, by: By) -> Segment:
    """A snapshot of nobody, to put people into by hand. `tier`: what being on it may say of somebody."""
    segment = Segment(kind=Segment.Kind.SNAPSHOT, name=_name(name), description=_description(description))
    segment.rule, segment.tier = {}, tier
    segment.created_by = segment.saved_by = person_of(by)
    segment.save()
    membership.keep(segment, EMPTY, None, at=clock.now(), told=False)
    audit.record("segment.list_started", by=by, target=segment, tier=str(tier))
    return segment


@transaction.atomic
def add_people(segment: Segment, ids: Iterable[UUID], *, by: By) -> int:
    """Put people into a snapshot; how many were not in it before.

    Raises NotASnapshot, MembershipUnreadable, IdentifiersWithHealth.
    """
    return _move(segment, by, adding=membership.numbers_of(ids))


@transaction.atomic
def remove_people(segment: Segment, ids: Iterable[UUID], *, by: By) -> int:
    """Take people out of a snapshot; how many were in it. Raises as `add_people`."""
    return _move(segment, by, removing=membership.numbers_of(ids))


@transaction.atomic
def say_whether_in(segment: Segment, contact_id: UUID, at: datetime, *, by: By) -> bool:
    """Whether somebody was in a segment at a moment: a fact of their health, maybe, so the trail keeps that it was
    asked. Raises NotKept, MembershipUnreadable."""
    inside = membership.was_in(segment, contact_id, at)
    audit.record("segment.membership_asked", by=by, target=segment, subject=contact_id)
    return inside


def _move(segment: Segment, by: By, *, adding: BitMap = EMPTY, removing: BitMap = EMPTY) -> int:
    with membership.alone_on(segment.pk):
        segment = Segment.objects.get(pk=segment.pk)
        if segment.kind != Segment.Kind.SNAPSHOT:
            raise NotASnapshot(
                "A rule says who is in this segment. Take a snapshot of it, and add or remove people there."
            )
        if segment.archived_at is not None:
            raise Archived("This segment is archived. Restore it before you change it.")
        if segment.rule and queries.tier_today(segment).rank >= Sensitivity.PHI.rank and not _may_reveal(by):
            raise IdentifiersWithHealth(
                "How many of the people you name were in this snapshot would say what they have: it was taken by a "
                "rule about health. Ask somebody who may reveal contacts."
            )
        before = bitmaps.read(segment.pk)
        members = (before.members if before else EMPTY) | adding
        change = membership.keep(segment, members - removing, before, at=clock.now(), told=True)
    moved = len(change.entered) + len(change.left)
    if moved:
        Segment.objects.filter(pk=segment.pk).update(saved_by=person_of(by))
    if named := len(adding | removing):  # that nobody moved is an answer, too: they were in it, or were not
        action = "segment.people_added" if adding else "segment.people_removed"
        audit.record(action, by=by, target=segment, people=moved, named=named)
    return moved
