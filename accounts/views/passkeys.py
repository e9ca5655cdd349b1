"""Passkeys: django-otp-webauthn's ceremonies, on our sessions and our trail."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django_otp_webauthn import exceptions
from django_otp_webauthn import views as library
from django_otp_webauthn.models import WebAuthnCredential

from accounts import factors, queries, sessions
from accounts.models import StaffSession, User
from accounts.network import browser_of
from accounts.requests import half_signed_in, is_fresh, public


class _Registration:
    """Whoever has a factor passes it, just now, before another one is added."""

    request: HttpRequest

    def user_is_mfa_enrolled(self, user: User) -> bool:
        return queries.has_factor(user)

    def check_can_register(self) -> None:
        user = self.request.user
        if queries.has_factor(user) and not is_fresh(self.request):  # type: ignore[arg-type]
            raise exceptions.NotVerified(detail="Confirm your second factor again before you add another one.")


class RegisterBegin(_Registration, library.BeginCredentialRegistrationView):  # type: ignore[misc]
    pass


class RegisterComplete(_Registration, library.CompleteCredentialRegistrationView):  # type: ignore[misc]
    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(*args, **kwargs)
        user: User = self.request.user  # type: ignore[assignment]
        device = WebAuthnCredential.objects.get(pk=json.loads(response.content)["id"], user=user)
        device.name = f"Passkey, {browser_of(self.request)}"[:64]
        device.save(update_fields=["name"])
        session: StaffSession = self.request.staff_session  # type: ignore[attr-defined]
        factors.factor_added(user, device, keep=session, by=user)
        sessions.pass_factor(self.request, device)
        return response


class SignInBegin(library.BeginCredentialAuthenticationView):  # type: ignore[misc]
    pass


class SignInComplete(library.CompleteCredentialAuthenticationView):  # type: ignore[misc]
    def complete_auth(self, device: WebAuthnCredential) -> None:
        if self.request.user.is_authenticated and device.user_id != self.request.user.pk:
            raise exceptions.CredentialUserMismatch()
        super().complete_auth(device)
        factors.passkey_passed(device.user, device)
        sessions.pass_factor(self.request, device)


register_begin = half_signed_in(RegisterBegin.as_view())
register_complete = half_signed_in(RegisterComplete.as_view())
#: A passkey with user verification is two factors in one, so it signs in without a password, too.
sign_in_begin = public(SignInBegin.as_view())
sign_in_complete = public(SignInComplete.as_view())
