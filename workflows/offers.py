"""What can be picked while a journey is built: each list is read when a panel first asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from accounts.models import User
from accounts.policy import Action, Role, allowed
from consent.models import Topic
from contacts.models import Attribute, Kind
from content import lint
from content import queries as content
from content.errors import TemplateBroken
from content.models import Template
from core.sensitivity import Sensitivity, highest
from delivery.models import Origin, Sender
from segments import catalog as catalogs
from segments.catalog import Catalog
from segments.models import Segment
from workflows.language import graph, words
from workflows.language.definition import ByEvent, Definition, Mail
from workflows.models import Endpoint, EventType, Workflow

Choices = list[tuple[str, str]]
DATES = (Kind.DATE, Kind.DATETIME)
#: So many past campaigns are offered, newest first.
MAILINGS = 200
#: Who somebody is to us follows from these: no journey sets them.
NOT_SET = frozenset({"email", "external_id"})


@dataclass(frozen=True, slots=True)
class Offered:
    """A template in the picker."""

    template: Template
    #: None: its merge fields cannot be read.
    tier: Sensitivity | None
    gone: bool = False


def choices(pairs: Iterable[tuple[Any, str]], first: str, chosen: Any = "", gone: str = "No longer there") -> Choices:
    """Choices by name, behind a first empty one; what was chosen and is gone stays to be seen."""
    found = sorted(((str(key), label) for key, label in pairs), key=lambda pair: pair[1].casefold())
    if chosen and str(chosen) not in {key for key, _ in found}:
        found.append((str(chosen), gone))
    return [("", first), *found]


class Offers:
    """Everything one panel may offer for one journey."""

    def __init__(self, definition: Definition, workflow: UUID) -> None:
        self.definition = definition
        self.workflow = workflow

    @cached_property
    def catalog(self) -> Catalog:
        return catalogs.load()

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        return {a.key: a for a in Attribute.objects.filter(removed_at=None)}

    def attributes_of(self, *kinds: str) -> list[tuple[str, str]]:
        return [(a.key, a.label) for a in self.attributes.values() if not kinds or a.kind in kinds]

    def settable(self) -> list[tuple[str, str]]:
        """Attributes a journey may set."""
        single = [a for a in self.attributes.values() if a.kind != Kind.CODED and a.key not in NOT_SET]
        return [(a.key, a.label) for a in single]

    @cached_property
    def templates(self) -> list[Offered]:
        """Templates in use by name, each with the tier its merge fields give it today."""
        known = content.known_attributes()
        rows = sorted(content.templates(), key=lambda t: str(t.name).casefold())
        return [Offered(row, _tier(row, known)) for row in rows]

    def template(self, chosen: UUID | None) -> Offered | None:
        """A template by id, also one that is archived."""
        if chosen is None:
            return None
        for offered in self.templates:
            if offered.template.pk == chosen:
                return offered
        row = Template.objects.filter(pk=chosen).first()
        if row is None:
            return None
        return Offered(row, _tier(row, content.known_attributes()), gone=row.archived_at is not None)

    @cached_property
    def senders(self) -> list[tuple[UUID, str]]:
        found = Sender.objects.filter(removed_at=None, domain__verified_at__isnull=False)
        return [(sender.pk, str(sender)) for sender in found.order_by("created_at")]

    @cached_property
    def topics(self) -> list[tuple[UUID, str]]:
        return [(topic.pk, str(topic.name)) for topic in Topic.objects.filter(removed_at=None)]

    @cached_property
    def _segments(self) -> list[Segment]:
        return list(Segment.objects.filter(archived_at=None).only("id", "kind", "name"))

    @property
    def segments(self) -> list[tuple[UUID, str]]:
        return [(segment.pk, str(segment.name)) for segment in self._segments]

    @property
    def lists(self) -> list[tuple[UUID, str]]:
        """Static segments: who is in them was said by name."""
        return [(s.pk, str(s.name)) for s in self._segments if s.kind == Segment.Kind.SNAPSHOT]

    @cached_property
    def events(self) -> dict[str, EventType]:
        return {str(found.name): found for found in EventType.objects.filter(archived_at=None)}

    def event(self, name: str) -> EventType | None:
        """Large and small letters are the same."""
        return self.events.get(name.strip().lower())

    def event_names(self) -> list[tuple[str, str]]:
        return [(name, str(found.label) or name) for name, found in self.events.items()]

    def properties(self, *kinds: str) -> dict[str, str]:
        """Of the event that lets people in: property → kind; nothing where none does."""
        trigger = self.definition.trigger
        found = self.event(trigger.event) if isinstance(trigger, ByEvent) else None
        return {p: kind for p, kind in (found.properties if found else {}).items() if not kinds or kind in kinds}

    @cached_property
    def mailings(self) -> list[tuple[UUID, str]]:
        return [(mailing.id, mailing.label) for mailing in list(self.catalog.mailings.values())[:MAILINGS]]

    @cached_property
    def endpoints(self) -> list[tuple[UUID, str]]:
        return list(Endpoint.objects.filter(removed_at=None).values_list("id", "name"))

    @cached_property
    def staff(self) -> list[tuple[str, str]]:
        """Everybody of a role, and each person by name."""
        roles = [
            (f"role:{role.value}", f"Everybody: {role.label}")
            for role in Role
            if allowed([role], Action.WORKFLOWS_VIEW)
        ]
        people = User.objects.filter(is_active=True).order_by("name").values_list("id", "name")
        return [*roles, *((f"user:{pk}", name) for pk, name in people)]

    @cached_property
    def journeys(self) -> list[tuple[UUID, str]]:
        others = Workflow.objects.filter(archived_at=None).exclude(pk=self.workflow).only("id", "name")
        return [(row.pk, str(row.name)) for row in others]

    def mail_steps(self) -> list[tuple[str, str]]:
        """The journey's mails in order, by what stands on their cards."""
        steps = self.definition.steps
        found = [(key, steps[key]) for key in graph.order(self.definition) if isinstance(steps[key], Mail)]
        names = words.Names.load(self.definition) if found else None
        return [(key, words.step_summary(mail, names) if not mail.name else mail.name) for key, mail in found if names]

    # What is sensible where nothing was chosen yet

    def usual_sender(self) -> UUID | None:
        """Of the journey's other mails; else the only one there is."""
        used = [s.sender for s in self.definition.steps.values() if isinstance(s, Mail) and s.sender]
        if used:
            return used[-1]
        return self.senders[0][0] if len(self.senders) == 1 else None

    def usual_topic(self, template: Template) -> UUID | None:
        """Of what was last sent with this template; else of the journey's other mails; else the only one there is."""
        offered = {pk for pk, _ in self.topics}
        sent = Origin.objects.filter(template_version__template=template, topic_id__in=offered)
        if last := sent.order_by("-created_at").values_list("topic_id", flat=True).first():
            return last
        used = [s.topic for s in self.definition.steps.values() if isinstance(s, Mail) and s.topic in offered]
        if used:
            return used[-1]
        return self.topics[0][0] if len(self.topics) == 1 else None


def _tier(template: Template, known: dict[str, lint.Known]) -> Sensitivity | None:
    try:
        used = lint.fields_used(content.draft_of(template))
    except TemplateBroken:
        return None
    return highest(Sensitivity.PUBLIC, *(known[key].sensitivity for key in used if key in known))
