"""Where webhooks go: one verb each, each on the trail."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.db import transaction

from audit.commands import record
from core import clock
from core.actors import By
from workflows.errors import EndpointInUse, NotComplete
from workflows.language.definition import Definition, Webhook
from workflows.models import Call, Endpoint
from workflows.uses import running
from workflows.webhooks import address, sending, signing
from workflows.webhooks.sending import Ended

AGREEMENT = ("baa_party", "baa_signed_on", "baa_expires_on")
NO_AGREEMENT: dict[str, Any] = {"baa_party": "", "baa_signed_on": None, "baa_expires_on": None}


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    known = {key: fields[key] for key in ("name", "url", *AGREEMENT) if key in fields}
    if "name" in known:
        known["name"] = " ".join(known["name"].split())[:80]
        if not known["name"]:
            raise NotComplete("Give the endpoint a name.")
    if "url" in known:
        known["url"] = known["url"].strip()
        address.parse(known["url"])
    return known


@transaction.atomic
def create(*, name: str, url: str, by: By, **agreement: Any) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is shown once. Raises BadAddress, NotComplete."""
    secret = signing.new_secret()
    endpoint = Endpoint.objects.create(secret=secret, **_checked({"name": name, "url": url, **agreement}))
    record("endpoint.created", by=by, target=endpoint)
    return endpoint, secret


@transaction.atomic
def change(endpoint: Endpoint, *, by: By, **fields: Any) -> Endpoint:
    """Set these fields; what waits goes to the new address. Raises BadAddress, NotComplete.

    An agreement is about one server: where the address leads to another one it ends, whatever the fields say of it, so
    that no values go there until the agreement about that server is recorded (SEC-09).
    """
    endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    given = _checked(fields)
    ends = ends_agreement(endpoint, given.get("url", endpoint.url))
    if ends:
        given |= NO_AGREEMENT
    changed = [name for name, value in given.items() if getattr(endpoint, name) != value]
    for name, value in given.items():
        setattr(endpoint, name, value)
    if changed:
        endpoint.save(update_fields=changed)
        record("endpoint.changed", by=by, target=endpoint, fields=changed, agreement_ended=ends)
    return endpoint


def ends_agreement(endpoint: Endpoint, url: str) -> bool:
    """Whether this address is another server's than the one that the recorded agreement is about."""
    agreed = any(getattr(endpoint, name) for name in AGREEMENT)
    return agreed and _host(url) != _host(endpoint.url)


def _host(url: str) -> str:
    """Also of an address that may not be called any more, since the deployment does not name it now."""
    return (urlsplit(url).hostname or "").rstrip(".")


@transaction.atomic
def renew_secret(endpoint: Endpoint, *, by: By) -> str:
    """A new secret; from now on calls are signed with it and no longer with the old one."""
    endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    endpoint.secret = signing.new_secret()
    endpoint.save(update_fields=["secret"])
    record("endpoint.secret_renewed", by=by, target=endpoint)
    return str(endpoint.secret)


@transaction.atomic
def remove(endpoint: Endpoint, *, by: By) -> None:
    """Tell it nothing more. Raises EndpointInUse where a journey that runs would miss it."""
    endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    if any(endpoint.pk in set(named_in(definition)) for _, definition in running()):
        raise EndpointInUse("A journey that runs tells this endpoint. Publish it without that step, or stop it first.")
    if endpoint.removed_at is None:
        endpoint.removed_at = clock.now()
        endpoint.save(update_fields=["removed_at"])
        waiting = Call.objects.filter(endpoint=endpoint, state=Call.State.WAITING)
        waiting.update(due_at=clock.now())  # so that whoever waits for them goes on
        record("endpoint.removed", by=by, target=endpoint)


def named_in(definition: Definition) -> Iterator[Any]:
    """The endpoints a journey tells."""
    return (step.endpoint for step in definition.steps.values() if isinstance(step, Webhook) and step.endpoint)


def check(endpoint: Endpoint, *, by: By) -> Ended:
    """Say hello, signed like any call, and about nobody."""
    ping = str(uuid4())
    end = sending.tell(endpoint, ping, {"type": "ping", "id": ping, "at": clock.now().isoformat()})
    record("endpoint.checked", by=by, target=endpoint, trouble=end.code)
    return end
