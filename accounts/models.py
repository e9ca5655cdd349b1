"""Who works here: staff, their second factors, their sessions, and the tokens of machines they own."""

from typing import ClassVar
from unicodedata import normalize

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices
from django.db.models.functions import Lower

from accounts.devices import LocalPass, RecoveryCodes, TotpDevice
from accounts.policy import Action, Role, allowed
from core import clock
from core.actors import Actor
from core.declarations import Declaration
from core.fields import uuid_pk
from phi.fields import EncryptedTextField

__all__ = [
    "ApiReply",
    "ApiToken",
    "FactorReset",
    "LocalPass",
    "OneTimeLink",
    "RecoveryCodes",
    "StaffChange",
    "StaffSession",
    "TotpDevice",
    "User",
]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, name: str, roles: list[str], password: str | None = None) -> "User":
        user = self.model(email=email.strip().lower(), name=name, roles=roles)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):  # type: ignore[django-manager-missing] # of django_otp, untyped
    """One person (SEC-12). Disabled, never deleted: the trail points here."""

    DATA = Declaration(staff=("email", "name"), safe=("*",))

    id = uuid_pk()
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    roles = ArrayField(models.CharField(max_length=24, choices=Role.choices), default=list)
    time_zone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(email=""), name="user_has_email"),
            models.UniqueConstraint(Lower("email"), name="user_email_once"),
        ]

    def __str__(self) -> str:
        return self.name

    def set_password(self, raw_password: str | None) -> None:
        """Passwords are compared in Unicode NFC, so that one typed on another keyboard is the same (IDN-01)."""
        super().set_password(raw_password if raw_password is None else normalize("NFC", raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(raw_password if raw_password is None else normalize("NFC", raw_password))

    def may(self, action: Action) -> bool:
        return self.is_active and allowed(self.roles, action)

    def as_actor(self) -> Actor:
        return Actor("staff", str(self.pk), tuple(self.roles), getattr(self, "request_source", ""))

    @property
    def role_names(self) -> list[str]:
        """Roles as people read them, in the order of the table."""
        return [role.label for role in Role if role in self.roles]


class ApiToken(models.Model):
    """A named, scoped, owned credential of a machine; only its hash is kept."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    prefix = models.CharField(max_length=8)
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    #: So that it can stand where Django and DRF expect a user.
    is_authenticated = True

    def __str__(self) -> str:
        return self.name

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= clock.now()

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None and not self.expired and self.owner.is_active

    def may(self, action: Action) -> bool:
        """A token can do what its scopes say, as long as its owner still may."""
        return self.is_active and action in self.scopes and self.owner.may(action)

    def as_actor(self) -> Actor:
        return Actor("token", str(self.pk), tuple(self.owner.roles), getattr(self, "request_source", ""))

    @property
    def scope_names(self) -> list[str]:
        return [Action(scope).label for scope in self.scopes]


class ApiReply(models.Model):
    """What a call with an Idempotency-Key answered, kept for 24 hours so that a repeat changes nothing."""

    DATA = Declaration(encrypted=("body",), safe=("*",))

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="replies")
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = EncryptedTextField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="api_reply_once")]


class StaffSession(models.Model):
    """A signed-in browser. Without a row here a session cookie opens nothing (SEC-14, IDN-07)."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()
    #: Kind of second factor that was passed ("totp", "passkey", "recovery", "local"), and when it last was.
    factor = models.CharField(max_length=16, blank=True)
    verified_at = models.DateTimeField(null=True)
    #: Browser family and network, coarse.
    browser = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=64, blank=True)


class OneTimeLink(models.Model):
    """A link an administrator hands over: to join, or to set a new password. Never weakens the second factor."""

    DATA = Declaration(safe=("*",))

    class Kind(TextChoices):
        INVITE = "invite", "Invitation"
        PASSWORD = "password", "New password"

    id = uuid_pk()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    issued_by = models.UUIDField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class StaffChange(models.Model):
    """What was granted to, or taken from, a person: by whom and why (SEC-04). Rows are only added."""

    DATA = Declaration(encrypted=("reason",), safe=("*",))

    class What(TextChoices):
        INVITED = "invited", "Invited"
        GRANTED = "granted", "Role granted"
        REVOKED = "revoked", "Role taken back"
        DISABLED = "disabled", "Disabled"
        ENABLED = "enabled", "Enabled again"
        PASSWORD_LINK = "password_link", "Link for a new password issued"
        FACTORS_RESET = "factors_reset", "Second factors reset"

    id = uuid_pk()
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="changes")
    what = models.CharField(max_length=16, choices=What.choices)
    role = models.CharField(max_length=24, choices=Role.choices, blank=True)
    reason = EncryptedTextField(default="", blank=True)
    #: Null: the system itself (an expired grant, the command line).
    by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    #: For GRANTED: taken back then by itself.
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]


class FactorReset(models.Model):
    """Recovery of somebody who lost every factor: two administrators' say and a waiting period (IDN-04)."""

    DATA = Declaration(encrypted=("proof",), safe=("*",))

    id = uuid_pk()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="resets")
    #: How the person's identity was checked anew.
    proof = EncryptedTextField()
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    #: Not before this moment, however quickly it was approved.
    ready_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(completed_at__isnull=True, cancelled_at__isnull=True),
                name="one_open_reset",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=models.F("requested_by")),
                name="reset_needs_a_second_person",
            ),
            models.CheckConstraint(
                condition=Q(completed_at__isnull=True) | Q(approved_by__isnull=False), name="reset_needs_approval"
            ),
        ]

    @property
    def is_open(self) -> bool:
        return self.completed_at is None and self.cancelled_at is None

    @property
    def is_ready(self) -> bool:
        """Approved, and the waiting period is over."""
        return self.is_open and self.approved_by_id is not None and self.ready_at <= clock.now()
