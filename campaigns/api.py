"""Campaigns for machines: the same commands as the pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from campaigns import commands, queries, report
from campaigns.models import Campaign
from campaigns.serializers import (
    ApproveIn,
    CampaignChange,
    CampaignIn,
    CampaignOut,
    NoteIn,
    ProgressOut,
    ReportRowOut,
    ScheduleIn,
)
from core import clock


def _one(campaign_id: UUID) -> Campaign:
    return get_object_or_404(queries.campaigns(), pk=campaign_id)


class Campaigns(Endpoint):
    scopes = {"GET": Action.CAMPAIGNS_VIEW, "POST": Action.CAMPAIGNS_EDIT}

    @extend_schema(responses=CampaignOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List campaigns, newest first."""
        return self.paged(Campaign.objects.select_related("template_version"), CampaignOut)

    @extend_schema(request=CampaignIn, responses={201: CampaignOut})
    def post(self, request: ApiRequest) -> Response:
        """Create a draft."""
        return Response(CampaignOut(commands.create(**self.checked(CampaignIn), by=request.user)).data, status=201)


class OneCampaign(Endpoint):
    scopes = {"GET": Action.CAMPAIGNS_VIEW, "PATCH": Action.CAMPAIGNS_EDIT}

    @extend_schema(responses=CampaignOut)
    def get(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Read one campaign."""
        return Response(CampaignOut(_one(campaign_id)).data)

    @extend_schema(request=CampaignChange, responses=CampaignOut)
    def patch(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Change a campaign. A change in review, approved or scheduled withdraws the approval."""
        campaign = commands.edit(_one(campaign_id), **self.checked(CampaignChange), by=request.user)
        return Response(CampaignOut(campaign).data)


class _Verb(Endpoint):
    """One verb said to one campaign."""

    command: Callable[..., Campaign]

    def said(self, campaign_id: UUID, **facts: Any) -> Response:
        campaign = type(self).command(_one(campaign_id), by=self.request.user, **facts)
        return Response(CampaignOut(campaign).data)


class Submit(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_EDIT}
    command = staticmethod(commands.submit)

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Freeze content and audience rule and ask a second person."""
        return self.said(campaign_id)


class Approve(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_APPROVE}
    command = staticmethod(commands.approve)

    @extend_schema(request=ApproveIn, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Approve exactly what stands. The token's owner must be another person than who wrote or submitted it."""
        given = self.checked(ApproveIn)
        return self.said(campaign_id, note=given["note"], seen=bytes.fromhex(given["seen"]))


class SendBack(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_APPROVE}
    command = staticmethod(commands.send_back)

    @extend_schema(request=NoteIn, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Return a campaign to its author, with what should change."""
        return self.said(campaign_id, **self.checked(NoteIn))


class Schedule(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_SEND}
    command = staticmethod(commands.schedule)

    @extend_schema(request=ScheduleIn, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Fix the send time of an approved campaign; without `at` it starts now."""
        return self.said(campaign_id, at=self.checked(ScheduleIn).get("at") or clock.now())


class Pause(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_SEND}
    command = staticmethod(commands.pause)

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Hold what has not left yet."""
        return self.said(campaign_id)


class Resume(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_SEND}
    command = staticmethod(commands.resume)

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Go on where it stopped: nobody skipped, nobody twice."""
        return self.said(campaign_id)


class Cancel(_Verb):
    scopes = {"POST": Action.CAMPAIGNS_SEND}
    command = staticmethod(commands.cancel)

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """Stop for good; whoever has been written to stays so."""
        return self.said(campaign_id)


class Status(Endpoint):
    #: Exact counts, however small.
    scopes = {"GET": Action.SMALL_CELLS}

    @extend_schema(responses=ProgressOut)
    def get(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """How far the sending is."""
        campaign = _one(campaign_id)
        progress = queries.progress(campaign)
        return Response(ProgressOut(progress).data | {"state": campaign.state})


class Report(Endpoint):
    scopes = {"GET": Action.CAMPAIGNS_VIEW}

    @extend_schema(responses=ReportRowOut(many=True))
    def get(self, request: ApiRequest, campaign_id: UUID) -> Response:
        """What came of it, counted; no person is named."""
        may = request.user.may
        say = report.exact if may(Action.SMALL_CELLS) else report.coarse
        # A family's own mail domain names a patient: only who may see people sees domains.
        domains = may(Action.CONTACTS_VIEW) and may(Action.SMALL_CELLS)
        found = report.report(_one(campaign_id), with_domains=domains)
        names = ("section", "what", "count")
        return Response([dict(zip(names, row, strict=True)) for row in report.rows(found, say=say)])
