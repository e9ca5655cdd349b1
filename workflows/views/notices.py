"""What journeys told the staff: a list to work off."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.policy import Action, Role
from accounts.requests import StaffRequest, may
from workflows import notices, people
from workflows.models import Notice

PER_PAGE = 50


def _role(role: str) -> str:
    return Role(role).label if role in Role.values else ""


@may(Action.WORKFLOWS_VIEW)
@require_GET
def notice_list(request: StaffRequest) -> HttpResponse:
    """What waits for the reader, or what was done; everybody's where they ask for it."""
    done, everybodys = request.GET.get("show") == "done", request.GET.get("whose") == "all"
    rows = Notice.objects.order_by("-at", "-pk") if everybodys else notices.for_user(request.user)
    rows = rows.filter(done_at__isnull=not done).select_related("workflow")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    shown = {"page": page, "rows": _rows(list(page)), "done": done, "everybodys": everybodys}
    return render(request, "workflows/notices.html", shown)


def _rows(found: list[Notice]) -> list[dict[str, Any]]:
    named = people.masked({notice.contact_id for notice in found})
    staff = {pk for notice in found for pk in (notice.user_id, notice.done_by) if pk}
    names: dict[UUID | None, str] = dict(User.objects.filter(pk__in=staff).values_list("pk", "name"))
    return [
        {
            "notice": notice,
            "person": named.get(notice.contact_id, ""),
            "whose": names.get(notice.user_id, "") if notice.user_id else _role(notice.role),
            "done_by": names.get(notice.done_by, ""),
        }
        for notice in found
    ]


@may(Action.WORKFLOWS_VIEW)
@require_POST
def notice_done(request: StaffRequest, notice_id: UUID) -> HttpResponse:
    notices.finish(get_object_or_404(Notice, pk=notice_id), by=request.user)
    messages.success(request, "Done. It stands under “Done”, should it come back.")
    return redirect("workflows:notices")


@may(Action.WORKFLOWS_VIEW)
@require_POST
def notices_done(request: StaffRequest) -> HttpResponse:
    """Those ticked, or all that the page showed."""
    ids = []
    for given in request.POST.getlist("shown" if "all" in request.POST else "notice")[:PER_PAGE]:
        with suppress(ValueError):
            ids.append(UUID(given))
    if not ids:
        messages.error(request, "Tick what is done first, or choose all.")
    else:
        count = notices.finish_many(Notice.objects.filter(pk__in=ids), by=request.user)
        messages.success(request, f"{count} done. They stand under “Done”, should one come back.")
    return redirect("workflows:notices")


@may(Action.WORKFLOWS_VIEW)
@require_POST
def notice_reopen(request: StaffRequest, notice_id: UUID) -> HttpResponse:
    notices.reopen(get_object_or_404(Notice, pk=notice_id), by=request.user)
    messages.success(request, "It waits again.")
    return redirect("workflows:notices")
