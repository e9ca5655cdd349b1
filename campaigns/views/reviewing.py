"""The one page on which a second person decides."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from campaigns import commands, queries
from campaigns.forms import DecisionForm
from campaigns.models import Campaign
from campaigns.views.page import load, show
from core.errors import DomainError


@may(Action.CAMPAIGNS_APPROVE)
def campaign_review(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    if campaign.state != Campaign.State.IN_REVIEW:
        messages.info(request, "This campaign is not waiting for a decision.")
        return redirect("campaigns:detail", campaign.pk)
    review = queries.review(campaign)
    form = DecisionForm(request.POST or None, initial={"seen": review.digest.hex()})
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        try:
            if "approve" in request.POST:
                commands.approve(campaign, by=request.user, note=note, seen=bytes.fromhex(form.cleaned_data["seen"]))
                messages.success(request, "Approved. It leaves when it is scheduled, not before.")
            else:
                commands.send_back(campaign, by=request.user, note=note)
                messages.success(request, "Sent back. Its author sees your note.")
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("campaigns:detail", campaign.pk)
    author = User.objects.filter(pk=campaign.submitted_by).first() if campaign.submitted_by else None
    return show(
        request,
        "review",
        campaign,
        review=review,
        form=form,
        renders=review.renders,
        author=author.name if author else "",
        reviewing=True,
    )
