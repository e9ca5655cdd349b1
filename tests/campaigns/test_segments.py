"""Campaigns and the segments they rely on."""

import json
from hashlib import sha256

import pytest

from campaigns import approval, commands
from campaigns.errors import SelfApproval
from core.actors import SYSTEM
from segments import commands as segment_commands
from segments import uses
from segments.models import Use
from tests.campaigns.factories import EVERYBODY, CampaignFactory, SegmentFactory, approve, approver, marketer
from tests.content.factories import organization

pytestmark = pytest.mark.django_db


def claimed() -> list[object]:
    return list(Use.objects.values_list("segment", flat=True))


def test_a_campaign_relies_on_its_segment_until_it_ends() -> None:
    one, other = SegmentFactory(rule=EVERYBODY), SegmentFactory(rule=EVERYBODY)
    campaign = commands.create(name="Recall", segment=one, by=marketer())
    assert claimed() == [one.pk]
    commands.edit(campaign, segment=other, by=marketer())
    assert claimed() == [other.pk]
    [use] = uses.used_where(other)
    assert (use.kind, use.name) == ("campaign", "Recall")
    assert str(campaign.pk) in use.url
    commands.cancel(campaign, by=SYSTEM)
    assert claimed() == []


def test_a_campaign_that_is_done_relies_on_nothing() -> None:
    campaign = CampaignFactory(state="SENDING")
    uses.claim(campaign.segment, kind="campaign", used_by=campaign.pk)
    commands.finish(campaign)
    assert claimed() == []


def test_an_approval_covers_the_segments_named_in_the_rule_too() -> None:
    organization()
    inner = SegmentFactory(rule=EVERYBODY)
    outer = SegmentFactory(rule={"version": 2, "root": {"all": [{"segment": str(inner.pk), "op": "in"}]}})
    author = marketer()
    for change in (False, True):
        campaign = approve(commands.submit(CampaignFactory(segment=outer, created_by=author.pk), by=author))
        if change:
            narrower = {"version": 2, "root": {"none": EVERYBODY["root"]["all"]}}
            segment_commands.edit(inner, name="Others", rule=narrower, by=author)
        commands.send_now(campaign, by=author)
        commands.start(campaign)
        campaign.refresh_from_db()
        assert (campaign.state == "DRAFT") is change


def test_who_wrote_a_segment_named_in_the_rule_is_no_second_person() -> None:
    organization()
    hand = approver()
    inner = SegmentFactory(rule=EVERYBODY, saved_by=hand.pk)
    outer = SegmentFactory(rule={"version": 2, "root": {"all": [{"segment": str(inner.pk), "op": "in"}]}})
    author = marketer()
    campaign = commands.submit(CampaignFactory(segment=outer, created_by=author.pk), by=author)
    with pytest.raises(SelfApproval):
        approve(campaign, by=hand)


def test_nobody_without_the_keys_can_try_which_rule_an_approval_is_about() -> None:
    campaign = CampaignFactory(audience_rule=EVERYBODY)
    covered = {
        "content": None,
        "rule": EVERYBODY,
        "sender": str(campaign.sender_id),
        "topic": str(campaign.topic_id),
        "opens": campaign.track_opens,
        "clicks": campaign.track_clicks,
    }
    assert approval.digest(campaign) == approval.digest(campaign)
    assert approval.digest(campaign) != sha256(json.dumps(covered, sort_keys=True).encode()).digest()
