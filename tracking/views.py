"""The pixel and the redirect: our own host, an opaque token, and nothing changes but that an event is appended."""

import base64
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

import consent.queries
from accounts.network import client_address
from accounts.requests import public
from core import clock
from core.models import Organization
from phi.tokens import BadToken, MessageToken
from tracking import commands
from tracking.crowds import crowds
from tracking.models import Event
from tracking.resolvers import Resolved, resolve
from tracking.verdict import Visit, judge

#: One transparent dot.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class Unknown(Exception):
    """Not our token, not a message we sent, or not one of its links."""


def tracked(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer 404 for whatever is not ours, and let nothing be cached, indexed or passed on."""

    @wraps(view)
    def guarded(request: HttpRequest, token: str, number: int | None = None) -> HttpResponse:
        try:
            response = view(request, token) if number is None else view(request, token, number)
        except (BadToken, Unknown):
            response = render(request, "tracking/unknown.html", {"clinic": Organization.current()}, status=404)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return public(require_http_methods(["GET", "HEAD"])(guarded))


def _message(token: str) -> tuple[MessageToken, Resolved]:
    own = MessageToken.decode(token)
    message = resolve(own.delivery_id)
    if message is None or message.contact_id != own.contact_id:
        raise Unknown
    return own, message


def _record(request: HttpRequest, kind: str, own: MessageToken, message: Resolved, link: int | None = None) -> None:
    # Who asks not to be measured, by Global Privacy Control or on the preference page, is not; HEAD is no visit.
    if request.method != "GET" or request.headers.get("Sec-GPC") == "1" or not commands.may_record(message, kind):
        return
    if consent.queries.counting_refused(message.contact_id):
        return
    visit = Visit(
        kind=kind,
        headers={name.lower(): value for name, value in request.headers.items()},
        since_sent=clock.now() - message.sent_at,
        crowd=crowds.count(client_address(request), own.delivery_id),
    )
    commands.append(kind, delivery_id=own.delivery_id, message=message, judged=judge(visit), link=link)


@tracked
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """The pixel. A message not yet in the books still gets its dot: a broken picture would tell on us."""
    own = MessageToken.decode(token)
    message = resolve(own.delivery_id)
    if message is not None and message.contact_id == own.contact_id:
        _record(request, Event.Kind.OPEN, own, message)
    return HttpResponse(PIXEL, content_type="image/gif")


@tracked
def clicked(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """On to where the link led when the mail was approved, and nowhere else (TRK-07)."""
    own, message = _message(token)
    if number >= len(message.links):
        raise Unknown
    _record(request, Event.Kind.CLICK, own, message, number)
    response = HttpResponse(status=302)
    response["Location"] = message.links[number]
    return response
