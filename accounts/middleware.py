"""Idle log-off and absolute limit, enforced on every request (SEC-14)."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

from accounts import sessions
from accounts.models import LocalPass
from accounts.network import source_of


class SessionLimits:
    """After OTPMiddleware: whoever's time is over is nobody from here on; the view's guard sends them to sign in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            row = sessions.current(request)
            device = getattr(request.user, "otp_device", None)
            if row is None or (isinstance(device, LocalPass) and not settings.LOCAL_RUN):
                sessions.end_request(request)
            else:
                request.staff_session = row  # type: ignore[attr-defined]
                request.user.request_source = source_of(request)  # type: ignore[union-attr]
        response = self.get_response(request)
        # What no view said otherwise about stays out of every cache.
        response.headers.setdefault("Cache-Control", "no-store")
        return response
