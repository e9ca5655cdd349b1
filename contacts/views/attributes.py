"""Attributes: what may be known about people."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.queries import names_of
from accounts.requests import StaffRequest, may
from contacts import attributes, lowering
from contacts.forms import AttributeEditForm, AttributeForm, LoweringForm
from contacts.models import Attribute
from core.errors import DomainError


@require_GET
@may(Action.ATTRIBUTES_MANAGE)
def listing(request: StaffRequest) -> HttpResponse:
    every = list(Attribute.objects.all())
    live = [item for item in every if item.removed_at is None]
    removed = [item for item in every if item.removed_at is not None]
    return render(request, "contacts/attributes.html", {"live": live, "removed": removed})


@may(Action.ATTRIBUTES_MANAGE)
def new(request: StaffRequest) -> HttpResponse:
    form = AttributeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            attribute = attributes.define(**form.cleaned_data, by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Attribute {attribute.label} added.")
            return redirect("contacts:attributes")
    return render(request, "contacts/attribute_form.html", {"form": form, "attribute": None})


@may(Action.ATTRIBUTES_MANAGE)
def edit(request: StaffRequest, attribute_id: UUID) -> HttpResponse:
    attribute = get_object_or_404(Attribute, pk=attribute_id, removed_at=None)
    asked = lowering.of(attribute.pk)
    form = AttributeEditForm(request.POST or None, attribute=attribute, asked=asked)
    if request.method == "POST" and form.is_valid():
        try:
            attributes.edit(attribute, **form.cleaned_data, by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = "Attribute changed."
            if lowering.of(attribute.pk):
                said = "Saved. It counts as less once a second person approves it; approvers see it on their Home."
            messages.success(request, said)
            return redirect("contacts:attributes")
    return render(request, "contacts/attribute_form.html", {"form": form, "attribute": attribute, "asked": asked})


@may(Action.SENSITIVITY_LOWER)
def lower(request: StaffRequest, attribute_id: UUID) -> HttpResponse:
    """What is asked for, and the second person's decision."""
    attribute = get_object_or_404(Attribute, pk=attribute_id, removed_at=None)
    asked, form = lowering.of(attribute.pk), LoweringForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        command = attributes.lower if "approve" in request.POST else attributes.keep
        try:
            attribute = command(attribute, seen=form.cleaned_data["seen"], by=request.user)
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{attribute.label} counts as {attribute.get_sensitivity_display().lower()}.")
        return redirect("contacts:attribute_lower", attribute.pk)
    asker = asked.asked_by if asked else None
    context = {
        "attribute": attribute,
        "asked": asked,
        "own": asker == request.user.pk,
        "who": names_of([asker]).get(str(asker), "") if asker else "",
    }
    return render(request, "contacts/attribute_lower.html", context)


def _act(request: StaffRequest, attribute_id: UUID, verb: str, done: str) -> HttpResponse:
    attribute = get_object_or_404(Attribute, pk=attribute_id)
    try:
        {"remove": attributes.remove, "restore": attributes.restore}[verb](attribute, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("contacts:attributes")


@require_POST
@may(Action.ATTRIBUTES_MANAGE)
def remove(request: StaffRequest, attribute_id: UUID) -> HttpResponse:
    return _act(request, attribute_id, "remove", "Attribute removed. Rules and templates that use it now say so.")


@require_POST
@may(Action.ATTRIBUTES_MANAGE)
def restore(request: StaffRequest, attribute_id: UUID) -> HttpResponse:
    return _act(request, attribute_id, "restore", "Attribute is back, with the values people had.")


@require_POST
@may(Action.ATTRIBUTES_MANAGE)
def move(request: StaffRequest, attribute_id: UUID) -> HttpResponse:
    attribute = get_object_or_404(Attribute, pk=attribute_id)
    attributes.move(attribute, direction="up" if request.POST.get("direction") == "up" else "down", by=request.user)
    return redirect("contacts:attributes")
