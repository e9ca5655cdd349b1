"""Publish with a look at what it does to people, the second person's page, and pause, resume and stop."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError
from core.sensitivity import Sensitivity, highest
from workflows import drawing, queries, steering
from workflows.forms.pages import DecisionForm, PlanForm, ResumeForm
from workflows.language import checks, tiers, words
from workflows.language.definition import Definition, Mail, from_json
from workflows.language.names import Names
from workflows.models import Move, Workflow, WorkflowVersion
from workflows.versions import approval, mapping, moving, publishing, telling
from workflows.views.shared import act, load, show


@may(Action.WORKFLOWS_RUN)
def workflow_publish(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """What keeps it from being published; who is where; what becomes of them. Confirming publishes."""
    workflow = load(workflow_id)
    definition = from_json(workflow.draft)
    names = Names.load(definition)
    problems = checks.check(definition, workflow=workflow, names=names)
    inside = mapping.inside(workflow)
    olds = {one.version.pk: from_json(one.version.definition) for one in inside}
    form = PlanForm(request.POST or None, inside=inside, olds=olds, new=definition)
    move: Move | None = None
    brought = Sensitivity.PUBLIC
    if request.method == "POST" and form.is_valid():
        try:
            plan = mapping.complete(workflow, form.plan(), definition)
            brought = mapping.brought(workflow, plan)
            if plan.how == "move":
                move = None if "look" in request.POST else _foretold(request, workflow, plan)
            if plan.how == "move" and move is None:  # nobody confirms what was not shown
                move = moving.foretell(workflow, workflow.draft, plan, by=request.user)
            elif "publish" in request.POST:
                return _published(request, workflow, plan, move)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    tier = highest(tiers.tier_of(definition, names), brought)
    return show(
        request,
        "publish",
        workflow,
        form=form,
        rows=_rows(form, olds),
        problems=[(_title(definition, one.step), one.text, one.level) for one in problems],
        warned=any(one.level == "warning" for one in problems),
        blocked=any(one.level == "error" for one in problems),
        tier=tier,
        second=approval.needs_second(tier),
        moving_is_more=any(approval.needs_second(one.version.tier) for one in inside),
        move=move,
        told=telling.told(move) if move else None,
        inside=sum(one.people for one in inside),
        changes=_changes(workflow, definition),
        enters=_enters(definition, names),
        simulated=queries.simulated(workflow, workflow.draft),
        publishing=True,
    )


def _enters(definition: Definition, names: Names) -> dict[str, Any]:
    """Whom it takes in and what it sends, for whoever publishes it for the first time."""
    return {
        "title": words.trigger_title(definition.trigger),
        "which": words.trigger_summary(definition.trigger, names),
        "often": words.reentry_label(definition.reentry),
        "mails": [words.step_summary(step, names) for step in definition.steps.values() if isinstance(step, Mail)],
    }


def _title(definition: Definition, step: str) -> str:
    return words.titles(definition).get(step, "")


def _rows(form: PlanForm, olds: dict[Any, Definition]) -> list[dict[str, Any]]:
    return [
        {"group": group, "title": _title(olds[group.version.pk], group.step) or group.step, "field": field}
        for group, field in form.rows()
    ]


def _foretold(request: StaffRequest, workflow: Workflow, plan: mapping.Mapping) -> Move | None:
    """The forecast the page showed, if it is of this very plan and draft."""
    shown = request.POST.get("move", "")
    try:
        move = workflow.moves.filter(pk=UUID(shown), version=None).first()
    except ValueError:
        return None
    fits = move is not None and move.plan == mapping.as_json(plan) and move.definition == workflow.draft
    return move if fits else None


def _published(request: StaffRequest, workflow: Workflow, plan: mapping.Mapping, move: Move | None) -> HttpResponse:
    version = publishing.publish(workflow, plan=mapping.as_json(plan), move=move, by=request.user)
    if version.state == WorkflowVersion.State.PROPOSED:
        messages.success(request, "Proposed. A second person has to approve it; approvers see it on their Home.")
        return redirect("workflows:detail", workflow.pk)
    messages.success(request, f"Version {version.number} is live.")
    return (
        redirect("workflows:version", workflow.pk, version.number)
        if move
        else redirect("workflows:detail", workflow.pk)
    )


def _changes(workflow: Workflow, definition: Definition) -> list[queries.Change] | None:
    """What the draft changes, step by step; None: nothing was published before."""
    before = queries.shown_version(workflow)
    if before is None:
        return None
    return queries.differences(before, WorkflowVersion(workflow=workflow, definition=workflow.draft))


# -- what becomes of people -------------------------------------------------------------------------------------------


def _fragment(request: StaffRequest, move: Move, refusal: str = "") -> HttpResponse:
    context = {"workflow": move.workflow, "move": move, "told": telling.told(move), "refusal": refusal}
    return render(request, "workflows/_move.html", context)


def _move(workflow_id: UUID, move_id: UUID) -> Move:
    return get_object_or_404(Move.objects.select_related("workflow", "version"), pk=move_id, workflow=workflow_id)


@may(Action.WORKFLOWS_VIEW)
@require_safe
def workflow_move(request: StaffRequest, workflow_id: UUID, move_id: UUID) -> HttpResponse:
    """A fragment the page asks for until the job is done."""
    return _fragment(request, _move(workflow_id, move_id))


@may(Action.WORKFLOWS_VIEW)
@require_POST
def workflow_count_again(request: StaffRequest, workflow_id: UUID, move_id: UUID) -> HttpResponse:
    """Foretell anew: time has passed since."""
    move = _move(workflow_id, move_id)
    refusal = ""
    try:
        moving.count_again(move)
    except DomainError as refused:
        refusal = str(refused)
    move.refresh_from_db()
    return _fragment(request, move, refusal)


# -- the second person ------------------------------------------------------------------------------------------------


@may(Action.WORKFLOWS_APPROVE)
def workflow_review(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    version = queries.proposed(workflow)
    if version is None:
        messages.info(request, "This journey is not waiting for a decision.")
        return redirect("workflows:detail", workflow.pk)
    review = queries.review(version)
    form = DecisionForm(request.POST or None, initial={"seen": review.digest.hex()})
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        try:
            if "approve" in request.POST:
                seen = bytes.fromhex(form.cleaned_data["seen"])
                publishing.approve(version, by=request.user, note=note, seen=seen)
                messages.success(request, f"Approved. Version {version.number} is live.")
            else:
                publishing.send_back(version, by=request.user, note=note)
                messages.success(request, "Sent back. Its author sees your note.")
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("workflows:detail", workflow.pk)
    author = User.objects.filter(pk=version.proposed_by).first() if version.proposed_by else None
    move = Move.objects.filter(version=version).select_related("workflow").first()
    return show(
        request,
        "review",
        workflow,
        version=version,
        review=review,
        form=form,
        move=move,
        told=telling.told(move) if move else None,
        inside=sum(one.people for one in mapping.inside(workflow)),
        own=request.user.pk in approval.hands(version, from_json(version.definition)),
        author=author.name if author else "",
        simulated=queries.simulated(workflow, version.definition),
        palette=drawing.palette(),
        publishing=True,
    )


@may(Action.WORKFLOWS_EDIT)
@require_POST
def workflow_withdraw(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    version = queries.proposed(workflow)
    if version is None:
        messages.info(request, "No version waits for approval any more.")
        return redirect("workflows:detail", workflow.pk)
    said = "Withdrawn. What ran goes on as it was."
    return act(request, workflow, lambda: publishing.withdraw(version, by=request.user), said=said)


# -- steering ---------------------------------------------------------------------------------------------------------


@may(Action.WORKFLOWS_RUN)
@require_POST
def workflow_pause(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    workflow = load(workflow_id)
    said = "Paused. Everybody stays where they are; mail that had not left is held."
    return act(request, workflow, lambda: steering.pause(workflow, by=request.user), said=said)


@may(Action.WORKFLOWS_RUN)
def workflow_resume(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """How many are overdue, and what becomes of them."""
    workflow = load(workflow_id)
    form = ResumeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        how = "skip" if form.cleaned_data["how"] == "skip" else "catch_up"
        hours = form.cleaned_data["hours"] or 0 if form.cleaned_data["how"] == "spread" else 0
        said = "Going on: nobody is written to twice, and nobody is lost."
        return act(
            request, workflow, lambda: steering.resume(workflow, how=how, hours=hours, by=request.user), said=said
        )
    if workflow.state != Workflow.State.PAUSED:
        messages.info(request, "This journey is not paused.")
        return redirect("workflows:detail", workflow.pk)
    return show(request, "resume", workflow, form=form, overdue=steering.overdue(workflow), publishing=True)


@may(Action.WORKFLOWS_RUN)
def workflow_stop(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Who leaves if it is stopped."""
    workflow = load(workflow_id)
    if request.method == "POST":
        said = "Stopped. Nobody enters any more, and everybody leaves."
        return act(request, workflow, lambda: steering.stop(workflow, by=request.user), said=said)
    if workflow.state not in (Workflow.State.ACTIVE, Workflow.State.PAUSED):
        messages.info(request, "This journey does not run.")
        return redirect("workflows:detail", workflow.pk)
    inside = mapping.inside(workflow)
    olds = {one.version.pk: from_json(one.version.definition) for one in inside}
    rows = [(one, _title(olds[one.version.pk], one.step) or one.step) for one in inside]
    people = sum(one.people for one in inside)
    unsent = steering.overdue(workflow).mails
    return show(request, "stop", workflow, rows=rows, people=people, unsent=unsent, publishing=True)
