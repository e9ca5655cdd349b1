from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView


class PerToken(SimpleRateThrottle):
    """A rate per API token and process; anonymous calls fall back to their address. Beyond it: 429, Retry-After."""

    scope = "token"

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        ident = str(request.auth.pk) if request.auth else self.get_ident(request)
        return f"throttle:{ident}"
