"""Pages of campaigns: everybody sees and does what the table of roles says, and every refusal says what to do."""

import html
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.policy import Role
from audit.models import Entry
from campaigns import commands
from campaigns.models import Campaign
from core import clock
from core.sensitivity import Sensitivity
from delivery.models import Delivery
from tests.accounts.factories import UserFactory, sign_in
from tests.campaigns.factories import CampaignFactory, SegmentFactory, approved, approver, marketer
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.content.factories import TemplateFactory, organization
from tests.delivery.factories import RelayFactory, SenderFactory

pytestmark = pytest.mark.django_db
State = Campaign.State


def seat(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"campaigns:{name}", args=[campaign.pk])


def in_review(**fields: Any) -> tuple[Campaign, User]:
    organization()
    author = marketer()
    campaign = CampaignFactory(created_by=author.pk, **fields)
    return commands.submit(campaign, by=author), author


def test_an_empty_list_says_what_to_do_next() -> None:
    assert "No campaigns yet" in text(seat(marketer()).get(reverse("campaigns:list")))


def test_the_list_filters_by_state_and_says_when_nothing_is_left() -> None:
    CampaignFactory(name="Autumn letter")
    client = seat(marketer())
    assert "Autumn letter" in text(client.get(reverse("campaigns:list"), {"state": "DRAFT"}))
    assert "No campaign is in this state" in text(client.get(reverse("campaigns:list"), {"state": "PAUSED"}))
    assert "Autumn letter" in text(client.get(reverse("campaigns:list"), {"state": "NONSENSE", "page": "x"}))


def test_the_list_asks_as_much_for_three_campaigns_as_for_one() -> None:
    client = seat(marketer())
    asked = []
    for wanted in (1, 3):
        while Campaign.objects.count() < wanted:
            CampaignFactory(sender=SenderFactory(), started_at=clock.now(), state=State.SENDING)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("campaigns:list"))
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_a_draft_is_written_with_a_name_alone_and_completed_later() -> None:
    author = marketer()
    client = seat(author)
    client.post(reverse("campaigns:new"), {"name": "  Spring   check-up "})
    campaign = Campaign.objects.get()
    assert (campaign.name, campaign.created_by, campaign.state) == ("Spring check-up", author.pk, State.DRAFT)
    page = client.get(url("detail", campaign)).content.decode()
    assert "still needs an audience and a template and a sender" in page
    assert re.search(r'<button class="button" disabled[^>]*>.{0,400}Submit for review', page, re.DOTALL)
    answer = client.post(url("submit", campaign), follow=True)
    assert "still needs an audience and a template and a sender" in text(answer)
    segment, template = SegmentFactory(name="Everybody"), TemplateFactory()
    chosen = {"segment": segment.pk, "template": template.pk, "sender": SenderFactory().pk, "topic": TopicFactory().pk}
    organization()
    client.post(url("edit", campaign), {"name": "Spring check-up", **chosen})
    client.post(url("submit", campaign))
    campaign.refresh_from_db()
    assert campaign.state == State.IN_REVIEW


def test_a_draft_saves_itself_and_says_so_or_why_not() -> None:
    campaign = CampaignFactory(name="Old")
    client = seat(marketer())
    kept = client.post(url("edit", campaign), {"name": "New"}, headers={"HX-Request": "true"})
    assert "Draft saved" in text(kept)
    campaign.refresh_from_db()
    assert campaign.name == "New"
    refused = client.post(url("edit", campaign), {"name": ""}, headers={"HX-Request": "true"})
    assert "Not saved yet: This field is required." in text(refused)


def test_saving_by_itself_never_withdraws_an_approval() -> None:
    campaign = approved()
    seat(marketer()).post(url("edit", campaign), {"name": "Other"}, headers={"HX-Request": "true"})
    campaign.refresh_from_db()
    assert (campaign.state, campaign.name != "Other") == (State.APPROVED, True)


def test_editing_an_approved_campaign_warns_and_then_withdraws_the_approval() -> None:
    campaign = approved()
    client = seat(marketer())
    assert "A change withdraws the approval" in text(client.get(url("edit", campaign)))
    client.post(url("edit", campaign), {"name": "Other"})
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "x" * 121},
        {"name": "x", "segment": "nonsense"},
        {"name": "x", "template": str(uuid4())},
        {"name": "x", "sender": "' OR 1=1 --"},
        {"name": "x\x00y"},
    ],
)
def test_bad_input_is_refused_with_a_message_and_nothing_is_kept(bad: dict[str, str]) -> None:
    answer = seat(marketer()).post(reverse("campaigns:new"), bad)
    assert answer.status_code == 200
    assert "error-text" in answer.content.decode()
    assert not Campaign.objects.exists()


def test_another_page_can_name_the_template_and_the_segment() -> None:
    template, segment = TemplateFactory(), SegmentFactory()
    client = seat(marketer())
    html = client.get(reverse("campaigns:new"), {"template": template.pk, "segment": segment.pk}).content.decode()
    assert f'value="{template.pk}" selected' in html
    assert f'value="{segment.pk}" selected' in html
    assert client.get(reverse("campaigns:new"), {"template": "nonsense", "segment": ""}).status_code == 200


def test_a_reviewer_sees_who_what_and_how_and_approves_exactly_that() -> None:
    make_people(12)
    campaign, author = in_review(segment=SegmentFactory(name="Everybody"))
    reviewer = approver()
    client = seat(reviewer)
    html = client.get(url("review", campaign)).content.decode()
    said = text(client.get(url("review", campaign)))
    for expected in ("Data tier", "Fields used", "It has not been approved before.", "Your decision", author.name):
        assert expected in said
    assert html.count("<iframe") == 1
    assert html.count("<option") == html.count("data-persona=") + 2 == 5
    assert "12 people match now." in text(client.get(url("forecast", campaign)))
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', html)
    assert seen
    client.post(url("review", campaign), {"approve": "1", "seen": seen[1], "note": "Fine."})
    campaign.refresh_from_db()
    assert (campaign.state, campaign.approved_by) == (State.APPROVED, reviewer.pk)


def test_an_approval_of_something_else_than_was_shown_is_refused() -> None:
    campaign, _ = in_review()
    answer = seat(approver()).post(url("review", campaign), {"approve": "1", "seen": "0" * 64})
    assert "changed while you were reading" in text(answer)
    campaign.refresh_from_db()
    assert campaign.state == State.IN_REVIEW


def test_nobody_approves_their_own_campaign() -> None:
    organization()
    both = UserFactory(roles=[Role.MARKETER, Role.APPROVER])
    campaign = commands.submit(CampaignFactory(created_by=both.pk), by=both)
    client = seat(both)
    html = client.get(url("review", campaign)).content.decode()
    assert "You cannot approve this yourself" in html
    assert 'name="approve"' not in html
    seen = re.search(r'value="([0-9a-f]{64})"', html)
    assert seen
    assert "A second person" in text(client.post(url("review", campaign), {"approve": "1", "seen": seen[1]}))
    campaign.refresh_from_db()
    assert campaign.state == State.IN_REVIEW


def test_sending_back_needs_a_note_and_the_author_reads_it() -> None:
    campaign, author = in_review()
    client = seat(approver())
    seen = re.search(r'value="([0-9a-f]{64})"', client.get(url("review", campaign)).content.decode())
    assert seen
    answer = client.post(url("review", campaign), {"return": "1", "seen": seen[1]})
    assert "Say what should change" in text(answer)
    client.post(url("review", campaign), {"return": "1", "seen": seen[1], "note": "Say the opening hours."})
    assert "Say the opening hours." in text(seat(author).get(url("detail", campaign)))
    assert "Was sent back to you with a note" in text(seat(author).get(reverse("home")))


def test_a_time_in_the_past_or_no_time_at_all_is_refused_in_the_readers_zone() -> None:
    campaign = approved()
    sender = marketer()
    sender.time_zone = "America/Chicago"
    sender.save()
    client = seat(sender)
    assert "Enter a valid date/time" in text(client.post(url("schedule", campaign), {"at": "soon"}))
    assert "That time has passed" in text(
        client.post(url("schedule", campaign), {"at": "2020-01-01T09:00"}, follow=True)
    )
    # On that night in Chicago the hour from 2 to 3 does not exist.
    assert "couldn\N{RIGHT SINGLE QUOTATION MARK}t be interpreted" in text(
        client.post(url("schedule", campaign), {"at": "2027-03-14T02:30"})
    )
    tomorrow = clock.now() + timedelta(days=1)
    client.post(url("schedule", campaign), {"at": f"{tomorrow:%Y-%m-%d}T09:00"})
    campaign.refresh_from_db()
    assert campaign.state == State.SCHEDULED
    assert campaign.send_at is not None
    assert campaign.send_at.hour in (14, 15)


def test_each_verb_is_offered_only_where_it_may_be_said() -> None:
    draft, reviewing, ready = CampaignFactory(), in_review()[0], approved()
    offered = {
        (draft, "submit"): True,
        (draft, "schedule"): False,
        (reviewing, "submit"): False,
        (ready, "schedule"): True,
        (ready, "submit"): False,
    }
    client = seat(marketer())
    for (campaign, verb), there in offered.items():
        html = client.get(url("detail", campaign)).content.decode()
        assert (f'action="{url(verb, campaign)}"' in html) is there, (campaign.state, verb)


def test_a_verb_said_in_the_wrong_state_is_refused_with_what_to_do() -> None:
    draft = CampaignFactory()
    client = seat(marketer())
    for verb in ("withdraw", "unschedule", "pause", "resume"):
        said = text(client.post(url(verb, draft), follow=True))
        assert "submit it for review first" in said, verb


@pytest.mark.parametrize(
    "verb", ["submit", "withdraw", "schedule", "unschedule", "pause", "resume", "cancel", "duplicate"]
)
def test_no_verb_is_said_by_get(verb: str) -> None:
    campaign = CampaignFactory()
    assert seat(UserFactory(roles=list(Role.values))).get(url(verb, campaign)).status_code == 405


def sent(people: int = 12, *, relay: Any, run: Any, **fields: Any) -> Campaign:
    """A campaign that went out to a real server."""
    make_people(people)
    campaign = approved(**fields)
    with run(execute=True):
        commands.send_now(campaign, by=marketer())
    campaign.refresh_from_db()
    return campaign


def test_a_campaign_is_sent_from_the_page_and_its_report_counts_it(
    relay: Any, django_capture_on_commit_callbacks: Any
) -> None:
    make_people(12)
    campaign = approved()
    client = seat(marketer())
    with django_capture_on_commit_callbacks(execute=True):
        client.post(url("schedule", campaign), {"now": "1"})
    campaign.refresh_from_db()
    assert campaign.state == State.FINISHED
    assert Delivery.objects.filter(origin_id=campaign.pk, outcome="sent").count() == 12
    assert "12 people were picked. 12 were sent a mail; 0 refused" in text(client.get(url("report", campaign)))
    assert "12" in text(client.get(url("domains", campaign)))
    assert "Just finished" in text(client.get(reverse("home")))
    assert "12 mails sent of 12" in text(client.get(url("detail", campaign)))


def test_an_analyst_is_told_no_small_count_on_any_page(relay: Any, django_capture_on_commit_callbacks: Any) -> None:
    campaign = sent(7, relay=relay, run=django_capture_on_commit_callbacks)
    client = seat(UserFactory(roles=[Role.ANALYST]))
    for page in (reverse("campaigns:list"), reverse("home"), url("detail", campaign), url("report", campaign)):
        said = text(client.get(page))
        assert "fewer than 11" in said, page
        assert not re.search(r"\b7\b", said), page
        assert "<progress" not in client.get(page).content.decode()
    assert client.get(url("domains", campaign)).status_code == 403
    assert client.get(url("forecast", campaign)).status_code == 403
    assert ",7" not in client.post(url("export", campaign)).content.decode()


def test_the_exported_report_names_nobody_and_is_recorded(relay: Any, django_capture_on_commit_callbacks: Any) -> None:
    campaign = sent(12, relay=relay, run=django_capture_on_commit_callbacks)
    answer = seat(marketer()).post(url("export", campaign))
    assert answer["Content-Type"].startswith("text/csv")
    assert "recipients,Sent,12" in answer.content.decode()
    assert "@" not in answer.content.decode()
    assert Entry.objects.filter(action="campaign.report_exported", target_id=str(campaign.pk)).count() == 1


def test_the_progress_fragment_reloads_the_page_when_the_state_has_changed() -> None:
    campaign = CampaignFactory(state=State.PAUSED, started_at=clock.now())
    client = seat(marketer())
    assert client.get(url("progress", campaign), {"state": "SENDING"})["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(url("progress", campaign), {"state": "PAUSED"})


def test_a_test_goes_to_oneself_with_the_values_of_nobody(
    relay: Any, catcher: Any, django_capture_on_commit_callbacks: Any
) -> None:
    organization()
    campaign = CampaignFactory()
    author = marketer()
    with django_capture_on_commit_callbacks(execute=True):
        answer = seat(author).post(url("test", campaign), {"persona": "longest"}, follow=True)
    assert "The test is on its way" in text(answer) or "error" in answer.content.decode()
    assert seat(author).post(url("test", campaign), {"persona": "a real patient"}).status_code == 200


def test_history_names_who_did_what_in_words() -> None:
    campaign = approved()
    said = text(seat(marketer()).get(url("history", campaign)))
    assert "Submitted for review" in said
    assert "Approved" in said


@pytest.mark.parametrize("page", ["detail", "audience", "content", "history", "edit", "report", "review"])
@pytest.mark.parametrize("role", Role)
def test_every_page_opens_in_every_state_for_whoever_may(role: Role, page: str) -> None:
    client = seat(UserFactory(roles=[role]))
    for campaign in (CampaignFactory(segment=None, template=None, sender=None, topic=None), in_review()[0], approved()):
        assert client.get(url(page, campaign)).status_code in (200, 302, 403)


def test_a_campaign_that_does_not_exist_is_not_found() -> None:
    assert seat(marketer()).get(reverse("campaigns:detail", args=[uuid4()])).status_code == 404


def test_no_name_of_a_campaign_or_segment_stands_in_a_title_or_an_address() -> None:
    campaign = approved(name="Oncology news", segment=SegmentFactory(name="Oncology", tier=Sensitivity.PHI))
    client = seat(marketer())
    for page in ("detail", "audience", "content", "history", "edit"):
        html = client.get(url(page, campaign)).content.decode()
        assert "Oncology" not in re.search(r"<title>(.*?)</title>", html)[1]  # type: ignore[index]
        assert not re.search(r'(href|action|src)="[^"]*[Oo]ncology', html)


def test_a_held_up_sending_says_why_and_that_nobody_is_lost() -> None:
    RelayFactory(name="Main relay", trouble="certificate")
    campaign = CampaignFactory(state=State.SENDING, started_at=clock.now())
    for page in (url("detail", campaign), url("progress", campaign)):
        said = text(seat(marketer()).get(page, {"state": "SENDING"}))
        assert "Main relay: The relay's certificate could not be verified" in html.unescape(said)
        assert "Nobody is lost" in said
    assert "does not take our mail" in text(seat(UserFactory(roles=[Role.ADMINISTRATOR])).get(reverse("home")))
