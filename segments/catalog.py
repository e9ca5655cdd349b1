"""What a rule may name here and now: attributes, topics and past mailings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from consent.models import Topic
from contacts.models import Attribute, Kind
from core.sensitivity import Sensitivity
from delivery.models import Origin


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


@dataclass(frozen=True, slots=True)
class Catalog:
    fields: Mapping[str, Field]
    removed: Mapping[str, tuple[str, date]] = field(default_factory=dict)
    topics: Mapping[UUID, str] = field(default_factory=dict)
    removed_topics: Mapping[UUID, date] = field(default_factory=dict)
    mailings: Mapping[UUID, Mailing] = field(default_factory=dict)


#: Identity texts shared by many; every other one (name, address, phone, a member number) can point at one person, and
#: so can a day (of birth, of death).
SHARED = frozenset({"city", "state", "zip", "country", "language", "time_zone"})


def is_identifier(key: str, kind: str, sensitivity: str) -> bool:
    if sensitivity != Sensitivity.IDENTITY:
        return False
    return kind in (Kind.DATE, Kind.DATETIME) or (kind == Kind.TEXT and key not in SHARED)


def load() -> Catalog:
    """The catalog as the database has it (three queries)."""
    fields: dict[str, Field] = {}
    removed: dict[str, tuple[str, date]] = {}
    for a in Attribute.objects.all():
        if a.removed_at is not None:
            removed[a.key] = (a.label, a.removed_at.date())
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
    rows = campaigns.values_list("id", "template_version__subject", "created_at", "tier")
    mailings = {i: Mailing(i, f"“{subject}” of {at:%d %b %Y}", Sensitivity(tier)) for i, subject, at, tier in rows}
    return Catalog(fields, removed, topics, removed_topics, mailings)
