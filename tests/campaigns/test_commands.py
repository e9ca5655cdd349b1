"""The life of a campaign against a real database and a real SMTP server."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from audit.models import Entry
from campaigns import approval, commands, figures, queries, report, tasks
from campaigns.errors import ApprovalOutdated, BadTime, NotComplete, NotPossibleNow, SelfApproval
from campaigns.models import Campaign
from consent import commands as consent
from consent.models import Source
from contacts import attributes
from contacts.models import Attribute, Kind
from content import commands as content
from content.errors import TemplateHasErrors
from core import clock
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from delivery import engine
from delivery.models import Delivery, Origin, Relay
from delivery.queries import Forecast
from phi.errors import KeyUnavailable
from segments import commands as segment_commands
from segments import queries as segments
from tests.campaigns.factories import EVERYBODY, CampaignFactory, SegmentFactory, approve, approved, approver, marketer
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.content.factories import TemplateFactory, organization
from tests.delivery.smtp import Catcher
from tests.segments.factories import attribute, is_, rule

pytestmark = pytest.mark.django_db
State = Campaign.State


def run(campaign: Campaign) -> Campaign:
    """Start what is scheduled, send all of it, and let the sweep find that it is done."""
    tasks.start(str(campaign.pk))
    engine.drain("marketing", seconds=30)
    tasks.start_due()
    campaign.refresh_from_db()
    return campaign


def test_from_approval_to_report_everybody_has_an_outcome(relay: Relay, catcher: Catcher) -> None:
    people = make_people(12)
    campaign = approved()
    consent.opt_out(people[0], campaign.topic, source=Source.STAFF, evidence={}, by=SYSTEM)
    commands.send_now(campaign, by=marketer())
    campaign = run(campaign)
    assert campaign.state == State.FINISHED
    assert campaign.audience_size == 12
    found = report.report(campaign)
    assert found.progress.by_outcome == {"sent": 11, "refused": 1}
    assert [refusal.code for refusal in found.refusals] == ["opted_out"]
    assert len(catcher.messages) == 11
    assert {row[0] for row in report.rows(found)} >= {"recipients", "refused", "opens", "clicks", "links", "domains"}


def test_the_author_cannot_approve_and_another_person_can() -> None:
    organization()
    author = marketer()
    campaign = commands.submit(CampaignFactory(created_by=author.pk), by=author)
    with pytest.raises(SelfApproval):
        approve(campaign, author)
    assert approve(campaign).state == State.APPROVED


def test_whoever_submitted_anothers_draft_cannot_approve_it_either() -> None:
    organization()
    author, submitter = marketer(), marketer()
    campaign = commands.submit(CampaignFactory(created_by=author.pk), by=submitter)
    for person in (author, submitter):
        with pytest.raises(SelfApproval):
            approve(campaign, person)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", lambda: "Another name"),
        ("segment", SegmentFactory),
        ("template", TemplateFactory),
        ("topic", TopicFactory),
        ("track_clicks", lambda: True),
    ],
)
def test_any_edit_withdraws_the_approval(field: str, value: Any) -> None:
    campaign = approved()
    campaign = commands.edit(campaign, by=marketer(), **{field: value()})
    assert campaign.state == State.DRAFT
    assert campaign.approved_digest is None
    assert campaign.approved_by is None
    assert campaign.template_version is None


def test_an_edit_that_changes_nothing_withdraws_nothing() -> None:
    campaign = approved()
    assert commands.edit(campaign, by=marketer(), name=campaign.name).state == State.APPROVED


def test_what_is_sent_is_what_was_approved_even_if_the_template_moves_on(relay: Relay, catcher: Catcher) -> None:
    make_people(1)
    campaign = approved()
    assert campaign.template is not None
    content.save_template(campaign.template, by=SYSTEM, subject="Changed after approval")
    commands.send_now(campaign, by=marketer())
    run(campaign)
    assert catcher.messages[0].parsed["Subject"] == "News from the clinic"
    assert queries.newer_template(campaign)


def test_a_changed_segment_does_not_change_an_approved_audience(relay: Relay, catcher: Catcher) -> None:
    make_people(2)
    campaign = approved()
    assert campaign.segment is not None
    campaign.segment.rule = {"version": 1, "root": {"all": [{"attribute": "email", "op": "is_empty"}]}}
    campaign.segment.save()
    commands.send_now(campaign, by=marketer())
    assert run(campaign).audience_size == 2


def test_an_approval_tampered_with_in_the_database_starts_nothing(relay: Relay, catcher: Catcher) -> None:
    make_people(1)
    campaign = approved()
    commands.send_now(campaign, by=marketer())
    Campaign.objects.filter(pk=campaign.pk).update(topic=TopicFactory())
    campaign = run(campaign)
    assert campaign.state == State.DRAFT
    assert not Origin.objects.exists()
    assert not catcher.messages
    assert "not what was approved" in campaign.notes.order_by("-at")[0].text


def test_a_rule_that_lost_its_attribute_starts_nothing_and_says_why(relay: Relay) -> None:
    rule = {"version": 1, "root": {"all": [{"attribute": "nonsense", "op": "is_empty"}]}}
    campaign = approved()
    commands.send_now(campaign, by=marketer())
    Campaign.objects.filter(pk=campaign.pk).update(audience_rule=rule)
    campaign.refresh_from_db()
    Campaign.objects.filter(pk=campaign.pk).update(approved_digest=approval.digest(campaign))
    campaign = run(campaign)
    assert campaign.state == State.DRAFT
    assert "nonsense" in campaign.notes.order_by("-at")[0].text


def test_the_approver_is_told_when_the_page_was_older_than_the_campaign() -> None:
    organization()
    author = marketer()
    campaign = commands.submit(CampaignFactory(created_by=author.pk), by=author)
    with pytest.raises(ApprovalOutdated):
        commands.approve(campaign, by=approver(), seen=b"x" * 32)


def test_sending_back_needs_a_word_for_the_author() -> None:
    organization()
    author = marketer()
    campaign = commands.submit(CampaignFactory(created_by=author.pk), by=author)
    with pytest.raises(NotComplete):
        commands.send_back(campaign, by=approver(), note="  ")
    assert commands.send_back(campaign, by=approver(), note="Shorter, please").state == State.DRAFT


@pytest.mark.parametrize(
    ("missing", "words"),
    [("segment", "an audience"), ("template", "a template"), ("sender", "a sender"), ("topic", "needs a topic")],
)
def test_what_is_missing_is_named(missing: str, words: str) -> None:
    organization()
    with pytest.raises(NotComplete, match=words):
        commands.submit(CampaignFactory(**{missing: None}), by=marketer())


def test_a_template_with_errors_is_not_submitted() -> None:
    organization()
    campaign = CampaignFactory(template=TemplateFactory(html="<p>{{ nonsense }}</p>"))
    with pytest.raises(TemplateHasErrors):
        commands.submit(campaign, by=marketer())
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT


def test_the_tier_is_the_highest_of_content_and_audience() -> None:
    rule = {"version": 1, "root": {"all": [{"attribute": "birth_date", "op": "is_not_empty"}]}}
    campaign = approved(segment=SegmentFactory(rule=rule))
    assert Sensitivity(campaign.tier).rank >= Sensitivity.IDENTITY.rank


@pytest.mark.parametrize("away", [timedelta(minutes=-5), timedelta(days=400)])
def test_impossible_times_are_refused(away: timedelta) -> None:
    with pytest.raises(BadTime):
        commands.schedule(approved(), at=clock.now() + away, by=marketer())


def test_a_scheduled_campaign_starts_when_its_time_has_come_and_not_before(relay: Relay, catcher: Catcher) -> None:
    make_people(1)
    campaign = commands.schedule(approved(), at=clock.now() + timedelta(hours=1), by=marketer())
    tasks.start_due()
    campaign.refresh_from_db()
    assert campaign.state == State.SCHEDULED
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1), tick=True):
        tasks.start_due()
    campaign.refresh_from_db()
    assert campaign.state == State.SENDING


def test_starting_twice_sends_once(relay: Relay, catcher: Catcher) -> None:
    make_people(3)
    campaign = commands.send_now(approved(), by=marketer())
    tasks.start(str(campaign.pk))
    tasks.start(str(campaign.pk))
    run(campaign)
    assert len(catcher.messages) == 3


def test_a_paused_campaign_sends_nothing_and_goes_on_where_it_stopped(relay: Relay, catcher: Catcher) -> None:
    make_people(5)
    campaign = commands.send_now(approved(), by=marketer())
    tasks.start(str(campaign.pk))
    commands.pause(campaign, by=marketer())
    engine.drain("marketing", seconds=5)
    assert not catcher.messages
    commands.resume(campaign, by=marketer())
    assert run(campaign).state == State.FINISHED
    assert set(catcher.recipients().values()) == {1}
    assert len(catcher.messages) == 5


def test_a_cancelled_campaign_gives_everybody_left_that_outcome(
    relay: Relay, catcher: Catcher, django_capture_on_commit_callbacks: Any
) -> None:
    make_people(4)
    campaign = commands.send_now(approved(), by=marketer())
    tasks.start(str(campaign.pk))
    with django_capture_on_commit_callbacks(execute=True):
        commands.cancel(campaign, by=marketer())
    engine.drain("marketing", seconds=5)
    assert not catcher.messages
    assert Delivery.objects.filter(origin_id=campaign.pk, outcome="cancelled").count() == 4


def test_nobody_to_write_to_finishes_at_once(relay: Relay) -> None:
    campaign = commands.send_now(approved(), by=marketer())
    tasks.start(str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.state == State.FINISHED


def test_a_refused_move_changes_nothing() -> None:
    campaign = CampaignFactory()
    with pytest.raises(NotPossibleNow, match="submit it for review"):
        commands.send_now(campaign, by=marketer())
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT


def test_a_test_mail_goes_to_oneself_with_a_synthetic_persons_values(relay: Relay, catcher: Catcher) -> None:
    organization()
    make_people(3)
    author = marketer()
    delivery = commands.test_send(CampaignFactory(), persona="rtl", by=author)
    assert [message.recipients for message in catcher.messages] == [[author.email]]
    assert "عبد الرحمن" in catcher.messages[0].parsed.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert delivery.outcome == "sent"
    assert delivery.session is not None


def test_the_forecast_counts_what_the_gate_then_does(relay: Relay, catcher: Catcher) -> None:
    people = make_people(6)
    campaign = approved()
    consent.opt_out(people[0], None, source=Source.STAFF, evidence={}, by=SYSTEM)
    forecast = figures.forecast(campaign, campaign.audience_rule, 6)
    assert isinstance(forecast, Forecast)
    commands.send_now(campaign, by=marketer())
    run(campaign)
    progress = queries.progress(campaign)
    assert (forecast.allowed, forecast.refused) == (progress.sent, progress.refused) == (5, 1)
    assert forecast.by_reason == progress.refused_by_reason


def test_a_second_approval_is_shown_what_changed_since_the_first() -> None:
    campaign = approved()
    assert campaign.template is not None
    author = marketer()
    commands.withdraw(campaign, by=author)
    content.save_template(campaign.template, by=SYSTEM, subject="Other news")
    campaign = commands.submit(campaign, by=author)
    assert queries.review(campaign).changes == ["The subject changed."]


def test_every_step_leaves_its_line_in_the_trail(relay: Relay, catcher: Catcher) -> None:
    make_people(1)
    campaign = commands.send_now(approved(), by=marketer())
    run(campaign)
    actions = Entry.objects.filter(target_id=str(campaign.pk)).order_by("at", "id").values_list("action", flat=True)
    assert [a for a in actions if a.startswith("campaign.")] == [
        "campaign.submitted",
        "campaign.approved",
        "campaign.scheduled",
        "campaign.started",
        "campaign.finished",
    ]


def test_a_report_names_nobody_and_defuses_formulas(relay: Relay, catcher: Catcher) -> None:
    make_people(2, first_name="Canary-Name")
    campaign = run(commands.send_now(approved(), by=marketer()))
    text = report.as_csv(report.report(campaign))
    assert "Canary-Name" not in text
    assert "@" not in text.replace("'@", "")
    assert report.coarse(3) == "fewer than 11"
    assert report.coarse(0) == "0"
    assert report.coarse(11) == "about 10"
    assert report.coarse(1_234) == "about 1,230"


def test_what_became_more_sensitive_since_its_approval_goes_back_to_its_author(relay: Relay, catcher: Catcher) -> None:
    make_people(2, first_name="Ada")
    campaign = commands.send_now(approved(), by=marketer())
    Attribute.objects.filter(key="first_name").update(sensitivity=Sensitivity.SPECIAL)
    campaign = run(campaign)
    assert campaign.state == State.DRAFT
    assert "Special category" in campaign.notes.order_by("-at")[0].text
    assert not catcher.messages


def test_nothing_is_approved_that_became_more_sensitive_since_it_was_submitted(relay: Relay) -> None:
    organization()
    author = marketer()
    program = attribute("program", Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    inner = SegmentFactory(rule=rule(is_("program", "x")))
    audience = SegmentFactory(rule=rule({"segment": str(inner.pk), "op": "in"}))
    campaign = commands.submit(CampaignFactory(created_by=author.pk, segment=audience), by=author)
    assert campaign.tier == Sensitivity.IDENTITY
    attributes.edit(program, label="Program", sensitivity=Sensitivity.PHI, by=SYSTEM)
    with pytest.raises(ApprovalOutdated, match="Health"):
        approve(campaign)
    commands.send_back(campaign, note="As what it is.", by=approver())
    assert approve(commands.submit(campaign, by=author)).tier == Sensitivity.PHI


def test_a_key_store_that_does_not_answer_costs_no_approval(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = commands.send_now(approved(), by=marketer())
    other = commands.send_now(approved(), by=marketer())
    real = segments.audience
    asked: list[object] = []

    def unavailable_once(rule: object, at: object = None) -> object:
        asked.append(rule)
        if len(asked) == 1:
            raise KeyUnavailable("The key store does not answer.")
        return real(rule, at)  # type: ignore[arg-type]

    monkeypatch.setattr(segments, "audience", unavailable_once)
    tasks.start_due()
    states = {row.state for row in (campaign, other) if row.refresh_from_db() is None}
    assert states == {State.SCHEDULED, State.FINISHED}


def test_nobody_with_a_hand_in_it_is_a_second_person() -> None:
    organization()
    author, editor, writer, builder = (marketer() for _ in range(4))
    segment = segment_commands.create(name="Everybody", rule=EVERYBODY, by=builder)
    template = TemplateFactory()
    content.save_template(template, by=writer, subject="Another subject")
    campaign = CampaignFactory(created_by=author.pk, segment=segment, template=template)
    commands.edit(campaign, by=editor, name="Another name")
    campaign = commands.submit(campaign, by=author)
    for person in (author, editor, writer, builder):
        with pytest.raises(SelfApproval):
            approve(campaign, person)
    assert approve(campaign).state == State.APPROVED
