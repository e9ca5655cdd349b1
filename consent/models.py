"""May we write. An append-only ledger; the current state is what its last rows say."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, TextChoices, Value

from core.declarations import Declaration
from core.fields import uuid_pk
from core.transactions import xid
from phi.fields import EncryptedJSONField, EncryptedTextField


class Topic(models.Model):
    """Something people can opt in to and out of."""

    DATA = Declaration(encrypted=("name", "description"), safe=("*",))

    id = uuid_pk()
    #: Small stable number, carried inside message tokens.
    number = models.PositiveIntegerField(unique=True)
    #: For staff; may name a condition, so it is encrypted and never shown to the public without sign-in.
    name: Any = EncryptedTextField()
    description: Any = EncryptedTextField(default="", blank=True)
    #: What the preference page calls it: neutral, says nothing of health (CAN-17).
    public_name = models.CharField(max_length=80)
    #: Commercial mail on this topic needs an opt-in; without, an opt-out is enough (operations, treatment).
    requires_opt_in = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"Topic {self.number}"


class TopicCount(models.Model):
    """How many people were in and out of a topic by words of transactions before `before_xid`; see consent.counts."""

    DATA = Declaration(safe=("*",))

    topic = models.OneToOneField(Topic, primary_key=True, on_delete=models.CASCADE, related_name="+")
    people_in = models.PositiveIntegerField()
    people_out = models.PositiveIntegerField()
    before_xid = models.BigIntegerField()

    def __str__(self) -> str:
        return f"Count of {self.topic_id}"


class Act(TextChoices):
    """What a ledger row says happened."""

    OPT_IN = "opt_in", "Opted in"
    OPT_IN_REQUESTED = "opt_in_requested", "Asked to confirm by mail"
    #: What an import wrote and its undo takes back: neither in nor out, as before it.
    OPT_IN_VOIDED = "opt_in_voided", "Opt-in taken back, recorded by mistake"
    OPT_OUT = "opt_out", "Opted out of the topic"
    OPT_OUT_ALL = "opt_out_all", "Opted out of everything"
    ADDRESS_CONFIRMED = "address_confirmed", "Address confirmed by the person"
    ADDRESS_UNCONFIRMED = "address_unconfirmed", "Address to be confirmed anew"
    AUTHORIZED = "authorized", "Signed a HIPAA authorization"
    AUTHORIZATION_REVOKED = "authorization_revoked", "Revoked a HIPAA authorization"
    SPECIAL_CONSENT = "special_consent", "Consented to use of special-category information"
    SPECIAL_CONSENT_REVOKED = "special_consent_revoked", "Revoked that consent"
    COUNTING_REFUSED = "counting_refused", "Wants no opens and clicks counted"
    COUNTING_ALLOWED = "counting_allowed", "Allows opens and clicks to be counted"


class Source(TextChoices):
    IMPORT = "import", "Imported with evidence"
    STAFF = "staff", "Recorded by staff"
    FORM = "form", "Web form"
    MAIL_LINK = "mail_link", "Link in a mail"
    ONE_CLICK = "one_click", "One-click unsubscribe"
    PREFERENCES = "preferences", "Preference page"
    API = "api", "API"
    BOUNCE = "bounce", "Bounced mail"


class LedgerEntry(models.Model):
    """One act of one person. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE. Outlives the contact."""

    DATA = Declaration(encrypted=("evidence",), blind=("address_index",), safe=("*",))

    id = uuid_pk()
    #: The order of acts: drawn while the person's lock is held, so it is the order they took effect in.
    number = models.BigIntegerField(unique=True, db_default=Func(Value("consent_ledger_number"), function="nextval"))
    contact_id = models.UUIDField()
    #: Null: about everything (OPT_OUT_ALL and its undo, ADDRESS_CONFIRMED, authorizations).
    topic = models.ForeignKey(Topic, null=True, on_delete=models.PROTECT, related_name="+")
    act = models.CharField(max_length=24, choices=Act.choices)
    at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source.choices)
    #: {"text", "text_version", "address" (network address), "agent", "given_on", "import_id", "double": bool …}
    evidence: Any = EncryptedJSONField(default=dict)
    recorded_by_kind = models.CharField(max_length=16)
    recorded_by = models.CharField(max_length=64, blank=True)
    #: For acts about an authorization.
    authorization_id = models.UUIDField(null=True)
    #: The opt-in was confirmed from the mailbox itself.
    double = models.BooleanField(default=False)
    #: ADDRESS_CONFIRMED: the email index of the address that was confirmed; another address needs its own.
    address_index = models.BinaryField(max_length=32, null=True)
    import_id = models.UUIDField(null=True)
    xid = xid()

    class Meta:
        indexes = [
            models.Index(fields=["contact_id", "-number"], name="ledger_state"),
            models.Index(fields=["xid"], name="ledger_xid"),
            models.Index(fields=["-at"], name="ledger_at"),
            models.Index(
                fields=["authorization_id"],
                name="ledger_authorization",
                condition=models.Q(authorization_id__isnull=False),
            ),
            models.Index(fields=["import_id"], name="ledger_import", condition=models.Q(import_id__isnull=False)),
            # What somebody looks for in millions of opt-ins.
            models.Index(fields=["act", "-number"], name="ledger_act", condition=~models.Q(act="opt_in")),
            models.Index(fields=["source", "-number"], name="ledger_source"),
            models.Index(
                fields=["at", "contact_id"], name="ledger_left", condition=models.Q(act__in=["opt_out", "opt_out_all"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.id}"


class Authorization(models.Model):
    """A signed HIPAA authorization (45 CFR 164.508(c)); `document` is what was shown and signed, immutable."""

    DATA = Declaration(encrypted=("document",), safe=("*",))

    id = uuid_pk()
    contact_id = models.UUIDField(db_index=True)
    #: Core elements and statements of 164.508(c)(1)-(2), each a non-empty text; see consent.authorizations.
    document: Any = EncryptedJSONField()
    states_remuneration = models.BooleanField(default=False)
    purposes = ArrayField(models.CharField(max_length=20), default=list)
    signed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    complete = models.BooleanField()

    def __str__(self) -> str:
        return f"Authorization {self.pk}"


class Suppression(models.Model):
    """An address that gets nothing, or nothing on one topic: keyed hash only, so it survives the contact (CAN-13)."""

    DATA = Declaration(blind=("address_hash",), encrypted=("note", "release_note"), safe=("*",))

    class Reason(TextChoices):
        BOUNCED = "bounced", "Address does not exist"
        COMPLAINED = "complained", "Complained"
        UNSUBSCRIBED = "unsubscribed", "Opted out of everything"
        STAFF = "staff", "Suppressed by staff"
        IMPORTED = "imported", "From an imported suppression list"

    id = uuid_pk()
    address_hash = models.BinaryField(max_length=32)
    #: Null: everything. Else it binds imports, and of the people with this address those who said nothing on the topic.
    topic = models.ForeignKey(Topic, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    #: The person asked for it, whatever else keeps it: a new yes of theirs lifts that part, and nobody else does.
    opted_out = models.BooleanField(default=False)
    note: Any = EncryptedTextField(default="", blank=True)
    at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    release_note: Any = EncryptedTextField(default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["address_hash", "topic"], name="suppression_once", nulls_distinct=False)
        ]
        indexes = [
            models.Index(fields=["-at"], name="suppression_at"),
            models.Index(
                fields=["-at", "-id"],
                name="suppression_now",
                condition=models.Q(topic__isnull=True, released_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"Suppression {self.pk}"


class Export(models.Model):
    """A file of consents that somebody asked for, why, and what it held."""

    DATA = Declaration(encrypted=("purpose",), safe=("*",))

    class Format(TextChoices):
        CSV = "csv", "CSV (spreadsheet)"
        JSONL = "jsonl", "JSON Lines"

    id = uuid_pk()
    format = models.CharField(max_length=8, choices=Format.choices, default=Format.CSV)
    as_of = models.DateTimeField()
    purpose = EncryptedTextField()
    by = models.UUIDField()
    at = models.DateTimeField(auto_now_add=True)
    #: Null until the last byte was handed over.
    finished_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"Export {self.pk}"
