"""The consent side of one person: shown on their page by address, recorded from there."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from consent import commands, queries
from consent.forms import AuthorizationForm, RecordForm, RevokeForm
from consent.models import Authorization, Source
from consent.views import name_recorders
from contacts.models import Contact
from core import clock
from core.errors import DomainError

SHOWN = 20


def _panel(request: StaffRequest, contact_id: UUID, form: RecordForm | None = None, done: str = "") -> HttpResponse:
    states = queries.states_of(contact_id)
    history = list(queries.history(contact_id)[: SHOWN + 1])
    name_recorders(history)
    revoked = queries.revoked_authorizations(contact_id)
    signed = [(a, a.pk in revoked) for a in queries.authorizations_of(contact_id)]
    facts = queries.facts_for([contact_id], None)[contact_id]
    context = {
        "contact_id": contact_id,
        "states": states,
        "facts": facts,
        "history": history[:SHOWN],
        "more": len(history) > SHOWN,
        "signed": signed,
        "now": clock.now(),
        "form": form or RecordForm(),
        "done": done,
        "exists": Contact.objects.filter(pk=contact_id).exists(),
    }
    return render(request, "consent/panel.html", context)


@may(Action.CONSENT_VIEW)
def for_contact(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """A fragment for the contact page: state, history, and what can be recorded. Deleted people have one, too."""
    return _panel(request, contact_id)


@may(Action.CONSENT_RECORD)
@require_POST
def record(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """Write down what the person said; answers the fragment anew."""
    form = RecordForm(request.POST)
    if not form.is_valid():
        return _panel(request, contact_id, form)
    try:
        commands.say(
            contact_id,
            form.cleaned_data["what"],
            UUID(form.cleaned_data["topic"]) if form.cleaned_data["topic"] else None,
            source=Source.STAFF,
            evidence=form.evidence(),
            by=request.user,
        )
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return _panel(request, contact_id, form)
    return _panel(request, contact_id, done="Recorded.")


@may(Action.CONSENT_RECORD)
def authorize(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """Enter a signed authorization. A page and an act of its own: never part of another form (164.508(b)(3))."""
    if not Contact.objects.filter(pk=contact_id).exists():
        raise Http404
    form = AuthorizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            signed = commands.authorize(
                contact_id,
                document=form.document(),
                purposes=form.cleaned_data["purposes"],
                source=Source.STAFF,
                by=request.user,
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The authorization is recorded.")
            return redirect("consent:authorization", signed.pk)
    return render(request, "consent/authorize.html", {"form": form, "contact_id": contact_id})


@may(Action.CONSENT_RECORD)
def revoke(request: StaffRequest, authorization_id: UUID) -> HttpResponse:
    """End an authorization at once."""
    signed = get_object_or_404(Authorization, pk=authorization_id)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            commands.revoke_authorization(
                signed, source=Source.STAFF, evidence={"note": form.cleaned_data["note"]}, by=request.user
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The authorization has ended. Nothing that needs it leaves any more.")
            return redirect("consent:authorization", signed.pk)
    return render(request, "consent/revoke.html", {"form": form, "signed": signed})
