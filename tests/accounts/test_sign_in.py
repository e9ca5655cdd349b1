import pytest
from django.test import Client
from django.urls import reverse

from accounts.commands import issue_local_link
from tests.accounts.factories import UserFactory, sign_in

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("accounts:sign_in"))


def test_a_session_past_the_second_factor_opens_home(client: Client) -> None:
    sign_in(client, UserFactory())
    assert client.get("/").status_code == 200


def test_a_local_link_signs_in_once_and_opening_it_changes_nothing(client: Client) -> None:
    path = issue_local_link(UserFactory())
    assert client.get(path).status_code == 200
    assert client.get(path).status_code == 200
    assert client.post(path)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert Client().post(path).status_code == 404
