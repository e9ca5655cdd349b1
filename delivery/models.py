"""The door. Batches are leased, outcomes are appended; neither is ever updated row by row."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices

from content.models import TemplateVersion
from core.declarations import Declaration
from core.fields import uuid_pk
from core.purposes import MessageClass, Purpose, Stream
from core.sensitivity import Sensitivity
from core.transactions import xid
from phi.fields import EncryptedTextField


class Relay(models.Model):
    """An SMTP server that takes our mail, and the agreement under which it may (SEC-09)."""

    DATA = Declaration(encrypted=("password",), safe=("*",))

    class Security(TextChoices):
        STARTTLS = "starttls", "STARTTLS, required and verified"
        TLS = "tls", "TLS from the first byte, verified"

    id = uuid_pk()
    name = models.CharField(max_length=80)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=587)
    security = models.CharField(max_length=10, choices=Security.choices, default=Security.STARTTLS)
    username = models.CharField(max_length=255, blank=True)
    password = EncryptedTextField(default="", blank=True)
    #: PEM of the authority to trust instead of the system's store (a private relay, the local run).
    ca_certificate = models.TextField(blank=True)
    stream = models.CharField(max_length=16, choices=Stream.choices, default=Stream.MARKETING)
    connections = models.PositiveSmallIntegerField(default=10)
    #: SEC-09: without a business associate agreement in force, nothing above PUBLIC leaves through here.
    baa_party = models.CharField(max_length=120, blank=True)
    baa_signed_on = models.DateField(null=True, blank=True)
    baa_expires_on = models.DateField(null=True, blank=True)
    #: DLV-04: the provider enforces verified TLS onward for each message (REQUIRETLS or by contract).
    enforces_tls_onward = models.BooleanField(default=False)
    #: What keeps us from sending through it, if anything: a code of delivery.troubles and what the wire said.
    trouble = models.CharField(max_length=24, blank=True)
    trouble_detail = models.CharField(max_length=200, blank=True)
    trouble_since = models.DateTimeField(null=True)
    trouble_count = models.PositiveIntegerField(default=0)
    #: Not tried again before.
    blocked_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class SendingDomain(models.Model):
    """A domain we sign for (DLV-18): RSA-2048 and Ed25519 keys, one selector each."""

    DATA = Declaration(encrypted=("rsa_key", "ed25519_key"), safe=("*",))

    id = uuid_pk()
    domain = models.CharField(max_length=253, unique=True)
    rsa_selector = models.CharField(max_length=63)
    rsa_key = EncryptedTextField()
    ed25519_selector = models.CharField(max_length=63)
    ed25519_key = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)
    #: CAN-03: an administrator says the DNS records are published and the domain is ours.
    verified_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.domain


class Sender(models.Model):
    """An identity mails come from."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    name = models.CharField(max_length=80)
    address = models.EmailField()
    reply_to = models.EmailField(blank=True)
    domain = models.ForeignKey(SendingDomain, on_delete=models.PROTECT, related_name="senders")
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"


class Origin(models.Model):
    """What decided to write (a campaign, later a workflow node): what all its batches share, and their one switch."""

    DATA = Declaration(safe=("*",))

    class Kind(TextChoices):
        CAMPAIGN = "campaign", "Campaign"
        WORKFLOW = "workflow", "Workflow step"
        CALL = "call", "API call"
        TRIAL = "trial", "Test mail"

    class State(TextChoices):
        OPEN = "OPEN", "Sending"
        HELD = "HELD", "Paused"
        CANCELLED = "CANCELLED", "Cancelled"

    #: The id of the campaign (or node, or call) itself.
    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    stream = models.CharField(max_length=16, choices=Stream.choices)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    message_class = models.CharField(max_length=16, choices=MessageClass.choices)
    topic_id = models.UUIDField(null=True)
    template_version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+")
    #: The highest of the template's tier and of the segment's that selected the people.
    tier = models.CharField(max_length=12, choices=Sensitivity.choices)
    track_opens = models.BooleanField(default=False)
    track_clicks = models.BooleanField(default=False)
    #: SND-08: digest of what was approved; the gate compares it with the template version's.
    approved_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)
    #: Everybody had an outcome, and origin_drained was sent; null again when batches are added.
    drained_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class SendBatch(models.Model):
    """Up to 500 recipients of one origin. Leased with a deadline and a fencing epoch."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    origin = models.ForeignKey(Origin, on_delete=models.PROTECT, related_name="batches")
    stream = models.CharField(max_length=16, choices=Stream.choices)
    #: Distinguishes repeated sends of one origin to one contact (workflows); "" for campaigns.
    visit = models.CharField(max_length=40, default="", blank=True)
    contact_ids = ArrayField(models.UUIDField())
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    epoch = models.PositiveIntegerField(default=0)
    #: Every recipient has an outcome, or waits in Retry.
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["stream", "due_at"], name="batch_open", condition=Q(done_at__isnull=True)),
            models.Index(fields=["origin"], name="batch_origin"),
        ]

    def __str__(self) -> str:
        return f"Batch {self.pk}"


class SmtpSession(models.Model):
    """What the wire proved, once per connection (DLV-05)."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    relay = models.ForeignKey(Relay, on_delete=models.PROTECT, related_name="sessions")
    host = models.CharField(max_length=255)
    address = models.CharField(max_length=64)
    tls_version = models.CharField(max_length=16)
    cipher = models.CharField(max_length=64)
    certificate_sha256 = models.CharField(max_length=64)
    certificate_subject = models.CharField(max_length=255, blank=True)
    #: "webpki" (system store, host name) or "private-ca" (the relay's own authority, host name).
    basis = models.CharField(max_length=16)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(tls_version__in=["TLSv1.2", "TLSv1.3"]), name="session_tls_verified")
        ]

    def __str__(self) -> str:
        return f"Session {self.pk}"


class Delivery(models.Model):
    """The one terminal outcome of (origin, contact, visit). Append-only: triggers refuse UPDATE and DELETE.

    `id` is deterministic (delivery.ids), so a repeat after a crash bears the same Message-ID.
    """

    DATA = Declaration(sealed=("merge_values",), safe=("*",))

    class Outcome(TextChoices):
        SENT = "sent", "Sent"
        REFUSED = "refused", "Refused by the gate"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        UNKNOWN = "unknown", "Unknown (connection broke after the message was handed over)"

    id = models.UUIDField(primary_key=True)
    # Indexed below, together with what they are asked for with.
    origin = models.ForeignKey(Origin, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    batch = models.ForeignKey(SendBatch, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    contact_id = models.UUIDField()
    visit = models.CharField(max_length=40, default="", blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    at = models.DateTimeField()
    #: The gate's answer: {"policy", "verdict", "reasons", "basis": {...ids}}; required where outcome is sent.
    decision = models.JSONField(null=True)
    #: Reason codes of delivery.gate.Reason for REFUSED; SMTP class for FAILED.
    reasons = ArrayField(models.CharField(max_length=40), default=list)
    #: How it was protected: "relay_tls"; later "smime", "openpgp", "portal".
    method = models.CharField(max_length=16, blank=True)
    session = models.ForeignKey(SmtpSession, null=True, on_delete=models.PROTECT, related_name="deliveries")
    smtp_code = models.PositiveSmallIntegerField(null=True)
    smtp_status = models.CharField(max_length=12, blank=True)
    #: SHA-256 of the bytes on the wire, before DKIM's own fields.
    content_sha256 = models.BinaryField(max_length=32, null=True)
    #: What was merged in, sealed under the contact's key: with the version it reproduces the message.
    merge_values = models.BinaryField(null=True)
    xid = xid()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["origin", "contact_id", "visit"], name="delivery_once"),
            models.CheckConstraint(
                condition=~Q(outcome="sent")
                | (
                    Q(decision__isnull=False)
                    & Q(decision__contains={"verdict": "allow"})
                    & Q(session__isnull=False)
                    & Q(content_sha256__isnull=False)
                ),
                name="sent_needs_decision_and_session",
            ),
        ]
        indexes = [
            models.Index(fields=["origin", "outcome", "at"], name="delivery_by_origin"),
            models.Index(fields=["contact_id", "at"], name="delivery_by_contact"),
            models.Index(fields=["batch"], name="delivery_by_batch"),
            models.Index(fields=["xid"], name="delivery_by_xid", condition=Q(outcome="sent")),
            models.Index(fields=["xid"], name="delivery_not_sent_by_xid", condition=~Q(outcome="sent")),
            models.Index(
                fields=["at"], name="delivery_bounced", condition=Q(outcome="failed") & Q(smtp_status="5.1.1")
            ),
            models.Index(fields=["-at"], name="delivery_unknown", condition=Q(outcome="unknown")),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk}"


class Tally(models.Model):
    """How many deliveries one statement appended, by what became of them: a trigger on Delivery writes these rows.

    Their sum is the exact count, in the same transaction; to count a million deliveries takes a few thousand of them.
    """

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    origin_id = models.UUIDField()
    outcome = models.CharField(max_length=10, choices=Delivery.Outcome.choices)
    at = models.DateTimeField()
    #: The first of its reasons.
    reason = models.CharField(max_length=40, blank=True)
    smtp_code = models.PositiveSmallIntegerField(null=True)
    smtp_status = models.CharField(max_length=12, blank=True)
    count = models.PositiveIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["origin_id", "outcome", "at"], name="tally_of_origin"),
            models.Index(fields=["at"], name="tally_by_time"),
        ]

    def __str__(self) -> str:
        return f"Tally {self.pk}"


class Retry(models.Model):
    """A recipient the relay put off (4xx), until there is an outcome."""

    DATA = Declaration(safe=("*",))

    id = models.UUIDField(primary_key=True)  # the delivery's id to be
    batch = models.ForeignKey(SendBatch, on_delete=models.PROTECT, related_name="retries")
    contact_id = models.UUIDField()
    attempts = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField(db_index=True)
    smtp_code = models.PositiveSmallIntegerField(null=True)
    smtp_status = models.CharField(max_length=12, blank=True)
    #: "greylisted", "quiet_hours", "frequency", "connection"
    reason = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"Retry {self.pk}"
