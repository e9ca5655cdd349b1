"""Campaigns and the segments they rely on."""

import pytest

from campaigns import commands
from core.actors import SYSTEM
from segments import uses
from segments.models import Use
from tests.campaigns.factories import EVERYBODY, CampaignFactory, SegmentFactory, marketer

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
