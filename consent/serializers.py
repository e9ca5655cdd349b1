"""Shapes of the API: what comes in, what goes out."""

from typing import Any

from rest_framework import serializers

from consent.models import Act, LedgerEntry, Source, Suppression, Topic
from core.purposes import Purpose

#: What a machine may record; imports and the people's own pages have their own ways.
ACTS = (
    "opt_in",
    "opt_in_requested",
    "opt_out",
    "opt_out_all",
    "opt_in_everything",
    "address_confirmed",
    "special_consent",
    "special_consent_revoked",
    "counting_refused",
    "counting_allowed",
)


class EvidenceIn(serializers.Serializer[Any]):
    """What a yes rests on. A yes needs `text` (what the person was shown) or `origin` (where the form can be found)."""

    text = serializers.CharField(required=False, max_length=10_000)
    text_version = serializers.CharField(required=False, max_length=40)
    origin = serializers.CharField(required=False, max_length=200)
    given_on = serializers.DateField(required=False)
    address = serializers.IPAddressField(required=False, help_text="Network address of the person.")
    agent = serializers.CharField(required=False, max_length=300, help_text="The person's browser.")
    note = serializers.CharField(required=False, max_length=500)


class ActIn(serializers.Serializer[Any]):
    contact_id = serializers.UUIDField(required=False)
    external_id = serializers.CharField(required=False, max_length=254)
    act = serializers.ChoiceField(choices=ACTS)
    topic_id = serializers.UUIDField(required=False, help_text="Needed by opt_in, opt_in_requested and opt_out.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # DRF takes declared fields off the class
        choices=[Source.API, Source.FORM], default=Source.API
    )
    evidence = EvidenceIn(required=False, default=dict)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("contact_id")) == bool(attrs.get("external_id")):
            raise serializers.ValidationError({"contact_id": ["Give contact_id or external_id, one of the two."]})
        if attrs["act"] in {"opt_in", "opt_in_requested", "opt_out"} and not attrs.get("topic_id"):
            raise serializers.ValidationError({"topic_id": ["This act needs a topic."]})
        return attrs


class EntryOut(serializers.ModelSerializer[LedgerEntry]):
    """One act of the ledger, with its evidence."""

    evidence = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = LedgerEntry
        fields = [
            "id",
            "contact_id",
            "topic_id",
            "act",
            "at",
            "source",
            "double",
            "evidence",
            "recorded_by_kind",
            "recorded_by",
            "authorization_id",
            "import_id",
        ]


class LedgerQuery(serializers.Serializer[Any]):
    contact_id = serializers.UUIDField(required=False)
    topic_id = serializers.UUIDField(required=False)
    act = serializers.ChoiceField(choices=Act.choices, required=False)
    source = serializers.ChoiceField(choices=Source.choices, required=False)  # type: ignore[assignment]
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Exclusive.")


class MomentQuery(serializers.Serializer[Any]):
    at = serializers.DateTimeField(required=False, help_text="As of this moment; now if left out.")


class TopicStateOut(serializers.Serializer[Any]):
    topic_id = serializers.UUIDField()
    receives = serializers.BooleanField(help_text="Whether they get mail on it, as far as their own word goes.")
    opted_in = serializers.UUIDField(allow_null=True, help_text="The ledger entry.")
    double = serializers.BooleanField()
    opted_out = serializers.BooleanField()
    opted_out_all = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)


class StateOut(serializers.Serializer[Any]):
    contact_id = serializers.UUIDField()
    opted_out_all = serializers.BooleanField()
    address_confirmed = serializers.UUIDField(allow_null=True)
    special_consent = serializers.UUIDField(allow_null=True)
    counting_refused = serializers.BooleanField()
    authorization_id = serializers.UUIDField(allow_null=True)
    topics = TopicStateOut(many=True)


class TopicIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    public_name = serializers.CharField(max_length=80, help_text="What patients see: it may say nothing of health.")
    description = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)
    requires_opt_in = serializers.BooleanField(default=True)


class TopicOut(serializers.ModelSerializer[Topic]):
    name = serializers.CharField()
    description = serializers.CharField()

    class Meta:
        model = Topic
        fields = ["id", "number", "name", "public_name", "description", "requires_opt_in", "created_at"]


class SuppressionIn(serializers.Serializer[Any]):
    address = serializers.CharField(max_length=254)
    reason = serializers.ChoiceField(
        choices=[(v, label) for v, label in Suppression.Reason.choices if v != Suppression.Reason.UNSUBSCRIBED]
    )
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class SuppressionOut(serializers.ModelSerializer[Suppression]):
    class Meta:
        model = Suppression
        fields = ["id", "reason", "at"]


class AuthorizationIn(serializers.Serializer[Any]):
    document = serializers.DictField(child=serializers.CharField(max_length=5000), help_text="The texts as signed.")
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=Purpose.choices), default=["marketing"])


class AuthorizationOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    contact_id = serializers.UUIDField()
    purposes = serializers.ListField(child=serializers.CharField())
    states_remuneration = serializers.BooleanField()
    signed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
