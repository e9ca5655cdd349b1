"""Where webhooks go: pages."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core import clock
from core.errors import DomainError
from delivery.gate import agreement_in_force
from workflows import endpoints
from workflows.forms.effects import EndpointForm
from workflows.language.definition import Webhook
from workflows.models import Call, Endpoint, Workflow
from workflows.uses import drawn, running
from workflows.webhooks import address, sending

_WAITING, _FAILED = Q(calls__state=Call.State.WAITING), Q(calls__state=Call.State.FAILED)


@may(Action.WORKFLOWS_VIEW)
@require_GET
def endpoint_list(request: StaffRequest) -> HttpResponse:
    today = clock.now().date()
    rows = Endpoint.objects.filter(removed_at=None).order_by("name", "pk")
    found = rows.annotate(waiting=Count("calls", filter=_WAITING), failed=Count("calls", filter=_FAILED))
    shown = [{"endpoint": one, "agreement": agreement_in_force(one, today)} for one in found]
    return render(request, "workflows/endpoints.html", {"rows": shown})


@may(Action.ENDPOINTS_MANAGE, fresh=True)
def endpoint_new(request: StaffRequest) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        endpoint, secret = endpoints.create(by=request.user, **form.cleaned_data)
        return render(request, "workflows/endpoint_secret.html", {"endpoint": endpoint, "secret": secret})
    return render(request, "workflows/endpoint.html", {"form": form})


def _endpoint(endpoint_id: UUID) -> Endpoint:
    return get_object_or_404(Endpoint, pk=endpoint_id, removed_at=None)


@may(Action.ENDPOINTS_MANAGE, fresh=True)
def endpoint_edit(request: StaffRequest, endpoint_id: UUID) -> HttpResponse:
    # The form writes into its instance; the command compares with what is kept.
    form = EndpointForm(request.POST or None, instance=_endpoint(endpoint_id))
    if request.method == "POST" and form.is_valid():
        kept = _endpoint(endpoint_id)
        ends = endpoints.ends_agreement(kept, form.cleaned_data["url"])
        if ends and "move" not in request.POST:
            valued = kept.calls.filter(state=Call.State.WAITING).exclude(attributes=[]).count()
            return _page(request, kept, form, moving=address.parse(form.cleaned_data["url"]).host, valued=valued)
        endpoints.change(kept, by=request.user, **form.cleaned_data)
        said = "Saved. It holds for the next call."
        if ends:
            said = "Saved. No values go there before the agreement about the new server is recorded below."
        messages.success(request, said)
        return redirect("workflows:endpoint", endpoint_id)
    return _page(request, _endpoint(endpoint_id), form)


def _page(request: StaffRequest, endpoint: Endpoint, form: EndpointForm, **more: Any) -> HttpResponse:
    counts = Call.objects.filter(endpoint=endpoint).aggregate(
        done=Count("pk", filter=Q(state="done")),
        waiting=Count("pk", filter=Q(state="waiting")),
        failed=Count("pk", filter=Q(state="failed")),
    )
    last = Call.objects.filter(endpoint=endpoint).exclude(trouble="").order_by("-at").first()
    shown = {
        "endpoint": endpoint,
        "form": form,
        "counts": counts,
        "trouble": sending.words(last.trouble) if last else "",
        "last": last,
        "days": settings.WORKFLOWS_CALL_DAYS,
        "journeys": _journeys(endpoint),
        "carried": _carried(endpoint),
        "agreement": agreement_in_force(endpoint, clock.now().date()),
    }
    return render(request, "workflows/endpoint.html", shown | more)


def _carried(endpoint: Endpoint) -> bool:
    """Whether a journey that runs sends values there."""
    steps = (step for _, definition in running() for step in definition.steps.values())
    return any(isinstance(step, Webhook) and step.endpoint == endpoint.pk and step.attributes for step in steps)


def _journeys(endpoint: Endpoint) -> list[Workflow]:
    telling = {w.pk: w for w, definition in drawn() if endpoint.pk in set(endpoints.named_in(definition))}
    return sorted(telling.values(), key=lambda workflow: str(workflow.name).casefold())


@may(Action.ENDPOINTS_MANAGE)
@require_POST
def endpoint_check(request: StaffRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = _endpoint(endpoint_id)
    end = endpoints.check(endpoint, by=request.user)
    said = {"refused": sending.words(end.code), "status": end.status} if end.code else {"told": end.status}
    return _page(request, endpoint, EndpointForm(instance=_endpoint(endpoint_id)), **said)


@may(Action.ENDPOINTS_MANAGE, fresh=True)
@require_POST
def endpoint_secret(request: StaffRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = _endpoint(endpoint_id)
    secret = endpoints.renew_secret(endpoint, by=request.user)
    return render(request, "workflows/endpoint_secret.html", {"endpoint": endpoint, "secret": secret})


@may(Action.ENDPOINTS_MANAGE)
@require_POST
def endpoint_remove(request: StaffRequest, endpoint_id: UUID) -> HttpResponse:
    try:
        endpoints.remove(_endpoint(endpoint_id), by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("workflows:endpoint", endpoint_id)
    messages.success(request, "Removed. It is told nothing more.")
    return redirect("workflows:endpoints")
