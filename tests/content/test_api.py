import pytest
from django.test import Client

from tests.accounts.factories import api_token
from tests.content.factories import TemplateFactory, organization

pytestmark = pytest.mark.django_db
URL = "/api/v1/templates"


@pytest.fixture
def headers() -> dict[str, str]:
    organization()
    return api_token(["templates.view", "templates.edit"])[1]


def test_a_machine_writes_mends_and_freezes_a_template(client: Client, headers: dict[str, str]) -> None:
    made = client.post(
        URL, {"name": "Spring", "subject": "News", "html": "<p>{{ nonsense }}</p>"}, "application/json", headers=headers
    )
    assert made.status_code == 201
    one = f"{URL}/{made.json()['id']}"
    assert "nonsense" in client.get(f"{one}/findings", headers=headers).json()[0]["message"]
    refused = client.post(f"{one}/versions", headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "template_has_errors")
    html = "<p>Hi {{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>x</a></p>"
    changed = client.patch(one, {"html": html, "revision": 1}, "application/json", headers=headers)
    assert changed.json()["revision"] == 2
    frozen = client.post(f"{one}/versions", headers=headers)
    assert frozen.json()["number"] == 1
    assert len(client.get(f"{one}/versions", headers=headers).json()["results"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": "x", "purpose": "fun"}, "purpose"),
        ({"name": "x", "message_class": 3}, "message_class"),
        ({"name": "x", "html": ["a"]}, "html"),
    ],
)
def test_bad_input_names_its_field(client: Client, headers: dict[str, str], body: object, field: str) -> None:
    answer = client.post(URL, body, "application/json", headers=headers)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]


def test_an_old_revision_is_refused(client: Client, headers: dict[str, str]) -> None:
    template = TemplateFactory(revision=4)
    answer = client.patch(
        f"{URL}/{template.pk}", {"subject": "Other", "revision": 3}, "application/json", headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "template_changed")


def test_a_token_without_the_scope_is_refused(client: Client) -> None:
    _, headers = api_token(["templates.view"])
    assert client.post(URL, {"name": "x"}, "application/json", headers=headers).status_code == 403
