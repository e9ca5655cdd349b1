"""What came of a journey's mails, as a page and as a file without people in it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from workflows import results
from workflows.models import Workflow
from workflows.views.shared import exact, load, show


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def workflow_results(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    if workflow.state == Workflow.State.DRAFT:
        return redirect("workflows:detail", workflow.pk)
    numbers = results.numbers_of(workflow)
    version = _asked(request.GET.get("version", ""), numbers)
    found = results.of_mails(workflow, version=version)
    return show(
        request,
        "results",
        workflow,
        mails=found,
        refusals=results.refusals(found),
        numbers=numbers,
        small=exact(request),
        version=version,
        goal=any(one.reached is not None for one in found),
        counted=any(one.opened is not None or one.clicked is not None for one in found),
    )


@may(Action.WORKFLOWS_NUMBERS)
@require_POST
def workflow_results_export(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """The same as CSV: counts only. The export is recorded."""
    workflow = load(workflow_id)
    version = _asked(request.POST.get("version", ""), results.numbers_of(workflow))
    text = results.export(workflow, version=version, exact=exact(request), by=request.user)
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="journey-results-{workflow.pk}.csv"'
    return answer


def _asked(given: str, numbers: list[int]) -> int | None:
    """A version that was live; everything else means all of them."""
    return next((number for number in numbers if given == str(number)), None)
