"""What is built and not saved yet: kept for one person alone, offered again, and nobody's rule."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from accounts.policy import Role
from core import clock
from segments import tasks_membership, unsaved
from segments.models import Segment, Unsaved
from tests.accounts.factories import UserFactory, sign_in
from tests.segments.factories import SegmentFactory

pytestmark = pytest.mark.django_db

BUILT = {
    "node": "r-0:condition",
    "r-0.was": "attribute:conditions",
    "r-0.subject": "attribute:conditions",
    "r-0.op": "has",
    "r-0.value": ["E11.9", "I10"],
    "name": "Diabetes",
}


@pytest.fixture
def marketer(client: Client) -> Any:
    user = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    return user


def keep(client: Client, user: Any, mark: object = "", segment: Segment | None = None, **more: Any) -> Any:
    given = {**BUILT, "person": user.pk, "segment": segment.pk if segment else "", "mark": mark, **more}
    return client.post("/segments/builder/keep", given)


def test_it_is_offered_again_and_stands_as_it_was(client: Client, marketer: Any) -> None:
    assert "unsaved" not in client.get("/segments/new").content.decode()
    answer = keep(client, marketer)
    assert answer.status_code == 200
    assert "Kept for you" in answer.content.decode()
    page = client.get("/segments/new").content.decode()
    assert "You have unsaved changes" in page
    assert "“Diabetes”, 1 condition" in page
    assert "E11.9" not in page
    assert "not saved yet" in client.get("/segments/").content.decode()
    page = client.get("/segments/new?continue").content.decode()
    assert 'value="Diabetes"' in page
    assert all(code in page for code in ("E11.9", "I10"))
    assert not Segment.objects.exists()


def test_nobody_else_sees_it_or_is_given_it(client: Client, marketer: Any) -> None:
    keep(client, marketer)
    mark = Unsaved.objects.get().mark
    other = UserFactory(roles=[Role.MARKETER])
    sign_in(client, other)
    for page in ("/segments/new", "/segments/new?continue", "/segments/"):
        assert "Diabetes" not in client.get(page).content.decode()
    client.post("/segments/builder/discard", {"segment": "", "mark": mark})
    # The page of the first person is still open in this browser: what it sends is not taken for the second one's.
    answer = keep(client, marketer, mark)
    assert answer.status_code == 409
    assert "Somebody else is signed in" in answer.content.decode()
    assert Unsaved.objects.get().person == marketer.pk


def test_at_rest_it_is_unreadable(client: Client, marketer: Any) -> None:
    keep(client, marketer)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(u)::text FROM segments_unsaved u")
        row = cursor.fetchone()[0]
    assert "Diabetes" not in row
    assert "E11" not in row


def test_a_tab_that_knows_less_is_told_and_replaces_nothing(client: Client, marketer: Any) -> None:
    segment = SegmentFactory()
    keep(client, marketer, segment=segment)
    first = Unsaved.objects.get().mark
    for stale in ("", UUID(int=1)):
        answer = keep(client, marketer, stale, segment, name="The other tab's")
        assert answer.status_code == 409
        assert str(first) in answer.content.decode()
        assert "from another tab or an earlier visit" in answer.content.decode()
    assert Unsaved.objects.get().form["name"] == "Diabetes"
    assert keep(client, marketer, first, segment, name="Mine").status_code == 200
    assert Unsaved.objects.get().form["name"] == "Mine"
    client.post("/segments/builder/discard", {"segment": segment.pk, "mark": first})
    assert Unsaved.objects.get().form["name"] == "Mine"


def test_a_tab_left_open_does_not_bring_back_what_was_discarded(client: Client, marketer: Any) -> None:
    keep(client, marketer)
    mark = Unsaved.objects.get().mark
    client.post("/segments/builder/discard", {"segment": "", "mark": mark})
    answer = keep(client, marketer, mark)
    assert answer.status_code == 409
    assert "saved or discarded" in answer.content.decode()
    assert not Unsaved.objects.exists()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_saving_takes_away_what_it_saved_and_nothing_newer(client: Client, marketer: Any, elsewhere: bool) -> None:
    segment = SegmentFactory()
    keep(client, marketer, segment=segment)
    mark = Unsaved.objects.get().mark
    if elsewhere:
        keep(client, marketer, mark, segment, name="In another tab")
    rule = {
        "node": "r-0:condition",
        "r-0.was": "attribute:state",
        "r-0.subject": "attribute:state",
        "r-0.op": "is",
        "r-0.value": "MA",
    }
    answer = client.post(f"/segments/{segment.pk}/edit", {**rule, "name": "Here", "revision": "1", "mark": mark})
    assert answer.status_code == 302
    assert Unsaved.objects.exists() is elsewhere


def test_what_is_refused_when_saved_stays_kept(client: Client, marketer: Any) -> None:
    keep(client, marketer, name="")
    mark = Unsaved.objects.get().mark
    page = client.post("/segments/new", {**BUILT, "name": "", "mark": mark}).content.decode()
    assert f'name="mark" value="{mark}"' in page
    assert Unsaved.objects.exists()


def test_who_goes_on_after_somebody_else_saved_is_told_at_once(client: Client, marketer: Any) -> None:
    segment = SegmentFactory()
    keep(client, marketer, segment=segment, revision="1")
    assert "unsaved changes" in client.get("/segments/").content.decode()
    assert "You have unsaved changes" in client.get(f"/segments/{segment.pk}").content.decode()
    Segment.objects.filter(pk=segment.pk).update(revision=2)
    page = client.get(f"/segments/{segment.pk}/edit?continue").content.decode()
    assert "saved by somebody else since you began" in page
    assert "Save as a copy" in page


def test_it_goes_after_two_weeks(client: Client, marketer: Any) -> None:
    keep(client, marketer)
    with clock.set_to(clock.now() + unsaved.KEPT - timedelta(minutes=1)):
        tasks_membership.purge_unsaved()
        assert Unsaved.objects.exists()
    with clock.set_to(clock.now() + unsaved.KEPT + timedelta(minutes=1)):
        tasks_membership.purge_unsaved()
        assert not Unsaved.objects.exists()


def test_an_analyst_keeps_nothing(client: Client) -> None:
    user = UserFactory(roles=[Role.ANALYST])
    sign_in(client, user)
    assert keep(client, user).status_code == 403
    assert not Unsaved.objects.exists()
