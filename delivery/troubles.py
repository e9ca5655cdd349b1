"""When our own way out is at fault: nobody is marked failed, everything waits, and the relay's page says so."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F

from core import clock
from delivery.models import Relay
from delivery.transports.wire import RelayTrouble

#: Seconds until the next attempt, by how often it failed in a row; the last one from then on.
BACKOFF = (5, 15, 60, 300)

WORDS = {
    "unreachable": "The relay cannot be reached.",
    "no_starttls": "The relay does not offer encryption (STARTTLS), so nothing was sent.",
    "certificate": "The relay's certificate could not be verified, so nothing was sent.",
    "tls": "No encrypted connection (TLS 1.2 or newer) could be made, so nothing was sent.",
    "authentication": "The relay refuses the user name or password.",
    "greeting": "The relay refuses to talk to us.",
    "busy": "The relay is busy or limits us for now.",
    "sender_refused": "The relay refuses the sender's address.",
    "refuses_us": "The relay refuses our mail as such; nobody was marked failed for it. Ask its provider.",
    "slow": "The relay takes too long to answer.",
    "failed": "Something unexpected happened while talking to the relay.",
    "unsafe_envelope": "An address cannot be written in an envelope.",
}


def words(code: str) -> str:
    return WORDS.get(code, "The relay does not take our mail.")


def note(relay_id: UUID, trouble: RelayTrouble) -> datetime:
    """Remember the trouble and when to try again; that moment."""
    now = clock.now()
    relay = Relay.objects.get(pk=relay_id)
    until = now + timedelta(seconds=BACKOFF[min(relay.trouble_count, len(BACKOFF) - 1)])
    Relay.objects.filter(pk=relay_id).update(
        trouble=trouble.code,
        trouble_detail=trouble.detail[:200],
        trouble_since=relay.trouble_since or now,
        trouble_count=F("trouble_count") + 1,
        blocked_until=until,
    )
    return until


def clear(relay_id: UUID) -> None:
    """Mail leaves again."""
    Relay.objects.filter(pk=relay_id).update(
        trouble="", trouble_detail="", trouble_since=None, trouble_count=0, blocked_until=None
    )
