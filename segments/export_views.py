"""Exports in the browser: ask for one, decide on it as the second person, take the file."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import queries as contacts
from core.errors import DomainError
from core.sensitivity import Sensitivity, highest
from segments import exports, queries
from segments.errors import RuleError
from segments.forms import ExportDecisionForm, ExportForm
from segments.models import Export, Segment
from segments.rules import parse

State = Export.State


@may(Action.EXPORTS_VIEW)
def export_list(request: StaffRequest) -> HttpResponse:
    page = Paginator(exports.exports(), 30).get_page(request.GET.get("page"))
    names = _names([export.requested_by for export in page])
    rows = [(export, names.get(export.requested_by, ""), _state(export)) for export in page]
    return render(request, "segments/exports.html", {"page": page, "rows": rows})


@may(Action.EXPORTS_REQUEST)
def export_new(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=segment_id)
    form = ExportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            asked = exports.request_export(segment, form.wanted(), by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Asked for. A second person has to approve it; approvers see it on their Home.")
            return redirect("segments:export", asked.pk)
    context = {"segment": segment, "form": form, **_leaving(segment, form["attributes"].value() or [])}
    return render(request, "segments/export_form.html", context)


@may(Action.EXPORTS_REQUEST)
@require_POST
def export_preview(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """What would leave with the columns chosen so far."""
    segment = get_object_or_404(Segment, pk=segment_id)
    context = _leaving(segment, request.POST.getlist("attributes"))
    return render(request, "segments/_export_leaves.html", {"segment": segment, **context})


def _leaving(segment: Segment, chosen: list[str]) -> dict[str, Any]:
    """How many people, what of them, and how sensitive that is."""
    known = contacts.attributes()
    columns = [known[key] for key in chosen if key in known]
    try:
        rule = parse(queries.rule_of(segment))
        people = queries.count(rule)
    except RuleError as refusal:
        return {"problem": str(refusal), "columns": columns}
    tier = highest(queries.tier_of(rule), *(column.sensitivity for column in columns))
    return {"people": people, "columns": columns, "tier": tier, "special": tier == Sensitivity.SPECIAL}


@may(Action.EXPORTS_VIEW, fresh=True)
def export_detail(request: StaffRequest, export_id: UUID) -> HttpResponse:
    return _detail(request, get_object_or_404(exports.exports(), pk=export_id), ExportDecisionForm())


@may(Action.EXPORTS_APPROVE, fresh=True)
@require_POST
def export_decide(request: StaffRequest, export_id: UUID) -> HttpResponse:
    export = get_object_or_404(exports.exports(), pk=export_id)
    form = ExportDecisionForm(request.POST)
    if not form.is_valid():
        return _detail(request, export, form)
    note = form.cleaned_data["note"]
    try:
        if "approve" in request.POST:
            exports.approve_export(export, note=note, by=request.user)
            messages.success(request, "Approved. It can be downloaded for seven days, by whoever asked for it.")
        else:
            exports.refuse_export(export, note=note, by=request.user)
            messages.success(request, "Refused. Nothing leaves, and whoever asked for it sees your note.")
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return _detail(request, export, form)
    return redirect("segments:export", export.pk)


@may(Action.EXPORTS_REQUEST)
@require_POST
def export_withdraw(request: StaffRequest, export_id: UUID) -> HttpResponse:
    export = get_object_or_404(Export, pk=export_id)
    try:
        exports.withdraw_export(export, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Withdrawn. Nothing leaves.")
    return redirect("segments:export", export.pk)


@may(Action.EXPORTS_DOWNLOAD, fresh=True)
@require_POST
def export_download(request: StaffRequest, export_id: UUID) -> HttpResponse:
    """The file. By POST: it hands out what is known of people, and that is recorded."""
    export = get_object_or_404(Export, pk=export_id)
    try:
        lines = exports.download(export, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("segments:export", export.pk)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="people.csv"'
    return cast(HttpResponse, response)  # the guards in accounts.requests pass any response on


def _names(people: list[UUID | None]) -> dict[UUID, str]:
    return dict(User.objects.filter(pk__in={i for i in people if i}).values_list("pk", "name"))


def _state(export: Export) -> str:
    return "EXPIRED" if exports.is_over(export) else str(export.state)


def _detail(request: StaffRequest, export: Export, form: ExportDecisionForm) -> HttpResponse:
    """All that is to be decided on, and what this person may do about it."""
    user, own = request.user, export.requested_by == request.user.pk
    is_open = export.state in (State.REQUESTED, State.APPROVED) and not exports.is_over(export)
    context: dict[str, Any] = {
        "export": export,
        "state": _state(export),
        "form": form,
        "own": own,
        "names": _names([export.requested_by, export.decided_by]),
        "special": export.tier == Sensitivity.SPECIAL,
        "may_decide": user.may(Action.EXPORTS_APPROVE) and not own and is_open,
        "may_withdraw": user.may(Action.EXPORTS_REQUEST) and own and is_open,
        "may_download": user.may(Action.EXPORTS_DOWNLOAD) and own and is_open and export.state == State.APPROVED,
    }
    known = contacts.attributes()
    context["columns"] = [known[key] for key in export.attributes if key in known]
    context["asked_by"] = context["names"].get(export.requested_by, "")
    context["decided_by"] = context["names"].get(export.decided_by, "")
    try:
        context["sentence"] = queries.sentence(export.rule)
        if is_open:
            exports.check_as_asked(export)
            context["people_now"] = queries.count(export.rule)
    except DomainError as problem:
        context["problem"] = str(problem)
    return render(request, "segments/export.html", context)
