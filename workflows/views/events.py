"""Events that other systems send: pages."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.queries import names_of
from accounts.requests import StaffRequest, may
from contacts import lowering
from contacts.forms import LoweringForm
from core.errors import DomainError
from workflows import event_types
from workflows.event_types import TYPES
from workflows.forms.effects import EventEditForm, EventForm, Properties, properties_of
from workflows.models import EventType
from workflows.uses import drawn, events_in

_EXAMPLES: dict[str, Any] = {
    "text": "some text",
    "number": 1,
    "yes_no": True,
    "date": "2026-11-30",
    "datetime": "2026-11-30T14:00:00Z",
}


@may(Action.WORKFLOWS_VIEW)
@require_GET
def event_list(request: StaffRequest) -> HttpResponse:
    events = sorted(EventType.objects.filter(archived_at=None), key=lambda event: str(event.name))
    came, used = event_types.came_lately(events), _used()
    rows = [
        {"event": one, "came": came.get(one.pk, 0), "journeys": used.get(str(one.name), []),
         "properties": [(name, TYPES.get(kind, kind)) for name, kind in one.properties.items()]}
        for one in events
    ]  # fmt: skip
    return render(request, "workflows/events.html", {"rows": rows})


def _used() -> dict[str, list[Any]]:
    found: dict[str, dict[Any, Any]] = {}
    for workflow, definition in drawn():
        for name in events_in(definition):
            found.setdefault(name, {})[workflow.pk] = workflow
    return {name: list(workflows.values()) for name, workflows in found.items()}


@may(Action.WORKFLOWS_EDIT)
def event_new(request: StaffRequest) -> HttpResponse:
    form, rows = EventForm(request.POST or None), Properties(request.POST or None, prefix="p")
    if request.method == "POST" and form.is_valid() and rows.is_valid():
        try:
            event = event_types.declare(by=request.user, properties=properties_of(rows), **form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Declared. It is taken from now on.")
            return redirect("workflows:event", event.pk)
    return render(request, "workflows/event.html", {"form": form, "rows": rows})


@may(Action.WORKFLOWS_VIEW)
def event_detail(request: StaffRequest, event_id: UUID) -> HttpResponse:
    """Read it; whoever may edit journeys changes it here."""
    event = get_object_or_404(EventType, pk=event_id, archived_at=None)
    editable = request.user.may(Action.WORKFLOWS_EDIT)
    given = request.POST if request.method == "POST" and editable else None
    asked = lowering.of(event.pk)
    kept = {"name": event.name, "label": event.label, "sensitivity": asked.to if asked else event.sensitivity}
    form = EventEditForm({**given.dict(), "name": event.name} if given is not None else None, initial=kept)
    # What is sent is all there is: compared with what was there, what stayed would count as left empty.
    there = None if given else [{"name": name, "kind": kind} for name, kind in event.properties.items()]
    rows = Properties(given, prefix="p", initial=there)
    if given is not None and form.is_valid() and rows.is_valid():
        data = form.cleaned_data
        try:
            event_types.change(
                event, label=data["label"], properties=properties_of(rows), sensitivity=data["sensitivity"],
                reason=data["reason"], by=request.user,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = "Saved."
            if lowering.of(event.pk):
                said = "Saved. It counts as less once a second person approves it; approvers see it on their Home."
            messages.success(request, said)
            return redirect("workflows:event", event.pk)
    asker = asked.asked_by if asked else None
    shown = {
        "asked": asked,
        "own": asker == request.user.pk,
        "asked_by": names_of([asker]).get(str(asker), "") if asker else "",
        "event": event,
        "form": form,
        "rows": rows,
        "journeys": event_types.listeners(str(event.name)),
        "came": event_types.came_lately([event]).get(event.pk, 0),
        "example": _example(request, event),
        "properties": [(name, TYPES.get(kind, kind)) for name, kind in event.properties.items()],
    }
    return render(request, "workflows/event.html", shown)


def _example(request: StaffRequest, event: EventType) -> str:
    """A call that another system can make, ready to be tried."""
    one: dict[str, Any] = {
        "event": event.name,
        "person": {"external_id": "A-1001"},
        "key": "4711",
        "id": "4711-1",
    }
    if event.properties:
        one["properties"] = {name: _EXAMPLES.get(kind, "") for name, kind in event.properties.items()}
    body = json.dumps({"events": [one]}, indent=2)
    url = request.build_absolute_uri(reverse("workflows:events")).partition("/workflows")[0] + "/api/v1/events"
    return (
        f"curl {url} \\\n  -H 'Authorization: Bearer crl_…' \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )


@may(Action.SENSITIVITY_LOWER)
@require_POST
def event_lower(request: StaffRequest, event_id: UUID) -> HttpResponse:
    """The second person's decision on what is asked for."""
    event, form = get_object_or_404(EventType, pk=event_id, archived_at=None), LoweringForm(request.POST)
    command = event_types.lower if "approve" in request.POST else event_types.keep
    try:
        if form.is_valid():
            event = command(event, seen=form.cleaned_data["seen"], by=request.user)
            messages.success(request, f"It counts as {event.get_sensitivity_display().lower()}.")
    except DomainError as refusal:
        messages.error(request, str(refusal))
    return redirect("workflows:event", event.pk)


@may(Action.WORKFLOWS_EDIT)
@require_POST
def event_archive(request: StaffRequest, event_id: UUID) -> HttpResponse:
    event = get_object_or_404(EventType, pk=event_id)
    try:
        event_types.archive(event, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("workflows:event", event.pk)
    messages.success(request, "Archived. It is not taken any more.")
    return redirect("workflows:events")
