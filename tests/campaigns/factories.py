import factory
from factory.django import DjangoModelFactory

from accounts.models import User
from accounts.policy import Role
from campaigns import approval, commands
from campaigns.models import Campaign
from core.sensitivity import Sensitivity
from segments.models import Segment
from tests.accounts.factories import UserFactory
from tests.consent.factories import TopicFactory
from tests.content.factories import TemplateFactory, organization
from tests.delivery.factories import SenderFactory

#: Everybody: an address is never empty for the people of the factories.
EVERYBODY = {"version": 1, "root": {"all": [{"attribute": "email", "op": "is_not_empty"}]}}


class SegmentFactory(DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    name = factory.Sequence(lambda n: f"Segment {n}")
    rule = EVERYBODY
    tier = Sensitivity.IDENTITY


class CampaignFactory(DjangoModelFactory[Campaign]):
    class Meta:
        model = Campaign

    name = factory.Sequence(lambda n: f"Campaign {n}")
    segment = factory.SubFactory(SegmentFactory)
    template = factory.SubFactory(TemplateFactory)
    sender = factory.SubFactory(SenderFactory)
    topic = factory.SubFactory(TopicFactory, requires_opt_in=False)


def marketer() -> User:
    return UserFactory(roles=[Role.MARKETER])


def approver() -> User:
    return UserFactory(roles=[Role.APPROVER])


def approved(**fields: object) -> Campaign:
    """A campaign written by one person and approved by another."""
    organization()
    author = marketer()
    campaign = CampaignFactory(created_by=author.pk, **fields)
    return approve(commands.submit(campaign, by=author))


def approve(campaign: Campaign, by: User | None = None) -> Campaign:
    """What a second person does who has read exactly this."""
    return commands.approve(campaign, by=by or approver(), seen=approval.digest(campaign))
