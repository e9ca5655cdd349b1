"""Pages that belong to no room: organization settings and what is shown when something is refused or missing."""

import pytest
from django.test import Client, override_settings
from django.urls import path, reverse

from accounts.policy import Role
from accounts.requests import public
from audit.models import Entry
from core.models import Organization
from marketing.urls import urlpatterns as product
from tests.accounts.factories import UserFactory, sign_in

pytestmark = pytest.mark.django_db

GOOD = {
    "name": "Lakeside Clinic",
    "postal_address": "1 Shore Road\nSpringfield, IL 62701",
    "contact_email": "hello@clinic.example",
    "contact_phone": "555 0100",
    "time_zone": "America/Chicago",
    "quiet_from_hour": "21",
    "quiet_until_hour": "8",
    "cap_messages": "3",
    "cap_days": "7",
}


@pytest.fixture
def administrator(client: Client) -> Client:
    sign_in(client, UserFactory(roles=[Role.ADMINISTRATOR]))
    return client


def test_an_administrator_changes_the_organization_and_the_trail_says_which_fields(administrator: Client) -> None:
    answer = administrator.post(reverse("organization"), GOOD, follow=True)
    assert "Saved." in answer.content.decode()
    organization = Organization.current()
    assert (organization.name, organization.quiet_from_hour, organization.cap_messages) == ("Lakeside Clinic", 21, 3)
    entry = Entry.objects.get(action="organization.changed")
    assert "name" in entry.details["fields"]
    assert "Lakeside" not in str(entry.details)


def test_saving_the_organization_unchanged_records_nothing(administrator: Client) -> None:
    administrator.post(reverse("organization"), GOOD)
    administrator.post(reverse("organization"), GOOD)
    assert Entry.objects.filter(action="organization.changed").count() == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required."),
        ("time_zone", "Mars/Olympus", "Select a valid choice"),
        ("quiet_until_hour", "", "Give both hours"),
        ("quiet_until_hour", "21", "another hour"),
        ("quiet_until_hour", "99", "Select a valid choice"),
        ("cap_days", "0", "greater than or equal to 1"),
        ("contact_email", "nobody", "valid email"),
        ("cap_messages", "-1", "greater than or equal to 1"),
    ],
)
def test_bad_settings_are_refused_with_a_message(administrator: Client, field: str, value: str, said: str) -> None:
    answer = administrator.post(reverse("organization"), GOOD | {field: value})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert Organization.current().name == ""


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_others_do_not_open_the_organization_and_learn_whom_to_ask(client: Client, role: Role) -> None:
    sign_in(client, UserFactory(roles=[role]))
    answer = client.get(reverse("organization"))
    assert answer.status_code == 403
    assert "ask an administrator" in answer.content.decode()


def test_a_missing_page_says_where_to_go(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()
    assert 'href="/"' in answer.content.decode()


def test_a_stale_form_says_to_reload(administrator: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = administrator.cookies
    answer = strict.post(reverse("organization"), GOOD)
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


@public
def broken(request: object) -> None:
    raise RuntimeError("a secret inside")


urlpatterns = [path("broken/", broken), *product]


@override_settings(ROOT_URLCONF="tests.ui.test_pages")
def test_a_failure_of_ours_says_what_to_do_and_nothing_of_what_was_inside() -> None:
    answer = Client(raise_request_exception=False).get("/broken/")
    assert answer.status_code == 500
    assert "go back and look before doing it again" in answer.content.decode()
    assert "secret" not in answer.content.decode()
