"""The ways out: relays and their agreements, domains we sign for, senders. One verb each, each on the trail."""

from typing import Any

from django.db import transaction

from audit.commands import record
from core import clock
from core.actors import By
from delivery import troubles
from delivery.dkim import new_ed25519_key, new_rsa_key
from delivery.errors import DomainInUse, RelayInUse, RelayNotReached, SenderRefused
from delivery.mime import UnsafeAddress, envelope_address
from delivery.models import Relay, SendBatch, Sender, SendingDomain
from delivery.transports import smtp
from delivery.transports.wire import RelayConfig, RelayTrouble, SessionFacts

#: What a person may set of a relay.
RELAY_FIELDS = (
    "name",
    "host",
    "port",
    "security",
    "username",
    "password",
    "ca_certificate",
    "stream",
    "connections",
    "baa_party",
    "baa_signed_on",
    "baa_expires_on",
    "enforces_tls_onward",
)


@transaction.atomic
def add_relay(*, by: By, **fields: Any) -> Relay:
    relay = Relay.objects.create(**{name: fields[name] for name in RELAY_FIELDS if name in fields})
    record("relay.created", by=by, target=relay)
    return relay


@transaction.atomic
def change_relay(relay: Relay, *, by: By, **fields: Any) -> Relay:
    """Set these fields; an empty password keeps the one there is. Trouble known so far is forgotten."""
    relay = Relay.objects.select_for_update().get(pk=relay.pk)
    if not fields.get("password"):
        fields.pop("password", None)
    changed = [name for name in RELAY_FIELDS if name in fields and getattr(relay, name) != fields[name]]
    for name in changed:
        setattr(relay, name, fields[name])
    if changed:
        relay.save(update_fields=changed)
        troubles.clear(relay.pk)
        record("relay.changed", by=by, target=relay, fields=changed)
    return relay


@transaction.atomic
def remove_relay(relay: Relay, *, by: By) -> None:
    """Take a relay out of use. Raises RelayInUse where mail of its stream still waits and no other would take it."""
    relay = Relay.objects.select_for_update().get(pk=relay.pk)
    others = Relay.objects.filter(stream=relay.stream, removed_at=None).exclude(pk=relay.pk)
    if not others.exists() and SendBatch.objects.filter(stream=relay.stream, done_at=None).exists():
        raise RelayInUse("Mail still waits for this relay. Add another one first, or cancel what waits.")
    relay.removed_at = clock.now()
    relay.save(update_fields=["removed_at"])
    record("relay.removed", by=by, target=relay)


def check_relay(relay: Relay, *, by: By) -> SessionFacts:
    """Connect, prove TLS and sign in, without sending anything. Raises RelayNotReached with what is wrong."""
    config = RelayConfig(
        relay.pk, relay.host, relay.port, relay.security, relay.username, relay.password, relay.ca_certificate, 1
    )
    try:
        proven = smtp.probe(config)
    except RelayTrouble as trouble:
        record("relay.checked", by=by, target=relay, trouble=trouble.code)
        raise RelayNotReached(f"{troubles.words(trouble.code)} {trouble.detail[:200]}".strip()) from None
    troubles.clear(relay.pk)
    record("relay.checked", by=by, target=relay, trouble="", tls=proven.tls_version)
    return proven


@transaction.atomic
def add_domain(domain: str, *, by: By) -> SendingDomain:
    """A domain to sign for, with fresh keys. It sends nothing before it is verified."""
    if SendingDomain.objects.filter(domain=domain).exists():
        raise DomainInUse("This domain is here already.")
    made = SendingDomain.objects.create(
        domain=domain,
        rsa_selector=f"r{clock.now():%Y%m}",
        rsa_key=new_rsa_key(),
        ed25519_selector=f"e{clock.now():%Y%m}",
        ed25519_key=new_ed25519_key(),
    )
    record("domain.created", by=by, target=made)
    return made


@transaction.atomic
def verify_domain(domain: SendingDomain, *, by: By) -> SendingDomain:
    """An administrator says that the records are published and the domain is ours (CAN-03)."""
    domain = SendingDomain.objects.select_for_update().get(pk=domain.pk)
    if domain.verified_at is None:
        domain.verified_at = clock.now()
        domain.save(update_fields=["verified_at"])
        record("domain.verified", by=by, target=domain)
    return domain


@transaction.atomic
def add_sender(*, domain: SendingDomain, name: str, address: str, reply_to: str = "", by: By) -> Sender:
    """Raises SenderRefused where an address cannot stand in an envelope, or is not of that domain (or one below it)."""
    for given in filter(None, (address, reply_to)):
        try:
            envelope_address(given)
        except UnsafeAddress:
            raise SenderRefused(
                "Mail servers do not all take this address. Use one without quotes, spaces or special letters."
            ) from None
    host = address.rpartition("@")[2].lower()
    if host != domain.domain and not host.endswith(f".{domain.domain}"):
        raise SenderRefused(f"The address has to end with @{domain.domain}.")
    sender = Sender.objects.create(domain=domain, name=name, address=address, reply_to=reply_to)
    record("sender.created", by=by, target=sender)
    return sender


@transaction.atomic
def remove_sender(sender: Sender, *, by: By) -> None:
    """Nothing more leaves in this name; the gate refuses what still waits."""
    Sender.objects.filter(pk=sender.pk, removed_at=None).update(removed_at=clock.now())
    record("sender.removed", by=by, target=sender)
