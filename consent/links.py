"""The addresses patients get. Tokens carry ids under encryption, are stored nowhere and never expire (CAN-08)."""

from uuid import UUID

from django.conf import settings

from consent.models import LedgerEntry
from phi.tokens import open_ids, seal_ids

OPT_IN = "opt-in"


def unsubscribe_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/m/u/{token}"


def preferences_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/m/p/{token}"


def confirm_url(ledger_id: UUID) -> str:
    """The link in a double opt-in mail, for a ledger row OPT_IN_REQUESTED. Raises LedgerEntry.DoesNotExist."""
    contact_id, topic_id = LedgerEntry.objects.values_list("contact_id", "topic_id").get(pk=ledger_id)
    return f"{settings.PUBLIC_URL}/m/c/{seal_ids(OPT_IN, contact_id, topic_id, ledger_id)}"


def open_confirmation(token: str) -> tuple[UUID, UUID, UUID]:
    """Contact, topic and ledger row of a confirmation link. Raises phi.tokens.BadToken."""
    contact_id, topic_id, ledger_id = open_ids(OPT_IN, token)
    return contact_id, topic_id, ledger_id
