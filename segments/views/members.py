"""Who is in a segment: look now, keep its history, keep a snapshot, compare two."""

from contextlib import suppress
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts.models import Contact
from core import clock
from core.errors import DomainError
from core.models import Organization
from segments import catalog as catalogs
from segments import commands, counting, explaining, membership, queries, uses
from segments.models import Membership, Segment
from segments.rules import parse
from segments.views.shared import live

#: So many looks are drawn, and so many of them listed.
LOOKS = 200


def history(request: StaffRequest, segment: Segment) -> dict[str, Any]:
    """What is kept of who was in: a line over time, and who came and went. Exact counts, so not for everybody."""
    if not live(request):
        return {}
    rows = list(Membership.objects.filter(segment=segment).defer("members").order_by("-taken_at")[:LOOKS])[::-1]
    context: dict[str, Any] = {"looks": rows[::-1], "watched": uses.is_watched(segment)}
    if len(rows) > 1:
        context["chart"] = _drawn(rows, People="count")
        if any(row.entered or row.left for row in rows[1:]):  # on a scale of their own: a few beside thousands
            context["moves"] = _drawn(rows[1:], **{"Came in": "entered", "Left": "left"})
    if request.GET.get("on"):
        context |= _on(segment, request.GET["on"])
    return context


def _drawn(rows: list[Membership], **lines: str) -> dict[str, Any]:
    series = [{"label": label, "values": [getattr(row, name) for row in rows]} for label, name in lines.items()]
    return {"x": [row.taken_at for row in rows], "series": series}


def _on(segment: Segment, text: str) -> dict[str, Any]:
    """How many were in at the end of a day where the organization is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return {"on_refusal": "Choose a day."}
    at = datetime.combine(day, time.max, ZoneInfo(Organization.current().time_zone))
    try:
        return {"on": day, "on_count": len(membership.who_was_in(segment, min(at, clock.now())))}
    except DomainError as refusal:
        return {"on": day, "on_refusal": str(refusal)}


@may(Action.SEGMENTS_EDIT)
@require_POST
def refresh(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """Look now who is in it, and keep that."""
    segment = get_object_or_404(Segment, pk=segment_id)
    try:
        change = membership.refresh(segment)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request,
            f"Looked just now: {len(change.kept.members):,} in it, {len(change.entered):,} came in and "
            f"{len(change.left):,} left since the look before."
            if live(request)
            else "Looked just now.",
        )
    return redirect("segments:detail", segment.pk)


@may(Action.SEGMENTS_EDIT)
@require_POST
def watch(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """Keep its history from now on, or no longer."""
    segment = get_object_or_404(Segment, pk=segment_id)
    if "stop" in request.POST:
        uses.unwatch(segment, by=request.user)
        messages.success(request, "Its history is no longer kept for its own sake. What was kept stays.")
    else:
        uses.watch(segment, by=request.user)
        messages.success(request, "Its history is kept from now on.")
    return redirect("segments:detail", segment.pk)


@may(Action.SEGMENTS_EDIT)
@require_POST
def snapshot(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """Keep whoever is in it today, as a segment of its own."""
    segment = get_object_or_404(Segment, pk=segment_id)
    try:
        taken = commands.snapshot(queries.rule_of(segment), name=request.POST.get("name", ""), by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("segments:detail", segment.pk)
    messages.success(request, "Kept. Whoever is in this snapshot stays in it, whatever changes.")
    return redirect("segments:detail", taken.pk)


@may(Action.SEGMENTS_EDIT)
@require_POST
def move_people(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    """Put people into a snapshot by address or external id, or take them out."""
    if not request.user.may(Action.CONTACTS_VIEW):
        raise PermissionDenied
    segment = get_object_or_404(Segment, pk=segment_id)
    ids, unknown = membership.people_named(request.POST.get("names", "").splitlines()[:10_000])
    move, done = (commands.remove_people, "taken out") if "remove" in request.POST else (commands.add_people, "put in")
    try:
        moved = move(segment, ids, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        more = f" {len(unknown):,} of what you typed is nobody's address or id." if unknown else ""
        messages.success(request, f"{moved:,} {'person' if moved == 1 else 'people'} {done}.{more}")
    return redirect("segments:detail", segment.pk)


@may(Action.SEGMENTS_VIEW)
def overlap(request: StaffRequest) -> HttpResponse:
    """Two segments: who is in both, who in one alone. The answer by POST: for some it is one of the day's questions."""
    segments = sorted(queries.segments(), key=lambda segment: str(segment.name).casefold())
    asked = request.POST if request.method == "POST" else request.GET
    known = {str(segment.pk): segment for segment in segments}
    one, other = known.get(asked.get("one", "")), known.get(asked.get("other", ""))
    context: dict[str, Any] = {"segments": segments, "one": one, "other": other}
    if one is not None and other is not None and request.method == "POST":
        context |= _compared(request, one, other)
    return render(request, "segments/overlap.html", context)


def _compared(request: StaffRequest, one: Segment, other: Segment) -> dict[str, Any]:
    if one == other:
        return {"refusal": "These are the same segment. Choose two."}
    catalog = catalogs.load()
    try:
        rules = [parse(queries.rule_of(segment), catalog) for segment in (one, other)]
        found = counting.ask_overlap(rules[0], rules[1], by=request.user, catalog=catalog)
    except DomainError as refusal:
        return {"refusal": str(refusal)}
    regions = [("only_one", found.only_one), ("both", found.both), ("only_other", found.only_other)]
    return {"overlap": found, "bars": _bars([(name, answer.count or 0) for name, answer in regions])}


def _bars(regions: list[tuple[str, int]]) -> list[tuple[str, float, float]]:
    """Each region's name, its start and its width, in hundredths of the whole."""
    whole, start, bars = sum(n for _, n in regions) or 1, 0.0, []
    for name, n in regions:
        width = 100 * n / whole
        bars.append((name, round(start, 2), round(width, 2)))
        start += width
    return bars


@may(Action.CONTACTS_REVEAL)
def why(request: StaffRequest) -> HttpResponse:
    """Why one person is in a segment or not. People are found by POST, and told with a reason: it is a reveal."""
    asked = request.POST if request.method == "POST" else request.GET
    segments = sorted(queries.segments(), key=lambda segment: str(segment.name).casefold())
    segment = next((s for s in segments if str(s.pk) == asked.get("segment", "")), None)
    # Never from the address of the page: what somebody types names a person.
    contact = contact_of(asked, who=request.POST.get("who", ""))
    context: dict[str, Any] = {"segments": segments, "segment": segment, "contact": contact, "asked": asked}
    if request.method == "POST":
        context |= _told(request, segment, contact)
    return render(request, "segments/why.html", context)


def contact_of(asked: QueryDict, *, who: str) -> Contact | None:
    """By the id a page of ours named, or by the email address or external id somebody typed (`who`)."""
    with suppress(ValueError):
        if asked.get("contact"):
            return Contact.objects.filter(pk=UUID(str(asked["contact"]))).first()
    found, _ = membership.people_named([who])
    return Contact.objects.filter(pk=found[0]).first() if len(found) == 1 else None


def _told(request: StaffRequest, segment: Segment | None, contact: Contact | None) -> dict[str, Any]:
    if segment is None:
        return {"refusal": "Choose a segment."}
    if contact is None:
        return {"refusal": "Nobody has this email address or external id, or several people share it. Type it in full."}
    try:
        found = explaining.why(segment, contact, reason=request.POST.get("reason", ""), by=request.user)
    except DomainError as refusal:
        return {"refusal": str(refusal)}
    return {"found": found, "deciding": found.deciding}
