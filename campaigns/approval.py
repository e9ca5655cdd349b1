"""What an approval covers: exactly this content, this audience rule with the segments in it, this sender, this tracking
(SND-08)."""

import hashlib
import hmac
import json
from uuid import UUID

from campaigns.models import Campaign
from core.purposes import MessageClass
from phi.keyring import keyring
from segments import queries as segments
from segments.models import Segment

#: What the author of a campaign may change; a change of any of them withdraws an approval.
EDITABLE = ("name", "segment", "template", "sender", "topic", "track_opens", "track_clicks")


def authors(campaign: Campaign) -> set[UUID]:
    """Everybody with a hand in what is in review: the campaign, its content, its audience rule."""
    version, segment = campaign.template_version, campaign.segment
    hands = [campaign.created_by, campaign.submitted_by, *campaign.editors]
    hands += version.written_by if version else []
    hands += [segment.saved_by] if segment else []
    within = segments.referred(campaign.audience_rule)
    hands += Segment.objects.filter(pk__in=within).values_list("saved_by", flat=True) if within else []
    return {person for person in hands if person}


def lacking(campaign: Campaign) -> str:
    """What it needs before it can be submitted, in words; empty: nothing."""
    needs = {"an audience": campaign.segment, "a template": campaign.template, "a sender": campaign.sender}
    if missing := [what for what, value in needs.items() if value is None]:
        return f"This campaign still needs {' and '.join(missing)}."
    assert campaign.template is not None
    if campaign.template.archived_at:
        return "The template is archived. Choose another one."
    if campaign.template.message_class == MessageClass.COMMERCIAL and campaign.topic is None:
        return "Commercial mail needs a topic, so that people can opt in to it and out of it."
    return ""


def digest(campaign: Campaign) -> bytes:
    """HMAC-SHA-256 of what is fixed at submission, under a key the database has not: a rule is short enough to guess.

    Two campaigns alike in all of it have the same digest.
    """
    version = campaign.template_version
    covered = {
        "content": bytes(version.digest).hex() if version else None,
        "rule": campaign.audience_rule,
        "sender": str(campaign.sender_id),
        "topic": str(campaign.topic_id),
        "opens": campaign.track_opens,
        "clicks": campaign.track_clicks,
    }
    if within := segments.referred(campaign.audience_rule):
        covered["within"] = {str(segment): what for segment, what in within.items()}
    text = json.dumps(covered, sort_keys=True).encode()
    return hmac.new(keyring().secret("campaigns:approval"), text, hashlib.sha256).digest()
