"""Machines sign in with a token of a person: `Authorization: Bearer crl_…` (SEC-12, SEC-18)."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.commands import token_hash
from accounts.models import ApiToken
from accounts.network import source_of
from accounts.policy import Action
from core import clock

if TYPE_CHECKING:
    from rest_framework.views import APIView

#: `last_used_at` is written at most this often.
USED_STEP = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`request.user` and `request.auth` are both the token: it may, and it stands behind `by=`."""

    def authenticate(self, request: Request) -> tuple[ApiToken, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = ApiToken.objects.select_related("owner").filter(token_hash=token_hash(secret.strip())).first()
        if token is None or not token.is_active:
            raise AuthenticationFailed("This token is unknown, expired or revoked. Create a new one in Settings.")
        now = clock.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_STEP)
        if token.last_used_at is None or token.last_used_at < now - USED_STEP:
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        token.request_source = source_of(request)  # type: ignore[attr-defined]
        return token, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Carillon API"'


class ScopeRequired(BasePermission):
    """The view says which action each method is (`scopes = {"GET": Action.X}`); what it does not say is denied.

    405: the address knows no such method."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scopes: dict[str, Action] = getattr(view, "scopes", {})
        action = scopes.get(request.method or "")
        if action is None and request.auth and not hasattr(view, (request.method or "").lower()):
            raise MethodNotAllowed(request.method or "")
        if action is None or not isinstance(request.auth, ApiToken):
            return False
        self.message = f"This token may not do this: it needs the scope {action.value}."
        return request.auth.may(action)

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        return self.has_permission(request, view)
