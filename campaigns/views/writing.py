"""List, write and look at campaigns."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from audit.models import Entry
from campaigns import approval, commands, figures, queries
from campaigns.forms import CampaignForm, FilterForm, chosen_segment, chosen_template
from campaigns.models import Campaign, Figure
from campaigns.states import may_move
from campaigns.views.page import act, load, show, show_overview
from content.preview import Preview, all_personas, preview
from core.errors import DomainError
from delivery.queries import Forecast, counts_by_origin
from delivery.reasons import words
from segments import queries as segments
from tracking.queries import people_by_origin

PER_PAGE = 25


@may(Action.CAMPAIGNS_VIEW)
@require_GET
def campaign_list(request: StaffRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    found = queries.campaigns()
    state = form.cleaned_data["state"] if form.is_valid() else ""
    if state:
        found = found.filter(state=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    ids = [campaign.pk for campaign in shown]
    outcomes, back = counts_by_origin(ids), people_by_origin(ids)
    rows = [(campaign, outcomes[campaign.pk].get("sent", 0), back[campaign.pk]) for campaign in shown]
    return render(request, "campaigns/list.html", {"form": form, "page": page, "rows": rows, "state": state})


@may(Action.CAMPAIGNS_EDIT)
def campaign_new(request: StaffRequest) -> HttpResponse:
    initial = {
        "template": chosen_template(request.GET.get("template")),
        "segment": chosen_segment(request.GET.get("segment")),
    }
    form = CampaignForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            campaign = commands.create(by=request.user, **form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("campaigns:detail", campaign.pk)
    return render(request, "campaigns/form.html", {"form": form})


@may(Action.CAMPAIGNS_EDIT)
def campaign_edit(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """Change a campaign. Sent by htmx it is a draft saving itself: answers with when it was saved, or why not."""
    campaign = load(campaign_id)
    if not may_move(campaign.state, "edit"):
        messages.error(request, "This campaign can no longer be changed. Duplicate it to write again.")
        return redirect("campaigns:detail", campaign.pk)
    form = CampaignForm(request.POST or None, campaign=campaign)
    drafting = bool(request.htmx)
    if drafting and campaign.state != Campaign.State.DRAFT:
        # Saving by itself must not withdraw an approval behind somebody's back.
        return render(request, "campaigns/_saved.html", {"held": True})
    if request.method == "POST" and form.is_valid():
        try:
            campaign = commands.edit(campaign, by=request.user, **form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            if drafting:
                return render(request, "campaigns/_saved.html", {"at": campaign.updated_at})
            messages.success(request, "Saved.")
            return redirect("campaigns:detail", campaign.pk)
    if drafting:
        return render(request, "campaigns/_saved.html", {"errors": form.errors})
    return render(request, "campaigns/form.html", {"form": form, "campaign": campaign})


@may(Action.CAMPAIGNS_VIEW)
@require_GET
def campaign_detail(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    return show_overview(request, load(campaign_id))


@may(Action.CONTACTS_VIEW)
@require_GET
def campaign_audience(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    rule = campaign.audience_rule or (segments.rule_of(campaign.segment) if campaign.segment else None)
    sentence = problem = ""
    try:
        sentence = segments.sentence(rule) if rule is not None else ""
    except DomainError as refusal:
        problem = str(refusal)
    return show(request, "audience", campaign, sentence=sentence, problem=problem)


@may(Action.CONTACTS_VIEW)
@require_GET
def campaign_forecast(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """Who the rule picks now and what the gate would say of them; a fragment, for it takes a while."""
    campaign = load(campaign_id)
    context: dict[str, Any] = {"campaign": campaign}
    try:
        rule = campaign.audience_rule or (segments.rule_of(campaign.segment) if campaign.segment else None)
        context["size"] = size = segments.count(rule) if rule is not None else 0
        if size and campaign.template_version and campaign.sender:
            context |= _forecast(figures.forecast(campaign, rule, size))
    except DomainError as refusal:
        context["problem"] = str(refusal)
    return render(request, "campaigns/_forecast.html", context)


def _forecast(found: Figure | Forecast) -> dict[str, Any]:
    """The forecast if there is one yet, with its reasons in words, and the job that makes one."""
    job = found if isinstance(found, Figure) else None
    if isinstance(found, Figure):
        if found.outdated or found.found_at is None:
            return {"job": job}
        found = Forecast(**found.found)
    reasons = [(count, *words(code)) for code, count in found.by_reason.items()]
    return {"job": job, "forecast": found, "reasons": reasons}


@may(Action.TEMPLATES_VIEW)
@require_GET
def campaign_content(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    return show(request, "content", campaign, renders=renders_of(campaign))


def renders_of(campaign: Campaign) -> list[Preview]:
    """The mail as three synthetic people would get it: the frozen version, or the draft where nothing is frozen."""
    what = campaign.template_version or campaign.template
    return [preview(what, who) for who in all_personas() if who.key in queries.SHOWN] if what else []


@may(Action.CAMPAIGNS_VIEW)
@require_GET
def campaign_history(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    entries = list(Entry.objects.filter(target_id=str(campaign.pk)).order_by("-at")[:200])
    notes = list(campaign.notes.order_by("-at")) if request.user.may(Action.TEMPLATES_VIEW) else []
    ids = {e.actor_id for e in entries if e.actor_kind == "staff"} | {str(note.by) for note in notes}
    names = {str(pk): name for pk, name in User.objects.filter(pk__in=ids).values_list("pk", "name")}
    rows = [
        {
            "at": entry.at,
            "what": SAID.get(entry.action, entry.action),
            "icon": ICON.get(entry.action, "info"),
            "by": names.get(entry.actor_id, "") or {"system": "Carillon", "token": "API"}.get(entry.actor_kind, ""),
            "fields": [FIELDS.get(key, key) for key in entry.details.get("fields", [])],
        }
        for entry in entries
    ]
    said = [{"note": note, "by": names.get(str(note.by), "")} for note in notes]
    return show(request, "history", campaign, rows=rows, said=said)


FIELDS = dict(
    zip(
        approval.EDITABLE,
        ("name", "audience", "template", "sender", "topic", "open counting", "click counting"),
        strict=True,
    )
)
SAID = {
    "campaign.created": "Draft begun",
    "campaign.edited": "Changed",
    "campaign.submitted": "Submitted for review",
    "campaign.withdrawn": "Taken back to draft",
    "campaign.approved": "Approved",
    "campaign.sent_back": "Sent back to its author",
    "campaign.scheduled": "Scheduled",
    "campaign.unscheduled": "Taken off the schedule",
    "campaign.approval_outdated": "Not started: what stood was not what was approved",
    "campaign.started": "Sending started",
    "campaign.paused": "Paused",
    "campaign.resumed": "Resumed",
    "campaign.cancelled": "Cancelled",
    "campaign.finished": "Finished",
    "campaign.tested": "Test sent to synthetic people",
    "campaign.report_exported": "Report exported",
    "delivery.opened": "Handed to delivery",
    "delivery.held": "Delivery held",
    "delivery.resumed": "Delivery resumed",
    "delivery.cancelled": "Delivery cancelled",
}
ICON = {
    "campaign.created": "plus",
    "campaign.edited": "draft",
    "campaign.submitted": "review",
    "campaign.approved": "check",
    "campaign.sent_back": "undo",
    "campaign.withdrawn": "undo",
    "campaign.scheduled": "calendar",
    "campaign.started": "delivery",
    "campaign.paused": "pause",
    "campaign.resumed": "play",
    "campaign.cancelled": "stop",
    "campaign.finished": "done",
    "campaign.report_exported": "download",
}


@may(Action.CAMPAIGNS_EDIT)
@require_POST
def campaign_duplicate(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    copy = commands.duplicate(campaign, name=f"{campaign.name} (copy)"[:120], by=request.user)
    messages.success(request, "This is the copy: a draft of its own.")
    return redirect("campaigns:edit", copy.pk)


@may(Action.CAMPAIGNS_EDIT)
@require_POST
def campaign_submit(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    return act(
        request,
        campaign,
        lambda: commands.submit(campaign, by=request.user),
        said="Submitted. A second person has to approve it; approvers see it on their Home.",
    )


@may(Action.CAMPAIGNS_EDIT)
@require_POST
def campaign_withdraw(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    return act(
        request,
        campaign,
        lambda: commands.withdraw(campaign, by=request.user),
        said="Back in draft. Nothing will be sent.",
    )
