"""List of journeys, and of one: overview, versions, history; create, rename, duplicate, archive."""

from itertools import groupby
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.policy import Action
from accounts.queries import names_of
from accounts.requests import StaffRequest, may
from audit.models import Entry
from core.errors import DomainError
from workflows import commands, drawing, numbers, queries, troubles
from workflows.forms.pages import NameForm
from workflows.language import checks, words
from workflows.language.definition import Definition, from_json
from workflows.language.names import Names
from workflows.models import Move, Workflow, WorkflowVersion
from workflows.ready.journeys import READY
from workflows.versions import approval, mapping, telling
from workflows.views.shared import act, exact, load, show, version_of

PER_PAGE = 25
ARCHIVED = "archived"
#: Entries of the trail that a history is made from; the canvas saves often.
ENTRIES = 1_000


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def workflow_list(request: StaffRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    found = queries.archived() if state == ARCHIVED else queries.workflows()
    if state in Workflow.State.values:
        found = found.filter(state=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    sums = numbers.totals(shown)
    names, waiting = Names.for_triggers(), set(queries.awaiting_approval().values_list("workflow", flat=True))
    rows = []
    for one in shown:
        drawn = from_json(one.draft)
        which = words.trigger_summary(drawn.trigger, names)
        title, goal = words.trigger_title(drawn.trigger), words.has_goal(drawn)
        rows.append((one, title, which, goal, one.pk in waiting, sums[one.pk]))
    context = {"rows": rows, "page": page, "state": state, "states": [*Workflow.State.choices, (ARCHIVED, "Archived")]}
    return render(request, "workflows/list.html", context)


@may(Action.WORKFLOWS_EDIT)
def workflow_new(request: StaffRequest) -> HttpResponse:
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workflow = commands.create(by=request.user, **form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("workflows:edit", workflow.pk)
    return render(request, "workflows/new.html", {"form": form, "ready": READY})


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def workflow_detail(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """The overview: what runs, with live numbers; of a journey never published, its draft."""
    workflow = load(workflow_id)
    version = queries.shown_version(workflow)
    under_way = workflow.moves.filter(version=version, state__in=[Move.State.MOVING, Move.State.MOVED])
    move = under_way.select_related("workflow").first() if version else None
    definition = from_json(version.definition if version else workflow.draft)
    names = Names.load(definition)
    problems = checks.check(definition, workflow=workflow, names=names)
    return show(
        request,
        "detail",
        workflow,
        version=version,
        trigger=words.trigger_title(definition.trigger),
        trigger_summary=words.trigger_summary(definition.trigger, names),
        reentry=words.reentry_label(definition.reentry),
        exits=[words.exit_label(way, names) for way in definition.exits],
        only=names.sentence(definition.only) if definition.only is not None else "",
        problems=_told(definition, [one for one in problems if one.level == "error"]),
        steps=len(definition.steps),
        goal=words.has_goal(definition),
        numbers=numbers.told(version, exact=exact(request)) if version else None,
        palette=drawing.palette(),
        older=sum(one.people for one in mapping.inside(workflow) if one.version != version) if version else 0,
        held=troubles.said(held) if (held := _held(workflow, version)) else "",
        returned=workflow.versions.filter(state="RETURNED", number__gt=version.number if version else 0).first(),
        move=move,
        told=telling.told(move) if move else None,
    )


def _held(workflow: Workflow, version: WorkflowVersion | None) -> str:
    """What holds the version that is shown, now, or an older one with people on it, as of the last look."""
    return (approval.trouble(version) if version is not None else "") or workflow.trouble


def _told(definition: Definition, problems: list[checks.Problem]) -> list[tuple[str, str]]:
    steps = words.titles(definition)
    return [(steps.get(one.step, ""), one.text) for one in problems]


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def workflow_numbers(request: StaffRequest, workflow_id: UUID) -> JsonResponse:
    """What the canvas asks for every few seconds: of the version named, or the one that is shown."""
    workflow = load(workflow_id)
    number = request.GET.get("version", "")
    version = version_of(workflow, int(number)) if number.isdecimal() else queries.shown_version(workflow)
    if version is None:
        return JsonResponse({"version": 0, "steps": {}})
    version.workflow = workflow
    return JsonResponse(numbers.told(version, exact=exact(request)))


@may(Action.WORKFLOWS_VIEW)
@require_safe
def workflow_versions(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    versions = list(workflow.versions.select_related("move"))
    inside = {version.pk: 0 for version in versions}
    for one in mapping.inside(workflow):
        inside[one.version.pk] += one.people
    names = names_of([v for version in versions for v in (version.proposed_by, version.decided_by) if v])
    rows = [
        {
            "version": version,
            "inside": inside[version.pk],
            "proposed_by": names.get(str(version.proposed_by), ""),
            "decided_by": names.get(str(version.decided_by), ""),
        }
        for version in versions
    ]
    return show(request, "versions", workflow, rows=rows)


@may(Action.WORKFLOWS_VIEW)
@require_safe
def workflow_version(request: StaffRequest, workflow_id: UUID, number: int) -> HttpResponse:
    """One version as it was published, and what changed with it."""
    workflow = load(workflow_id)
    version = version_of(workflow, number)
    before = workflow.versions.filter(number__lt=number, live_at__isnull=False).first()
    move = workflow.moves.filter(version=version).select_related("workflow").first()
    names = names_of([one for one in (version.proposed_by, version.decided_by) if one])
    return show(
        request,
        "version",
        workflow,
        version=version,
        before=before,
        changes=queries.differences(before, version) if before else [],
        move=move,
        told=telling.told(move) if move else None,
        palette=drawing.palette(),
        numbers_url=f"{reverse('workflows:numbers', args=[workflow.pk])}?version={version.number}",
        proposed_by=names.get(str(version.proposed_by), ""),
        decided_by=names.get(str(version.decided_by), ""),
    )


@may(Action.WORKFLOWS_NUMBERS)
@require_safe
def version_json(request: StaffRequest, workflow_id: UUID, number: int) -> JsonResponse:
    """A version in the shape in which the canvas reads a draft."""
    version = version_of(load(workflow_id), number)
    texts = request.user.may(Action.WORKFLOWS_VIEW)
    told = drawing.drawn(from_json(version.definition), problems=False, texts=texts)
    return JsonResponse({"revision": version.number, **told})


@may(Action.WORKFLOWS_VIEW)
@require_safe
def workflow_history(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    entries = Entry.objects.filter(target_id=str(workflow.pk)).order_by("-at", "-pk")[:ENTRIES]
    runs = [list(run) for _, run in groupby(entries, key=_line)]
    names = names_of([run[0].actor_id for run in runs if run[0].actor_kind == "staff"])
    rows = [
        {
            "at": entry.at,
            "icon": ICON.get(entry.action, "info"),
            "what": SAID.get(entry.action, entry.action),
            "more": _more(entry) or (f"{len(run)} times" if len(run) > 1 else ""),
            "by": names.get(entry.actor_id, "") or {"system": "Carillon", "token": "API"}.get(entry.actor_kind, ""),
        }
        for run in runs[:200]
        for entry in run[:1]
    ]
    return show(request, "history", workflow, rows=rows)


def _line(entry: Entry) -> tuple[object, ...]:
    """What stands in one line: each entry, but saves in a row by the same person together."""
    return (entry.action, entry.actor_id) if entry.action == "workflow.saved" else (entry.pk,)


def _more(entry: Entry) -> str:
    details = entry.details
    if "version" in details:
        return f"version {details['version']}"
    if "people" in details:
        return f"{details['people']:,} {'person' if details['people'] == 1 else 'people'}"
    if entry.action == "workflow.resumed":
        return "overdue mails skipped" if details.get("how") == "skip" else "catching up"
    return ""


SAID = {
    "workflow.created": "Draft begun",
    "workflow.taken_ready_made": "Filled from a ready-made journey",
    "workflow.renamed": "Renamed",
    "workflow.saved": "Draft changed",
    "workflow.proposed": "Proposed",
    "workflow.approved": "Approved",
    "workflow.returned": "Sent back to its author",
    "workflow.withdrawn": "Proposal withdrawn",
    "workflow.published": "Published",
    "workflow.paused": "Paused",
    "workflow.resumed": "Resumed",
    "workflow.held": "Held: what was approved has changed",
    "workflow.released": "Goes on: it is as approved again",
    "workflow.stopped": "Stopped",
    "workflow.archived": "Archived",
    "workflow.enrolled": "People put on",
    "workflow.put_on": "Everybody of a segment put on",
    "workflow.entry_refused": "People could not enter: the rule who may cannot be read",
    "workflow.removed": "People taken off",
    "workflow.retried": "People tried again",
    "workflow.skipped": "A step skipped for people",
    "workflow.person_asked": "Where a person is was asked",
    "workflow.simulated": "Simulated",
    "workflow.simulation_cancelled": "Simulation cancelled",
    "workflow.simulation_exported": "Days of a simulation exported",
    "workflow.results_exported": "Results exported",
}
ICON = {
    "workflow.created": "plus",
    "workflow.taken_ready_made": "copy",
    "workflow.saved": "draft",
    "workflow.renamed": "draft",
    "workflow.proposed": "review",
    "workflow.approved": "check",
    "workflow.returned": "undo",
    "workflow.withdrawn": "undo",
    "workflow.published": "done",
    "workflow.paused": "pause",
    "workflow.resumed": "play",
    "workflow.held": "warning",
    "workflow.released": "play",
    "workflow.stopped": "stop",
    "workflow.enrolled": "people",
    "workflow.entry_refused": "warning",
    "workflow.removed": "out",
    "workflow.retried": "history",
    "workflow.skipped": "right",
    "workflow.simulated": "chart",
    "workflow.simulation_cancelled": "stop",
    "workflow.simulation_exported": "download",
    "workflow.results_exported": "download",
}


@may(Action.WORKFLOWS_EDIT)
@require_POST
def workflow_rename(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    form = NameForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A journey needs a name of at most 120 letters.")
        return redirect("workflows:detail", workflow.pk)
    return act(
        request, workflow, lambda: commands.rename(workflow, by=request.user, **form.cleaned_data), said="Renamed."
    )


@may(Action.WORKFLOWS_EDIT)
@require_POST
def workflow_duplicate(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    copy = commands.duplicate(workflow, name=f"{workflow.name} (copy)"[:120], by=request.user)
    messages.success(request, "This is the copy: a draft of its own, with nobody on it.")
    return redirect("workflows:detail", copy.pk)


@may(Action.WORKFLOWS_EDIT)
@require_POST
def workflow_archive(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    said = "Archived. Its versions and who was on it stay in the records."
    return act(request, workflow, lambda: commands.archive(workflow, by=request.user), said=said)
