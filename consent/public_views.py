"""The patients' own pages: no sign-in, no cookie, one thing per page; a GET never changes anything (UNS-04, UNS-05)."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.network import client_address
from accounts.requests import public
from consent import commands, queries
from consent.links import open_confirmation
from consent.masking import mask
from consent.models import Source, Topic
from contacts.models import Contact
from core.actors import PATIENT
from core.errors import DomainError
from core.models import Organization
from phi.tokens import BadToken, MessageToken

View = Callable[..., HttpResponse]

#: What the buttons say is what the person agreed to, so it is kept as evidence, word for word.
UNDO_TEXT = "That was a mistake. Please keep sending them to me."
PREFERENCES_TEXT = "Please send me the emails that are ticked here, and no others."
CONFIRM_TEXT = "Yes, please send me these emails."


def patient_page(view: View) -> View:
    """Guard a page whose only authority is the token in its address.

    No cookie takes part, so there is nothing a cross-site request could ride on: CSRF protection does not apply, and
    RFC 8058 section 3.1 forbids it. A token that is not ours gets one and the same page, whatever is wrong with it.
    """

    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        if request.method == "OPTIONS":
            response = HttpResponse()
            response["Allow"] = "GET, HEAD, OPTIONS, POST"
        else:
            try:
                response = view(request, token)
            except BadToken:
                response = page(request, "unknown")
                response.status_code = 404
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex, nofollow"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return public(csrf_exempt(require_http_methods(["GET", "HEAD", "POST", "OPTIONS"])(guarded)))


def page(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    return render(request, f"consent/public/{name}.html", {"clinic": Organization.current(), **context})


def sent(request: HttpRequest) -> QueryDict:
    """The form as far as it can be read: a mail client whose body we do not understand still means what it asks."""
    try:
        return request.POST
    except (MultiPartParserError, BadRequest, SuspiciousOperation, UnicodeError, OSError):
        return QueryDict()


def evidence(request: HttpRequest, **more: object) -> Mapping[str, Any]:
    return {"address": client_address(request), "agent": request.headers.get("User-Agent", "")[:300], **more}


def shown_address(contact_id: UUID) -> str:
    return mask(queries.address_of(contact_id))


@patient_page
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks. POST acts, from a mail client (RFC 8058) or the page's own buttons, and answers 200 with the result."""
    message = MessageToken.decode(token)
    topic = queries.topic_by_number(message.topic_number)
    context = {"token": token, "address": shown_address(message.contact_id), "topic": topic, "undo_text": UNDO_TEXT}
    if request.method != "POST":
        return page(request, "unsubscribe", **context)
    form = sent(request)
    scope = None if form.get("scope") == "all" else topic
    if form.get("do") == "undo":
        return _undo(request, message, scope, context)
    one_click = form.get("List-Unsubscribe") == "One-Click"
    commands.opt_out(
        message.contact_id,
        scope,
        source=Source.ONE_CLICK if one_click else Source.MAIL_LINK,
        evidence=evidence(request),
        by=PATIENT,
        delivery_id=message.delivery_id,
    )
    return page(request, "unsubscribed", everything=scope is None, **context)


def _undo(request: HttpRequest, message: MessageToken, scope: Topic | None, context: Mapping[str, Any]) -> HttpResponse:
    try:
        facts = queries.facts_for([message.contact_id], scope.pk if scope else None)[message.contact_id]
        if facts.opted_out_all or (scope and facts.opted_out):
            kept = evidence(request, text=UNDO_TEXT, delivery_id=message.delivery_id)
            commands.opt_in(message.contact_id, scope, source=Source.MAIL_LINK, evidence=kept, by=PATIENT)
    except DomainError:
        return page(request, "not_possible", **context)
    topic = context["topic"]
    found = queries.facts_for([message.contact_id], topic.pk if topic else None)[message.contact_id]
    # Taking back "everything" leaves alone what was stopped before it; the page must not promise more.
    stopped = found.opted_out or found.opted_out_all
    return page(request, "resumed", stopped=stopped, **context)


@patient_page
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Which topics to get, by their public names, or nothing at all."""
    message = MessageToken.decode(token)
    contact_id, context = message.contact_id, {"token": token, "address": shown_address(message.contact_id)}
    if not Contact.objects.filter(pk=contact_id).exists():
        return page(request, "not_possible", **context)
    done = ""
    if request.method == "POST":
        form = sent(request)
        if form.get("do") == "stop":
            commands.opt_out(
                contact_id,
                source=Source.PREFERENCES,
                evidence=evidence(request),
                by=PATIENT,
                delivery_id=message.delivery_id,
            )
            return page(request, "unsubscribed", everything=True, undo_text=UNDO_TEXT, topic=None, **context)
        ticked = set(form.getlist("topic"))
        commands.save_preferences(
            contact_id,
            {topic.pk for topic in queries.topics() if str(topic.number) in ticked},
            source=Source.PREFERENCES,
            evidence=evidence(request, text=PREFERENCES_TEXT, delivery_id=message.delivery_id),
            by=PATIENT,
            delivery_id=message.delivery_id,
            counting="counting" in form if "asked" in form else None,
        )
        done = "saved"
    states = queries.states_of(contact_id)
    counting = not queries.counting_refused(contact_id)
    return page(request, "preferences", states=states, done=done, text=PREFERENCES_TEXT, counting=counting, **context)


@patient_page
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The second half of a double opt-in: GET asks, POST says yes."""
    contact_id, topic_id, ledger_id = open_confirmation(token)
    request_row = queries.entry(ledger_id)
    if request_row is None or (request_row.contact_id, request_row.topic_id) != (contact_id, topic_id):
        raise BadToken
    context = {
        "token": token,
        "address": shown_address(contact_id),
        "topic": request_row.topic,
        "text": request_row.evidence.get("text", ""),
        "confirm_text": CONFIRM_TEXT,
    }
    if request.method != "POST":
        return page(request, "confirm", **context)
    try:
        commands.confirm_opt_in(ledger_id, evidence=evidence(request), by=PATIENT)
    except DomainError as refusal:
        return page(request, "not_confirmed", why=str(refusal), **context)
    return page(request, "confirmed", **context)
