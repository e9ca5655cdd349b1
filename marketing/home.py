"""What Home shows: what needs this person, what is on its way, what just ended, and the first steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.urls import NoReverseMatch, reverse

from accounts.models import User
from accounts.policy import Action
from campaigns import queries as campaigns
from campaigns.models import Campaign, ReviewNote
from consent import queries as consent
from consent.models import Act
from contacts import lowering
from contacts.models import Attribute, Contact, Damaged, Import
from content.models import Template
from core import clock
from core.models import Organization
from delivery import queries as delivery
from delivery import troubles
from delivery.models import Delivery, Relay, Sender
from delivery.queries import Progress
from segments import exports
from segments.models import Segment
from tracking import queries as tracking
from tracking.queries import Returned
from workflows import notices
from workflows import queries as journeys
from workflows.models import EventType

#: An agreement that ends within this is shown to whoever can renew it.
AGREEMENT_NOTICE = timedelta(days=60)
State = Campaign.State


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for this person, and the one thing to do about it."""

    icon: str
    text: str
    detail: str
    act: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Flying:
    campaign: Campaign
    progress: Progress


@dataclass(frozen=True, slots=True)
class Finished:
    campaign: Campaign
    progress: Progress
    back: Returned
    curve: list[int]


@dataclass(frozen=True, slots=True)
class Step:
    text: str
    detail: str
    url: str
    done: bool


#: How far back the totals of what happened go.
LATELY = timedelta(days=30)


def totals(user: User) -> list[tuple[str, int]]:
    """The state of things in a few numbers, as far as this person may see them. One statement each."""
    since = clock.now() - LATELY
    found = []
    if user.may(Action.CONTACTS_VIEW):
        found.append(("People", Contact.objects.count()))
    if user.may(Action.CONSENT_VIEW):
        found.append(("Addresses suppressed", consent.suppressions().count()))
    if user.may(Action.CAMPAIGNS_VIEW):
        sent = delivery.counts_since(since).get(Delivery.Outcome.SENT, 0)
        left = consent.ledger(since=since).filter(act__in=[Act.OPT_OUT, Act.OPT_OUT_ALL])
        gone = left.order_by().values("contact_id").distinct().count()
        found += [("Sent, last 30 days", sent), ("Unsubscribed, last 30 days", gone)]
    return found


def needs(user: User) -> list[Need]:
    return [
        *_reviews(user),
        *_exports(user),
        *_lowerings(user),
        *_returned(user),
        *_approved(user),
        *_journeys(user),
        *_imports(user),
        *_damaged(user),
        *_relays(user),
    ]


def _page(name: str, *args: object) -> str:
    return reverse(name, args=args)


def _reviews(user: User) -> Iterator[Need]:
    if not user.may(Action.CAMPAIGNS_APPROVE):
        return
    for one in campaigns.awaiting_approval():
        if user.pk not in (one.created_by, one.submitted_by):
            detail = "Waits for your approval"
            yield Need("review", one.name, detail, "Review", _page("campaigns:review", one.pk))


def _exports(user: User) -> Iterator[Need]:
    """What a second person has to decide on, and what may be downloaded by whoever asked for it."""
    if user.may(Action.EXPORTS_APPROVE):
        for one in exports.awaiting().exclude(requested_by=user.pk):
            detail = "People are to leave as a file: waits for your approval"
            yield Need("download", one.segment.name, detail, "Review", _page("segments:export", one.pk))
    if user.may(Action.EXPORTS_DOWNLOAD):
        for one in exports.ready(user.pk):
            yield Need(
                "download", one.segment.name, "Your export is approved", "Open", _page("segments:export", one.pk)
            )


def _lowerings(user: User) -> Iterator[Need]:
    """What is to count as less sensitive, for the second person."""
    asked = list(lowering.awaiting(user)) if user.may(Action.SENSITIVITY_LOWER) else []
    ids, detail = [one.target_id for one in asked], "Is to count as less sensitive: waits for your approval"
    for attribute in Attribute.objects.filter(pk__in=ids, removed_at=None):
        url = _page("contacts:attribute_lower", attribute.pk)
        yield Need("review", attribute.label, detail, "Review", url)
    for event in EventType.objects.filter(pk__in=ids, archived_at=None):
        yield Need("review", str(event.label or event.name), detail, "Review", _page("workflows:event", event.pk))


def _returned(user: User) -> Iterator[Need]:
    if not user.may(Action.CAMPAIGNS_EDIT):
        return
    drafts = campaigns.campaigns().filter(state=State.DRAFT, created_by=user.pk)
    notes = ReviewNote.objects.filter(campaign__in=drafts).order_by("campaign", "-at").distinct("campaign")
    returned = {note.campaign_id for note in notes if note.verdict == "returned"}
    for one in drafts.filter(pk__in=returned):
        yield Need(
            "undo", one.name, "Was sent back to you with a note", "Open", _page("campaigns:detail", one.pk), "warn"
        )


def _approved(user: User) -> Iterator[Need]:
    if not user.may(Action.CAMPAIGNS_SEND):
        return
    for one in campaigns.campaigns().filter(state=State.APPROVED):
        yield Need("check", one.name, "Is approved and not scheduled", "Open", _page("campaigns:detail", one.pk))


def _journeys(user: User) -> Iterator[Need]:
    """Versions to decide on or sent back, people who cannot go on, and what journeys told the staff."""
    if user.may(Action.WORKFLOWS_APPROVE):
        for version in journeys.awaiting_approval():
            if user.pk not in (version.proposed_by, *version.written_by):
                url = _page("workflows:review", version.workflow_id)
                yield Need("review", version.workflow.name, "A journey waits for your approval", "Review", url)
    if user.may(Action.WORKFLOWS_EDIT):
        for version in journeys.sent_back(user.pk):
            url = _page("workflows:detail", version.workflow_id)
            yield Need("undo", version.workflow.name, "Was sent back to you with a note", "Open", url, "warn")
    if user.may(Action.WORKFLOWS_RUN):
        for workflow in journeys.held()[:5]:
            url = _page("workflows:detail", workflow.pk)
            yield Need("warning", workflow.name, "Is held: what was approved has changed", "Look", url, "warn")
        for workflow, people in journeys.with_trouble()[:5]:
            detail = f"{people:,} {'person' if people == 1 else 'people'} cannot go on in this journey"
            yield Need("warning", workflow.name, detail, "Look", _page("workflows:attention", workflow.pk), "warn")
    if user.may(Action.WORKFLOWS_VIEW) and (told := notices.open_count(user)):
        text = f"Journeys told you of {told:,} {'person' if told == 1 else 'people'}"
        yield Need("bell", text, "Somebody should see to them", "Open", _link("workflows:notices"))


def _imports(user: User) -> Iterator[Need]:
    if not user.may(Action.CONTACTS_IMPORT):
        return
    said = {
        Import.State.FAILED: ("An import failed", "Nothing of it was lost", "warn"),
        Import.State.STOPPED: ("An import stopped for your decision", "Many addresses would change", "warn"),
        Import.State.CHECKED: ("A file is ready to be imported", "Its dry run is done", ""),
    }
    recent = clock.now() - timedelta(days=14)
    for one in Import.objects.filter(state__in=said, created_at__gte=recent).order_by("-created_at")[:5]:
        text, detail, tone = said[Import.State(one.state)]
        yield Need("upload", text, detail, "Open", _page("contacts:import", one.pk), tone)


def _damaged(user: User) -> Iterator[Need]:
    """Records that do not open, for whoever can have them restored, or deletes them."""
    if user.may(Action.CONTACTS_DELETE) and (count := Damaged.objects.count()):
        text = "A contact cannot be read" if count == 1 else f"{count:,} contacts cannot be read"
        yield Need("warning", text, "They match no rule and get no mail", "Look", _link("contacts:damaged"), "danger")


def _relays(user: User) -> Iterator[Need]:
    if not user.may(Action.DELIVERY_VIEW):
        return
    url = _link("delivery:overview")
    for relay in Relay.objects.filter(removed_at=None).exclude(trouble=""):
        yield Need(
            "delivery", f"{relay.name} does not take our mail", troubles.words(relay.trouble), "Open", url, "danger"
        )
    today = clock.now().date()
    ending = Relay.objects.filter(removed_at=None, baa_expires_on__lte=today + AGREEMENT_NOTICE)
    for relay in ending.order_by("baa_expires_on"):
        assert relay.baa_expires_on is not None
        over = relay.baa_expires_on < today
        text = f"The agreement with {relay.baa_party or relay.name} {'has ended' if over else 'is ending'}"
        day = f"{relay.baa_expires_on.day} {relay.baa_expires_on:%b %Y}"
        detail = f"On {day}; without it nothing about patients leaves through {relay.name}"
        yield Need("compliance", text, detail, "Open", url, "danger" if over else "warn")


def flying() -> list[Flying]:
    return [Flying(one, delivery.progress(one.pk)) for one in campaigns.in_flight()[:10]]


def scheduled() -> list[Campaign]:
    return list(campaigns.campaigns().filter(state=State.SCHEDULED).order_by("send_at")[:5])


def finished(limit: int = 3) -> list[Finished]:
    ended = list(campaigns.recently_finished(limit))
    back = tracking.people_by_origin([one.pk for one in ended])
    return [
        Finished(
            one,
            delivery.progress(one.pk),
            back[one.pk],
            [bucket.opens + bucket.clicks for bucket in tracking.over_time(one.pk)[:72]],
        )
        for one in ended
    ]


def first_steps(user: User) -> list[Step]:
    """What a new installation still needs, in order; empty once the first campaign has ended."""
    if Campaign.objects.filter(state=State.FINISHED).exists():
        return []
    steps = [
        (
            Action.SETTINGS_MANAGE,
            "Say who writes",
            "Name, postal address, time zone",
            "organization",
            bool(Organization.current().postal_address.strip()),
        ),
        (
            Action.DELIVERY_MANAGE,
            "Connect a relay and verify a domain",
            "So that mail leaves, encrypted and signed",
            "delivery:overview",
            Relay.objects.filter(removed_at=None).exists() and Sender.objects.filter(removed_at=None).exists(),
        ),
        (
            Action.CONTACTS_IMPORT,
            "Bring your people in",
            "A CSV file; you see what would change first",
            "contacts:import_new",
            Contact.objects.exists(),
        ),
        (
            Action.SEGMENTS_EDIT,
            "Say who should get it",
            "A rule over what you know, health included",
            "segments:new",
            Segment.objects.filter(archived_at=None).exists(),
        ),
        (
            Action.TEMPLATES_EDIT,
            "Write the mail",
            "Six starters, or a blank page",
            "content:new",
            Template.objects.filter(archived_at=None).exists(),
        ),
        (
            Action.CAMPAIGNS_EDIT,
            "Put both together",
            "A second person approves it before anything leaves",
            "campaigns:new",
            Campaign.objects.exists(),
        ),
    ]
    return [
        Step(text, detail, _link(name) if user.may(action) else "", done) for action, text, detail, name, done in steps
    ]


def _link(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
