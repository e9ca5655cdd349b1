"""Every list in the product: three rows of everything cost as many statements as one."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.policy import Role
from consent import commands as consent
from consent.models import Export
from core import clock
from delivery.models import Relay
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.accounts.routes import PAGES
from tests.campaigns.factories import CampaignFactory
from tests.consent.factories import TopicFactory, opted_in
from tests.contacts.factories import AttributeFactory, make_import, make_people
from tests.content.factories import TemplateFactory
from tests.delivery.factories import RelayFactory, SenderFactory, SendingDomainFactory
from tests.segments.factories import SegmentFactory, has, rule

pytestmark = pytest.mark.django_db
#: Addresses without arguments, which somebody signed in may open.
PLAIN = sorted({route.path for route in PAGES if route.access != "public" and "<" not in route.pattern})


def one_of_each() -> None:
    """A row more in every list there is."""
    number = Relay.objects.count()
    somebody = UserFactory(roles=[Role.MARKETER])
    opted_in(TopicFactory(), contact_id=make_people(1)[0])
    consent.suppress(f"gone{number}@example.com", reason="staff", by=somebody)
    Export.objects.create(as_of=clock.now(), purpose="An audit", by=somebody.pk)
    AttributeFactory()
    make_import("id,email\nP1,ada@example.com\n", by=somebody)
    CampaignFactory(segment=SegmentFactory(rule=rule(has("E11.9"))), template=TemplateFactory())
    RelayFactory()
    SenderFactory(domain=SendingDomainFactory(domain=f"d{number}.example"))
    api_token(["segments.view"])


def test_no_list_asks_more_for_three_rows_than_for_one() -> None:
    client = Client()
    sign_in(client, UserFactory(roles=list(Role.values)))

    def asked() -> dict[str, int]:
        found = {}
        for path in PLAIN:
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(path)
            if answer.status_code == 200 and b"<tbody" in getattr(answer, "content", b""):
                found[path] = len(queries)
        return found

    one_of_each()
    asked()  # what a process learns once is learnt here
    first = asked()
    assert len(first) > 12, first
    one_of_each(), one_of_each()
    asked()
    grown = {path: (n, first[path]) for path, n in asked().items() if path in first and n > first[path]}
    assert not grown, grown
