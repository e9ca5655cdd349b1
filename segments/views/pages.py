"""The list of segments, and the page of one."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError
from segments import catalog as catalogs
from segments import commands, counting, queries, unsaved, uses
from segments.errors import RuleError
from segments.history import history_of
from segments.models import Segment
from segments.rules import parse
from segments.tree import clauses_of
from segments.views import members
from segments.views.shared import live, sample_for


@may(Action.SEGMENTS_VIEW)
def segment_list(request: StaffRequest) -> HttpResponse:
    archived = "archived" in request.GET
    rows = queries.sentences_of(queries.archived() if archived else queries.segments())
    rows.sort(key=lambda row: str(row[0].name).casefold())
    kept = {one.segment_id: one for one in unsaved.kept_by(request.user.pk)}
    begun = unsaved.offer_of(kept[None]) if None in kept and request.user.may(Action.SEGMENTS_EDIT) else None
    context = {"rows": rows, "archived": archived, "live": live(request), "unsaved": kept, "begun": begun}
    return render(request, "segments/list.html", context)


def _offer(request: StaffRequest, segment: Segment) -> unsaved.Offer | None:
    """What this person changed and did not save."""
    kept = unsaved.find(request.user.pk, segment) if request.user.may(Action.SEGMENTS_EDIT) else None
    return unsaved.offer_of(kept) if kept and segment.archived_at is None else None


@may(Action.SEGMENTS_VIEW)
def segment_detail(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=segment_id)
    catalog = catalogs.load()
    context: dict[str, Any] = {
        "segment": segment,
        "tier": queries.tier_today(segment, catalog),
        "snapshot": segment.kind == Segment.Kind.SNAPSHOT,
        "events": history_of(segment),
        "live": live(request),
        "used": uses.used_where(segment),
        "today": timezone.localdate(),
        "offer": _offer(request, segment),
        **members.history(request, segment),
    }
    try:
        rule = parse(queries.rule_of(segment), catalog)
        context["sentence"] = queries.sentence(rule, catalog)
    except RuleError as refusal:
        context["problems"] = refusal.problems
        return render(request, "segments/detail.html", context)
    with suppress(RuleError):  # a list kept by hand has none, and a snapshot outlives what its rule named
        asked = parse(segment.rule, catalog)
        context |= {
            "matched": queries.sentence(asked, catalog),
            "conditions": len(clauses_of(asked.root)),
            "fields": [catalog.fields[key].label for key in queries.fields_of(asked, catalog)],
        }
    return render(request, "segments/detail.html", context)


@may(Action.SEGMENTS_VIEW)
@require_POST
def segment_count(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """Count a saved segment, with a masked sample where it was counted anew."""
    segment = get_object_or_404(Segment, pk=segment_id)
    catalog = catalogs.load()
    try:
        counted = counting.ask_saved(segment, by=request.user, catalog=catalog)
    except DomainError as refused:
        return render(request, "segments/_count.html", {"segment": segment, "refusal": str(refused)})
    context = {"segment": segment, "answer": counted.answer, "counted": counted, "fresh": counting.FRESH}
    if counted.anew:
        rule = parse(queries.rule_of(segment), catalog)
        context |= sample_for(request, rule, catalog, exact=counted.answer.exact)
    return render(request, "segments/_count.html", context)


@may(Action.SEGMENTS_EDIT)
@require_POST
def duplicate(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=segment_id)
    try:
        copy = commands.duplicate(segment, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("segments:detail", segment.pk)
    messages.success(request, "This is the copy. Change it freely.")
    return redirect("segments:edit", copy.pk)


@may(Action.SEGMENTS_EDIT)
@require_POST
def archive(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=segment_id)
    try:
        commands.archive(segment, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Segment archived. Campaigns that use it keep it.")
    return redirect("segments:detail", segment.pk)


@may(Action.SEGMENTS_EDIT)
@require_POST
def restore(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = commands.restore(get_object_or_404(Segment, pk=segment_id), by=request.user)
    messages.success(request, "Segment restored.")
    return redirect("segments:detail", segment.pk)
