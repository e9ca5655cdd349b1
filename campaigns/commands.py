"""Write, review, approve and steer a campaign: one verb each."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

import content.commands
import content.queries
import delivery.commands
from accounts.models import User
from accounts.queries import person_of
from audit.commands import record
from campaigns import approval, report
from campaigns.errors import ApprovalOutdated, BadTime, NotComplete, SelfApproval
from campaigns.models import Campaign, ReviewNote
from campaigns.states import move
from content.preview import persona_called
from core import clock
from core.actors import SYSTEM, By
from core.jobs import enqueue
from core.purposes import Stream
from core.sensitivity import Sensitivity, highest
from delivery.models import Delivery, Origin
from delivery.trials import send_trial
from segments import queries as segments
from segments import uses
from segments.errors import RuleError

LONGEST_AHEAD = timedelta(days=366)


def _rows(*, skip_locked: bool = False) -> "QuerySet[Campaign]":
    held = Campaign.objects.select_for_update(of=("self",), skip_locked=skip_locked)
    return held.select_related("segment", "template", "template_version", "sender", "topic")


def _locked(campaign: Campaign) -> Campaign:
    return _rows().get(pk=campaign.pk)


@transaction.atomic
def create(*, name: str, by: By, **fields: Any) -> Campaign:
    """A new draft; `fields` are any of approval.EDITABLE."""
    campaign = Campaign.objects.create(name=name, created_by=person_of(by), **fields)
    _claim_segment(campaign)
    record("campaign.created", by=by, target=campaign)
    return campaign


@transaction.atomic
def edit(campaign: Campaign, *, by: By, **fields: Any) -> Campaign:
    """Change a draft. In review, approved or scheduled, a change withdraws the approval and returns it to draft."""
    campaign = _locked(campaign)
    state = move(campaign.state, "edit")
    changed = [key for key in approval.EDITABLE if key in fields and getattr(campaign, key) != fields[key]]
    if not changed:
        return campaign
    for key in changed:
        setattr(campaign, key, fields[key])
    was, person = campaign.state, person_of(by)
    if person and person not in campaign.editors:
        campaign.editors.append(person)
    _withdraw_approval(campaign, state)
    _claim_segment(campaign)
    record("campaign.edited", by=by, target=campaign, fields=changed, was=was)
    return campaign


def _claim_segment(campaign: Campaign) -> None:
    """Note that the campaign relies on its segment, and on no other, as long as it has not ended."""
    ended = campaign.state in (Campaign.State.FINISHED, Campaign.State.CANCELLED)
    segment = None if ended else campaign.segment
    uses.release(kind=uses.CAMPAIGN, used_by=campaign.pk, but=segment)
    if segment is not None:
        uses.claim(segment, kind=uses.CAMPAIGN, used_by=campaign.pk)


def _withdraw_approval(campaign: Campaign, state: str) -> None:
    campaign.state = state
    campaign.template_version = campaign.audience_rule = campaign.approved_digest = None
    campaign.submitted_by = campaign.submitted_at = campaign.approved_by = campaign.approved_at = None
    campaign.send_at = None
    campaign.save()


def _complete(campaign: Campaign) -> None:
    if missing := approval.lacking(campaign):
        raise NotComplete(missing)


def _tier_now(campaign: Campaign) -> Sensitivity:
    """As what the frozen content and audience use counts today. Raises RuleError."""
    assert campaign.template_version is not None
    assert campaign.audience_rule is not None
    return highest(content.queries.tier_now(campaign.template_version), segments.tier_of(campaign.audience_rule))


@transaction.atomic
def submit(campaign: Campaign, *, by: By) -> Campaign:
    """Freeze content and audience rule and ask a second person. Raises NotComplete, TemplateHasErrors, RuleError."""
    campaign = _locked(campaign)
    state = move(campaign.state, "submit")
    _complete(campaign)
    assert campaign.template is not None
    assert campaign.segment is not None
    campaign.template_version = content.commands.freeze(campaign.template, by=by)
    campaign.audience_rule = segments.rule_of(campaign.segment)
    campaign.tier = _tier_now(campaign)
    if campaign.tier == Sensitivity.SPECIAL:
        campaign.track_opens = campaign.track_clicks = False  # TRK-02
    campaign.submitted_by, campaign.submitted_at = person_of(by), clock.now()
    campaign.state = state
    campaign.save()
    record("campaign.submitted", by=by, target=campaign, version=str(campaign.template_version_id), tier=campaign.tier)
    return campaign


@transaction.atomic
def withdraw(campaign: Campaign, *, by: By) -> Campaign:
    """Take a submitted campaign back to draft."""
    campaign = _locked(campaign)
    _withdraw_approval(campaign, move(campaign.state, "withdraw"))
    record("campaign.withdrawn", by=by, target=campaign)
    return campaign


@transaction.atomic
def approve(campaign: Campaign, *, by: By, seen: bytes, note: str = "") -> Campaign:
    """Approve exactly what stands. `seen`: the digest of what the approver read; another one is refused."""
    campaign = _locked(campaign)
    state = move(campaign.state, "approve")
    person = person_of(by)
    if person is None or person in approval.authors(campaign):
        raise SelfApproval(
            "A second person has to approve this: you wrote, changed or submitted it, its template or its audience."
        )
    digest = approval.digest(campaign)
    if seen != digest:
        raise ApprovalOutdated("The campaign changed while you were reading. Load it and read it again.")
    tier = _tier_now(campaign)
    if tier.rank > Sensitivity(campaign.tier).rank:
        raise ApprovalOutdated(
            f"Since it was submitted, what it uses came to count as “{tier.label}”. Send it back: submitted again, it "
            "is reviewed as such."
        )
    campaign.state, campaign.approved_digest = state, digest
    campaign.approved_by, campaign.approved_at = person, clock.now()
    campaign.save()
    ReviewNote.objects.create(
        campaign=campaign,
        verdict="approved",
        text=note,
        by=person,
        template_version=campaign.template_version,
        audience_rule=campaign.audience_rule,
    )
    record("campaign.approved", by=by, target=campaign, digest=digest.hex())
    return campaign


@transaction.atomic
def send_back(campaign: Campaign, *, by: By, note: str) -> Campaign:
    """Return a campaign to its author, with what should change."""
    if not note.strip():
        raise NotComplete("Say what should change, so that the author can act on it.")
    campaign = _locked(campaign)
    _withdraw_approval(campaign, move(campaign.state, "send_back"))
    ReviewNote.objects.create(campaign=campaign, verdict="returned", text=note, by=person_of(by))
    record("campaign.sent_back", by=by, target=campaign)
    return campaign


@transaction.atomic
def schedule(campaign: Campaign, *, at: datetime, by: By) -> Campaign:
    """Fix the send time of an approved campaign. A time up to a minute ago counts as now."""
    campaign = _locked(campaign)
    state = move(campaign.state, "schedule")
    now = clock.now()
    if at < now - timedelta(minutes=1):
        raise BadTime("That time has passed. Choose a time from now on.")
    if at > now + LONGEST_AHEAD:
        raise BadTime("A campaign can be scheduled at most one year ahead.")
    campaign.state, campaign.send_at = state, at
    campaign.save(update_fields=["state", "send_at", "updated_at"])
    record("campaign.scheduled", by=by, target=campaign, send_at=at.isoformat())
    if at <= now:
        enqueue("campaigns.start", campaign.pk)
    return campaign


def send_now(campaign: Campaign, *, by: By) -> Campaign:
    return schedule(campaign, at=clock.now(), by=by)


@transaction.atomic
def unschedule(campaign: Campaign, *, by: By) -> Campaign:
    """Take a campaign off the schedule; it stays approved."""
    campaign = _locked(campaign)
    campaign.state, campaign.send_at = move(campaign.state, "unschedule"), None
    campaign.save(update_fields=["state", "send_at", "updated_at"])
    record("campaign.unscheduled", by=by, target=campaign)
    return campaign


@transaction.atomic
def start(campaign: Campaign) -> Campaign:
    """Pick the audience and hand it to the door, all in one transaction: a crash leaves it scheduled.

    Does nothing where another worker is at it. What is no longer what was approved goes back to its author.
    """
    held = _rows(skip_locked=True).filter(pk=campaign.pk).first()
    if held is None:
        return campaign
    campaign = held
    state = move(campaign.state, "start")
    version, sender = campaign.template_version, campaign.sender
    assert version is not None
    assert sender is not None
    assert campaign.audience_rule is not None
    now = clock.now()
    try:
        people = segments.audience(campaign.audience_rule, at=now)
        tier = _tier_now(campaign)
    except RuleError as refusal:  # an attribute of the rule was removed since
        return _return(campaign, str(refusal), code=refusal.code)
    # After the people were picked: a segment inside the rule that changed up to here has changed what is compared.
    if bytes(campaign.approved_digest or b"") != approval.digest(campaign):
        return _return(campaign, "it is not what was approved. Submit it again.", code="approval_outdated")
    if tier.rank > Sensitivity(campaign.tier).rank:
        words = f"what it uses counts as “{tier.label}” by now. Submit it again, so that it is reviewed as such."
        return _return(campaign, words, code="tier_raised")
    origin = delivery.commands.open_origin(
        campaign.pk,
        kind=Origin.Kind.CAMPAIGN,
        stream=Stream.MARKETING,
        purpose=version.purpose,
        message_class=version.message_class,
        topic_id=campaign.topic_id,
        template_version=version,
        sender=sender,
        tier=campaign.tier,
        track_opens=campaign.track_opens,
        track_clicks=campaign.track_clicks,
        approved_digest=bytes(version.digest),
        by=SYSTEM,
    )
    delivery.commands.add_batches(origin, people, due_at=now)
    campaign.state, campaign.started_at, campaign.expanded_at = state, now, now
    campaign.audience_size = len(people)
    campaign.save()
    record("campaign.started", by=SYSTEM, target=campaign, audience=len(people))
    if not people:
        finish(campaign)
    return campaign


def _return(campaign: Campaign, why: str, *, code: str) -> Campaign:
    """Put a campaign that cannot start back to draft, and tell its author why."""
    _withdraw_approval(campaign, Campaign.State.DRAFT)
    ReviewNote.objects.create(campaign=campaign, verdict="returned", text=f"Could not be started: {why}")
    record("campaign.start_refused", by=SYSTEM, target=campaign, code=code)
    return campaign


@transaction.atomic
def pause(campaign: Campaign, *, by: By) -> Campaign:
    """Hold what has not left yet; takes effect within a second or two."""
    campaign = _locked(campaign)
    campaign.state = move(campaign.state, "pause")
    campaign.save(update_fields=["state", "updated_at"])
    delivery.commands.hold(campaign.pk, by=by)
    record("campaign.paused", by=by, target=campaign)
    return campaign


@transaction.atomic
def resume(campaign: Campaign, *, by: By) -> Campaign:
    """Go on where it stopped: nobody skipped, nobody twice."""
    campaign = _locked(campaign)
    campaign.state = move(campaign.state, "resume")
    campaign.save(update_fields=["state", "updated_at"])
    delivery.commands.resume(campaign.pk, by=by)
    record("campaign.resumed", by=by, target=campaign)
    return campaign


@transaction.atomic
def cancel(campaign: Campaign, *, by: By) -> Campaign:
    """Stop for good. Whoever has been written to stays so; the rest get the outcome “cancelled”."""
    campaign = _locked(campaign)
    started = campaign.state in (Campaign.State.SENDING, Campaign.State.PAUSED)
    campaign.state, campaign.finished_at = move(campaign.state, "cancel"), clock.now()
    campaign.save(update_fields=["state", "finished_at", "updated_at"])
    if started:
        delivery.commands.cancel(campaign.pk, by=by)
    _claim_segment(campaign)
    record("campaign.cancelled", by=by, target=campaign)
    return campaign


@transaction.atomic
def finish(campaign: Campaign) -> Campaign:
    """Everyone has an outcome. Harmless when said twice."""
    campaign = _locked(campaign)
    if campaign.state in (Campaign.State.FINISHED, Campaign.State.CANCELLED):
        return campaign
    campaign.state, campaign.finished_at = move(campaign.state, "finish"), clock.now()
    campaign.save(update_fields=["state", "finished_at", "updated_at"])
    _claim_segment(campaign)
    record("campaign.finished", by=SYSTEM, target=campaign)
    return campaign


@transaction.atomic
def duplicate(campaign: Campaign, *, name: str, by: By) -> Campaign:
    """A new draft with the same choices; nothing of the approval comes along."""
    fields = {key: getattr(campaign, key) for key in approval.EDITABLE if key != "name"}
    return create(name=name, by=by, **fields)


def test_send(campaign: Campaign, *, persona: str, by: User) -> Delivery:
    """Send the mail as a synthetic person would get it, to `by`'s own address (SND-07). Raises TrialRefused."""
    if campaign.template is None or campaign.sender is None:
        raise NotComplete("Choose a template and a sender first.")
    version = campaign.template_version or content.commands.freeze(campaign.template, by=by)
    return send_trial(version, persona_called(persona), sender=campaign.sender, by=by)


@transaction.atomic
def export_report(campaign: Campaign, *, exact: bool, by: By) -> str:
    """The report as CSV; the trail keeps that it was taken. `exact` False: no count from 1 to 10 (PRV-14)."""
    found = report.report(campaign, with_domains=exact)
    record("campaign.report_exported", by=by, target=campaign, exact=exact)
    return report.as_csv(found, say=report.exact if exact else report.coarse)
