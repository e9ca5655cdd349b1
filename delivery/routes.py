"""Which relay a message takes. Pure; later ways (S/MIME, portal, direct) find their place here."""

from collections.abc import Sequence
from datetime import date, datetime

from core.sensitivity import Sensitivity
from delivery.gate import RelayFacts
from delivery.models import Relay


def facts_of(relay: Relay) -> RelayFacts:
    return RelayFacts(relay.pk, relay.baa_party, relay.baa_signed_on, relay.baa_expires_on, relay.enforces_tls_onward)


def permitted(relay: RelayFacts, tier: str, day: date) -> bool:
    """Whether the agreement and the onward encryption of this relay suffice for data of this tier."""
    rank = Sensitivity(tier).rank
    if rank > Sensitivity.PUBLIC.rank and not relay.agreement_in_force(day):
        return False
    return rank < Sensitivity.PHI.rank or relay.enforces_tls_onward


def pick(relays: Sequence[Relay], tier: str, now: datetime) -> Relay | None:
    """Of a stream's live relays the one to take: permitted first, then not in trouble, then the oldest."""

    def order(relay: Relay) -> tuple[bool, bool, datetime]:
        blocked = relay.blocked_until is not None and relay.blocked_until > now
        return not permitted(facts_of(relay), tier, now.date()), blocked, relay.created_at

    return min(relays, key=order, default=None)
