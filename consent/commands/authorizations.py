"""A signed HIPAA authorization comes in, and ends."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from audit.commands import record
from consent import queries
from consent.authorizations import KEYS, complete, defects, expiry, states_remuneration
from consent.commands.acts import Evidence, must_exist
from consent.errors import AuthorizationIncomplete, UnknownAuthorization
from consent.ledger import NewAct, append
from consent.models import Act, Authorization
from contacts import locks
from core import clock
from core.actors import By
from core.models import Organization
from core.purposes import Purpose


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over what was signed; the trail has it, so that a changed document would show (PRV-11)."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@transaction.atomic
def authorize(
    contact_id: UUID,
    *,
    document: Mapping[str, Any],
    purposes: Sequence[str] = (Purpose.MARKETING,),
    source: str,
    evidence: Evidence = None,
    by: By,
) -> Authorization:
    """Keep a signed authorization exactly as it was signed. `document`: the texts of consent.authorizations.KEYS.

    Raises AuthorizationIncomplete where an element is missing or the signature lies in the future: what is no
    authorization is not kept as one.
    """
    must_exist(contact_id)
    if unknown := set(document) - KEYS:
        raise AuthorizationIncomplete(f"An authorization has no field {min(unknown)!r}.")
    if missing := defects(document):
        raise AuthorizationIncomplete("This is not a valid authorization. It still needs: " + "; ".join(missing) + ".")
    if not purposes or set(purposes) - set(Purpose.values):
        raise AuthorizationIncomplete(f"Choose its purposes from: {', '.join(Purpose.values)}.")
    zone = ZoneInfo(Organization.current().time_zone)
    signed_at = datetime.combine(date.fromisoformat(str(document["signed_on"]).strip()), time(), zone).astimezone(UTC)
    if signed_at > clock.now():
        raise AuthorizationIncomplete("The day of the signature lies in the future. Check the date on the form.")
    # The salt keeps the digest in the trail from confirming a guess at the document.
    kept = {**document, "salt": secrets.token_hex(16)}
    locks.hold_shared([contact_id])
    signed = Authorization.objects.create(
        contact_id=contact_id,
        document=kept,
        states_remuneration=states_remuneration(document),
        purposes=sorted(set(purposes)),
        signed_at=signed_at,
        expires_at=expiry(document, zone),
        complete=complete(document),
    )
    entry = append(NewAct(contact_id, Act.AUTHORIZED, source, None, evidence or {}, signed.pk), by=by)
    record("consent.authorized", by=by, target=signed, subject=contact_id, ledger=str(entry.pk), sha256=digest(kept))
    return signed


@transaction.atomic
def revoke_authorization(
    authorization: Authorization | UUID, *, source: str, evidence: Evidence = None, by: By
) -> Authorization:
    """End an authorization: the person revoked it in writing (164.508(b)(5)), or the event it named has come.

    Revoking twice is revoking once. Raises UnknownAuthorization.
    """
    key = authorization.pk if isinstance(authorization, Authorization) else authorization
    signed = Authorization.objects.filter(pk=key).first()
    if signed is None:
        raise UnknownAuthorization("There is no such authorization. Open the person's page and choose it there.")
    locks.hold_exclusive([signed.contact_id])
    if signed.pk in queries.revoked_authorizations(signed.contact_id):
        return signed
    act = NewAct(signed.contact_id, Act.AUTHORIZATION_REVOKED, source, None, evidence or {}, signed.pk)
    entry = append(act, by=by)
    record("consent.authorization_revoked", by=by, target=signed, subject=signed.contact_id, ledger=str(entry.pk))
    return signed
