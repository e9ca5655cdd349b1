"""Requests whose sender is known: the types views use, and the decorators that say who may come in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.views.decorators.cache import never_cache
from django_htmx.middleware import HtmxDetails
from django_otp_webauthn.models import WebAuthnCredential

from accounts.models import LocalPass, StaffSession, User
from accounts.policy import Action
from accounts.queries import has_passkey
from accounts.sessions import FRESH, kind_of
from core import clock

View = Callable[..., HttpResponse]


class StaffRequest(HttpRequest):
    """A request of somebody who passed the second factor."""

    user: User
    staff_session: StaffSession
    htmx: HtmxDetails


def _elsewhere(request: HttpRequest, place: str | None = None) -> HttpResponse:
    """To a sign-in page and back; a part of a page answers 401 and lets htmx move the whole page."""
    back = request.get_full_path() if request.method == "GET" else ""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(back or "/", place)
    answer = HttpResponse(status=401)
    answer["HX-Redirect"] = resolve_url(place or settings.LOGIN_URL)
    return answer


def has_needed_factor(user: User) -> bool:
    """Whether the factor that was passed is strong enough for the roles (IDN-02: phishing-resistant)."""
    device = user.otp_device  # type: ignore[attr-defined]
    needs = settings.PASSKEY_ROLES & set(user.roles)
    return not needs or isinstance(device, WebAuthnCredential | LocalPass)


def _guard(view: View, access: str, check: Callable[[User], bool], fresh: bool = False) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if not user.is_authenticated or not user.is_active:
            return _elsewhere(request)
        assert isinstance(user, User)
        if not user.is_verified():  # type: ignore[attr-defined]
            return _elsewhere(request, "accounts:second_factor")
        if not has_needed_factor(user):
            # Whoever has a passkey uses it; after a recovery code, or with none yet, they make one.
            usable = kind_of(user.otp_device) == "totp" and has_passkey(user)  # type: ignore[attr-defined]
            return _elsewhere(request, "accounts:second_factor" if usable else "accounts:enrol")
        if not check(user):
            raise PermissionDenied
        if fresh and not is_fresh(request):
            return _elsewhere(request, "accounts:second_factor")
        return view(request, *args, **kwargs)

    wrapped = never_cache(guarded)
    wrapped.access = access  # type: ignore[attr-defined]
    return wrapped


def is_fresh(request: HttpRequest) -> bool:
    """Whether the second factor was passed in the last minutes (IDN-07: step-up). A local run's pass always counts."""
    session: StaffSession = request.staff_session  # type: ignore[attr-defined]
    if session.factor == "local":
        return True
    return session.verified_at is not None and clock.now() - session.verified_at < FRESH


def may(action: Action, *, fresh: bool = False) -> Callable[[View], View]:
    """Let in whoever's role allows this action; the route matrix test reads `view.access`.

    `fresh=True` for the gravest acts: the second factor is asked again unless it was passed just now.
    """
    return lambda view: _guard(view, action.value, lambda user: user.may(action), fresh)


def signed_in(view: View) -> View:
    """Let in any staff with a second factor (own profile, home)."""
    return _guard(view, "signed-in", lambda user: True)


def signed_in_freshly(view: View) -> View:
    """As `signed_in`, and the second factor was passed just now (own password, own factors)."""
    return _guard(view, "signed-in", lambda user: True, fresh=True)


def half_signed_in(view: View) -> View:
    """Let in whoever gave the password: the pages that ask for the second factor, and nothing else."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated or not request.user.is_active:
            return _elsewhere(request)
        return view(request, *args, **kwargs)

    wrapped = never_cache(guarded)
    wrapped.access = "half-signed-in"  # type: ignore[attr-defined]
    return wrapped


def public(view: View) -> View:
    """No sign-in: patients' pages and machines' probes. Said aloud, so that no view is public by accident."""
    view.access = "public"  # type: ignore[attr-defined]
    return view
