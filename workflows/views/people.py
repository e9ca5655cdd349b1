"""Who is on a journey: the list, the path of one, who needs attention, and putting people on by hand."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import reveals
from core import clock
from core.errors import DomainError
from core.paging import Bounded
from segments import membership
from segments import queries as segments
from segments.models import Segment
from workflows import enrolling, people, putting, queries, steering
from workflows.entry import REFUSALS
from workflows.forms.pages import PutOnForm
from workflows.language import choosing, words
from workflows.language.definition import Mail, from_json
from workflows.language.names import Names
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.views.shared import load, show

PER_PAGE = 50


@may(Action.WORKFLOWS_VIEW)
@require_safe
def people_list(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    versions = list(workflow.versions.filter(live_at__isnull=False))
    number = request.GET.get("version", "")
    version = next((one for one in versions if str(one.number) == number), None)
    status, step = request.GET.get("status", ""), request.GET.get("step", "")[:40].replace("\0", "")
    found = people.on(workflow, status=status, version=version.pk if version else None, step=step)
    page = Bounded(found, PER_PAGE).get_page(request.GET.get("page"))
    shown = version or queries.shown_version(workflow)
    steps = words.titles(from_json(shown.definition)) if shown else {}
    return show(
        request,
        "people",
        workflow,
        page=page,
        lines=people.lines(workflow, list(page.object_list)),
        filters={"status": status, "step": step, "version": number},
        statuses=[("inside", "On the journey"), *Enrolment.Status.choices[1:]],
        steps=list(steps.items()),
        versions=versions,
        filtered=bool(status or step or version),
    )


def _one(workflow_id: UUID, enrolment_id: int) -> Enrolment:
    return get_object_or_404(Enrolment.objects.select_related("workflow"), pk=enrolment_id, workflow=workflow_id)


@may(Action.WORKFLOWS_VIEW)
@require_safe
def person(request: StaffRequest, workflow_id: UUID, enrolment_id: int) -> HttpResponse:
    """The path of one. Which clause held says something of their health: told to who revealed them just now."""
    enrolment = _one(workflow_id, enrolment_id)
    name = people.masked([enrolment.contact_id]).get(enrolment.contact_id, "")
    return show(
        request,
        "person",
        enrolment.workflow,
        enrolment=enrolment,
        name=name or "Deleted contact",
        known=bool(name),
        path=people.path(enrolment),
        let_in=people.let_in(enrolment),
        left=words.left_label(enrolment.left_because),
        revealed=reveals.lately(enrolment.contact_id, by=request.user),
        others=people.on(enrolment.workflow).filter(contact_id=enrolment.contact_id).exclude(pk=enrolment.pk)[:20],
    )


@may(Action.WORKFLOWS_ENROL)
@require_POST
def person_remove(request: StaffRequest, workflow_id: UUID, enrolment_id: int) -> HttpResponse:
    enrolment = _one(workflow_id, enrolment_id)
    if steering.remove(enrolment.workflow, [enrolment.pk], by=request.user):
        messages.success(request, "Taken off. Mail that had not left does not leave.")
    else:
        messages.info(request, "This person had left already.")
    return redirect("workflows:person", workflow_id, enrolment_id)


# -- attention --------------------------------------------------------------------------------------------------------


@may(Action.WORKFLOWS_VIEW)
@require_safe
def attention(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    found = queries.stuck().filter(workflow=workflow).order_by("since")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return show(request, "attention", workflow, page=page, lines=people.lines(workflow, list(page.object_list)))


DONE = {
    "retry": (steering.retry, "{} tried again."),
    "skip": (steering.skip, "{} skipped the step."),
}


@may(Action.WORKFLOWS_RUN)
@require_POST
def attend(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Retry, skip or take off: those ticked, or everybody who needs attention; `here`: the one whose page it is."""
    workflow = load(workflow_id)
    verb = next((verb for verb in ("retry", "skip", "remove") if verb in request.POST), "")
    ids = [int(pk) for pk in request.POST.getlist("person") if pk.isdecimal()][:PER_PAGE]
    every = "all" in request.POST
    if not ids and not every:
        messages.error(request, "Tick the people first, or choose everybody.")
        return redirect("workflows:attention", workflow.pk)
    try:
        count, said = _attended(request, workflow, verb, None if every else ids)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said.format(f"{count:,} {'person' if count == 1 else 'people'}"))
    if "here" in request.POST and len(ids) == 1:
        return redirect("workflows:person", workflow.pk, ids[0])
    return redirect("workflows:attention", workflow.pk)


def _attended(request: StaffRequest, workflow: Workflow, verb: str, ids: list[int] | None) -> tuple[int, str]:
    if verb == "remove":
        if not request.user.may(Action.WORKFLOWS_ENROL):
            raise PermissionDenied
        rows = queries.stuck().filter(workflow=workflow)
        chosen = rows if ids is None else rows.filter(pk__in=ids)
        return steering.remove(workflow, list(chosen.values_list("pk", flat=True)), by=request.user), "{} taken off."
    command, said = DONE[verb or "retry"]
    return command(workflow, ids, by=request.user), said


# -- by hand ----------------------------------------------------------------------------------------------------------


@may(Action.WORKFLOWS_ENROL)
def put_on(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Whom to put on, how many that are, and then do it. By POST, so that no name stands in an address."""
    workflow = load(workflow_id)
    version = queries.live_version(workflow)
    if version is None:
        messages.error(request, "Nobody can enter this journey now: publish it first.")
        return redirect("workflows:detail", workflow.pk)
    form = PutOnForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            ids, unknown = _named(form, version)
            context |= {"found": len(ids), "unknown": len(unknown), "sure": True}
            if "confirm" in request.POST:
                _put(request, workflow, form.cleaned_data["segment"], ids)
                return redirect("workflows:people", workflow.pk)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    return show(request, "people_add", workflow, publishing=True, first=_first(version), **context)


def _first(version: WorkflowVersion) -> dict[str, Any] | None:
    """The step that people come to at once."""
    definition = from_json(version.definition)
    step = definition.steps.get(definition.start or "")
    if step is None:
        return None
    summary = words.step_summary(step, Names.load(definition))
    return {"title": words.step_title(step), "summary": summary, "mail": isinstance(step, Mail)}


def _named(form: PutOnForm, version: WorkflowVersion) -> tuple[list[UUID], list[str]]:
    segment = form.cleaned_data["segment"]
    if segment is not None:
        choosing.refuse_segment(version, segment.pk)
        return segments.audience(segments.rule_of(segment)), []
    return membership.people_named(form.cleaned_data["names"].splitlines()[: putting.CHUNK])


def _put(request: StaffRequest, workflow: Workflow, segment: Segment | None, ids: list[UUID]) -> None:
    """Those few at once; many by a job."""
    if segment is not None and len(ids) > putting.CHUNK:
        putting.begin(workflow, segment, by=request.user)
        messages.success(request, f"About {len(ids):,} people are being put on. The numbers on the overview grow.")
        return
    version = queries.live_version(workflow)
    assert version is not None
    entries = [enrolling.Entry(contact_id) for contact_id in ids]
    _say(request, enrolling.enrol(version, entries, at=clock.now(), by=request.user))


def _say(request: StaffRequest, found: enrolling.Enrolled) -> None:
    entered = f"{found.entered:,} {'person' if found.entered == 1 else 'people'} put on the journey."
    messages.success(request, entered)
    for reason, count in found.refused.items():
        each = "" if count == 1 else "each "
        messages.info(request, f"{count:,} not: {each}{REFUSALS.get(reason, reason)}.")


# -- on the page of a contact ------------------------------------------------------------------------------------------


@may(Action.CONTACTS_VIEW)
@require_safe
def for_contact(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """The journeys of a person: which they are on can say what they have, so only after a reveal."""
    revealed = "revealed" in request.GET and reveals.lately(contact_id, by=request.user)
    rows = people.of_contact(contact_id) if revealed else []
    return render(request, "workflows/_of_person.html", {"revealed": revealed, "rows": rows})
