"""Who is in a segment, for machines: look now, read the history, keep snapshots and lists. Never who by name."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.models import ApiToken
from accounts.policy import Action
from core.sensitivity import Sensitivity
from segments import commands, membership, queries, uses
from segments.models import Membership, Segment
from segments.serializers import RuleField, SegmentOut

#: People or names in one call.
MOST = 10_000


class MembershipOut(serializers.Serializer[Membership]):
    """What one look found. Counts are null for tokens without reports.small_cells."""

    taken_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    revision = serializers.IntegerField()
    count = serializers.IntegerField(allow_null=True)
    entered = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)


class SnapshotIn(serializers.Serializer[Segment]):
    """A rule, or the segment whose people are to be kept; neither: a list of nobody, for people put in by hand."""

    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    rule = RuleField(required=False)
    segment = serializers.PrimaryKeyRelatedField(queryset=Segment.objects.all(), required=False)
    tier = serializers.ChoiceField(choices=Sensitivity.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs.keys() & {"rule", "segment", "tier"}) > 1:
            raise serializers.ValidationError("Give a rule, or a segment, or the tier of an empty list: one of them.")
        return attrs


class PeopleIn(serializers.Serializer[Any]):
    """People by their ids, or by email address or external id."""

    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST, required=False)
    names = serializers.ListField(child=serializers.CharField(max_length=320), max_length=MOST, required=False)
    remove = serializers.BooleanField(default=False)


class PeopleOut(serializers.Serializer[Any]):
    """How many were put in or taken out, and the names nobody has."""

    moved = serializers.IntegerField()
    unknown = serializers.ListField(child=serializers.CharField())


class UseOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.UUIDField()


class WasInIn(serializers.Serializer[Any]):
    contact = serializers.UUIDField()
    at = serializers.DateTimeField()


class WasInOut(serializers.Serializer[Any]):
    inside = serializers.BooleanField()


def _shown(rows: list[Membership], to: ApiToken) -> list[dict[str, Any]]:
    shown = [dict(MembershipOut(row).data) for row in rows]
    hidden = {} if to.may(Action.SMALL_CELLS) else dict.fromkeys(("count", "entered", "left"))
    return [row | hidden for row in shown]


class MembershipsOfSegment(Endpoint):
    scopes = {"GET": Action.SEGMENTS_VIEW, "POST": Action.SEGMENTS_EDIT}

    @extend_schema(responses=MembershipOut(many=True))
    def get(self, request: ApiRequest, segment_id: UUID) -> Response:
        """List what was kept of who was in a segment, newest first."""
        rows = Membership.objects.filter(segment=get_object_or_404(Segment, pk=segment_id)).defer("members")
        return self.paged(rows.order_by("-taken_at"), lambda page: _shown(page, request.user))

    @extend_schema(request=None, responses=MembershipOut)
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Look now who is in a segment, and keep it."""
        change = membership.refresh(get_object_or_404(Segment, pk=segment_id))
        return Response(_shown([change.kept.row], request.user)[0])


class WasIn(Endpoint):
    scopes = {"POST": Action.CONTACTS_REVEAL}

    @extend_schema(request=WasInIn, responses=WasInOut)
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Whether somebody was in a segment at a moment; the trail keeps that it was asked."""
        segment = get_object_or_404(Segment, pk=segment_id)
        asked = self.checked(WasInIn)
        inside = commands.say_whether_in(segment, asked["contact"], asked["at"], by=request.user)
        return Response(WasInOut({"inside": inside}).data)


class Snapshots(Endpoint):
    scopes = {"POST": Action.SEGMENTS_EDIT}

    @extend_schema(request=SnapshotIn, responses={201: SegmentOut})
    def post(self, request: ApiRequest) -> Response:
        """Keep whoever matches a rule or is in a segment now as a segment of its own, or start an empty list."""
        given = self.checked(SnapshotIn)
        source = given.pop("segment", None)
        if source is not None:
            given["rule"] = queries.rule_of(source)
        keep = commands.snapshot if "rule" in given else commands.start_list
        return Response(SegmentOut(keep(**given, by=request.user)).data, status=201)


class PeopleOfSegment(Endpoint):
    scopes = {"POST": Action.SEGMENTS_EDIT}

    @extend_schema(request=PeopleIn, responses=PeopleOut)
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Put people into a snapshot, or take them out."""
        segment = get_object_or_404(Segment, pk=segment_id)
        given = self.checked(PeopleIn)
        if given.get("names") and not request.user.may(Action.CONTACTS_VIEW):
            raise PermissionDenied("To find people by address or external id, the token needs contacts.view.")
        ids, unknown = membership.people_named(given.get("names", []))
        move = commands.remove_people if given["remove"] else commands.add_people
        moved = move(segment, [*ids, *given.get("ids", [])], by=request.user)
        return Response(PeopleOut({"moved": moved, "unknown": unknown}).data)


class UsesOfSegment(Endpoint):
    scopes = {"GET": Action.SEGMENTS_VIEW}

    @extend_schema(responses=UseOut(many=True))
    def get(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Where a segment is used: campaigns, workflows, other segments."""
        return Response(UseOut(uses.used_where(get_object_or_404(Segment, pk=segment_id)), many=True).data)


class WatchOfSegment(Endpoint):
    scopes = {"PUT": Action.SEGMENTS_EDIT, "DELETE": Action.SEGMENTS_EDIT}

    @extend_schema(request=None, responses={204: None})
    def put(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Keep the history of a segment though nothing uses it."""
        uses.watch(get_object_or_404(Segment, pk=segment_id), by=request.user)
        return Response(status=204)

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Stop keeping it for its own sake."""
        uses.unwatch(get_object_or_404(Segment, pk=segment_id), by=request.user)
        return Response(status=204)
