from rest_framework import serializers

from content.models import Template, TemplateVersion
from core.purposes import MessageClass, Purpose


class TemplateIn(serializers.Serializer[Template]):
    """What an author writes."""

    name = serializers.CharField(max_length=120)
    subject = serializers.CharField(max_length=200, allow_blank=True, required=False)
    preheader = serializers.CharField(max_length=200, allow_blank=True, required=False)
    html = serializers.CharField(max_length=1_000_000, allow_blank=True, required=False, trim_whitespace=False)
    text = serializers.CharField(max_length=1_000_000, allow_blank=True, required=False, trim_whitespace=False)
    purpose = serializers.ChoiceField(choices=Purpose.choices, required=False)
    message_class = serializers.ChoiceField(choices=MessageClass.choices, required=False)
    remunerated = serializers.BooleanField(required=False)


class TemplateChange(TemplateIn):
    """Any of it, and the revision it was read at."""

    name = serializers.CharField(max_length=120, required=False)
    revision = serializers.IntegerField(required=False)


class TemplateOut(TemplateIn):
    """A template's draft."""

    id = serializers.UUIDField()
    revision = serializers.IntegerField()
    updated_at = serializers.DateTimeField()


class FindingOut(serializers.Serializer[object]):
    """One thing the lint says."""

    level = serializers.ChoiceField(choices=["error", "warning"])
    part = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)


class VersionOut(serializers.Serializer[TemplateVersion]):
    """A frozen version."""

    id = serializers.UUIDField()
    template_id = serializers.UUIDField()
    number = serializers.IntegerField()
    subject = serializers.CharField()
    purpose = serializers.CharField()
    message_class = serializers.CharField()
    tier = serializers.CharField()
    fields_used = serializers.ListField(child=serializers.CharField())
    links = serializers.ListField(child=serializers.URLField())
    created_at = serializers.DateTimeField()
