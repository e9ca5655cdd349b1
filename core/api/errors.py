"""One error shape for the whole API: {"error": {"code", "message", "fields"?}}."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.errors import DomainError


def body(code: str, message: str, fields: Any = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return {"error": error}


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, DomainError):
        return Response(body(exc.code, str(exc), getattr(exc, "fields", None)), status=exc.status)
    if isinstance(exc, DjangoValidationError):
        return Response(body("invalid", "Some fields are not valid.", exc.messages), status=400)
    response = exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, exceptions.ValidationError):
        response.data = body("invalid", "Some fields are not valid.", response.data)
    else:
        code = exc.get_codes() if isinstance(exc, exceptions.APIException) else "not_found"
        message = str(exc.detail) if isinstance(exc, exceptions.APIException) else "There is no such object."
        response.data = body(code if isinstance(code, str) else "error", message)
    return response
