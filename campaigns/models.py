"""One mail to one audience, once: its states, its approval and its history."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import TextChoices

from consent.models import Topic
from content.models import Template, TemplateVersion
from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from delivery.models import Sender
from phi.fields import EncryptedJSONField, EncryptedTextField
from segments.models import Segment


class Campaign(models.Model):
    """A mail, an audience rule and a moment; `states` says what may happen to it."""

    DATA = Declaration(encrypted=("name", "audience_rule"), safe=("*",))

    class State(TextChoices):
        DRAFT = "DRAFT", "Draft"
        IN_REVIEW = "IN_REVIEW", "In review"
        APPROVED = "APPROVED", "Approved"
        SCHEDULED = "SCHEDULED", "Scheduled"
        SENDING = "SENDING", "Sending"
        PAUSED = "PAUSED", "Paused"
        FINISHED = "FINISHED", "Finished"
        CANCELLED = "CANCELLED", "Cancelled"

    id = uuid_pk()
    name: Any = EncryptedTextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, db_index=True)
    segment = models.ForeignKey(Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    sender = models.ForeignKey(Sender, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns")
    #: Off by default where the mail is of PHI tier (TRK-02).
    track_opens = models.BooleanField(default=False)
    track_clicks = models.BooleanField(default=False)
    # Fixed at submission; any edit before sending clears them and returns the campaign to DRAFT.
    template_version = models.ForeignKey(
        TemplateVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns"
    )
    audience_rule: Any = EncryptedJSONField(null=True)
    tier = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.PUBLIC)
    submitted_by = models.UUIDField(null=True)
    submitted_at = models.DateTimeField(null=True)
    approved_by = models.UUIDField(null=True)
    approved_at = models.DateTimeField(null=True)
    #: campaigns.approval.digest of content, audience rule, topic, sender and tracking at approval.
    approved_digest = models.BinaryField(max_length=32, null=True)
    send_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True)
    #: Every batch of the audience stands: set in the transaction that made the last of them.
    expanded_at = models.DateTimeField(null=True)
    audience_size = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    created_by = models.UUIDField(null=True)
    #: Everybody who changed it after it was made.
    editors = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Campaign {self.pk}"


class ReviewNote(models.Model):
    """What an approver said: approved, or sent back and why."""

    DATA = Declaration(encrypted=("text", "audience_rule"), safe=("*",))

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="notes")
    verdict = models.CharField(max_length=10, choices=[("approved", "Approved"), ("returned", "Returned")])
    text = EncryptedTextField(default="", blank=True)
    #: What the approval was for, so that the next one can be shown what changed since.
    template_version = models.ForeignKey(TemplateVersion, null=True, on_delete=models.PROTECT, related_name="+")
    audience_rule: Any = EncryptedJSONField(null=True)
    #: Null: the system, which could not start it.
    by = models.UUIDField(null=True)
    at = models.DateTimeField(auto_now_add=True)


class Figure(models.Model):
    """A count over everybody of a campaign's audience, worked out by jobs a piece at a time; see campaigns.figures."""

    DATA = Declaration(encrypted=("counted", "found"), safe=("*",))

    class Kind(TextChoices):
        FORECAST = "forecast", "What the gate would say"
        DOMAINS = "domains", "Outcomes by mail domain"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="figures")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    #: What is being counted (a digest, or how many there were); empty: nothing is.
    about = models.CharField(max_length=64, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    #: The last one who was counted.
    after = models.UUIDField(null=True)
    counted: Any = EncryptedJSONField(default=dict)
    moved_at = models.DateTimeField(null=True)
    #: The last count that was finished, what it was about, and when.
    found: Any = EncryptedJSONField(default=dict)
    found_about = models.CharField(max_length=64, blank=True)
    found_at = models.DateTimeField(null=True)
    #: Said by figures, for the page: what was found is not about what is asked for now.
    outdated = False

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "kind"], name="figure_once")]

    def __str__(self) -> str:
        return f"Figure {self.pk}"
