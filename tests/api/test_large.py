import pytest
from django.test import Client

from tests.accounts.factories import api_token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "large-1"}])
def test_a_body_larger_than_an_address_takes_is_told_so(client: Client, key: dict[str, str]) -> None:
    _, headers = api_token(["templates.edit"])
    answer = client.post(
        "/api/v1/templates", {"name": "x", "html": "x" * 6_000_000}, "application/json", headers=headers | key
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
