"""Requests whose sender is known: the types views use, and the decorators that say who may come in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from accounts.models import User
from accounts.policy import Action

View = Callable[..., HttpResponse]


class StaffRequest(HttpRequest):
    """A request of somebody who passed the second factor."""

    user: User  # type: ignore[assignment]


def _guard(view: View, access: str, check: Callable[[User], bool]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if not user.is_authenticated or not user.is_active:
            return redirect_to_login(request.get_full_path())
        assert isinstance(user, User)
        if not user.is_verified():  # type: ignore[attr-defined]
            return redirect_to_login(request.get_full_path(), "accounts:second_factor")
        if not check(user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    wrapped = never_cache(guarded)
    wrapped.access = access  # type: ignore[attr-defined]
    return wrapped


def may(action: Action) -> Callable[[View], View]:
    """Let in whoever's role allows this action; the route matrix test reads `view.access`."""
    return lambda view: _guard(view, action.value, lambda user: user.may(action))


def signed_in(view: View) -> View:
    """Let in any staff with a second factor (own profile, home)."""
    return _guard(view, "signed-in", lambda user: True)


def public(view: View) -> View:
    """No sign-in: patients' pages and machines' probes. Said aloud, so that no view is public by accident."""
    view.access = "public"  # type: ignore[attr-defined]
    return view
