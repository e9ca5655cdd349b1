"""Sessions end on the server: after 15 idle minutes, after 12 hours, and when their row is gone (SEC-14, IDN-07)."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY, login, logout
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp import login as otp_login
from django_otp.models import Device
from django_otp_webauthn.models import WebAuthnCredential

from accounts.models import StaffSession, User
from accounts.network import browser_of, source_of
from core import clock

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
#: `seen_at` is written at most this often, so idle time is exact to that.
SEEN_STEP = timedelta(seconds=15)
#: How long a passed factor counts for acts that ask for it again.
FRESH = timedelta(minutes=10)


def is_polling(request: HttpRequest) -> bool:
    """Whether a page asks by itself (static/js/app.js marks it): nobody needs to be there for that (SEC-14)."""
    return request.headers.get("X-Poll") == "1"


def current(request: HttpRequest) -> StaffSession | None:
    """The living session of this request; None if there is none, or its time is over."""
    session: SessionBase = request.session
    if SESSION_KEY not in session:
        return None
    row = StaffSession.objects.filter(session_key=session.session_key).first()
    if row is None:
        return None
    now = clock.now()
    if now - row.seen_at >= settings.SESSION_IDLE or now - row.started_at >= settings.SESSION_ABSOLUTE:
        return None
    if now - row.seen_at >= SEEN_STEP and not is_polling(request):
        row.seen_at = now
        StaffSession.objects.filter(pk=row.pk).update(seen_at=now)
    return row


def pass_factor(request: HttpRequest, device: Device) -> None:
    """Mark this session as verified by `device`, under a new session key."""
    old_key = request.session.session_key
    otp_login(request, device)
    request.session.cycle_key()
    StaffSession.objects.filter(session_key=old_key).update(
        session_key=request.session.session_key, factor=kind_of(device), verified_at=clock.now()
    )


def kind_of(device: Device) -> str:
    """What sort of factor this is. Only a passkey's own class is "passkey" (IDN-02); what names no kind is "other"."""
    return "passkey" if isinstance(device, WebAuthnCredential) else getattr(device, "kind", "other")


def end(rows: "QuerySet[StaffSession]") -> int:
    """End these sessions at once: their cookies open nothing any more."""
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    return rows.filter(session_key__in=keys).delete()[0]


def end_all_but(user: User, keep: StaffSession | None) -> int:
    """End a person's sessions, all or all but one; returns how many."""
    rows = user.sessions.all()
    return end(rows.exclude(pk=keep.pk) if keep else rows)


def end_request(request: HttpRequest) -> None:
    """Sign this request out and say why to whoever is redirected."""
    StaffSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request)
    request.timed_out = True  # type: ignore[attr-defined]


def enter(request: HttpRequest, user: User) -> None:
    """Begin a session after the password or a link; whoever was signed in here before is signed out."""
    if SESSION_KEY in request.session:
        StaffSession.objects.filter(session_key=request.session.session_key).delete()
        request.session.flush()
    login(request, user, backend=MODEL_BACKEND)


def _begin(sender: object, request: HttpRequest | None, user: User, **kwargs: object) -> None:
    if request is None or not isinstance(user, User):
        return
    if request.session.session_key is None:  # another person was signed in here; their session was flushed
        request.session.save()
    StaffSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "seen_at": clock.now(),
            "browser": browser_of(request),
            "source": source_of(request),
            "factor": "",
            "verified_at": None,
        },
    )


def connect() -> None:
    """Every way to sign in makes a row; called when the app is ready."""
    user_logged_in.connect(_begin, dispatch_uid="accounts.sessions")
