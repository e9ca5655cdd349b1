"""The shapes of the API."""

from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.purposes import Purpose
from segments import catalog as catalogs
from segments import queries
from segments.catalog import Catalog
from segments.models import Export, Segment


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
    tier = serializers.SerializerMethodField(help_text="As what its rule asks counts today.")
    revision = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    @cached_property
    def _catalog(self) -> Catalog:
        return catalogs.load(named=True)

    def get_tier(self, segment: Segment) -> str:
        return str(queries.tier_today(segment, self._catalog))


class RuleIn(serializers.Serializer[Any]):
    rule = RuleField()


class CountOut(serializers.Serializer[Any]):
    """`count` null: fewer than 11, for tokens without reports.small_cells; theirs are true to within 25 (`exact`)."""

    count = serializers.IntegerField(allow_null=True)
    exact = serializers.BooleanField()
    text = serializers.CharField()
    sentence = serializers.CharField()
    at = serializers.DateTimeField()


class ExportIn(serializers.Serializer[Export]):
    """Columns by their attribute keys, what for, and who gets the file."""

    attributes = serializers.ListField(child=serializers.CharField(max_length=60), min_length=1, max_length=200)
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    reason = serializers.CharField(min_length=5, max_length=2_000)
    recipient = serializers.ChoiceField(choices=Export.Recipient.choices, required=False)
    party = serializers.CharField(max_length=120, required=False)
    agreed_on = serializers.DateField(required=False)
    agreed_until = serializers.DateField(required=False)
    paid = serializers.BooleanField(required=False)


class ExportOut(serializers.Serializer[Export]):
    id = serializers.UUIDField()
    segment = serializers.UUIDField(source="segment_id")
    revision = serializers.IntegerField()
    attributes = serializers.ListField(child=serializers.CharField())
    purpose = serializers.CharField()
    recipient = serializers.CharField()
    tier = serializers.CharField()
    people = serializers.IntegerField(allow_null=True, help_text="Null for tokens without reports.small_cells.")
    state = serializers.CharField()
    requested_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()
