"""Sessions end on the server (SEC-14, IDN-05, IDN-07)."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import StaffSession
from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def is_in(client: Client, **headers: str) -> bool:
    return client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(("minutes", "open_"), [(14.9, True), (15.02, False)])
def test_fifteen_idle_minutes_end_a_session(client: Client, minutes: float, open_: bool) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sign_in(client, UserFactory())
        clock.shift(timedelta(minutes=minutes))
        assert is_in(client) is open_
        if not open_:
            assert not StaffSession.objects.exists()


def test_working_keeps_a_session_but_twelve_hours_end_it(client: Client) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sign_in(client, UserFactory())
        for _ in range(71):
            clock.shift(timedelta(minutes=10))
            assert is_in(client)
        clock.shift(timedelta(minutes=10))
        assert not is_in(client)


def test_a_page_that_refreshes_itself_does_not_keep_a_session(client: Client) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sign_in(client, UserFactory())
        for _ in range(14):
            clock.shift(timedelta(minutes=1))
            assert is_in(client, **{"X-Poll": "1"})
        clock.shift(timedelta(minutes=1, seconds=1))
        assert not is_in(client, **{"X-Poll": "1"})


def test_a_part_of_a_page_answers_401_and_moves_the_whole_page(client: Client) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sign_in(client, UserFactory())
        clock.shift(timedelta(minutes=16))
        answer = client.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == reverse("accounts:sign_in")


def test_a_session_without_its_row_opens_nothing(client: Client) -> None:
    sign_in(client, UserFactory())
    StaffSession.objects.all().delete()
    assert not is_in(client)


def test_own_sessions_are_listed_and_can_be_ended_from_elsewhere() -> None:
    user, here, there = UserFactory(), Client(), Client()
    sign_in(here, user)
    there.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"
    sign_in(there, user)
    there.post(reverse("accounts:sign_in"))
    page = here.get(reverse("accounts:profile")).content.decode()
    assert "this one" in page
    other = StaffSession.objects.get(session_key=there.session.session_key)
    here.post(reverse("accounts:end_session", args=[other.pk]))
    assert not is_in(there)
    assert is_in(here)


def test_nobody_ends_a_strangers_session(client: Client) -> None:
    stranger = Client()
    sign_in(stranger, UserFactory())
    sign_in(client, UserFactory())
    session = StaffSession.objects.get(session_key=stranger.session.session_key)
    assert client.post(reverse("accounts:end_session", args=[session.pk])).status_code == 404
    assert is_in(stranger)


def test_signing_out_everywhere_else_keeps_this_browser() -> None:
    user, here, there = UserFactory(), Client(), Client()
    sign_in(here, user)
    sign_in(there, user)
    here.post(reverse("accounts:end_other_sessions"))
    assert is_in(here)
    assert not is_in(there)


def test_signing_out_ends_the_session_on_the_server(client: Client) -> None:
    sign_in(client, UserFactory())
    cookie = client.cookies["carillon"].value
    client.post(reverse("accounts:sign_out"))
    thief = Client()
    thief.cookies["carillon"] = cookie
    assert not is_in(thief)
    assert not StaffSession.objects.exists()


def test_grave_acts_ask_for_the_second_factor_again(client: Client) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sign_in(client, UserFactory(roles=[Role.ADMINISTRATOR.value]))
        assert client.get(reverse("accounts:invite")).status_code == 200
        clock.shift(timedelta(minutes=11))
        answer = client.get(reverse("accounts:invite"))
        assert answer["Location"].startswith(reverse("accounts:second_factor"))
        assert client.get(reverse("accounts:staff")).status_code == 200


def test_what_is_kept_of_a_session_is_coarse(client: Client) -> None:
    client.defaults |= {"REMOTE_ADDR": "203.0.113.77", "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux) Chrome/141.0.1"}
    client.force_login(UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
    client.post(reverse("accounts:sign_in"), {})
    user = UserFactory(password="")
    user.set_password("correct horse battery staple")
    user.save()
    client.post(reverse("accounts:sign_in"), {"email": user.email, "password": "correct horse battery staple"})
    row = StaffSession.objects.get(user=user)
    assert (row.source, row.browser) == ("203.0.113.0/24", "Chrome on Linux")
