"""Contacts: list, search, one person."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import commands, damaged, listing, queries, reveals
from contacts.forms import PersonForm, ReasonForm, SearchForm
from contacts.models import Attribute, Contact, Kind
from contacts.records import Record
from contacts.values import display, masked
from core.errors import DomainError
from phi.errors import SealBroken

#: Parts of a contact's page that rooms above supply; each is asked for by its address.
PARTS = (
    ("Consent", "consent:for_contact"),
    ("Segments", "segments:for_contact"),
    ("Journeys", "workflows:for_contact"),
    ("Timeline", "delivery:for_contact"),
)


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


@require_GET
@may(Action.CONTACTS_VIEW)
def people(request: StaffRequest) -> HttpResponse:
    page = queries.page(after=_id(request.GET.get("after")), before=_id(request.GET.get("before")))
    live = queries.attributes()
    total, exact = queries.headcount()
    context = {
        "rows": listing.rows(page.contacts, live),
        "page": page,
        "total": total,
        "about": not exact,
        "form": SearchForm(),
    }
    return render(request, "contacts/people.html", context)


@require_POST
@may(Action.CONTACTS_VIEW)
def search(request: StaffRequest) -> HttpResponse:
    """The whole email or external id. By POST, so that it never stands in a URL, a log or the browser's history."""
    form = SearchForm(request.POST)
    found: list[UUID] = queries.find(form.cleaned_data["text"]) if form.is_valid() else []
    reveals.searched(found=len(found), by=request.user)
    if len(found) == 1:
        return redirect("contacts:detail", found[0])
    contacts = list(Contact.objects.filter(pk__in=found[:100]).order_by("-pk"))
    rows = listing.rows(contacts, queries.attributes())
    context = {"rows": rows, "form": form, "searched": True, "found": len(found)}
    return render(request, "contacts/people.html", context)


def _facts(record: Record, live: dict[str, Attribute], *, revealed: bool) -> dict[str, Any]:
    show = display if revealed else masked
    facts, lists = [], []
    for key, attribute in live.items():
        if attribute.kind == Kind.CODED:
            entries = sorted(record.coded.get(key, []), key=lambda entry: entry.start or "", reverse=True)
            flush = revealed and bool(entries)
            lists.append({"attribute": attribute, "entries": entries, "count": len(entries), "flush": flush})
        else:
            open_here = show if attribute.sensitivity != "public" else display
            facts.append({"attribute": attribute, "value": open_here(attribute, record.values.get(key))})
    return {"facts": facts, "lists": lists, "revealed": revealed}


def _parts(contact: Contact, *, revealed: bool) -> list[dict[str, str]]:
    """`?revealed`: the part may say what it says of a person in the clear, if its own rules let it."""
    parts = []
    for title, name in PARTS:
        try:
            url = reverse(name, args=[contact.pk])
            parts.append({"title": title, "url": f"{url}?revealed" if revealed else url})
        except NoReverseMatch:
            continue
    return parts


@require_GET
@may(Action.CONTACTS_VIEW)
def person(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=contact_id)
    try:
        record = queries.open_one(contact)
    except SealBroken:
        damaged.found([contact.pk])
        return render(request, "contacts/person_damaged.html", {"contact": contact})
    return _person(request, contact, record, revealed=False, form=ReasonForm())


def _person(
    request: StaffRequest, contact: Contact, record: Record, *, revealed: bool, form: ReasonForm
) -> HttpResponse:
    live = queries.attributes()
    context = {
        "contact": contact,
        "name": listing.name(record, live),
        "form": form,
        "parts": _parts(contact, revealed=revealed),
        **_facts(record, live, revealed=revealed),
    }
    return render(request, "contacts/person.html", context)


@may(Action.CONTACTS_REVEAL)
def reveal(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """Answers with the values themselves: nothing that could show them again is left behind."""
    contact = get_object_or_404(Contact, pk=contact_id)
    if request.method != "POST":
        return redirect("contacts:detail", contact.pk)
    form = ReasonForm(request.POST)
    if damaged.is_so(contact):
        return redirect("contacts:detail", contact.pk)
    if not form.is_valid():
        return _person(request, contact, queries.open_one(contact), revealed=False, form=form)
    record = reveals.reveal(contact, reason=form.cleaned_data["reason"], by=request.user)
    return _person(request, contact, record, revealed=True, form=ReasonForm())


@may(Action.CONTACTS_EDIT)
def person_new(request: StaffRequest) -> HttpResponse:
    form = PersonForm(request.POST or None, live=queries.attributes())
    if request.method == "POST" and form.is_valid():
        try:
            contact = commands.create(values=form.cleaned_data["values"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Contact added.")
            return redirect("contacts:detail", contact.pk)
    return render(request, "contacts/person_form.html", {"form": form, "contact": None})


@may(Action.CONTACTS_EDIT)
def person_edit(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=contact_id)
    if damaged.is_so(contact):
        return redirect("contacts:detail", contact.pk)
    known = queries.open_one(contact).values
    form = PersonForm(request.POST or None, live=queries.attributes(), known=known)
    if request.method == "POST" and form.is_valid():
        try:
            commands.update(contact, values=form.cleaned_data["values"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Contact changed.")
            return redirect("contacts:detail", contact.pk)
    return render(request, "contacts/person_form.html", {"form": form, "contact": contact})


@may(Action.CONTACTS_DELETE)
def person_delete(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """What deleting means; deletes only by POST."""
    contact = get_object_or_404(Contact, pk=contact_id)
    if request.method == "POST":
        commands.delete(contact, by=request.user)
        messages.success(request, "Contact deleted and its key destroyed.")
        return redirect("contacts:list")
    context: dict[str, Any] = {"contact": contact, "name": listing.UNREADABLE}
    if not damaged.is_so(contact):
        record = queries.open_one(contact)
        context["name"] = listing.name(record, queries.attributes())
        context |= {"values": len(record.values), "entries": sum(map(len, record.coded.values()))}
    return render(request, "contacts/person_delete.html", context)
