from rest_framework import serializers

from campaigns import approval
from campaigns.models import Campaign
from consent.models import Topic
from content.models import Template
from delivery.models import Sender
from segments.models import Segment


class CampaignIn(serializers.Serializer[Campaign]):
    """What an author chooses. Ids of other objects."""

    name = serializers.CharField(max_length=120)
    segment = serializers.PrimaryKeyRelatedField(
        queryset=Segment.objects.filter(archived_at=None), required=False, allow_null=True
    )
    template = serializers.PrimaryKeyRelatedField(
        queryset=Template.objects.filter(archived_at=None), required=False, allow_null=True
    )
    sender = serializers.PrimaryKeyRelatedField(
        queryset=Sender.objects.filter(removed_at=None), required=False, allow_null=True
    )
    topic = serializers.PrimaryKeyRelatedField(
        queryset=Topic.objects.filter(removed_at=None), required=False, allow_null=True
    )
    track_opens = serializers.BooleanField(required=False)
    track_clicks = serializers.BooleanField(required=False)


class CampaignChange(CampaignIn):
    name = serializers.CharField(max_length=120, required=False)


class CampaignOut(serializers.Serializer[Campaign]):
    """A campaign. `template_version`, `tier` and what follows stand from submission on."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    segment = serializers.UUIDField(source="segment_id", allow_null=True)
    template = serializers.UUIDField(source="template_id", allow_null=True)
    sender = serializers.UUIDField(source="sender_id", allow_null=True)
    topic = serializers.UUIDField(source="topic_id", allow_null=True)
    track_opens = serializers.BooleanField()
    track_clicks = serializers.BooleanField()
    template_version = serializers.UUIDField(source="template_version_id", allow_null=True)
    tier = serializers.CharField()
    send_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    audience_size = serializers.IntegerField()
    digest = serializers.SerializerMethodField(help_text="Of what is in review, to be named when approving it.")

    def get_digest(self, campaign: Campaign) -> str:
        return approval.digest(campaign).hex() if campaign.state == Campaign.State.IN_REVIEW else ""


class NoteIn(serializers.Serializer[object]):
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")


class ApproveIn(NoteIn):
    """`seen`: the `digest` of the campaign as you read it, so that nothing else is approved."""

    seen = serializers.RegexField(r"\A[0-9a-f]{64}\Z")


class ScheduleIn(serializers.Serializer[object]):
    at = serializers.DateTimeField(help_text="With its offset or Z. Leave it out to send now.", required=False)


class ProgressOut(serializers.Serializer[object]):
    """How far it is. `rate`: messages a second over the last 15 seconds."""

    state = serializers.CharField()
    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    retrying = serializers.IntegerField()
    by_outcome = serializers.DictField(child=serializers.IntegerField())
    refused_by_reason = serializers.DictField(child=serializers.IntegerField())
    rate = serializers.FloatField()
    seconds_left = serializers.IntegerField(allow_null=True)


class ReportRowOut(serializers.Serializer[object]):
    section = serializers.CharField()
    what = serializers.CharField()
    count = serializers.CharField(
        help_text="A number; for roles that see aggregates only “fewer than 11” or “about 90”."
    )
