"""The pages of journeys: what each role sees, what each button does."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.policy import Role
from contacts import attributes, queries, reveals
from contacts.models import Attribute, Contact
from core import clock
from core.actors import SYSTEM
from marketing import home
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import (
    AttributeFactory,
    SegmentFactory,
    approver,
    branch,
    end,
    graph,
    linear,
    live,
    mail,
    make_draft,
    make_people,
    make_workflow,
    place,
    publish,
    rule,
    wait,
)
from workflows import commands
from workflows.engine.run import run
from workflows.models import Enrolment, Move, Workflow, WorkflowVersion
from workflows.versions import moving, publishing
from workflows.views import pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client: Client) -> Client:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def page(client: Client, name: str, *args: Any, **query: str) -> str:
    answer = client.get(reverse(f"workflows:{name}", args=args), query)
    assert answer.status_code == 200, (name, answer.status_code, answer.headers.get("Location"))
    return answer.content.decode()


def press(client: Client, name: str, *args: Any, **given: Any) -> str:
    """The page one comes to."""
    answer = client.post(reverse(f"workflows:{name}", args=args), given, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_page_of_a_journey_in_every_state_shows(marketer: Client) -> None:
    draft = make_draft(linear(wait(days=1), end()))
    running = make_workflow(linear(mail(), wait(days=2), end()))
    people = place(running, make_people(3), step="s2")
    publish(running, linear(wait(days=2), end()))
    for workflow in (draft, running):
        for name in ("detail", "history", "publish", "numbers", "people", "attention", "versions"):
            page(marketer, name, workflow.pk)
    page(marketer, "list")
    page(marketer, "new")
    page(marketer, "version", running.pk, 2)
    page(marketer, "version_json", running.pk, 1)
    page(marketer, "put_on", running.pk)
    page(marketer, "stop", running.pk)
    page(marketer, "person", running.pk, people[0].pk)
    press(marketer, "pause", running.pk)
    assert "Paused" in page(marketer, "detail", running.pk)
    page(marketer, "resume", running.pk)
    press(marketer, "stop", running.pk)
    assert "Stopped" in page(marketer, "detail", running.pk)
    assert "Archived" in press(marketer, "archive", running.pk)


@pytest.mark.parametrize("name", ["list", "people", "attention", "versions"])
def test_a_list_takes_the_same_statements_however_many_stand_in_it(marketer: Client, name: str) -> None:
    workflow = make_workflow()
    args = [] if name == "list" else [workflow.pk]

    def grow(n: int) -> None:
        place(workflow, make_people(n), status="attention", trouble="failed", wake_at=None)
        for _ in range(n):
            make_workflow(name="Another")
            publish(workflow)

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            page(marketer, name, *args)
        return len(found)

    grow(1)
    asked()
    one = asked()
    grow(2)
    assert asked() == one


def test_saves_in_a_row_are_one_line_of_the_history(client: Client) -> None:
    author = UserFactory(roles=[Role.MARKETER])
    sign_in(client, author)
    workflow = make_draft(by=author)
    for days in range(2, 6):
        commands.save_draft(workflow, linear(wait(days=days)), revision=None, by=author)
    text = page(client, "history", workflow.pk)
    assert text.count("Draft changed") == 1
    assert "Draft changed: 4 times" in text


def test_the_history_has_words_for_all_that_is_recorded_of_a_journey() -> None:
    written = "".join(path.read_text() for path in Path(pages.__file__).parents[1].rglob("*.py"))
    recorded = set(re.findall(r'"(workflow\.[a-z_]+)"', written))
    assert len(recorded) > 15
    assert recorded <= set(pages.SAID)


def test_the_list_says_what_lets_people_in_and_what_waits_for_approval(marketer: Client) -> None:
    segment = SegmentFactory(name="Screening due")
    workflow = make_draft(linear(end(), trigger={"kind": "segment", "segment": str(segment.pk), "change": "enters"}))
    text = page(marketer, "list")
    assert "Screening due" in text
    assert "Waits for approval" not in text
    WorkflowVersion.objects.create(
        workflow=workflow, number=1, state="PROPOSED", definition=workflow.draft, digest=b"", proposed_at=clock.now()
    )
    assert "Waits for approval" in page(marketer, "list")
    detail = page(marketer, "detail", workflow.pk)
    assert "Waits for approval" in detail
    assert "It can be published" not in detail


def test_a_journey_that_is_held_is_not_said_to_run(marketer: Client) -> None:
    workflow = make_workflow()
    assert "Running</span>" in re.sub(r"<svg.*?</svg>|\s+", "", page(marketer, "list"), flags=re.S)
    Workflow.objects.filter(pk=workflow.pk).update(trouble="approval_outdated")
    shown = re.sub(r"<svg.*?</svg>|\s+", "", page(marketer, "list"), flags=re.S)
    assert "Held</span>" in shown
    assert "Running</span>" not in shown


def test_who_puts_people_on_by_hand_is_told_where_they_come_first(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    assert "They come to “Wait” at once (3 days)." in press(
        marketer, "put_on", workflow.pk, names="\n".join(addresses(make_people(1)))
    )
    text = press(marketer, "put_on", workflow.pk, names="nobody@example.com")
    assert "Nobody found" in text
    assert 'name="confirm"' not in text


def test_an_archived_journey_is_found_among_the_archived(marketer: Client) -> None:
    workflow = make_draft(name="Long ago")
    press(marketer, "archive", workflow.pk)
    assert "Long ago" not in page(marketer, "list")
    assert "Long ago" in page(marketer, "list", state="archived")


# -- publishing -------------------------------------------------------------------------------------------------------


def shown_move(text: str) -> str:
    found = re.search(r'name="move" value="([^"]+)"', text)
    assert found
    return found[1]


def test_publishing_shows_what_it_would_do_before_anybody_is_moved(marketer: Client) -> None:
    workflow = make_workflow(linear({**wait(days=3), "name": "Rest"}, {**mail(), "name": "Letter"}))
    place(workflow, make_people(12), since=clock.now() - timedelta(days=2))
    old = live(workflow)
    changed = linear({**wait(days=1), "name": "Rest"}, {**mail(), "name": "Letter"})
    make_draft_of(workflow, changed)
    assert "12 people are" in page(marketer, "publish", workflow.pk)
    given = {"how": "move", "to-1-s1": "s1"}
    # Confirming what was not shown shows it first.
    text = press(marketer, "publish", workflow.pk, **given, publish="1")
    assert live(workflow) == old
    found = Move.objects.get()
    assert str(found.pk) == shown_move(text)
    moving.work_out(found.pk)
    text = page(marketer, "move", workflow.pk, found.pk)
    assert "12 mails leave" in text
    assert "are sent “Letter” now" in text
    # Another plan than was shown is shown first, too.
    press(marketer, "publish", workflow.pk, how="move", **{"to-1-s1": "-"}, move=str(found.pk), publish="1")
    assert live(workflow) == old
    press(marketer, "publish", workflow.pk, **given, move=str(found.pk), publish="1")
    assert live(workflow).number == 2
    moving.carry_out(found.pk)
    while run(seconds=5):
        pass
    assert moving.settle(found.pk)
    assert "all came as it was foretold" in page(marketer, "version", workflow.pk, 2)


def make_draft_of(workflow: Workflow, definition: dict[str, Any]) -> None:
    workflow.draft = definition
    workflow.save(update_fields=["draft"])


def test_people_left_on_the_old_version_are_said_on_the_overview(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    place(workflow, make_people(11))
    make_draft_of(workflow, linear(wait(days=4)))
    press(marketer, "publish", workflow.pk, how="finish", publish="1")
    assert live(workflow).number == 2
    assert "11 people are</strong> still on an older version" in page(marketer, "detail", workflow.pk)


def test_what_keeps_it_from_being_published_is_said_and_there_is_no_button(marketer: Client) -> None:
    workflow = make_draft({"version": 1, "start": "a", "steps": {"a": {"kind": "mail", "name": "Letter"}}})
    text = page(marketer, "publish", workflow.pk)
    assert "It cannot be published yet" in text
    assert 'name="publish"' not in text
    press(marketer, "publish", workflow.pk, how="finish", publish="1")
    assert not workflow.versions.exists()


def sensitive() -> WorkflowVersion:
    """Proposed by somebody, about health."""
    AttributeFactory(key="smoker", label="Smoker")
    smokes = rule({"attribute": "smoker", "op": "is", "value": "yes"})
    steps = {
        "fork": {**branch(smokes), "name": "Who smokes", "exits": {"1": "letter", "else": None}},
        "letter": {**mail(), "name": "Letter", "exits": {"next": None}},
    }
    workflow = make_draft(graph("fork", steps), name="Quit smoking")
    author: User = UserFactory(roles=[Role.MARKETER])
    return publishing.publish(workflow, by=author)


def test_an_approver_reads_everything_on_one_page_and_decides(client: Client) -> None:
    version = sensitive()
    person = UserFactory(roles=[Role.APPROVER])
    sign_in(client, person)
    assert [need.text for need in home.needs(person)] == ["Quit smoking"]
    text = page(client, "review", version.workflow_id)
    for said in (
        "By hand",
        "Smoker",
        "Letter",
        "Health care operations",
        "It is the first version",
        "Nobody is on one",
    ):
        assert said in text, said
    press(client, "review", version.workflow_id, seen=bytes(version.digest).hex(), **{"return": "1"})
    version.refresh_from_db()
    assert version.state == "PROPOSED"  # sent back without a word is refused
    press(client, "review", version.workflow_id, seen=bytes(version.digest).hex(), approve="1")
    version.refresh_from_db()
    assert (version.state, version.decided_by) == ("LIVE", person.pk)


def test_its_author_finds_it_sent_back_on_home_with_the_note_on_the_page(client: Client) -> None:
    version = sensitive()
    publishing.send_back(version, by=approver(), note="Say why they get it.")
    author = User.objects.get(pk=version.proposed_by)
    sign_in(client, author)
    assert [need.detail for need in home.needs(author)] == ["Was sent back to you with a note"]
    assert "Say why they get it." in page(client, "detail", version.workflow_id)


# -- people -----------------------------------------------------------------------------------------------------------


def test_people_are_found_by_state_and_step_and_nobody_is_named(marketer: Client) -> None:
    workflow = make_workflow(linear({**wait(days=3), "name": "Rest"}, wait(days=1)))
    place(workflow, make_people(2, first_name="Waldtraut"), step="s1", wake_at=clock.now() + timedelta(days=3))
    place(
        workflow, make_people(1, first_name="Waldtraut"), step="s2", status="attention", trouble="failed", wake_at=None
    )
    text = page(marketer, "people", workflow.pk)
    assert "Waldtraut" not in text
    assert text.count("W•••") == 3
    assert page(marketer, "people", workflow.pk, status="attention").count("W•••") == 1
    assert page(marketer, "people", workflow.pk, step="s1").count("W•••") == 2
    assert "Nobody fits these filters" in page(marketer, "people", workflow.pk, step="\0s9")
    assert "Nobody fits these filters" in page(marketer, "people", workflow.pk, status="left")
    assert "Something unforeseen" in page(marketer, "attention", workflow.pk)


def test_the_path_of_one_says_what_was_sent_or_why_not_and_the_clause_only_to_who_revealed_them(client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    version = sensitive()
    publishing.approve(version, by=approver(), seen=bytes(version.digest))
    workflow = version.workflow
    (who,) = make_people(1, smoker="yes")
    (row,) = place(workflow, [who])
    while run(seconds=5):
        pass
    text = page(client, "person", workflow.pk, row.pk)
    for said in ("Who smokes", "went on by", "Letter", "Waits until the mail has left", "here now"):
        assert said in text, said
    assert "People where Smoker is" not in text
    reveals.reveal(Contact.objects.get(pk=who), reason="They asked why they got this", by=user)
    assert "People where Smoker is" in page(client, "person", workflow.pk, row.pk)


def test_the_journeys_of_a_contact_show_after_a_reveal_only(client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    sign_in(client, user)
    workflow = make_workflow(name="Quit smoking")
    (who,) = make_people(1)
    place(workflow, [who])
    assert "Quit smoking" not in page(client, "for_contact", who, revealed="")
    reveals.reveal(Contact.objects.get(pk=who), reason="They asked about it", by=user)
    assert "Quit smoking" in page(client, "for_contact", who, revealed="")
    assert "Quit smoking" not in page(client, "for_contact", who)


def test_staff_without_a_say_sees_the_list_and_cannot_steer(client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.COMPLIANCE]))
    workflow = make_workflow()
    (row,) = place(workflow, make_people(1), status="attention", trouble="failed", wake_at=None)
    assert 'name="retry"' not in page(client, "attention", workflow.pk)
    for name in ("attend", "pause", "stop"):
        assert client.post(reverse(f"workflows:{name}", args=[workflow.pk])).status_code == 403
    row.refresh_from_db()
    assert row.status == "attention"


def test_those_ticked_are_tried_again_or_everybody(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    rows = place(workflow, make_people(3), status="attention", trouble="failed", wake_at=None)
    assert "Tick the people first" in press(marketer, "attend", workflow.pk, retry="1")
    assert "1 person tried again" in press(marketer, "attend", workflow.pk, retry="1", person=rows[0].pk)
    assert "1 person taken off" in press(marketer, "attend", workflow.pk, remove="1", person=rows[1].pk)
    assert "1 person skipped" in press(marketer, "attend", workflow.pk, skip="1", all="1")
    assert not Enrolment.objects.filter(status="attention").exists()


def test_people_are_put_on_by_hand_after_a_look_at_how_many(marketer: Client) -> None:
    workflow = make_workflow(linear(wait(days=3)))
    who = make_people(3)
    names = "\n".join([*addresses(who), "nobody@example.com"])
    text = press(marketer, "put_on", workflow.pk, names=names)
    assert "3 people are" in text
    assert "1 of what you typed is nobody" in text
    assert not Enrolment.objects.exists()
    text = press(marketer, "put_on", workflow.pk, names=names, confirm="1")
    assert "3 people put on the journey" in text
    text = press(marketer, "put_on", workflow.pk, segment=str(SegmentFactory().pk), confirm="1")
    assert "3 not: each was on this journey before" in text
    assert Enrolment.objects.count() == 3
    assert "one of the two" in press(marketer, "put_on", workflow.pk, names="")


def addresses(ids: list[UUID]) -> list[str]:
    return [str(queries.open_one(contact).values["email"]) for contact in Contact.objects.filter(pk__in=ids)]


def test_home_names_journeys_whose_people_cannot_go_on(marketer: Client) -> None:
    workflow = make_workflow(name="Refills")
    place(workflow, make_people(2), status="attention", trouble="failed", wake_at=None)
    user = UserFactory(roles=[Role.MARKETER])
    assert [(need.text, need.detail) for need in home.needs(user)] == [
        ("Refills", "2 people cannot go on in this journey")
    ]


def test_what_a_running_journey_relies_on_and_is_gone_is_said_and_nobody_is_lost(marketer: Client) -> None:
    AttributeFactory(key="smoker", label="Smoker")
    fork = branch(rule({"attribute": "smoker", "op": "is", "value": "yes"}))
    steps = {"a": {**wait(days=1), "exits": {"next": "b"}}, "b": {**fork, "exits": {"1": None, "else": None}}}
    workflow = make_workflow(graph("a", steps))
    place(workflow, make_people(2), since=clock.now() - timedelta(days=2))

    attributes.remove(Attribute.objects.get(key="smoker"), by=SYSTEM)
    assert "Something this journey relies on is missing" in page(marketer, "detail", workflow.pk)
    while run(seconds=5):
        pass
    stuck = Enrolment.objects.filter(workflow=workflow, trouble="rule_broken")
    assert stuck.count() == 2
