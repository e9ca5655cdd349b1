"""What came of a campaign, as pages and as a file without people in it."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from campaigns import commands, figures, report
from campaigns.models import Figure
from campaigns.report import Report
from campaigns.views.page import load, show
from delivery import queries as delivery


@may(Action.CAMPAIGNS_VIEW)
@require_GET
def campaign_report(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    campaign = load(campaign_id)
    if campaign.started_at is None:
        return redirect("campaigns:detail", campaign.pk)
    found = report.report(campaign, with_domains=False)
    small = request.user.may(Action.SMALL_CELLS)
    return show(request, "report", campaign, report=found, charts=_charts(found) if small else {}, small=small)


def _charts(found: Report) -> dict[str, Any]:
    sent, back = found.sent_over_time, found.back_over_time
    return {
        "sent": {"x": [at for at, _ in sent], "series": [{"label": "Sent", "values": [count for _, count in sent]}]},
        "back": {
            "x": [bucket.at for bucket in back],
            "series": [
                {"label": "Opened", "values": [bucket.opens for bucket in back]},
                {"label": "Clicked", "values": [bucket.clicks for bucket in back]},
                {"label": "Unsubscribed", "values": [bucket.unsubscribes for bucket in back]},
            ],
        },
    }


@may(Action.CONTACTS_VIEW)
@require_GET
def campaign_domains(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """Outcomes by mail domain: a fragment, for it opens every address to count them."""
    campaign = load(campaign_id)
    found = figures.domains(campaign)
    job = found if isinstance(found, Figure) else None
    rows = [
        (domain, sum(outcomes.values()), outcomes.get("sent", 0), outcomes.get("refused", 0), outcomes.get("failed", 0))
        for domain, outcomes in delivery.ranked(found.found if isinstance(found, Figure) else found)
    ]
    return render(request, "campaigns/_domains.html", {"campaign": campaign, "rows": rows, "job": job})


@may(Action.CAMPAIGNS_VIEW)
@require_POST
def campaign_export(request: StaffRequest, campaign_id: UUID) -> HttpResponse:
    """The report as CSV: counts only. The export is recorded."""
    campaign = load(campaign_id)
    small = request.user.may(Action.SMALL_CELLS)
    text = commands.export_report(campaign, exact=small, by=request.user)
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="campaign-report-{campaign.pk}.csv"'
    return answer
