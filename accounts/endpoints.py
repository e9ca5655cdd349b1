"""The base of every API operation: who may, what a repeat means, how pages turn. docs/api.md shows one."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from django.db import connection, transaction
from django.db.models import QuerySet
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import ApiReply, ApiToken
from accounts.policy import Action
from core import clock

Handler = Callable[..., Response]
KEY_HEADER = "Idempotency-Key"


class KeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for a different request. Use a new key."


class StillRunning(APIException):
    status_code = 409
    default_code = "idempotency_key_in_progress"
    default_detail = "The first request with this Idempotency-Key is still running. Ask again in a moment."


class ApiRequest(Request):
    """A request of a known token: pass `by=request.user` to commands."""

    user: ApiToken  # type: ignore[assignment]
    auth: ApiToken


class Endpoint(GenericAPIView):  # type: ignore[type-arg]
    """One address of the API. `scopes` names the action of each method; a method without one is denied."""

    scopes: ClassVar[Mapping[str, Action]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or len(length) > 18:
            raise ParseError("Content-Length is no number of bytes.")
        key = request.headers.get(KEY_HEADER)
        if request.method == "POST" and key:
            handler: Handler = getattr(self, "post", self.http_method_not_allowed)
            self.__dict__["post"] = partial(_once, key, handler)

    def checked(self, serializer: type[BaseSerializer[Any]], **kwargs: Any) -> Any:
        """The validated body, or 400 with what is wrong by field."""
        found = serializer(data=self.request.data, **kwargs)
        found.error_messages["invalid"] = "The body has to be one JSON object."
        found.is_valid(raise_exception=True)
        return found.validated_data

    def paged(
        self, rows: "QuerySet[Any]", shape: "type[BaseSerializer[Any]] | Callable[[list[Any]], list[Any]]"
    ) -> Response:
        """One page of rows by cursor; `shape` is a serializer class, or a function from rows to plain data."""
        page = self.paginate_queryset(rows)
        assert page is not None
        if isinstance(shape, type):
            return self.get_paginated_response(shape(page, many=True).data)
        return self.get_paginated_response(shape(list(page)))


def _once(key: str, handler: Handler, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
    """Run the handler once per key. Its changes and the stored reply commit together, so a crash leaves neither.

    The lock is held by the transaction: a second request with the same key meanwhile gets 409, never a second run.
    A refused request (4xx by exception) is rolled back and not kept, so it may be corrected and sent again.
    """
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise ValidationError({KEY_HEADER: ["Use 1 to 255 printable ASCII characters."]})
    asked = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode() + request.body).digest()
    lock = hashlib.sha256(request.auth.pk.bytes + key.encode()).digest()[:8]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(lock, "big", signed=True)])
            if not cursor.fetchone()[0]:
                raise StillRunning
        if kept := ApiReply.objects.filter(token=request.auth, key=key).first():
            if bytes(kept.request_hash) != asked:
                raise KeyReused
            return Response(json.loads(kept.body), status=kept.status, headers={"Idempotency-Replayed": "true"})
        response = handler(request, *args, **kwargs)
        ApiReply.objects.create(
            token=request.auth,
            key=key,
            request_hash=asked,
            status=response.status_code,
            body=JSONRenderer().render(response.data).decode() or "null",
            at=clock.now(),
        )
        return response
