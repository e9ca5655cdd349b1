"""Simulations of a journey: what was foreseen, asking for another, and where one person would go."""

from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.policy import Action
from accounts.queries import names_of
from accounts.requests import StaffRequest, may
from contacts import listing, reveals
from contacts import queries as contacts
from contacts.forms import SearchForm
from contacts.models import Contact
from core.errors import DomainError
from segments import search
from workflows import queries, simulations
from workflows.forms.simulate import SimulationForm
from workflows.language.definition import from_json
from workflows.language.names import Names
from workflows.models import Simulation, Workflow, WorkflowVersion
from workflows.simulate import paths
from workflows.simulate.assumptions import Settings
from workflows.simulate.reading import Told
from workflows.versions import mapping
from workflows.views.shared import exact, load, show

State = Simulation.State
PER_PAGE = 20
#: More than so many mails in a week, unless the page is asked for another number.
MANY = 3


def _load(workflow_id: UUID, simulation_id: UUID) -> tuple[Workflow, Simulation]:
    simulation = get_object_or_404(Simulation.objects.select_related("workflow"), pk=simulation_id)
    if simulation.workflow_id != workflow_id:
        return load(workflow_id), get_object_or_404(Simulation, pk=simulation_id, workflow=workflow_id)
    return simulation.workflow, simulation


@may(Action.WORKFLOWS_VIEW)
@require_safe
def simulation_list(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    page = Paginator(workflow.simulations.order_by("-created_at"), PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    names = names_of([one.created_by for one in shown if one.created_by])
    rows = [
        {
            "simulation": one,
            "told": Told(one) if one.state == State.FINISHED else None,
            "start": msgspec.convert(one.settings, Settings).start,
            "by": names.get(str(one.created_by), ""),
        }
        for one in shown
    ]
    return show(request, "simulations", workflow, rows=rows, page=page)


@may(Action.WORKFLOWS_EDIT)
def simulation_new(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Ask for a simulation of the draft, or of the live version (`?live`)."""
    workflow = load(workflow_id)
    live = queries.live_version(workflow)
    unchanged = live is not None and live.definition == workflow.draft
    version: WorkflowVersion | None = live if "live" in request.GET or unchanged else None
    definition = from_json(version.definition if version else workflow.draft)
    form = SimulationForm(
        request.POST or None,
        definition=definition,
        zone=request.user.time_zone,
        names=Names.load(definition),
        version=version.pk if version else None,
        inside=sum(one.people for one in mapping.inside(workflow)),
        runs=workflow.state in (Workflow.State.ACTIVE, Workflow.State.PAUSED),
    )
    if request.method == "POST" and form.is_valid():
        try:
            simulation = simulations.start(workflow, form.settings(), by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("workflows:simulation", workflow.pk, simulation.pk)
    return show(request, "simulation_new", workflow, form=form, version=version)


@may(Action.WORKFLOWS_VIEW)
@require_safe
def simulation_detail(request: StaffRequest, workflow_id: UUID, simulation_id: UUID) -> HttpResponse:
    workflow, simulation = _load(workflow_id, simulation_id)
    return show(request, "simulation", workflow, **_context(request, workflow, simulation))


def _context(request: StaffRequest, workflow: Workflow, simulation: Simulation) -> dict[str, Any]:
    context: dict[str, Any] = {"simulation": simulation, "working": simulation.state in (State.WAITING, State.RUNNING)}
    if simulation.state != State.FINISHED:
        return context | {"settings": simulation.settings}
    told = Told(simulation)
    most = request.GET.get("more", "")
    many = min(int(most), 99) if most.isdecimal() else MANY
    finished = workflow.simulations.filter(state=State.FINISHED).exclude(pk=simulation.pk)
    asked = _id(request.GET.get("with", ""))
    other = finished.filter(pk=asked).first() if asked else None
    before = finished.filter(created_at__lt=simulation.created_at).order_by("-created_at").first()
    return context | {
        "told": told,
        "small": exact(request),
        "many": many,
        "many_people": told.more_than(many),
        "choices": range(1, 11),
        "others": finished.order_by("-created_at")[:20],
        "before": told.against(Told(before)) if before else None,
        "other": Told(other) if other else None,
        "other_many": Told(other).more_than(many) if other else 0,
        "form": SearchForm(),
    }


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@may(Action.WORKFLOWS_VIEW)
@require_safe
def simulation_progress(request: StaffRequest, workflow_id: UUID, simulation_id: UUID) -> HttpResponse:
    """The bar while it runs; then the page itself, with what came of it."""
    workflow, simulation = _load(workflow_id, simulation_id)
    working = simulation.state in (State.WAITING, State.RUNNING)
    context = {"workflow": workflow, "simulation": simulation, "working": working}
    answer = render(request, "workflows/_simulation_progress.html", context)
    if not working:
        answer["HX-Refresh"] = "true"
    return answer


@may(Action.WORKFLOWS_EDIT)
@require_POST
def simulation_cancel(request: StaffRequest, workflow_id: UUID, simulation_id: UUID) -> HttpResponse:
    workflow, simulation = _load(workflow_id, simulation_id)
    simulation = simulations.cancel(simulation, by=request.user)
    if simulation.state == State.CANCELLED:
        messages.success(request, "The simulation was cancelled.")
    else:
        messages.error(request, "The simulation had ended already.")
    return redirect("workflows:simulation", workflow.pk, simulation.pk)


@may(Action.WORKFLOWS_VIEW)
@require_POST
def simulation_export(request: StaffRequest, workflow_id: UUID, simulation_id: UUID) -> HttpResponse:
    """The days as CSV: counts only. The export is recorded."""
    workflow, simulation = _load(workflow_id, simulation_id)
    if simulation.state != State.FINISHED:
        return redirect("workflows:simulation", workflow.pk, simulation.pk)
    text = simulations.export_days(simulation, exact=exact(request), by=request.user)
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="simulation-{simulation.pk}.csv"'
    return answer


# -- one person -------------------------------------------------------------------------------------------------------


@may(Action.CONTACTS_VIEW)
@require_POST
def simulation_people(request: StaffRequest, workflow_id: UUID, simulation_id: UUID) -> HttpResponse:
    """Find a person whose path is asked for. By POST, so that no name stands in an address or a log."""
    workflow, simulation = _load(workflow_id, simulation_id)
    form = SearchForm(request.POST)
    found = search.find(form.cleaned_data["text"] if form.is_valid() else "")
    if not found.short:
        reveals.searched(found=found.total, by=request.user)
    if found.exact and found.total == 1:
        return redirect("workflows:simulation_person", workflow.pk, simulation.pk, found.people[0].pk)
    rows = listing.rows(found.people, contacts.attributes())
    return show(request, "simulation_people", workflow, simulation=simulation, form=form, rows=rows, short=found.short)


@may(Action.CONTACTS_VIEW)
@require_safe
def simulation_person(request: StaffRequest, workflow_id: UUID, simulation_id: UUID, contact_id: UUID) -> HttpResponse:
    """Where one person would go, step by step, and why."""
    workflow, simulation = _load(workflow_id, simulation_id)
    contact = get_object_or_404(Contact, pk=contact_id)
    name = listing.name(contacts.open_one(contact), contacts.attributes())
    context: dict[str, Any] = {"simulation": simulation, "contact": contact, "name": name, "form": SearchForm()}
    if simulation.state != State.FINISHED or not request.user.may(Action.WORKFLOWS_VIEW):
        return redirect("workflows:simulation", workflow.pk, simulation.pk)
    told = Told(simulation)
    stops = paths.read(simulation, contact.number, simulation.result["words"])
    context["path"] = path = told.path(stops)
    context["clauses"] = any(line["clause"] for line in path)
    context["inside"] = bool(stops) and stops[0].arrived_at < told.settings.start
    context["times"] = len({stop.sequence for stop in stops})
    # Which clause held says something of their health.
    revealed = reveals.lately(contact_id, by=request.user)
    return show(request, "simulation_person", workflow, told=told, revealed=revealed, **context)
