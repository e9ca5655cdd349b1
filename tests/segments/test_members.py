"""Pages about who is in a segment: history, snapshots, two compared, and why somebody is in it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from contacts import commands as contacts
from contacts.models import Contact
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from segments import queries
from segments.models import Segment, Use
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, has, is_, rule
from tests.segments.test_views import client_of, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer() -> Client:
    return client_of(Role.MARKETER)


@pytest.fixture
def analyst() -> Client:
    return client_of(Role.ANALYST)


def url(name: str, segment: Segment) -> str:
    return reverse(f"segments:{name}", args=[segment.pk])


def test_who_came_and_went_is_drawn_and_told_for_a_day(marketer: Client, analyst: Client) -> None:
    ids = make_people(14, state="MA")
    segment = SegmentFactory()
    assert "Nobody has kept who is in it" in text(marketer.get(url("detail", segment)))
    with clock.set_to(clock.now() - timedelta(days=2)):
        text(marketer.post(url("watch", segment), follow=True))
        assert "Looked just now: 14 in it" in text(marketer.post(url("refresh", segment), follow=True))
    contacts.update(Contact.objects.get(pk=ids[0]), values={"state": "NY"}, by=SYSTEM)
    assert "13 in it, 0 came in and 1 left" in text(marketer.post(url("refresh", segment), follow=True))
    page = text(marketer.get(url("detail", segment)))
    assert "People over time" in page
    assert "Came in and left" in page
    assert "Stop keeping its history" in page
    today = clock.now().date()
    assert "<strong>13 people</strong> were in it" in text(marketer.get(url("detail", segment), {"on": today}))
    earlier = today - timedelta(days=9)
    assert "known from" in text(marketer.get(url("detail", segment), {"on": earlier}))
    assert "Choose a day." in text(marketer.get(url("detail", segment), {"on": "soon"}))
    assert "Who came and went" not in text(analyst.get(url("detail", segment)))
    text(marketer.post(url("watch", segment), {"stop": "1"}, follow=True))
    assert not Use.objects.exists()


def test_a_snapshot_is_kept_and_people_are_put_in_and_taken_out(marketer: Client) -> None:
    ids = make_people(3, state=lambda n: "MA" if n else "NY")
    segment = SegmentFactory(name="In Massachusetts")
    page = text(marketer.post(url("snapshot", segment), {"name": "As of today"}, follow=True))
    snapshot = Segment.objects.get(kind="snapshot")
    assert "Whoever was put in and not taken out again" in page
    assert "people where State is “MA”" in page
    contacts.update(Contact.objects.get(pk=ids[1]), values={"state": "NY"}, by=SYSTEM)
    assert queries.count(queries.rule_of(snapshot)) == 2
    record = contacts.queries.open_one(Contact.objects.get(pk=ids[0]))
    names = f"{record.values['email']}\n nobody@example.com "
    page = text(marketer.post(url("move_people", snapshot), {"names": names}, follow=True))
    assert "1 person put in. 1 of what you typed is nobody" in page
    page = text(marketer.post(url("move_people", snapshot), {"names": names, "remove": "1"}, follow=True))
    assert "1 person taken out." in page
    assert "Take a snapshot of it" in text(marketer.post(url("move_people", segment), {"names": names}, follow=True))
    assert "Give the segment a name." in text(marketer.post(url("snapshot", segment), {"name": " "}, follow=True))


def test_two_segments_are_compared(marketer: Client, analyst: Client) -> None:
    make_people(9, state=lambda n: "MA" if n < 6 else "NY", city=lambda n: "Salem" if n > 3 else "Lynn")
    overlap = reverse("segments:overlap")
    assert "There are not two segments yet" in text(marketer.get(overlap))
    one, other = SegmentFactory(), SegmentFactory(rule=rule(is_("city", "Salem")))
    asked = {"one": str(one.pk), "other": str(other.pk)}
    page = text(marketer.post(overlap, asked))
    assert "<strong>2 people</strong> are in both." in page
    assert "<strong>4 people</strong> are only in" in page
    assert "<strong>3 people</strong> are only in" in page
    assert "fewer than" in text(analyst.post(overlap, asked))
    assert "the same segment" in text(marketer.post(overlap, {"one": str(one.pk), "other": str(one.pk)}))
    assert "Choose two segments." in text(marketer.post(overlap, {"one": "x"}))


def test_why_somebody_is_in_or_not_is_told_with_a_reason_and_kept(marketer: Client, analyst: Client) -> None:
    ids = make_people(2, state="MA", coded=lambda n: {"conditions": [Coded("E11.9")] if n else []})
    segment = SegmentFactory(rule=rule(is_("state", "MA"), has("E11.*")))
    why = reverse("segments:why")
    asked: dict[str, Any] = {"segment": str(segment.pk), "contact": str(ids[0]), "reason": "They asked us by phone"}
    page = text(marketer.post(why, asked))
    assert "This person is not in it." in page
    assert "They would come in if this condition came out otherwise" in page
    assert "no such entry" in page
    told = Entry.objects.get(action="segment.explained")
    assert told.subject_id == ids[0]
    email = contacts.queries.open_one(Contact.objects.get(pk=ids[1])).values["email"]
    page = text(marketer.post(why, {**asked, "contact": "", "who": email}))
    assert "This person is in it." in page
    assert "E11.9" in page
    assert Entry.objects.filter(action="contact.revealed").count() == 2
    for wrong in ({"reason": ""}, {"segment": ""}, {"contact": "", "who": "nobody@example.com"}, {"contact": "x"}):
        refused = text(marketer.post(why, {**asked, **wrong}))
        assert "No answer" in refused
        assert f'value="{ {**asked, **wrong}["reason"] }"' in refused, "what was typed is kept"
    assert Entry.objects.filter(action="segment.explained").count() == 2
    assert analyst.get(why).status_code == 403


def test_a_page_says_where_a_segment_is_used(marketer: Client) -> None:
    inner = SegmentFactory(name="Inner")
    assert "Nothing uses it yet" in text(marketer.get(url("detail", inner)))
    named = {"node": "r-0:condition", "r-0.subject": "segment", "r-0.op": "in", "r-0.segment": str(inner.pk)}
    text(marketer.post(reverse("segments:new"), {**named, "name": "Outer", "revision": "0"}, follow=True))
    page = text(marketer.get(url("detail", inner)))
    assert ">Outer</a>" in page
    assert "used by segment “Outer”" in text(marketer.post(url("archive", inner), follow=True))
