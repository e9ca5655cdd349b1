"""The canvas: its page, and the draft as JSON in and out."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import ParseError

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.api import parsing as bodies
from core.errors import DomainError
from workflows import commands, drawing
from workflows.errors import BadDefinition
from workflows.language import parsing
from workflows.models import Workflow


@may(Action.WORKFLOWS_EDIT)
@require_safe
def edit(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """The canvas itself; what is on it comes by draft.json."""
    workflow = get_object_or_404(Workflow, pk=workflow_id)
    if workflow.archived_at is not None:
        messages.error(request, "This journey is archived. Duplicate it to go on drawing.")
        return redirect("workflows:detail", workflow.pk)
    return render(request, "workflows/build.html", {"workflow": workflow, "palette": drawing.palette()})


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def draft(request: StaffRequest, workflow_id: UUID) -> JsonResponse:
    """The draft with its words and problems; a POST saves it first. 409 with what stands there, 400 with why not."""
    workflow = get_object_or_404(Workflow, pk=workflow_id)
    if request.method != "POST":
        return JsonResponse(_drawn(workflow))
    try:
        given = _given(request.body)
        parsing.parse(given["definition"])
        workflow = commands.save_draft(workflow, given["definition"], revision=given["revision"], by=request.user)
    except BadDefinition as refusal:
        problems = drawing.listed(refusal.problems)
        return JsonResponse({"message": str(refusal), "problems": problems}, status=400)
    except DomainError as refusal:
        workflow.refresh_from_db()
        return JsonResponse({"message": str(refusal), "code": refusal.code, **_drawn(workflow)}, status=409)
    return JsonResponse(_drawn(workflow))


def _given(body: bytes) -> dict[str, Any]:
    """Raises BadDefinition."""
    if len(body) > parsing.MAX_BYTES:
        raise BadDefinition("This journey is too large to be kept.")
    try:
        given = bodies.read(body)
        return {"definition": given["definition"], "revision": int(given["revision"])}
    except ParseError as refusal:
        raise BadDefinition(str(refusal.detail)) from None
    except (ValueError, TypeError, KeyError, OverflowError):
        raise BadDefinition("A draft is sent with its revision and its definition.") from None


def _drawn(workflow: Workflow, *, texts: bool = True) -> dict[str, Any]:
    found = drawing.drawn(parsing.parse(workflow.draft), workflow=workflow, texts=texts)
    return {"revision": workflow.draft_revision, **found}


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def draft_map(request: StaffRequest, workflow_id: UUID) -> JsonResponse:
    """The draft for whoever only looks at it."""
    workflow = get_object_or_404(Workflow, pk=workflow_id)
    return JsonResponse(_drawn(workflow, texts=request.user.may(Action.WORKFLOWS_VIEW)))
