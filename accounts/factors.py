"""Second factors: made, passed, renewed, removed, and recovered by two people and time (IDN-02, IDN-04)."""

from datetime import timedelta

from django.db import transaction
from django_otp import verify_token
from django_otp.models import Device

from accounts import commands, errors, queries, sessions
from accounts.models import FactorReset, RecoveryCodes, StaffChange, StaffSession, TotpDevice, User
from audit.commands import record
from core import clock
from core.actors import By

RESET_WAIT = timedelta(hours=24)


@transaction.atomic
def begin_totp(user: User) -> TotpDevice:
    """The authenticator app this person is setting up; the same secret until it is confirmed."""
    found: tuple[TotpDevice, bool] = TotpDevice.objects.get_or_create(
        user=user, confirmed=False, defaults={"name": "Authenticator app"}
    )
    return found[0]


def confirm_totp(user: User, *, code: str, keep: StaffSession | None, by: By) -> TotpDevice:
    """Take the app into use once it has given a right code; other sessions end (IDN-07)."""
    # Not one transaction with the refusal: the count of failures must outlive it.
    pending = TotpDevice.objects.filter(user=user, confirmed=False).first()
    device: TotpDevice | None = verify_token(user, pending.persistent_id, code) if pending else None
    if device is None:
        raise errors.WrongCode("That code did not fit. Wait for the next one and type it again.")
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        factor_added(user, device, keep=keep, by=by)
    return device


def factor_added(user: User, device: Device, *, keep: StaffSession | None, by: By) -> None:
    """After a factor was added: other sessions end, and the trail says so."""
    ended = sessions.end_all_but(user, keep)
    record("accounts.factor_added", by=by, target=user, factor=sessions.kind_of(device), sessions=ended)


def check_code(user: User, *, code: str, recovery: bool = False) -> Device:
    """Pass an authenticator app or a recovery code; the device that accepted it, or WrongCode (the same for all)."""
    model = RecoveryCodes if recovery else TotpDevice
    for device in model.objects.filter(user=user, confirmed=True):
        if verified := verify_token(user, device.persistent_id, code):
            record("accounts.signed_in", by=user, target=user, factor=device.kind)
            return verified
    record("accounts.code_refused", by=user, target=user, recovery=recovery)
    raise errors.WrongCode(
        "That code did not fit. Each code works once, and after wrong ones there is a short wait: "
        "try the next code in a moment."
    )


def passkey_passed(user: User, device: Device) -> None:
    record("accounts.signed_in", by=user, target=user, factor=sessions.kind_of(device))


@transaction.atomic
def renew_recovery_codes(user: User, *, by: By) -> list[str]:
    """Ten fresh codes, shown only now; the old ones stop working."""
    device, _ = RecoveryCodes.objects.get_or_create(user=user, defaults={"name": "Recovery codes"})
    codes: list[str] = device.renew()
    record("accounts.recovery_codes_renewed", by=by, target=user)
    return codes


@transaction.atomic
def remove_factor(user: User, device: Device, *, keep: StaffSession, by: By) -> None:
    """Remove one of several factors. The last one cannot be removed, only replaced (IDN-04)."""
    User.objects.select_for_update().get(pk=user.pk)
    if len(queries.factors_of(user)) < 2:
        raise errors.LastFactor("This is the only second factor. Add another one before you remove it.")
    kind = sessions.kind_of(device)
    device.delete()
    ended = sessions.end_all_but(user, keep)
    record("accounts.factor_removed", by=by, target=user, factor=kind, sessions=ended)


@transaction.atomic
def request_reset(user: User, *, proof: str, by: User) -> FactorReset:
    """First of two: an administrator says that this person lost every factor, and how they proved who they are."""
    if user.pk == by.pk:
        raise errors.NotYourself("Nobody asks for their own reset. Another administrator must.")
    if not user.is_active:
        raise errors.NotActive("This person is disabled. Enable them again instead.")
    if queries.open_reset_of(user):
        raise errors.ResetOpen("A reset for this person is open already.")
    now = clock.now()
    reset = FactorReset.objects.create(
        user=user, proof=proof, requested_by=by, requested_at=now, ready_at=now + RESET_WAIT
    )
    record("accounts.reset_requested", by=by, target=user, reset=str(reset.pk))
    return reset


def _open(reset: FactorReset) -> FactorReset:
    reset = FactorReset.objects.select_for_update(of=("self",)).select_related("user").get(pk=reset.pk)
    if not reset.is_open:
        raise errors.ResetNotReady("This reset was completed or cancelled. Ask for a new one if it is still needed.")
    return reset


@transaction.atomic
def approve_reset(reset: FactorReset, *, by: User) -> FactorReset:
    """Second of two: somebody else agrees."""
    reset = _open(reset)
    if by.pk in (reset.requested_by_id, reset.user_id):
        raise errors.NotYourself("A reset needs a second person: neither who asked for it nor who it is for.")
    reset.approved_by, reset.approved_at = by, clock.now()
    reset.save(update_fields=["approved_by", "approved_at"])
    record("accounts.reset_approved", by=by, target=reset.user, reset=str(reset.pk))
    return reset


@transaction.atomic
def cancel_reset(reset: FactorReset, *, by: User) -> FactorReset:
    """Stop it; the person themselves can, too, because whoever can sign in needs no reset."""
    reset = _open(reset)
    reset.cancelled_at = clock.now()
    reset.save(update_fields=["cancelled_at"])
    record("accounts.reset_cancelled", by=by, target=reset.user, reset=str(reset.pk))
    return reset


@transaction.atomic
def complete_reset(reset: FactorReset, *, by: User) -> str:
    """After approval and the wait: forget the lost factors; the path of a link to start anew with.

    The password goes with them, so a stolen one cannot enrol a factor of its own.
    """
    reset = _open(reset)
    now = clock.now()
    if not reset.is_ready:
        raise errors.ResetNotReady("A reset needs a second person's approval, and 24 hours from when it was asked for.")
    if by.pk == reset.user_id:
        raise errors.NotYourself("Somebody else has to complete a reset.")
    user = reset.user
    commands.forget_factors(user)
    sessions.end(user.sessions.all())
    user.set_unusable_password()
    user.save(update_fields=["password"])
    reset.completed_at = now
    reset.save(update_fields=["completed_at"])
    StaffChange.objects.create(user=user, what=StaffChange.What.FACTORS_RESET, by=by, at=now)
    record("accounts.factors_reset", by=by, target=user, reset=str(reset.pk))
    return commands.issue_password_link(user, reason="Second factors were reset.", by=by)
