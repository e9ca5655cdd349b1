"""How mail leaves: relays and their health, domains, senders; and one person's messages."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core import clock
from core.errors import DomainError
from core.purposes import Stream
from delivery import queries, setup, timeline, troubles
from delivery.dkim import dns_record
from delivery.forms import DomainForm, RelayForm, SenderForm
from delivery.models import Relay, Sender, SendingDomain
from delivery.routes import facts_of


@may(Action.DELIVERY_VIEW)
@require_GET
def overview(request: StaffRequest) -> HttpResponse:
    today = clock.now().date()
    relays = [
        {
            "relay": relay,
            "agreement": facts_of(relay).agreement_in_force(today),
            "trouble": troubles.words(relay.trouble) if relay.trouble else "",
        }
        for relay in Relay.objects.filter(removed_at=None).order_by("stream", "created_at")
    ]
    shown = {
        "health": _health(),
        "relays": relays,
        "domains": list(SendingDomain.objects.order_by("domain")),
        "senders": list(Sender.objects.filter(removed_at=None).select_related("domain").order_by("name")),
    }
    return render(request, "delivery/overview.html", shown)


def _health() -> dict[str, Any]:
    found = queries.health()
    return {
        "queued": sum(found.queued.values()),
        "put_off": sum(found.put_off.values()),
        "by_stream": [
            (label, found.queued.get(stream, 0), found.put_off.get(stream, 0)) for stream, label in Stream.choices
        ],
        "sent": found.last_hour.get("sent", 0),
        "refused": found.last_hour.get("refused", 0),
        "failed": found.last_hour.get("failed", 0),
        "unknown": found.unknown,
    }


def _relay(relay_id: UUID) -> Relay:
    return get_object_or_404(Relay, pk=relay_id, removed_at=None)


@may(Action.DELIVERY_MANAGE)
def relay_new(request: StaffRequest) -> HttpResponse:
    form = RelayForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        relay = setup.add_relay(by=request.user, **form.cleaned_data)
        messages.success(request, "Added. Check its connection now.")
        return redirect("delivery:relay", relay.pk)
    return render(request, "delivery/relay.html", {"form": form})


@may(Action.DELIVERY_MANAGE)
def relay_edit(request: StaffRequest, relay_id: UUID) -> HttpResponse:
    relay = _relay(relay_id)
    # The form writes into its instance; the command compares with what is kept.
    form = RelayForm(request.POST or None, instance=_relay(relay_id))
    if request.method == "POST" and form.is_valid():
        setup.change_relay(relay, by=request.user, **form.cleaned_data)
        messages.success(request, "Saved. It holds for the next connection.")
        return redirect("delivery:relay", relay.pk)
    return _relay_page(request, relay, form)


def _relay_page(request: StaffRequest, relay: Relay, form: RelayForm, **more: Any) -> HttpResponse:
    session = relay.sessions.order_by("-started_at").first()
    trouble = troubles.words(relay.trouble) if relay.trouble else ""
    return render(
        request, "delivery/relay.html", {"relay": relay, "form": form, "session": session, "trouble": trouble} | more
    )


@may(Action.DELIVERY_MANAGE)
@require_POST
def relay_check(request: StaffRequest, relay_id: UUID) -> HttpResponse:
    relay = _relay(relay_id)
    try:
        proven, refused = setup.check_relay(relay, by=request.user), ""
    except DomainError as refusal:
        proven, refused = None, str(refusal)
    return _relay_page(request, _relay(relay_id), RelayForm(instance=relay), proven=proven, refused=refused)


@may(Action.DELIVERY_MANAGE)
@require_POST
def relay_remove(request: StaffRequest, relay_id: UUID) -> HttpResponse:
    relay = _relay(relay_id)
    try:
        setup.remove_relay(relay, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("delivery:relay", relay.pk)
    messages.success(request, "Removed. Nothing more leaves through it.")
    return redirect("delivery:overview")


@may(Action.DELIVERY_MANAGE)
def domain_new(request: StaffRequest) -> HttpResponse:
    form = DomainForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            domain = setup.add_domain(form.cleaned_data["domain"], by=request.user)
        except DomainError as refusal:
            form.add_error("domain", str(refusal))
        else:
            return redirect("delivery:domain", domain.pk)
    return render(request, "delivery/form.html", {"form": form, "title": "New domain", "act": "Make its keys"})


@may(Action.DELIVERY_VIEW)
@require_GET
def domain_detail(request: StaffRequest, domain_id: UUID) -> HttpResponse:
    domain = get_object_or_404(SendingDomain, pk=domain_id)
    records = [
        (f"{domain.rsa_selector}._domainkey.{domain.domain}", dns_record(domain.rsa_key)),
        (f"{domain.ed25519_selector}._domainkey.{domain.domain}", dns_record(domain.ed25519_key)),
        (f"_dmarc.{domain.domain}", "v=DMARC1; p=reject; adkim=s"),
    ]
    return render(request, "delivery/domain.html", {"domain": domain, "records": records})


@may(Action.DELIVERY_MANAGE)
@require_POST
def domain_verify(request: StaffRequest, domain_id: UUID) -> HttpResponse:
    domain = setup.verify_domain(get_object_or_404(SendingDomain, pk=domain_id), by=request.user)
    messages.success(request, "Verified. Senders of this domain may write now.")
    return redirect("delivery:domain", domain.pk)


@may(Action.DELIVERY_MANAGE)
def sender_new(request: StaffRequest) -> HttpResponse:
    form = SenderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            setup.add_sender(by=request.user, **form.cleaned_data)
        except DomainError as refusal:
            form.add_error("address", str(refusal))
        else:
            messages.success(request, "Added. Campaigns can use it from now on.")
            return redirect("delivery:overview")
    return render(request, "delivery/form.html", {"form": form, "title": "New sender", "act": "Add sender"})


@may(Action.DELIVERY_MANAGE)
@require_POST
def sender_remove(request: StaffRequest, sender_id: UUID) -> HttpResponse:
    setup.remove_sender(get_object_or_404(Sender, pk=sender_id), by=request.user)
    messages.success(request, "Removed. Nothing more leaves in this name.")
    return redirect("delivery:overview")


@may(Action.CONTACTS_VIEW)
@require_GET
def for_contact(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """All that happened with one person, newest first: a part of the contact's page."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in timeline.KINDS else ""
    items = timeline.of(contact_id, request.user, kind)
    shown = {
        "contact_id": contact_id,
        "kinds": timeline.KINDS,
        "kind": kind,
        "items": items[: timeline.SHOWN],
        "more": len(items) > timeline.SHOWN,
    }
    return render(request, "delivery/_timeline.html", shown)
