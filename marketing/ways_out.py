"""How mail leaves on a local run: through its own catcher, verified like any relay, from a domain that is nobody's."""

import os
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction

from audit.commands import record
from core import clock
from core.actors import SYSTEM
from core.purposes import Stream
from delivery.dkim import new_ed25519_key, new_rsa_key
from delivery.models import Relay, Sender, SendingDomain
from marketing import local_ca

NAME = "Local mail catcher"
DOMAIN = "mail.lakeside-clinic.example"
SIGNED_ON = date(2026, 1, 2)


def mail_port() -> int:
    return int(os.environ.get("CARILLON_MAIL_PORT", "2525"))


@transaction.atomic
def ensure() -> Sender:
    """A relay per stream that leads to the catcher where it listens now, and a sender to write as."""
    authority = local_ca.prepare(settings.HOME / "mail").authority.read_text()
    where = {"host": "localhost", "port": mail_port(), "ca_certificate": authority}
    for stream in Stream:
        relay = Relay.objects.filter(name__startswith=NAME, stream=stream).first()
        if relay is None:
            relay = Relay.objects.create(
                name=f"{NAME} ({stream.label.lower()})",
                stream=stream,
                baa_party="This machine (demo)",
                baa_signed_on=SIGNED_ON,
                enforces_tls_onward=True,
                **where,
            )
            record("relay.created", by=SYSTEM, target=relay)
        Relay.objects.filter(pk=relay.pk).update(trouble="", trouble_detail="", blocked_until=None, **where)
    domain, made = SendingDomain.objects.get_or_create(
        domain=DOMAIN,
        defaults={
            "rsa_selector": "c1",
            "rsa_key": new_rsa_key(),
            "ed25519_selector": "c2",
            "ed25519_key": new_ed25519_key(),
            "verified_at": clock.now() - timedelta(days=365),
        },
    )
    if made:
        record("domain.created", by=SYSTEM, target=domain)
    sender, _ = Sender.objects.get_or_create(
        address=f"care@{DOMAIN}",
        defaults={"name": "Lakeside Community Clinic", "domain": domain, "reply_to": f"hello@{DOMAIN}"},
    )
    return sender
