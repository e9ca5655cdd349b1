"""What came of each mail of a journey, as the page and the file tell it."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from core import clock
from core.purposes import Stream
from delivery import engine as door
from delivery.models import Delivery, Relay
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.delivery.smtp import Catcher
from tests.workflows import factories as make
from tracking.models import Event
from workflows import results
from workflows.engine.run import run
from workflows.models import Enrolment, Workflow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unstarted")]


def journey(**reminder: Any) -> Workflow:
    """Asks everybody, reminds those who opted in; everybody reaches the goal."""
    asked = make.TopicFactory(requires_opt_in=True)
    steps = {
        "ask": {**make.mail(track_opens=True, track_clicks=True), "name": "=Ask", "exits": {"next": "remind"}},
        "remind": {
            **make.mail(topic=asked),
            "name": "Remind",
            **reminder,
            "exits": {"next": "goal", "refused": "goal"},
        },
        "goal": {"kind": "goal", "rule": make.EVERYBODY},
    }
    return make.make_workflow(make.graph("ask", steps))


def go(placed: Sequence[Enrolment]) -> None:
    for _ in range(3):
        Enrolment.objects.filter(pk__in=[one.pk for one in placed], status="active").update(wake_at=clock.now())
        run(seconds=5)
        while door.drain(Stream.MARKETING, seconds=5):
            pass


def came_back(people: Sequence[Enrolment], kind: str, verdict: str = "human", times: int = 1) -> None:
    for one in people:
        sent = Delivery.objects.filter(contact_id=one.contact_id, outcome="sent").latest("at")
        for _ in range(times):
            Event.objects.create(
                delivery_id=sent.pk, origin_id=sent.origin_id, contact_id=one.contact_id, kind=kind, at=clock.now(),
                verdict=verdict, link=0 if kind == "click" else None,
            )  # fmt: skip


def told(workflow: Workflow, version: int | None = None) -> list[tuple[Any, ...]]:
    found = results.of_mails(workflow, version=version)
    return [(o.title, o.sent, o.refused, o.opened, o.clicked, o.unsubscribed, o.reached) for o in found]


def test_each_mail_says_what_came_of_it(relay: Relay, catcher: Catcher) -> None:
    workflow = journey()
    placed = make.place(workflow, make.make_people(5))
    go(placed)
    came_back(placed[:3], "open", times=2)
    came_back(placed[3:], "open", "machine")
    came_back(placed[:1], "click")
    came_back(placed[4:], "unsubscribe")
    assert told(workflow) == [("=Ask", 5, 0, 3, 1, 1, 5), ("Remind", 0, 5, None, None, 0, 0)]
    ((mail, refusal),) = results.refusals(results.of_mails(workflow))
    assert (mail.title, refusal.count, refusal.sentence) == (
        "Remind",
        5,
        "The person has not opted in to this topic.",
    )


def test_versions_are_told_together_or_one_by_one(relay: Relay, catcher: Catcher) -> None:
    workflow = journey()
    first = make.place(workflow, make.make_people(2))
    go(first)
    changed = {**make.live(workflow).definition["steps"], "more": {**make.mail(), "name": "More"}}
    changed = {**changed, "ask": {**changed["ask"], "exits": {"next": "more"}}}
    del changed["remind"]
    make.publish(workflow, make.graph("ask", {**changed, "more": {**changed["more"], "exits": {"next": "goal"}}}))
    second = make.place(workflow, make.make_people(3))
    go(second)
    came_back([*first, *second][:3], "open")
    assert told(workflow) == [
        ("=Ask", 5, 0, 2, 0, 0, 5),
        ("More", 3, 0, None, None, 0, 3),
        ("Remind", 0, 2, None, None, 0, 0),
    ]
    assert [row[:3] for row in told(workflow, version=1)] == [("=Ask", 2, 0), ("Remind", 0, 2)]
    assert [row[:3] for row in told(workflow, version=2)] == [("=Ask", 3, 0), ("More", 3, 0)]
    assert [one.current for one in results.of_mails(workflow)] == [True, True, False]


def test_the_cost_does_not_grow_with_versions(relay: Relay, catcher: Catcher) -> None:
    workflow = journey()

    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            results.of_mails(workflow)
        return len(asked)

    go(make.place(workflow, make.make_people(2)))
    statements()
    before = statements()
    for days in (1, 2, 3):
        make.publish(workflow, {**make.live(workflow).definition, "reentry": {"kind": "after_days", "days": days}})
    assert statements() == before


def test_the_page_and_the_file_name_nobody_and_small_counts_are_for_those_who_may(
    client: Client, relay: Relay, catcher: Catcher
) -> None:
    workflow = journey()
    go(make.place(workflow, make.make_people(3)))
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    text = client.get(reverse("workflows:results", args=[workflow.pk])).content.decode()
    assert "has not opted in to this topic" in text
    answer = client.post(reverse("workflows:results_export", args=[workflow.pk]), {"version": ""})
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert ["ask", "'=Ask", "1", "mails sent", "3"] in rows  # no spreadsheet runs it
    assert ["remind", "Remind", "1", "refused: The person has not opted in to this topic.", "3"] in rows
    assert Entry.objects.get(action="workflow.results_exported").details == {"exact": True}
    assert ["ask", "=Ask", "1", "mails sent", "fewer than 11"] in [
        [cell.removeprefix("'") for cell in row]
        for row in csv.reader(io.StringIO(results.export(workflow, version=None, exact=False, by=UserFactory())))
    ]


def test_a_journey_without_mails_and_a_draft_say_what_to_do(client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    path = reverse("workflows:results", args=[make.make_workflow().pk])
    assert "This journey sends no mail" in client.get(path, {"version": "7"}).content.decode()
    draft = make.make_draft()
    assert client.get(reverse("workflows:results", args=[draft.pk])).headers["Location"] == reverse(
        "workflows:detail", args=[draft.pk]
    )


@pytest.mark.parametrize("version", ["0000000015", "000000001" + "0" * 5_000, "2", "¹", "x"])
def test_a_version_that_never_was_is_taken_as_all_of_them(client: Client, version: str) -> None:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    workflow = make.make_workflow(make.linear(make.mail(name="Welcome"), make.end()))
    sent = client.post(reverse("workflows:results_export", args=[workflow.pk]), {"version": version})
    assert "Welcome" in sent.content.decode()


def test_the_api_tells_the_same_and_small_counts_only_to_those_who_may(
    client: Client, relay: Relay, catcher: Catcher
) -> None:
    workflow = journey()
    go(make.place(workflow, make.make_people(3)))
    exact = ["workflows.numbers", "reports.small_cells"]
    for role, scopes, count in ((Role.MARKETER, exact, "3"), (Role.ANALYST, exact[:1], "fewer than 11")):
        _, headers = api_token(scopes, UserFactory(roles=[role]))
        answer = client.get(f"/api/v1/workflows/{workflow.pk}/results", headers=headers)
        wanted = {"step": "ask", "mail": "=Ask", "versions": "1", "what": "mails sent", "count": count}
        assert wanted in answer.json(), role
