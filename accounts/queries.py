"""Who works here, and what they hold."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import F, QuerySet
from django_otp import devices_for_user
from django_otp.models import Device
from django_otp_webauthn.models import WebAuthnCredential

from accounts.models import ApiToken, FactorReset, RecoveryCodes, StaffChange, StaffSession, TotpDevice, User
from accounts.policy import Action, Role
from core import clock
from core.actors import By


def staff() -> "QuerySet[User]":
    """Everybody, the active first, by name."""
    return User.objects.order_by("-is_active", "name")


def names_of(ids: Sequence[UUID | str]) -> dict[str, str]:
    """Name by id (as text), for pages that hold ids of staff only."""
    wanted = {str(item) for item in ids if item}
    return {str(pk): name for pk, name in User.objects.filter(pk__in=wanted).values_list("pk", "name")}


def person_of(by: By) -> UUID | None:
    """The human behind an act: a token's owner, not the token. For rules that ask for two different people."""
    if isinstance(by, User):
        return by.pk
    return by.owner_id if isinstance(by, ApiToken) else None


def factors_of(user: User) -> list[Device]:
    """The confirmed factors a person can sign in with: authenticator apps and passkeys."""
    totp = TotpDevice.objects.filter(user=user, confirmed=True)
    passkeys = WebAuthnCredential.objects.filter(user=user, confirmed=True)
    return [*totp, *passkeys]


def has_passkey(user: User) -> bool:
    return bool(WebAuthnCredential.objects.filter(user=user, confirmed=True).exists())


def has_factor(user: User) -> bool:
    """Whether a second factor is enrolled; recovery codes and a local run's pass do not count."""
    return bool(factors_of(user))


def any_device(user: User) -> bool:
    return any(devices_for_user(user))


def recovery_codes_left(user: User) -> int:
    found = RecoveryCodes.objects.filter(user=user).first()
    return len(found.hashes) if found else 0


def sessions_of(user: User) -> "QuerySet[StaffSession]":
    return user.sessions.order_by("-seen_at")


def active_administrators() -> "QuerySet[User]":
    return User.objects.filter(is_active=True, roles__contains=[Role.ADMINISTRATOR])


def open_reset_of(user: User) -> FactorReset | None:
    return (
        user.resets.filter(completed_at=None, cancelled_at=None).select_related("requested_by", "approved_by").first()
    )


def open_resets() -> "QuerySet[FactorReset]":
    return FactorReset.objects.filter(completed_at=None, cancelled_at=None).select_related("user", "requested_by")


def tokens_seen_by(user: User) -> "QuerySet[ApiToken]":
    """Everybody's for who manages them, else one's own; the living first."""
    rows = ApiToken.objects.select_related("owner").order_by(F("revoked_at").desc(nulls_first=True), "name", "pk")
    return rows if user.may(Action.TOKENS_MANAGE) else rows.filter(owner=user)


def changes_of(user: User) -> "QuerySet[StaffChange]":
    return user.changes.select_related("by")


def lapsed_grants() -> list[StaffChange]:
    """Grants whose time is over while the role is still held, latest grant of each role only."""
    latest = (
        StaffChange.objects.filter(what=StaffChange.What.GRANTED, user__is_active=True)
        .order_by("user_id", "role", "-at", "-id")
        .distinct("user_id", "role")
        .select_related("user")
    )
    now = clock.now()
    return [g for g in latest if g.expires_at and g.expires_at <= now and g.role in g.user.roles]
