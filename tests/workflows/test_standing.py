"""What was approved runs, and nothing else: segments changed and data made more sensitive afterwards hold a journey."""

from typing import Any

import pytest
from django.test import Client

import segments.commands as segments
from accounts.policy import Role
from contacts.models import Attribute, Kind
from core import clock
from delivery.models import SendBatch
from segments.models import Segment
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows import factories as make
from workflows import enrolling
from workflows.engine.run import run
from workflows.enrolling import Entry
from workflows.models import Enrolment, Workflow
from workflows.versions import approval, publishing, standing

pytestmark = pytest.mark.django_db


def letter_to(segment: Segment) -> dict[str, Any]:
    return make.linear(
        make.mail(), make.wait(days=1), make.end(), trigger={"kind": "segment", "segment": str(segment.pk)}
    )


def one_with(key: str, sensitivity: str) -> tuple[Segment, Any]:
    make.AttributeFactory(key=key, kind=Kind.TEXT, sensitivity=sensitivity)
    rule = make.rule({"attribute": key, "op": "is", "value": "yes"})
    return segments.create(name="Some", rule=rule, by=make.marketer()), rule


def entered(journey: Workflow, **values: Any) -> Enrolment:
    (contact,) = make.make_people(1, **values)
    version = journey.versions.get(state="LIVE")
    enrolling.enrol(version, [Entry(contact)], at=clock.now(), by=make.marketer())
    return Enrolment.objects.get(contact_id=contact)


def test_a_changed_segment_holds_a_journey_about_health_until_it_is_what_was_approved() -> None:
    segment, rule = one_with("asthma", "phi")
    journey = make.make_draft(letter_to(segment))
    version = publishing.publish(journey, by=make.marketer())
    publishing.approve(version, by=make.approver(), seen=bytes(version.digest))
    person = entered(journey, asthma="yes")
    other = make.rule({"attribute": "asthma", "op": "is_not", "value": "yes"})
    segments.edit(segment, name="Others", rule=other, by=make.marketer())
    assert run(seconds=5) == 0
    assert not SendBatch.objects.exists()
    standing.look()
    journey.refresh_from_db()
    assert journey.trouble == "approval_outdated"
    segments.edit(segment, name="Some", rule=rule, by=make.marketer())
    assert run(seconds=5) == 1
    assert [batch.contact_ids for batch in SendBatch.objects.all()] == [[person.contact_id]]
    standing.look()
    journey.refresh_from_db()
    assert journey.trouble == ""


def test_data_that_became_more_sensitive_holds_a_journey_nobody_had_to_approve() -> None:
    segment, _ = one_with("club", "identity")
    journey = make.make_workflow(letter_to(segment))
    entered(journey, club="yes")
    Attribute.objects.filter(key="club").update(sensitivity="special")
    assert run(seconds=5) == 0
    assert approval.trouble(journey.versions.get()) == "tier_raised"
    standing.look()
    browser = Client()
    sign_in(browser, UserFactory(roles=[Role.MARKETER]))
    assert "Held" in browser.get(f"/workflows/{journey.pk}/").content.decode()


def test_a_changed_segment_that_says_nothing_of_health_holds_nobody() -> None:
    segment, _ = one_with("club", "identity")
    journey = make.make_workflow(letter_to(segment))
    entered(journey, club="yes")
    rule = make.rule({"attribute": "club", "op": "is_not", "value": "no"})
    segments.edit(segment, name="Some", rule=rule, by=make.marketer())
    assert run(seconds=5) == 1
    assert SendBatch.objects.count() == 1
