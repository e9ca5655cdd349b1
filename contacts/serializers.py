"""The shapes of the API's bodies. What a value may be is decided by contacts.values."""

from typing import Any

from rest_framework import serializers

from contacts.models import Attribute, Kind
from contacts.records import Coded
from core.sensitivity import Sensitivity

#: People in one bulk request.
MAX_PEOPLE = 10_000


class CodedIn(serializers.Serializer[Any]):
    """One entry of a coded list."""

    code = serializers.CharField(max_length=100)
    display = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")
    start = serializers.DateField(required=False, allow_null=True, default=None)
    stop = serializers.DateField(required=False, allow_null=True, default=None)


class PersonIn(serializers.Serializer[Any]):
    """Values by attribute key (null removes one) and coded lists by attribute key (the whole list)."""

    values = serializers.DictField(child=serializers.JSONField(allow_null=True), default=dict)
    coded = serializers.DictField(child=CodedIn(many=True), default=dict)

    def validate_coded(self, lists: dict[str, list[dict[str, Any]]]) -> dict[str, list[Coded]]:
        return {
            key: [
                Coded(
                    entry["code"],
                    entry["display"],
                    entry["start"].isoformat() if entry["start"] else None,
                    entry["stop"].isoformat() if entry["stop"] else None,
                )
                for entry in entries
            ]
            for key, entries in lists.items()
        }


class BulkIn(serializers.Serializer[Any]):
    """Up to 10,000 people, each known by the external id (or, without one, the address) among its values."""

    people = serializers.ListField(child=serializers.JSONField(), max_length=MAX_PEOPLE, allow_empty=False)
    fold = serializers.BooleanField(
        default=False, help_text="Add entries to coded lists instead of replacing the lists."
    )


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(min_length=5, max_length=500)


class FindIn(serializers.Serializer[Any]):
    """Exactly one of the two; the whole address or id."""

    email = serializers.CharField(required=False, max_length=300)
    external_id = serializers.CharField(required=False, max_length=300)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either email or external_id.")
        return attrs


class ContactOut(serializers.Serializer[Any]):
    """A contact; values are masked unless they were asked for with a reason."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    masked = serializers.BooleanField()
    damaged = serializers.BooleanField(help_text="The record does not open: nothing is known of its values.")
    values = serializers.DictField(child=serializers.JSONField())
    coded = serializers.DictField(
        child=serializers.JSONField(), help_text="Entries by list; only their number while masked."
    )


class WrittenOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    result = serializers.ChoiceField(choices=["created", "changed", "unchanged"])


class RefusedOut(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    message = serializers.CharField()


class BulkOut(serializers.Serializer[Any]):
    """What became of each person; a refused one does not stop the others."""

    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    ids = serializers.ListField(child=serializers.UUIDField(allow_null=True))
    refused = RefusedOut(many=True)


class AttributeIn(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=80)  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Kind.choices)
    sensitivity = serializers.ChoiceField(choices=Sensitivity.choices)
    choices = serializers.ListField(child=serializers.CharField(max_length=120), max_length=200, default=list)


class AttributeOut(serializers.ModelSerializer[Attribute]):
    class Meta:
        model = Attribute
        fields = ("id", "key", "label", "kind", "sensitivity", "choices", "built_in")
