"""One error shape for the whole API: {"error": {"code", "message", "fields"?}}."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.errors import DomainError

logger = logging.getLogger("django.request")


def body(code: str, message: str, fields: Any = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return {"error": error}


def handle(exc: Exception, context: dict[str, Any]) -> Response:
    if isinstance(exc, DomainError):
        # A refusal may say more of each part of what was sent (segments.errors.RuleError).
        return Response(body(exc.code, str(exc), getattr(exc, "fields", None)), status=exc.status)
    if isinstance(exc, RequestDataTooBig):
        return Response(
            body("too_large", "The request is larger than this address takes. Send it in parts."), status=413
        )
    if isinstance(exc, DjangoValidationError):
        return Response(body("invalid", "Some fields are not valid.", exc.messages), status=400)
    response = exception_handler(exc, context)
    if response is None:
        return _crashed(exc, context["request"]._request)
    if isinstance(exc, exceptions.ValidationError):
        response.data = body("invalid", "Some fields are not valid.", response.data)
    else:
        code = exc.get_codes() if isinstance(exc, exceptions.APIException) else "not_found"
        message = str(exc.detail) if isinstance(exc, exceptions.APIException) else "There is no such object."
        response.data = body(code if isinstance(code, str) else "error", message)
    return response


def _crashed(exc: Exception, request: HttpRequest) -> Response:
    """A defect of ours: told to the log and to whoever listens, not to the caller."""
    got_request_exception.send(sender=None, request=request)
    logger.error("Internal Server Error: %s", request.path, exc_info=exc, extra={"request": request})
    return Response(body("internal", "Something went wrong here. Try again, or tell an administrator."), status=500)


def no_such_address(request: HttpRequest, rest: str = "") -> JsonResponse:
    """For addresses below /api/v1/ that are none."""
    return JsonResponse(body("not_found", "There is no such address. See /api/v1/docs."), status=404)
