"""Addresses inside mails, all on our own host (TRK-01). Token and number only: no word about anything (TRK-04)."""

from django.conf import settings

import consent.links


def unsubscribe_url(token: str) -> str:
    """One-click unsubscribe (RFC 8058): POST acts, GET asks."""
    return consent.links.unsubscribe_url(token)


def preferences_url(token: str) -> str:
    return consent.links.preferences_url(token)


def pixel_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/t/o/{token}.gif"


def click_url(token: str, number: int) -> str:
    """`number` is the index of the destination in the template version's links."""
    return f"{settings.PUBLIC_URL}/t/c/{token}/{number}"
