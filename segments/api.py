"""Segments for machines: the same commands as the pages."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.models import ApiToken
from accounts.policy import Action
from core import clock
from core.api.errors import body
from segments import catalog as catalogs
from segments import commands, counting, queries
from segments.errors import PartTooSmall
from segments.models import Segment
from segments.rules import parse
from segments.schema import json_schema
from segments.serializers import CountOut, RuleIn, SegmentChange, SegmentIn, SegmentOut


class Segments(Endpoint):
    scopes = {"GET": Action.SEGMENTS_VIEW, "POST": Action.SEGMENTS_EDIT}

    @extend_schema(responses=SegmentOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List segments in use, newest first."""
        return self.paged(queries.segments(), SegmentOut)

    @extend_schema(request=SegmentIn, responses={201: SegmentOut})
    def post(self, request: ApiRequest) -> Response:
        """Add a segment."""
        segment = commands.create(**self.checked(SegmentIn), by=request.user)
        return Response(SegmentOut(segment).data, status=201)


class OneSegment(Endpoint):
    scopes = {"GET": Action.SEGMENTS_VIEW, "PUT": Action.SEGMENTS_EDIT, "DELETE": Action.SEGMENTS_EDIT}

    @extend_schema(responses=SegmentOut)
    def get(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Read one segment."""
        return Response(SegmentOut(get_object_or_404(Segment, pk=segment_id)).data)

    @extend_schema(request=SegmentChange, responses=SegmentOut)
    def put(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Replace name, description and rule."""
        segment = get_object_or_404(Segment, pk=segment_id)
        return Response(SegmentOut(commands.edit(segment, **self.checked(SegmentChange), by=request.user)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Archive a segment; campaigns that use it keep it."""
        commands.archive(get_object_or_404(Segment, pk=segment_id), by=request.user)
        return Response(status=204)


def _counted(asked: Segment | object, by: ApiToken) -> Response:
    """The answer about a saved segment, or a rule that nobody keeps."""
    catalog = catalogs.load()
    saved = asked if isinstance(asked, Segment) else None
    rule = parse(queries.rule_of(saved) if saved else asked, catalog)
    try:
        if saved:
            counted = counting.ask_saved(saved, by=by, catalog=catalog)
            answer, at = counted.answer, counted.at
        else:
            answer, at = counting.ask(rule, by=by, catalog=catalog), clock.now()
    except PartTooSmall as refusal:
        # Answered, not raised: the question counts even where an Idempotency-Key holds the transaction.
        return Response(body(refusal.code, str(refusal)), status=refusal.status)
    sentence = queries.sentence(rule, catalog, least=counting.least_named(by))
    found = {"count": answer.count, "exact": answer.exact, "text": str(answer), "sentence": sentence, "at": at}
    return Response(CountOut(found).data)


class Count(Endpoint):
    scopes = {"POST": Action.SEGMENTS_VIEW}

    @extend_schema(request=RuleIn, responses=CountOut)
    def post(self, request: ApiRequest) -> Response:
        """Count the people a rule matches, without keeping it."""
        return _counted(self.checked(RuleIn)["rule"], request.user)


class CountOfSegment(Endpoint):
    scopes = {"POST": Action.SEGMENTS_VIEW}

    @extend_schema(request=None, responses=CountOut)
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Count the people a segment matches; a count of the last 15 seconds is told again, see `at`."""
        return _counted(get_object_or_404(Segment, pk=segment_id), request.user)


class RuleSchema(Endpoint):
    scopes = {"GET": Action.SEGMENTS_VIEW}

    @extend_schema(responses={200: {"type": "object"}})
    def get(self, request: ApiRequest) -> Response:
        """The rule language as JSON Schema (draft 2020-12)."""
        return Response(json_schema())
