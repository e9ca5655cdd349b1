"""Logs say what failed and where, never with which value: an exception's text may quote a person (SEC-01, IDN-15)."""

import logging
import traceback
from types import TracebackType

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from core.errors import DomainError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def said(error: BaseException) -> str:
    """The name of an exception's type; with its text only where we wrote that text ourselves."""
    name = type(error).__qualname__
    return f"{name}: {error}" if isinstance(error, DomainError) else name


def route_of(request: HttpRequest) -> str:
    """The route a request took, as it is written in the code, with the names of its arguments for their values."""
    match: ResolverMatch | None = request.resolver_match
    if match is None:
        try:
            match = resolve(request.path_info, getattr(request, "urlconf", None))
        except Resolver404:
            return "(no such address)"
    return f"/{match.route}"


def _without_path(record: logging.LogRecord, request: HttpRequest) -> str:
    route = route_of(request)
    if isinstance(record.args, tuple):  # Django escapes a path on its way into the log, so it is known by its slash
        record.args = tuple(route if isinstance(arg, str) and arg[:1] == "/" else arg for arg in record.args)
    message = record.getMessage()
    return message.replace(request.path, route) if len(request.path) > 1 else message


class WithoutValues(logging.Formatter):
    """Tracebacks with frames and types, without the exceptions' texts; the same for what Celery says of a task.

    Of a request its route is named and not its path: a path may hold the token of a patient's link.
    """

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = _without_path(record, request), None
        if record.name == "celery.app.trace" and isinstance(record.args, dict) and "exc" in record.args:
            record = logging.makeLogRecord(record.__dict__)
            error = record.exc_info[1] if record.exc_info else None
            record.args = {**record.args, "exc": said(error) if error else "see above", "traceback": ""}  # type: ignore[dict-item]
        return super().format(record)

    def formatException(self, ei: ExcInfo) -> str:
        lines: list[str] = []
        error = ei[1]
        while error is not None and len(lines) < 200:
            frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=True)
            part = ["Traceback (most recent call last; the exception's text is left out):\n", *frames.format()]
            lines = [*part, f"{said(error)}\n", *(["\nThat came after:\n\n", *lines] if lines else [])]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "".join(lines).rstrip("\n")
