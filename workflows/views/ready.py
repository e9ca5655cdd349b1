"""Take a ready-made journey as a draft of one's own."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError
from workflows.ready import journeys as ready


@may(Action.WORKFLOWS_EDIT)
@require_POST
def ready_start(request: StaffRequest, key: str) -> HttpResponse:
    try:
        workflow = ready.start(key, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("workflows:new")
    messages.success(request, "This draft is yours. Put its mails into your own words, then publish it.")
    return redirect("workflows:edit", workflow.pk)
