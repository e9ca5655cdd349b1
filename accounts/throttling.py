"""Sign-in is slowed down by account, by address, and by the pattern of a password spray (IDN-06)."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.db.models import Sum
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from accounts.network import client_address, network_of
from core import clock

#: So many different accounts failing from one network within the window is a spray, whoever they are.
SPRAY_ACCOUNTS = 10
SPRAY_WINDOW = timedelta(hours=1)
KEPT = timedelta(days=90)


def account_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The account a sign-in is about, in the one form failures are counted in."""
    typed = (credentials or {}).get("username") or request.POST.get("email", "")
    return str(typed).strip().lower()[:254]


def address_of(request: HttpRequest) -> str | None:
    return client_address(request) or None


def failures_of(account: str) -> int:
    """How often a password was wrong for this account since it was last right."""
    found = AccessAttempt.objects.filter(username=account).aggregate(n=Sum("failures_since_start"))
    return int(found["n"] or 0)


def is_spray(request: HttpRequest) -> bool:
    """Whether this network tried many accounts lately; then none of them can sign in from there."""
    network = network_of(client_address(request))
    if not network:
        return False
    accounts: int = (
        AccessAttempt.objects.filter(attempt_time__gte=clock.now() - SPRAY_WINDOW)
        .alias(near=RawSQL("ip_address <<= %s::inet", [network]))
        .filter(near=True)
        .values("username")
        .distinct()
        .count()
    )
    return accounts >= SPRAY_ACCOUNTS


def forget_old_attempts() -> None:
    AccessAttempt.objects.filter(attempt_time__lt=clock.now() - KEPT).delete()
