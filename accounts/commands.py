"""What changes about people and the machines they own. Factors and their recovery: accounts.factors."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse
from django_otp import devices_for_user

from accounts import errors, queries, sessions
from accounts.models import ApiReply, ApiToken, LocalPass, OneTimeLink, StaffChange, StaffSession, User
from accounts.policy import Action, Role
from accounts.signals import staff_disabled
from accounts.throttling import forget_old_attempts
from audit.commands import record
from core import clock
from core.actors import SYSTEM, Actor, By

INVITE_LASTS = timedelta(hours=72)
PASSWORD_LINK_LASTS = timedelta(hours=24)
LOCAL_LINK_LASTS = timedelta(hours=12)
#: So that a leaked token is known for one, by people and by scanners.
PREFIX = "crl_"


def token_hash(secret: str) -> bytes:
    """Secrets of 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def _user(user: User) -> User:
    return User.objects.select_for_update().get(pk=user.pk)


def _person(by: By) -> User | None:
    return by if isinstance(by, User) else None


def _not_oneself(user: User, by: By, act: str) -> None:
    if isinstance(by, User) and by.pk == user.pk:
        raise errors.NotYourself(f"Nobody can {act} themselves. Ask another administrator.")


def _note(user: User, what: str, *, by: By, reason: str = "", role: str = "", until: datetime | None = None) -> None:
    StaffChange.objects.create(
        user=user, what=what, role=role, reason=reason, by=_person(by), at=clock.now(), expires_at=until
    )


def _link(user: User, kind: str, lasts: timedelta, by: By) -> str:
    """A fresh one-time link; the person's earlier ones stop working."""
    now, secret = clock.now(), secrets.token_urlsafe(32)
    user.links.filter(used_at=None).update(expires_at=now)
    person = _person(by)
    user.links.create(
        kind=kind,
        token_hash=token_hash(secret),
        issued_by=person.pk if person else None,
        issued_at=now,
        expires_at=now + lasts,
    )
    return reverse("accounts:join", args=[secret])


@transaction.atomic
def invite(
    *, email: str, name: str, roles: Iterable[str], reason: str, by: By, until: datetime | None = None
) -> tuple[User, str]:
    """Add a person; returns them and the path of the link to hand over, which is shown only now (72 hours)."""
    email = email.strip().lower()
    if User.objects.filter(email=email).exists():
        raise errors.AlreadyStaff("There is a person with this address already. Open them in the list instead.")
    roles = sorted({Role(role).value for role in roles})
    user = User.objects.create_user(email, name.strip(), roles)
    _note(user, StaffChange.What.INVITED, by=by, reason=reason)
    for role in roles:
        _note(user, StaffChange.What.GRANTED, by=by, reason=reason, role=role, until=until)
    record("accounts.invited", by=by, target=user, roles=roles, until=until.isoformat() if until else None)
    return user, _link(user, OneTimeLink.Kind.INVITE, INVITE_LASTS, by)


@transaction.atomic
def change_roles(user: User, *, roles: Iterable[str], reason: str, by: By, until: datetime | None = None) -> User:
    """Grant and take back roles; `until` bounds what is newly granted (SEC-04). Ends the person's sessions."""
    _not_oneself(user, by, "change the roles of")
    user = _user(user)
    after, before = {Role(role).value for role in roles}, set(user.roles)
    if Role.ADMINISTRATOR in before - after:
        _keep_an_administrator(user)
    for role in sorted(after - before):
        _note(user, StaffChange.What.GRANTED, by=by, reason=reason, role=role, until=until)
    for role in sorted(before - after):
        _note(user, StaffChange.What.REVOKED, by=by, reason=reason, role=role)
    if after != before:
        user.roles = sorted(after)
        user.save(update_fields=["roles"])
        sessions.end(user.sessions.all())
        record(
            "accounts.roles_changed",
            by=by,
            target=user,
            granted=sorted(after - before),
            revoked=sorted(before - after),
            until=until.isoformat() if until else None,
        )
    return user


def _keep_an_administrator(user: User) -> None:
    others = queries.active_administrators().select_for_update().exclude(pk=user.pk)
    if user.is_active and Role.ADMINISTRATOR in user.roles and not others.exists():
        raise errors.LastAdministrator("This is the last administrator. Make somebody else one first.")


@transaction.atomic
def disable(user: User, *, reason: str, by: By) -> User:
    """Shut a person out at once: sessions, tokens, factors, links and password all stop working (SEC-03)."""
    _not_oneself(user, by, "disable")
    user = _user(user)
    _keep_an_administrator(user)
    if not user.is_active:
        return user
    now = clock.now()
    user.is_active = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "password"])
    ended = sessions.end(user.sessions.all())
    revoked = user.tokens.filter(revoked_at=None).update(revoked_at=now)
    user.links.filter(used_at=None).update(expires_at=now)
    user.resets.filter(completed_at=None, cancelled_at=None).update(cancelled_at=now)
    forget_factors(user)
    _note(user, StaffChange.What.DISABLED, by=by, reason=reason)
    record("accounts.disabled", by=by, target=user, sessions=ended, tokens=revoked)
    user_id = user.pk
    transaction.on_commit(lambda: staff_disabled.send(User, user_id=user_id))
    return user


@transaction.atomic
def enable(user: User, *, reason: str, by: By) -> tuple[User, str]:
    """Let a person in again; they start from a new link: password and second factor are made anew."""
    user = _user(user)
    user.is_active = True
    user.save(update_fields=["is_active"])
    _note(user, StaffChange.What.ENABLED, by=by, reason=reason)
    record("accounts.enabled", by=by, target=user)
    return user, _link(user, OneTimeLink.Kind.INVITE, INVITE_LASTS, by)


def forget_factors(user: User) -> int:
    """Delete every factor of a person. No page or API reaches this but `disable` and a completed factor reset."""
    devices = list(devices_for_user(user, confirmed=None))
    for device in devices:
        device.delete()
    return len(devices)


@transaction.atomic
def issue_password_link(user: User, *, reason: str, by: By) -> str:
    """The path of a link to set a new password (24 hours). The second factor stays and is asked after it (IDN-04)."""
    user = _user(user)
    if not user.is_active:
        raise errors.NotActive("This person is disabled. Enable them again instead.")
    _note(user, StaffChange.What.PASSWORD_LINK, by=by, reason=reason)
    record("accounts.password_link_issued", by=by, target=user)
    never_joined = not user.has_usable_password() and not queries.any_device(user)
    kind = OneTimeLink.Kind.INVITE if never_joined else OneTimeLink.Kind.PASSWORD
    return _link(user, kind, PASSWORD_LINK_LASTS, by)


def open_link(secret: str) -> OneTimeLink:
    """The living link of this secret, or LinkNotValid."""
    link = OneTimeLink.objects.select_related("user").filter(token_hash=token_hash(secret)).first()
    if link is None or link.used_at or link.expires_at <= clock.now() or not link.user.is_active:
        raise errors.LinkNotValid("This link is not valid any more. Ask an administrator for a new one.")
    return link


@transaction.atomic
def follow_link(secret: str, *, password: str) -> User:
    """Use a one-time link: set the password, end all sessions. Signs nobody in past the second factor."""
    link = OneTimeLink.objects.select_for_update().get(pk=open_link(secret).pk)
    if link.used_at:
        raise errors.LinkNotValid("This link was just used. Ask an administrator for a new one.")
    link.used_at = clock.now()
    link.save(update_fields=["used_at"])
    user = _user(link.user)
    _set_password(user, password)
    sessions.end(user.sessions.all())
    record("accounts.link_used", by=user, target=user, kind=link.kind)
    return user


@transaction.atomic
def change_profile(user: User, *, name: str, time_zone: str, by: By) -> User:
    user = _user(user)
    user.name, user.time_zone = name.strip(), time_zone
    user.save(update_fields=["name", "time_zone"])
    record("accounts.profile_changed", by=by, target=user)
    return user


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])


@transaction.atomic
def note_refused_sign_in(account: str, *, source: str, spray: bool) -> None:
    """Put a wrong password on the trail: whose account it was if there is one, never what was typed."""
    user = User.objects.filter(email=account).first()
    record("accounts.sign_in_refused", by=Actor("system", source=source), target=user, known=bool(user), spray=spray)


@transaction.atomic
def change_password(user: User, *, current: str, new: str, keep: StaffSession | None, by: By) -> None:
    """Change one's own password; every other session ends (IDN-07)."""
    user = _user(user)
    if not user.check_password(current):
        raise errors.WrongPassword("That is not your current password.")
    _set_password(user, new)
    ended = sessions.end_all_but(user, keep)
    record("accounts.password_changed", by=by, target=user, sessions=ended)


@transaction.atomic
def end_session(session: StaffSession, *, by: By) -> None:
    """Sign a browser out from afar."""
    user = session.user
    sessions.end(user.sessions.filter(pk=session.pk))
    record("accounts.session_ended", by=by, target=user)


@transaction.atomic
def end_other_sessions(user: User, *, keep: StaffSession, by: By) -> int:
    ended = sessions.end_all_but(user, keep)
    record("accounts.sessions_ended", by=by, target=user, sessions=ended)
    return ended


@transaction.atomic
def create_token(
    *, name: str, scopes: Iterable[str], owner: User, expires_at: datetime | None, by: By
) -> tuple[ApiToken, str]:
    """A token for a machine; returns it and its secret, which is shown only now. No wider than its owner."""
    scopes = sorted({Action(scope).value for scope in scopes})
    if too_wide := [Action(scope).label for scope in scopes if not owner.may(Action(scope))]:
        raise errors.ScopeTooWide(f"{owner.name} may not do this, so no token of theirs can: {', '.join(too_wide)}.")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        name=name.strip(),
        owner=owner,
        scopes=scopes,
        prefix=secret[:8],
        token_hash=token_hash(secret),
        expires_at=expires_at,
    )
    record("accounts.token_created", by=by, target=token, scopes=scopes, owner=str(owner.pk))
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, *, by: By) -> None:
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
    if changed:
        record("accounts.token_revoked", by=by, target=token)


@transaction.atomic
def issue_local_link(user: User) -> str:
    """The path of a one-time sign-in link that counts as second factor. Local runs only; replaces earlier ones."""
    if not settings.LOCAL_RUN:
        raise errors.NotOnThisRun("Sign-in links exist on a local run only. Use `manage.py create_admin` instead.")
    user = _user(user)
    sessions.end(user.sessions.filter(factor=LocalPass.kind))
    LocalPass.objects.filter(user=user).delete()
    secret = secrets.token_urlsafe(24)
    LocalPass.objects.create(
        user=user, name="Local run", token_hash=token_hash(secret), expires_at=clock.now() + LOCAL_LINK_LASTS
    )
    record("accounts.local_link_issued", by=SYSTEM, target=user)
    return reverse("accounts:local", args=[secret])


def open_local_link(secret: str) -> LocalPass:
    """The living pass of this secret, or LinkNotValid; on any other run there is none."""
    found: LocalPass | None = LocalPass.objects.select_related("user").filter(token_hash=token_hash(secret)).first()
    if not settings.LOCAL_RUN or found is None or not found.usable() or not found.user.is_active:
        raise errors.LinkNotValid("This link was used or belongs to an earlier run. Start the run again for a new one.")
    return found


@transaction.atomic
def use_local_link(secret: str) -> LocalPass:
    found: LocalPass = LocalPass.objects.select_for_update().get(pk=open_local_link(secret).pk)
    if not found.usable():
        raise errors.LinkNotValid("This link was just used.")
    found.used_at = clock.now()
    found.save(update_fields=["used_at"])
    record("accounts.signed_in", by=found.user, target=found.user, factor=LocalPass.kind)
    return found


def take_back_lapsed_roles() -> int:
    """Take back roles whose grant has lapsed; returns how many."""
    grants = queries.lapsed_grants()
    for grant in grants:
        roles = [role for role in grant.user.roles if role != grant.role]
        change_roles(grant.user, roles=roles, reason="The grant has lapsed.", by=SYSTEM)
    return len(grants)


def purge() -> None:
    """Drop what has lost its meaning: dead sessions, old replies of the API, old failed sign-ins."""
    now = clock.now()
    sessions.end(StaffSession.objects.filter(started_at__lt=now - settings.SESSION_ABSOLUTE))
    Session.objects.filter(expire_date__lt=now).delete()
    ApiReply.objects.filter(at__lt=now - timedelta(hours=24)).delete()
    forget_old_attempts()
