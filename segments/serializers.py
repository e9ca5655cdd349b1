"""The shapes of the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from segments.models import Segment


@extend_schema_field({"type": "object", "description": "See GET /api/v1/segments/schema."})
class RuleField(serializers.Field[Any, Any, Any, Any]):
    """A rule as it stands; segments.rules says what is wrong with it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class SegmentIn(serializers.Serializer[Segment]):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    rule = RuleField()


class SegmentChange(SegmentIn):
    """The whole of it. Name the `revision` you read and nobody's work is overwritten."""

    revision = serializers.IntegerField(required=False, min_value=1, max_value=2_147_483_647)


class SegmentOut(SegmentIn):
    id = serializers.UUIDField()
    tier = serializers.CharField()
    revision = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class RuleIn(serializers.Serializer[Any]):
    rule = RuleField()


class CountOut(serializers.Serializer[Any]):
    """`count` null: fewer than 11, for tokens without reports.small_cells; theirs are true to within 10 (`exact`)."""

    count = serializers.IntegerField(allow_null=True)
    exact = serializers.BooleanField()
    text = serializers.CharField()
    sentence = serializers.CharField()
