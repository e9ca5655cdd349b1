"""Schedule, send, pause, resume, cancel, test; and how far it is."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from campaigns import commands, queries
from campaigns.forms import ScheduleForm, TestForm
from campaigns.views.page import act, load, show_overview, troubles, verbs


@may(Action.CAMPAIGNS_SEND)
@require_POST
def campaign_schedule(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    if "now" in request.POST:
        said = "Sending starts now. Watch it here; you can pause or cancel at any time."
        return act(request, campaign, lambda: commands.send_now(campaign, by=request.user), said=said)
    form = ScheduleForm(request.POST, zone=request.user.time_zone)
    if not form.is_valid():
        return show_overview(request, campaign, schedule_form=form, schedule_open=True)
    at = form.cleaned_data["at"]
    said = "Scheduled. You can take it off the schedule until it starts."
    return act(request, campaign, lambda: commands.schedule(campaign, at=at, by=request.user), said=said)


@may(Action.CAMPAIGNS_SEND)
@require_POST
def campaign_unschedule(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    said = "Off the schedule. It stays approved."
    return act(request, campaign, lambda: commands.unschedule(campaign, by=request.user), said=said)


@may(Action.CAMPAIGNS_SEND)
@require_POST
def campaign_pause(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    said = "Paused. Whoever was not written to keeps their place."
    return act(request, campaign, lambda: commands.pause(campaign, by=request.user), said=said)


@may(Action.CAMPAIGNS_SEND)
@require_POST
def campaign_resume(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    said = "Going on where it stopped: nobody is skipped, nobody is written to twice."
    return act(request, campaign, lambda: commands.resume(campaign, by=request.user), said=said)


@may(Action.CAMPAIGNS_SEND)
@require_POST
def campaign_cancel(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    return act(
        request, campaign, lambda: commands.cancel(campaign, by=request.user), said="Cancelled. Nothing more leaves."
    )


@may(Action.CAMPAIGNS_EDIT)
@require_POST
def campaign_test(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """Send the mail to oneself, as a synthetic person would get it."""
    campaign = load(campaign_id)
    form = TestForm(request.POST)
    if not form.is_valid():
        return show_overview(request, campaign, test_form=form, test_open=True)
    persona = form.cleaned_data["persona"]
    said = "The test is on its way to your own address."
    return act(request, campaign, lambda: commands.test_send(campaign, persona=persona, by=request.user), said=said)


@may(Action.CAMPAIGNS_VIEW)
@require_GET
def campaign_progress(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """A fragment the page asks for every two seconds; when the state has changed, the page loads itself anew."""
    campaign = load(campaign_id)
    context = {
        "campaign": campaign,
        "progress": queries.progress(campaign),
        "can": verbs(campaign, request.user),
        "troubles": troubles(),
    }
    answer = render(request, "campaigns/_progress.html", context)
    if request.GET.get("state") != campaign.state:
        answer["HX-Refresh"] = "true"
    return answer
