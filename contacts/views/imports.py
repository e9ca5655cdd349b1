"""Imports: the list, the upload, and the page that follows one file on its way."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import imports, refusals
from contacts.errors import BadFile
from contacts.forms import ReasonForm, UploadForm
from contacts.importing import lease
from contacts.models import Import
from contacts.uploads import SealingUploadHandler, max_bytes
from core.errors import DomainError

State = Import.State


@require_GET
@may(Action.CONTACTS_IMPORT)
def listing(request: StaffRequest) -> HttpResponse:
    page = Paginator(Import.objects.order_by("-created_at"), 30).get_page(request.GET.get("page"))
    names = dict(User.objects.filter(pk__in={item.created_by for item in page}).values_list("pk", "name"))
    rows = [{"item": item, "by": names.get(item.created_by, "")} for item in page]
    return render(request, "contacts/imports.html", {"page": page, "rows": rows})


@csrf_exempt  # checked inside, once the handler that seals the upload is in place
@may(Action.CONTACTS_IMPORT)
def new(request: StaffRequest) -> HttpResponse:
    """Take a file in. Everything that arrives is rolled back together if the file is refused."""
    handler = SealingUploadHandler(request, created_by=request.user.pk)
    request.upload_handlers = [handler]
    with transaction.atomic():
        response = _receive(request, handler)
        if response.status_code != 302:
            transaction.set_rollback(True)
    return response


@csrf_protect
def _receive(request: StaffRequest, handler: SealingUploadHandler) -> HttpResponse:
    form = UploadForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if handler.problem:
                raise handler.problem
            if handler.owner is None:
                raise BadFile("Choose a file first.")
            owner = imports.receive(handler.owner, shape=form.cleaned_data["shape"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("contacts:import_columns", owner.pk)
    return render(request, "contacts/import_new.html", {"form": form, "max_mb": max_bytes() >> 20})


def _percent(owner: Import) -> int:
    if owner.state == State.UNDOING:
        return 100 - 100 * owner.next_position // max(owner.row_chunks or 1, 1)
    return 100 * owner.rows_done // max(owner.rows_total, 1)


def _progress(owner: Import) -> dict[str, Any]:
    """How far it is, and how fast since it was started."""
    working = owner.state in lease.WORKING
    facts: dict[str, Any] = {"owner": owner, "working": working, "percent": _percent(owner)}
    if owner.state == State.RUNNING and owner.started_at and owner.rows_done:
        seconds = max((timezone.now() - owner.started_at).total_seconds(), 0.1)
        facts["rate"] = rate = int(owner.rows_done / seconds)
        facts["left"] = _minutes((owner.rows_total - owner.rows_done) / max(rate, 1))
    return facts


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{max(int(seconds), 1)} seconds left"
    return f"{int(seconds / 60) + 1} minutes left"


@require_GET
@may(Action.CONTACTS_IMPORT)
def detail(request: StaffRequest, import_id: UUID) -> HttpResponse:
    owner = get_object_or_404(Import, pk=import_id)
    if owner.state == State.UPLOADED:
        return redirect("contacts:import_columns", owner.pk)
    return _detail(request, owner, ReasonForm())


def _why(data: Any = None) -> ReasonForm:
    """Beside the form that releases, so its ids differ."""
    return ReasonForm(data, auto_id="download_%s")


def _detail(
    request: StaffRequest, owner: Import, form: ReasonForm, download_form: ReasonForm | None = None
) -> HttpResponse:
    seen = {
        **_progress(owner),
        "form": form,
        "download_form": download_form or _why(),
        "may_download": refusals.may_download(owner, request.user),
        "may_undo": imports.may_undo(owner),
        "may_cancel": imports.may_cancel(owner),
        "people": owner.created_count + owner.changed_count + owner.unchanged_count,
        "reasons": sorted(owner.problems.get("reasons", {}).items(), key=lambda item: -item[1]),
        "refused_kept": owner.chunks.filter(kind="refused").exists(),
        "failed_half_way": owner.state == State.FAILED and owner.started_at is not None,
    }
    return render(request, "contacts/import.html", seen)


@require_GET
@may(Action.CONTACTS_IMPORT)
def progress(request: StaffRequest, import_id: UUID) -> HttpResponse:
    """The bar alone; when the work rests, the whole page is fetched anew."""
    owner = get_object_or_404(Import, pk=import_id)
    response = render(request, "contacts/_progress.html", _progress(owner))
    if owner.state not in lease.WORKING:
        response["HX-Refresh"] = "true"
    return response


def _act(request: StaffRequest, import_id: UUID, act: Callable[..., Import], done: str) -> HttpResponse:
    owner = get_object_or_404(Import, pk=import_id)
    try:
        act(owner, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("contacts:import", import_id)


@require_POST
@may(Action.CONTACTS_IMPORT)
def start(request: StaffRequest, import_id: UUID) -> HttpResponse:
    return _act(request, import_id, imports.start, "Import started. You may leave this page; it goes on by itself.")


@require_POST
@may(Action.CONTACTS_IMPORT)
def resume(request: StaffRequest, import_id: UUID) -> HttpResponse:
    return _act(request, import_id, imports.resume, "Import goes on where it stopped.")


@may(Action.CONTACTS_IMPORT)
def cancel(request: StaffRequest, import_id: UUID) -> HttpResponse:
    """What cancelling would leave, as it stands now, and the choice; cancels only by POST."""
    owner = get_object_or_404(Import, pk=import_id)
    if request.method == "POST":
        undo = request.POST.get("then") == "undo"
        done = "The import was cancelled and is being undone." if undo else "The import was cancelled."
        return _act(request, import_id, partial(imports.cancel, undo=undo), done)
    if not imports.may_cancel(owner):
        return redirect("contacts:import", import_id)
    left = owner.rows_total - owner.rows_done
    return render(request, "contacts/import_cancel.html", {"owner": owner, "left": left})


@require_POST
@may(Action.CONTACTS_IMPORT)
def undo(request: StaffRequest, import_id: UUID) -> HttpResponse:
    return _act(request, import_id, imports.undo, "The import is being undone.")


@require_POST
@may(Action.CONTACTS_IMPORT)
def discard(request: StaffRequest, import_id: UUID) -> HttpResponse:
    owner = get_object_or_404(Import, pk=import_id)
    try:
        imports.discard(owner, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("contacts:import", import_id)
    messages.success(request, "Upload discarded; nothing of the file is left.")
    return redirect("contacts:imports")


@require_POST
@may(Action.CONTACTS_IMPORT)
def release(request: StaffRequest, import_id: UUID) -> HttpResponse:
    owner = get_object_or_404(Import, pk=import_id)
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            imports.release(owner, reason=form.cleaned_data["reason"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Released with your reason.")
            return redirect("contacts:import", import_id)
    return _detail(request, owner, form)


@require_POST
@may(Action.CONTACTS_IMPORT)
def refused(request: StaffRequest, import_id: UUID) -> Any:
    """The refused rows as CSV, for a reason. By POST: it hands out what the file says of people; that is recorded."""
    owner = get_object_or_404(Import, pk=import_id)
    if not refusals.may_download(owner, request.user):
        raise PermissionDenied
    form = _why(request.POST)
    if not form.is_valid():
        return _detail(request, owner, ReasonForm(), form)
    try:
        lines = refusals.download(owner, reason=form.cleaned_data["reason"], by=request.user)
    except DomainError as refusal:
        form.add_error("reason", str(refusal))
        return _detail(request, owner, ReasonForm(), form)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="refused-rows.csv"'
    return response
