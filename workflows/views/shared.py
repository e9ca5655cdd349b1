"""What every page of one journey shows around its own part."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render

from accounts.policy import Action
from accounts.requests import StaffRequest
from core.errors import DomainError
from workflows import queries
from workflows.models import Move, Workflow, WorkflowVersion

State = Workflow.State


def load(workflow_id: UUID) -> Workflow:
    return get_object_or_404(Workflow, pk=workflow_id)


def exact(request: StaffRequest) -> bool:
    return request.user.may(Action.SMALL_CELLS)


def show(
    request: StaffRequest, template: str, workflow: Workflow, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Render a tab of the journey with its header, tabs and dialogs."""
    user, archived = request.user, workflow.archived_at is not None
    live = queries.live_version(workflow)
    run, edit = user.may(Action.WORKFLOWS_RUN), user.may(Action.WORKFLOWS_EDIT) and not archived
    around = {
        "workflow": workflow,
        "live": live,
        "proposal": queries.proposed(workflow),
        "moving": workflow.moves.filter(state=Move.State.MOVING).first(),
        "stuck": queries.stuck().filter(workflow=workflow).count(),
        "started": workflow.state != State.DRAFT,
        "changed": live is None or live.definition != workflow.draft,
        "can": {
            "see": user.may(Action.WORKFLOWS_VIEW),
            "edit": edit,
            "publish": run and not archived,
            "pause": run and workflow.state == State.ACTIVE,
            "resume": run and workflow.state == State.PAUSED and not workflow.resuming,
            "stop": run and workflow.state in (State.ACTIVE, State.PAUSED),
            "steer": run,
            "enrol": user.may(Action.WORKFLOWS_ENROL) and live is not None,
            "approve": user.may(Action.WORKFLOWS_APPROVE),
            "archive": edit and workflow.state in (State.DRAFT, State.STOPPED),
        },
    }
    return render(request, f"workflows/{template}.html", around | context, status=status)


def act(
    request: StaffRequest, workflow: Workflow, command: Callable[[], Any], *, said: str, to: str = "workflows:detail"
) -> HttpResponseRedirect:
    """Do it and go back to the journey, with the good news or the refusal."""
    try:
        command()
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return redirect(to, workflow.pk)


def version_of(workflow: Workflow, number: int) -> WorkflowVersion:
    return get_object_or_404(WorkflowVersion, workflow=workflow, number=number)
