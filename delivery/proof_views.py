"""One message: why it was allowed, how it was protected, and, for a reason, what it said."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts.forms import ReasonForm
from contacts.models import Contact
from core.errors import DomainError
from delivery.models import Delivery
from delivery.reasons import words
from delivery.reveals import Shown, reveal_message

#: What a decision rests on, in words; the ids are those of the ledger, the agreement and so on.
BASIS = {
    "version": "Approved content",
    "topic": "Topic",
    "relay": "Relay and its agreement",
    "opt_in": "Opt-in",
    "authorization": "HIPAA authorization",
    "address_confirmed": "Address confirmed by the person",
    "special_consent": "Special-category consent",
}


def _page(request: StaffRequest, delivery: Delivery, form: ReasonForm, shown: Shown | None = None) -> HttpResponse:
    decision = delivery.decision or {}
    context = {
        "delivery": delivery,
        "known": Contact.objects.filter(pk=delivery.contact_id).exists(),
        "why": [words(code) for code in delivery.reasons],
        "verdict": decision.get("verdict", ""),
        "policy": decision.get("policy", ""),
        "basis": [(label, decision["basis"][key]) for key, label in BASIS.items() if key in decision.get("basis", {})],
        "digest": bytes(delivery.content_sha256 or b"").hex(),
        "form": form,
        "shown": shown,
    }
    return render(request, "delivery/message.html", context)


def _delivery(delivery_id: UUID) -> Delivery:
    return get_object_or_404(Delivery.objects.select_related("origin", "session__relay"), pk=delivery_id)


@may(Action.CONTACTS_VIEW)
@require_GET
def message(request: StaffRequest, delivery_id: UUID) -> HttpResponse:
    return _page(request, _delivery(delivery_id), ReasonForm())


@may(Action.CONTACTS_REVEAL)
def message_reveal(request: StaffRequest, delivery_id: UUID) -> HttpResponse:
    """Answers with the message itself: nothing that could show it again is left behind."""
    delivery = _delivery(delivery_id)
    if request.method != "POST":
        return redirect("delivery:message", delivery.pk)
    form = ReasonForm(request.POST)
    shown = None
    if form.is_valid():
        try:
            shown = reveal_message(delivery, reason=form.cleaned_data["reason"], by=request.user)
        except DomainError as refusal:
            form.add_error("reason", str(refusal))
    return _page(request, delivery, form, shown)
