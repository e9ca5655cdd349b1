"""Relays, domains, senders, versions and origins with people, ready to send."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import factory
from factory.django import DjangoModelFactory

import consent.commands
from consent.models import Source, Topic
from content.commands import freeze
from content.models import TemplateVersion
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from core.purposes import MessageClass, Purpose, Stream
from core.sensitivity import Sensitivity
from delivery import commands
from delivery.dkim import new_ed25519_key, new_rsa_key
from delivery.models import Origin, Relay, Sender, SendingDomain
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.content.factories import TemplateFactory, organization


@cache
def keys() -> tuple[str, str]:
    return new_rsa_key(), new_ed25519_key()


class RelayFactory(DjangoModelFactory[Relay]):
    class Meta:
        model = Relay

    name = factory.Sequence(lambda n: f"Relay {n}")
    host = "localhost"
    port = 1
    stream = Stream.MARKETING
    connections = 4
    baa_party = "Example Mail Service"
    baa_signed_on = date(2026, 1, 1)
    enforces_tls_onward = True


class SendingDomainFactory(DjangoModelFactory[SendingDomain]):
    class Meta:
        model = SendingDomain
        django_get_or_create = ("domain",)

    domain = "clinic.example"
    rsa_selector = "r1"
    rsa_key = factory.LazyFunction(lambda: keys()[0])
    ed25519_selector = "e1"
    ed25519_key = factory.LazyFunction(lambda: keys()[1])
    verified_at = factory.LazyFunction(clock.now)


class SenderFactory(DjangoModelFactory[Sender]):
    class Meta:
        model = Sender

    name = "Elm Street Clinic"
    address = "news@clinic.example"
    domain = factory.SubFactory(SendingDomainFactory)


def make_version(**fields: Any) -> TemplateVersion:
    organization()
    return freeze(TemplateFactory(**fields), by=SYSTEM)


def make_origin(people: Sequence[UUID] = (), *, version: TemplateVersion | None = None, **fields: Any) -> Origin:
    """An origin of a commercial mail (unless its version says otherwise) with everybody queued, due now."""
    version = version or make_version()
    topic = fields.pop("topic", None) or TopicFactory(requires_opt_in=fields.pop("requires_opt_in", False))
    given: dict[str, Any] = {
        "kind": Origin.Kind.CAMPAIGN,
        "stream": Stream.MARKETING,
        "purpose": version.purpose,
        "message_class": version.message_class,
        "topic_id": topic.pk,
        "template_version": version,
        "sender": Sender.objects.first() or SenderFactory(),
        "tier": Sensitivity.IDENTITY,
        "approved_digest": bytes(version.digest),
        "by": SYSTEM,
    }
    origin = commands.open_origin(fields.pop("origin_id", uuid7()), **(given | fields))
    commands.add_batches(origin, people, due_at=clock.now())
    return origin


def opt_in(topic: Topic, people: Sequence[UUID]) -> None:
    acts = [
        consent.commands.NewAct(who, "opt_in", Source.STAFF, topic.pk, {"text": "yes", "text_version": "1"})
        for who in people
    ]
    consent.commands.record_many(acts, by=SYSTEM)


__all__ = [
    "MessageClass",
    "Purpose",
    "RelayFactory",
    "SenderFactory",
    "SendingDomainFactory",
    "keys",
    "make_origin",
    "make_people",
    "make_version",
    "opt_in",
]
