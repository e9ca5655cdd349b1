"""What is built here is kept as somebody goes, and offered when they come back."""

from contextlib import suppress
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from segments import unsaved
from segments.errors import KeptElsewhere
from segments.models import Segment


def mark_in(request: HttpRequest) -> UUID | None:
    """What the page last knew to be kept."""
    with suppress(ValueError):
        return UUID(request.POST.get("mark", ""))
    return None


def _segment_in(request: HttpRequest) -> Segment | None:
    named = request.POST.get("segment", "")
    try:
        return get_object_or_404(Segment, pk=UUID(named)) if named else None
    except ValueError:
        raise Http404 from None


@may(Action.SEGMENTS_EDIT)
@require_POST
def keep(request: StaffRequest) -> HttpResponse:
    """Keep the form as it stands; 409 where this would replace what the page has not seen."""
    segment = _segment_in(request)
    if request.POST.get("person") != str(request.user.pk):  # somebody else signed in here since the page was opened
        return render(request, "segments/_kept.html", {"stranger": True}, status=409)
    try:
        kept = unsaved.keep(request.user.pk, segment, unsaved.form_of(request.POST), mark=mark_in(request))
    except KeptElsewhere:
        context = {"other": unsaved.find(request.user.pk, segment), "segment": segment, "refused": True}
        return render(request, "segments/_kept.html", context, status=409)
    return render(request, "segments/_kept.html", {"kept": kept})


@may(Action.SEGMENTS_EDIT)
@require_POST
def discard(request: StaffRequest) -> HttpResponse:
    """Forget it and begin from what was saved."""
    segment = _segment_in(request)
    if unsaved.drop(request.user.pk, segment, mark=mark_in(request)):
        messages.success(request, "Your unsaved changes are discarded.")
    elif unsaved.find(request.user.pk, segment):
        messages.error(request, "Nothing was discarded: newer changes were kept from another tab. Look at them first.")
    return redirect("segments:edit", segment.pk) if segment else redirect("segments:new")
