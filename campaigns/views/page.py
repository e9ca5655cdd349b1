"""What every page of one campaign shows around its own part."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest
from campaigns import approval, queries
from campaigns.forms import ScheduleForm, TestForm
from campaigns.models import Campaign
from campaigns.states import may_move
from core.errors import DomainError
from core.purposes import Stream
from delivery.models import Relay
from delivery.troubles import words
from tracking.queries import people_by_origin

#: verb -> who may say it
VERBS: dict[str, Action] = {
    "edit": Action.CAMPAIGNS_EDIT,
    "submit": Action.CAMPAIGNS_EDIT,
    "withdraw": Action.CAMPAIGNS_EDIT,
    "approve": Action.CAMPAIGNS_APPROVE,
    "send_back": Action.CAMPAIGNS_APPROVE,
    "schedule": Action.CAMPAIGNS_SEND,
    "unschedule": Action.CAMPAIGNS_SEND,
    "pause": Action.CAMPAIGNS_SEND,
    "resume": Action.CAMPAIGNS_SEND,
    "cancel": Action.CAMPAIGNS_SEND,
}


def load(campaign_id: UUID) -> Campaign:
    return get_object_or_404(queries.campaigns(), pk=campaign_id)


def own(campaign: Campaign, user: User) -> bool:
    """Whether this person wrote or submitted it, and so cannot approve it (SND-08)."""
    return user.pk in approval.authors(campaign)


def verbs(campaign: Campaign, user: User) -> dict[str, bool]:
    """What this person may do with the campaign as it stands."""
    may = {verb: may_move(campaign.state, verb) and user.may(action) for verb, action in VERBS.items()}
    may["duplicate"] = user.may(Action.CAMPAIGNS_EDIT)
    may["test"] = user.may(Action.CAMPAIGNS_EDIT) and campaign.template is not None and campaign.sender is not None
    may["approve"] = may["approve"] and not own(campaign, user)
    return may


def show(
    request: StaffRequest, template: str, campaign: Campaign, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Render a tab of the campaign with its header, tabs and dialogs."""
    user = request.user
    around = {
        "campaign": campaign,
        "can": verbs(campaign, user),
        "own": own(campaign, user),
        "lacking": approval.lacking(campaign),
        "started": campaign.started_at is not None,
        "schedule_form": ScheduleForm(zone=user.time_zone),
        "test_form": TestForm(),
    }
    return render(request, f"campaigns/{template}.html", around | context, status=status)


def act(request: StaffRequest, campaign: Campaign, command: Callable[[], Any], *, said: str) -> HttpResponseRedirect:
    """Do it and go back to the campaign, with the good news or the refusal."""
    try:
        command()
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return redirect("campaigns:detail", campaign.pk)


def troubles() -> list[str]:
    """What keeps marketing mail from leaving, in words: our own way out is at fault, and everybody waits."""
    relays = Relay.objects.filter(stream=Stream.MARKETING, removed_at=None).exclude(trouble="")
    return [f"{relay.name}: {words(relay.trouble)}" for relay in relays]


def show_overview(request: StaffRequest, campaign: Campaign, **context: Any) -> HttpResponse:
    """The first tab; `context` carries a dialog's refused form back to it."""
    if campaign.started_at is not None:
        context["troubles"] = troubles()
        context |= {"progress": queries.progress(campaign), "back": people_by_origin([campaign.pk])[campaign.pk]}
    elif campaign.state == Campaign.State.DRAFT:
        context["returned"] = campaign.notes.order_by("-at").first()
    newer = queries.newer_template(campaign)
    return show(request, "detail", campaign, names=_names(campaign), newer_template=newer, **context)


def _names(campaign: Campaign) -> dict[str, str]:
    """Who wrote, submitted and approved it, by name."""
    roles = {key: getattr(campaign, key) for key in ("created_by", "submitted_by", "approved_by")}
    names = dict(User.objects.filter(pk__in=[pk for pk in roles.values() if pk]).values_list("pk", "name"))
    return {key: names.get(pk, "") for key, pk in roles.items()}
