"""Exports for machines: ask for one, and take it once a person has approved it on its page."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.models import ApiToken
from accounts.policy import Action
from segments import exports
from segments.exports import Wanted
from segments.models import Export, Segment
from segments.serializers import ExportIn, ExportOut


def _shown(rows: Iterable[Export], to: ApiToken) -> list[dict[str, Any]]:
    hidden = {} if to.may(Action.SMALL_CELLS) else {"people": None}
    return [dict(ExportOut(row).data) | hidden for row in rows]


class Exports(Endpoint):
    scopes = {"GET": Action.EXPORTS_VIEW}

    @extend_schema(responses=ExportOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List exports, newest first."""
        return self.paged(exports.exports(), lambda page: _shown(page, request.user))


class ExportsOfSegment(Endpoint):
    scopes = {"POST": Action.EXPORTS_REQUEST}

    @extend_schema(request=ExportIn, responses={201: ExportOut})
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Ask for the people of a segment as a file. A second person has to approve it before anything leaves."""
        segment = get_object_or_404(Segment, pk=segment_id)
        asked = exports.request_export(segment, Wanted(**self.checked(ExportIn)), by=request.user)
        return Response(_shown([asked], request.user)[0], status=201)


class OneExport(Endpoint):
    scopes = {"GET": Action.EXPORTS_VIEW}

    @extend_schema(responses=ExportOut)
    def get(self, request: ApiRequest, export_id: UUID) -> Response:
        """Read one export: whether it was approved, and until when that is good."""
        return Response(_shown([get_object_or_404(Export, pk=export_id)], request.user)[0])


class ExportFile(Endpoint):
    scopes = {"GET": Action.EXPORTS_DOWNLOAD}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: ApiRequest, export_id: UUID) -> Any:
        """Download an approved export as CSV. The token's owner must have asked for it; each download is recorded."""
        lines = exports.download(get_object_or_404(Export, pk=export_id), by=request.user)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
