"""People for tests. `sign_in(client, user)` gives a Django test client a session past the second factor.

In a browser: open `issue_local_link(user)` and press the button, or set the cookie from `browser_cookie(user)`.
"""

from collections.abc import Iterable
from functools import cache

import factory
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.commands import create_token
from accounts.models import ApiToken, StaffSession, TotpDevice, User
from accounts.policy import POLICY, Action, Role, allowed
from core.actors import SYSTEM

PASSWORD = "correct horse battery staple"


@cache
def _hash() -> str:
    """Argon2id is slow on purpose; once per test run is enough."""
    return make_password(PASSWORD)


class UserFactory(factory.django.DjangoModelFactory[User]):
    """`UserFactory(roles=[Role.MARKETER])`; the password is PASSWORD."""

    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@clinic.example")
    name = factory.Sequence(lambda n: f"Person {n}")
    roles = [Role.ADMINISTRATOR.value]
    password = factory.LazyFunction(_hash)


def user_who_may(action: Action) -> User:
    """Somebody whose one role allows this."""
    return UserFactory(roles=[sorted(POLICY[action])[0].value])


def user_who_may_not(action: Action) -> User:
    """Somebody whose one role does not allow this; nobody at all where every role does."""
    role = next((role for role in Role if not allowed([role], action)), None)
    return UserFactory(roles=[role.value] if role else [])


def sign_in(client: Client, user: User) -> TotpDevice:
    """Sign in with the password and an authenticator app; returns the app's device."""
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    device, _ = TotpDevice.objects.get_or_create(user=user, defaults={"name": "Authenticator app"})
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    StaffSession.objects.filter(session_key=session.session_key).update(factor="totp", verified_at=timezone.now())
    return device


def browser_cookie(user: User) -> dict[str, str]:
    """A signed-in session as a cookie for Playwright: add "url" and pass it to `context.add_cookies`."""
    client = Client()
    sign_in(client, user)
    [(name, morsel)] = [(k, m) for k, m in client.cookies.items() if "carillon" in k]
    return {"name": name, "value": morsel.value}


def api_token(scopes: Iterable[str], owner: User | None = None) -> tuple[ApiToken, dict[str, str]]:
    """A token and the headers for a test client: `client.get(url, headers=headers)`."""
    owner = owner or UserFactory(roles=list(Role.values))
    token, secret = create_token(name="Test", scopes=scopes, owner=owner, expires_at=None, by=SYSTEM)
    return token, {"Authorization": f"Bearer {secret}"}
