"""What a rule may name here and now: attributes, topics, past mailings and segments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from consent.models import Topic
from contacts.models import Attribute, Kind
from core.sensitivity import Sensitivity
from delivery.models import Origin
from segments.models import Segment, Use


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute as far as rules care. `identifier`: it can point at one person, a date unless asked for the age
    alone (IDX-09)."""

    key: str
    label: str
    kind: str
    sensitivity: Sensitivity
    choices: tuple[str, ...] = ()
    identifier: bool = False


@dataclass(frozen=True, slots=True)
class Mailing:
    """A past campaign: told by its subject and its day, which say nothing of health (the content lint sees to it)."""

    id: UUID
    label: str
    tier: Sensitivity
    topic: UUID | None = None
    #: Addresses of its links, in the order in which clicks are counted.
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A segment that rules may name. `rule` is its JSON as it is stored."""

    id: UUID
    name: str
    rule: Any
    tier: Sensitivity
    snapshot: bool = False
    archived: bool = False


class SavedSegments(Mapping[UUID, Saved]):
    """The segments there are, each opened when it is first asked for; going through them leaves archived ones out."""

    def __init__(self) -> None:
        self._seen: dict[UUID, Saved | None] = {}

    def __getitem__(self, segment: UUID) -> Saved:
        if segment not in self._seen:
            found = Segment.objects.filter(pk=segment).first()
            self._seen[segment] = None if found is None else _saved(found)
        if (saved := self._seen[segment]) is None:
            raise KeyError(segment)
        return saved

    def open(self, segments: Iterable[UUID]) -> None:
        """Open these that were not asked for yet, in one statement."""
        wanted = set(segments) - self._seen.keys()
        if wanted:
            found = {row.id: _saved(row) for row in Segment.objects.filter(pk__among=wanted)}
            self._seen.update((segment, found.get(segment)) for segment in wanted)

    def __iter__(self) -> Iterator[UUID]:
        for found in Segment.objects.filter(archived_at=None).order_by("-created_at"):
            self._seen[found.id] = _saved(found)
            yield found.id

    def __len__(self) -> int:
        return Segment.objects.filter(archived_at=None).count()


def _saved(segment: Segment) -> Saved:
    snapshot = segment.kind == Segment.Kind.SNAPSHOT
    tier = Sensitivity(segment.tier)
    return Saved(segment.id, segment.name, segment.rule, tier, snapshot, segment.archived_at is not None)


@dataclass(frozen=True, slots=True)
class Catalog:
    fields: Mapping[str, Field]
    removed: Mapping[str, tuple[str, date]] = field(default_factory=dict)
    #: What those counted as last.
    removed_tiers: Mapping[str, Sensitivity] = field(default_factory=dict)
    topics: Mapping[UUID, str] = field(default_factory=dict)
    removed_topics: Mapping[UUID, date] = field(default_factory=dict)
    #: Newest first.
    mailings: Mapping[UUID, Mailing] = field(default_factory=dict)
    segments: Mapping[UUID, Saved] = field(default_factory=dict)


#: Identity texts shared by many; every other one (name, address, phone, a member number) can point at one person, and
#: so can a day (of birth, of death).
SHARED = frozenset({"city", "state", "zip", "country", "language", "time_zone"})


def is_identifier(key: str, kind: str, sensitivity: str) -> bool:
    if sensitivity != Sensitivity.IDENTITY:
        return False
    return kind in (Kind.DATE, Kind.DATETIME) or (kind == Kind.TEXT and key not in SHARED)


def load(*, named: bool = False) -> Catalog:
    """The catalog as the database has it: three queries, and one for each segment that is asked for.

    `named`: with whatever segments name one another, by two more queries: for many of them at once.
    """
    fields: dict[str, Field] = {}
    removed: dict[str, tuple[str, date]] = {}
    removed_tiers: dict[str, Sensitivity] = {}
    for a in Attribute.objects.all():
        if a.removed_at is not None:
            removed[a.key] = (a.label, a.removed_at.date())
            removed_tiers[a.key] = Sensitivity(a.sensitivity)
            continue
        identifier = is_identifier(a.key, a.kind, a.sensitivity)
        fields[a.key] = Field(a.key, a.label, a.kind, Sensitivity(a.sensitivity), tuple(a.choices), identifier)
    topics: dict[UUID, str] = {}
    removed_topics: dict[UUID, date] = {}
    for topic in Topic.objects.all():
        if topic.removed_at is None:
            topics[topic.id] = topic.name
        else:
            removed_topics[topic.id] = topic.removed_at.date()
    campaigns = Origin.objects.filter(kind=Origin.Kind.CAMPAIGN).order_by("-created_at")
    rows = campaigns.values_list(
        "id", "template_version__subject", "created_at", "tier", "topic_id", "template_version__links"
    )
    mailings = {
        i: Mailing(i, f"“{subject}” of {at:%d %b %Y}", Sensitivity(tier), topic_id, tuple(links))
        for i, subject, at, tier, topic_id, links in rows
    }
    segments = SavedSegments()
    if named:
        segments.open(Use.objects.filter(kind="segment").values_list("segment_id", flat=True))
    return Catalog(fields, removed, removed_tiers, topics, removed_topics, mailings, segments)
