"""Every own page opens for who may see it; every refusal is a message."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts import factors
from accounts.commands import create_token, invite
from accounts.models import User
from accounts.policy import Role
from core.actors import SYSTEM
from tests.accounts.factories import UserFactory, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = UserFactory(roles=[Role.ADMINISTRATOR.value, Role.COMPLIANCE.value])
    sign_in(client, user)
    return user


PAGES = [
    "profile",
    "password",
    "add_app",
    "add_passkey",
    "recovery_codes",
    "staff",
    "invite",
    "resets",
    "tokens",
    "token_new",
]


@pytest.mark.parametrize("name", PAGES)
def test_page_opens(client: Client, admin: User, name: str) -> None:
    answer = client.get(reverse(f"accounts:{name}"))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("name", ["person", "roles", "disable", "enable", "password_link", "request_reset"])
def test_page_about_a_person_opens(client: Client, admin: User, name: str) -> None:
    other, _ = invite(email="new@clinic.example", name="New Person", roles=["analyst"], reason="Starts", by=admin)
    factors.request_reset(other, proof="In person", by=admin)
    assert client.get(reverse(f"accounts:{name}", args=[other.pk])).status_code == 200


def test_lists_ask_the_same_number_of_queries_for_one_row_and_for_three(
    client: Client, admin: User, django_assert_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get(path).status_code == 200
        return len(found)

    paths = [reverse("accounts:staff"), reverse("accounts:tokens"), reverse("accounts:profile")]
    paths += [reverse("accounts:resets"), reverse("accounts:person", args=[admin.pk])]

    def row(n: int) -> None:
        other = UserFactory()
        create_token(name=f"Token {n}", scopes=["contacts.view"], owner=admin, expires_at=None, by=admin)
        factors.request_reset(other, proof="Seen", by=admin)
        Client().force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
        admin.changes.create(what="granted", role="analyst", at=other.created_at, by=other)

    row(1)
    [queries(path) for path in paths]
    one = [queries(path) for path in paths]
    row(2)
    row(3)
    assert [queries(path) for path in paths] == one


def test_the_documentation_of_the_api_opens(client: Client, admin: User) -> None:
    assert client.get(reverse("api-accounts:docs")).status_code == 200
    document = client.get(reverse("api-accounts:schema")).json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("invite", {"name": ""}, "This field is required"),
        ("invite", {"email": "x", "name": "A", "reason": "b"}, "valid email"),
        ("token_new", {"name": "x", "scopes": ["nothing"], "expires_on": "2001-01-01"}, "not one of the available"),
        ("token_new", {"name": "x", "scopes": ["contacts.view"], "expires_on": "yesterday"}, "valid date"),
        ("profile", {"name": "A", "time_zone": "Mars/Olympus"}, "not one of the available"),
        ("password", {"current": "wrong", "password": "another good long password"}, "not your current"),
        ("password", {"current": "x", "password": "short"}, "at least 15"),
        ("add_app", {"code": "abc"}, "did not fit"),
    ],
)
def test_bad_input_gets_a_message(client: Client, admin: User, name: str, data: dict[str, object], words: str) -> None:
    answer = client.post(reverse(f"accounts:{name}"), data)
    assert answer.status_code == 200
    assert words in answer.content.decode()


def test_an_address_is_staff_once(client: Client, admin: User) -> None:
    invite(email="new@clinic.example", name="New", roles=[], reason="x", by=SYSTEM)
    data = {"email": "NEW@clinic.example", "name": "Again", "reason": "x"}
    assert "already" in client.post(reverse("accounts:invite"), data).content.decode()
