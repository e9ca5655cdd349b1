"""Counts over a large audience are a job's work; a page shows how far it is, and then what it found and when."""

from typing import Any

import pytest

from campaigns import figures
from campaigns.models import Campaign, Figure
from consent import commands as consent
from consent.models import Source
from core.actors import SYSTEM
from delivery.models import Relay
from tests.campaigns.factories import approved, approver, marketer
from tests.campaigns.test_views import seat, sent, text, url
from tests.contacts.factories import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five people are many here, and a job takes two at a time."""
    monkeypatch.setattr(figures, "SMALL", 4)
    monkeypatch.setattr(figures, "PIECE", 2)


def audience(people: int) -> Campaign:
    """An approved campaign to so many people, one of whom wants nothing."""
    ids = make_people(people)
    consent.opt_out(ids[0], None, source=Source.STAFF, evidence={}, by=SYSTEM)
    return approved()


def test_a_forecast_over_many_people_is_made_by_a_job_and_shown_with_its_moment(
    relay: Relay, django_capture_on_commit_callbacks: Any
) -> None:
    campaign, client = audience(7), seat(marketer())
    with django_capture_on_commit_callbacks(execute=True) as jobs:
        waiting = client.get(url("forecast", campaign))
        again = client.get(url("forecast", campaign))
    assert "7 people match now." in text(waiting)
    assert "0 of 7" in text(waiting)
    assert "may be mailed" not in text(waiting)
    assert "load delay:2s" in waiting.content.decode()
    assert "load delay:2s" in again.content.decode()
    assert len(jobs) == 1  # who looks while it works starts no other
    done = client.get(url("forecast", campaign))
    assert "Of 7 asked on" in text(done)
    assert "6 may be mailed; 1 would be refused" in text(done)
    assert "load delay" not in done.content.decode()


def test_a_forecast_of_something_else_is_not_shown(relay: Relay, django_capture_on_commit_callbacks: Any) -> None:
    campaign, client = audience(6), seat(approver())
    with django_capture_on_commit_callbacks(execute=True):
        client.get(url("forecast", campaign))
    assert "may be mailed" in text(client.get(url("forecast", campaign)))
    Campaign.objects.filter(pk=campaign.pk).update(topic=None)
    assert "may be mailed" not in text(client.get(url("forecast", campaign)))


def test_a_job_that_was_lost_is_begun_anew(relay: Relay, django_capture_on_commit_callbacks: Any) -> None:
    campaign, client = audience(5), seat(marketer())
    client.get(url("forecast", campaign))  # its job never runs
    Figure.objects.update(moved_at=figures.clock.now() - figures.LOST)
    with django_capture_on_commit_callbacks(execute=True) as jobs:
        client.get(url("forecast", campaign))
    assert len(jobs) == 1
    assert "4 may be mailed" in text(client.get(url("forecast", campaign)))


def test_domains_of_many_recipients_are_counted_by_a_job(relay: Relay, django_capture_on_commit_callbacks: Any) -> None:
    campaign = sent(7, relay=relay, run=django_capture_on_commit_callbacks)
    client = seat(marketer())
    with django_capture_on_commit_callbacks(execute=True):
        assert "0 of 7" in text(client.get(url("domains", campaign)))
    done = client.get(url("domains", campaign))
    assert "example.com 7 7 0 0" in text(done)
    assert "load delay" not in done.content.decode()
    assert "example.com: sent,7" in client.post(url("export", campaign)).content.decode()
