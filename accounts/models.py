"""Who works here: staff, their sessions, and the tokens of machines they own."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.policy import Action, Role, allowed
from core.actors import Actor
from core.declarations import Declaration
from core.fields import uuid_pk


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, name: str, roles: list[str], password: str | None = None) -> "User":
        user = self.model(email=email.strip().lower(), name=name, roles=roles)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
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

    def __str__(self) -> str:
        return self.name

    def may(self, action: Action) -> bool:
        return self.is_active and allowed(self.roles, action)

    def as_actor(self) -> Actor:
        return Actor("staff", str(self.pk), tuple(self.roles), getattr(self, "request_source", ""))


class ApiToken(models.Model):
    """A named, scoped, owned credential of a machine; only its hash is kept."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    scopes = ArrayField(models.CharField(max_length=40, choices=Action.choices), default=list)
    prefix = models.CharField(max_length=8)
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None

    def may(self, action: Action) -> bool:
        """A token can do what its scopes say, as long as its owner still may."""
        return action in self.scopes and self.owner.may(action)

    def as_actor(self) -> Actor:
        return Actor("token", str(self.pk), tuple(self.owner.roles), getattr(self, "request_source", ""))


class StaffSession(models.Model):
    """A signed-in browser, so that its owner can see and end it."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()
    factor = models.CharField(max_length=16, blank=True)
    #: Browser family and network, coarse.
    browser = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=64, blank=True)
