"""What ready-made journeys are made of: found where it is there, made where it is missing, in the name of who asks."""

from typing import Any
from uuid import UUID

import consent.commands
import contacts.attributes
import content.commands
import segments.commands
from consent.models import Topic
from contacts.models import Attribute, Kind
from content.models import Template
from core.actors import By
from core.sensitivity import Sensitivity
from delivery.models import Sender
from segments.models import Segment
from workflows import event_types, happenings
from workflows.language.definition import Moment
from workflows.ready.mails import MAILS

Json = dict[str, Any]


class Parts:
    """Names and keys on one side, ids on the other."""

    def __init__(self, by: By) -> None:
        self.by = by

    def mail(self, key: str, topic: UUID, **more: Any) -> Json:
        """A mail step with the template of that key."""
        sender = Sender.objects.filter(removed_at=None).order_by("-domain__verified_at", "name").first()
        step: Json = {"kind": "mail", "name": MAILS[key]["name"], "template": str(self._template(key)), **more}
        return {**step, "topic": str(topic), "sender": str(sender.pk) if sender else None}

    def _template(self, key: str) -> UUID:
        fields = MAILS[key]
        for template in Template.objects.filter(archived_at=None, starter=True):
            if template.name == fields["name"]:
                return template.pk
        return content.commands.create_template(by=self.by, starter=True, **fields).pk

    def topic(self, name: str, public_name: str, *, requires_opt_in: bool) -> UUID:
        """A topic by the name staff know it by."""
        for topic in Topic.objects.filter(removed_at=None):
            if topic.name.casefold() == name.casefold():
                return topic.pk
        made = consent.commands.create_topic(
            name=name, public_name=public_name, requires_opt_in=requires_opt_in, by=self.by
        )
        return made.pk

    def attribute(self, key: str, label: str, kind: Kind) -> str:
        """An attribute by key."""
        known = Attribute.objects.filter(key=key).first()
        if known is None:
            contacts.attributes.define(label=label, kind=kind, sensitivity=Sensitivity.PHI, key=key, by=self.by)
        elif known.removed_at is not None:
            contacts.attributes.restore(known, by=self.by)
        return key

    def event(self, name: str, label: str, **properties: str) -> str:
        """An event by name; of one that is there, properties that are missing are added."""
        known = happenings.types_named([name]).get(name)
        if known is None:
            event_types.declare(name=name, label=label, properties=properties, by=self.by)
        elif not properties.items() <= known.properties.items():
            both = {**known.properties, **properties}
            event_types.change(known, label=known.label, properties=both, by=self.by)
        return name

    def segment(self, name: str, *clauses: Json) -> UUID:
        """A segment by name: its rule is what it is where it is there."""
        made = self._named(name, Segment.Kind.RULE)
        rule = {"version": 2, "root": {"all": list(clauses)}}
        return made or segments.commands.create(name=name, rule=rule, by=self.by).pk

    def people(self, name: str) -> UUID:
        """A list of people by name."""
        made = self._named(name, Segment.Kind.SNAPSHOT)
        return made or segments.commands.start_list(name=name, tier=Sensitivity.IDENTITY, by=self.by).pk

    def _named(self, name: str, kind: Segment.Kind) -> UUID | None:
        for segment in Segment.objects.filter(kind=kind, archived_at=None):
            if segment.name == name:
                return segment.pk
        return None


def moment(source: str, days: int, at: str = "10:00") -> Json:
    """A moment around a date of the event ("event.<property>") or of an attribute."""
    where, _, name = source.rpartition(".")
    key = "property" if where == "event" else "attribute"
    assert key in Moment.__struct_fields__
    return {key: name, "days": days, "at": at}
