"""Reading campaigns: lists, what a reviewer must see, what came of one."""

from dataclasses import dataclass

from django.db.models import QuerySet

from campaigns import approval
from campaigns.models import Campaign, ReviewNote
from contacts.models import Attribute
from content.models import TemplateVersion
from content.preview import Preview, all_personas, preview
from delivery import queries as delivery
from delivery.queries import Progress
from segments import queries as segments

State = Campaign.State
IN_FLIGHT = (State.SENDING, State.PAUSED)
#: The personas a reviewer reads the mail as; the others are a click away.
SHOWN = ("typical", "missing", "longest")


def campaigns() -> "QuerySet[Campaign]":
    """All campaigns with what a list shows, newest first, in one statement."""
    return Campaign.objects.select_related("segment", "template", "template_version", "sender", "topic").order_by(
        "-created_at", "-pk"
    )


def awaiting_approval() -> "QuerySet[Campaign]":
    return campaigns().filter(state=State.IN_REVIEW)


def in_flight() -> "QuerySet[Campaign]":
    return campaigns().filter(state__in=IN_FLIGHT)


def recently_finished(limit: int = 5) -> "QuerySet[Campaign]":
    return campaigns().filter(state=State.FINISHED).order_by("-finished_at")[:limit]


def progress(campaign: Campaign) -> Progress:
    return delivery.progress(campaign.pk)


@dataclass(frozen=True, slots=True)
class Review:
    """What an approver decides on."""

    digest: bytes
    sentence: str
    fields: list[Attribute]
    renders: list[Preview]
    changes: list[str]
    last_approval: ReviewNote | None


def review(campaign: Campaign) -> Review:
    """Everything a second person must see before approving (SND-08), but for the counts (`audience`)."""
    version = campaign.template_version
    last = campaign.notes.filter(verdict="approved").select_related("template_version").order_by("-at").first()
    keys = set(version.fields_used if version else ())
    if campaign.audience_rule:
        keys |= set(segments.fields_of(campaign.audience_rule))
    return Review(
        digest=approval.digest(campaign),
        sentence=segments.sentence(campaign.audience_rule) if campaign.audience_rule else "",
        fields=list(Attribute.objects.filter(key__in=keys)),
        renders=[preview(version, who) for who in all_personas() if who.key in SHOWN] if version else [],
        changes=_changes(campaign, last) if last else [],
        last_approval=last,
    )


PARTS = {
    "subject": "The subject changed.",
    "preheader": "The preview line changed.",
    "html": "The mail's body changed.",
    "text": "The text part changed.",
    "purpose": "The purpose under HIPAA changed.",
    "message_class": "The class under CAN-SPAM changed.",
    "links": "Where links lead changed.",
    "organization": "Your organization's name or address changed.",
}


def _changes(campaign: Campaign, last: ReviewNote) -> list[str]:
    """What is different from what was approved before, in words."""
    changes = []
    if last.audience_rule != campaign.audience_rule:
        changes.append("The audience rule changed.")
    now, then = campaign.template_version, last.template_version
    if now is not None and then is not None:
        changes += [said for part, said in PARTS.items() if getattr(now, part) != getattr(then, part)]
    return changes


def newer_template(campaign: Campaign) -> bool:
    """Whether the template was changed after it was frozen for this campaign; the campaign sends the frozen one."""
    version: TemplateVersion | None = campaign.template_version
    if version is None or campaign.template is None or campaign.submitted_at is None:
        return False
    return campaign.template.updated_at > campaign.submitted_at
