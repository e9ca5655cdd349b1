"""The OpenAPI document and the page made from it: everything is in it, nothing is vague."""

import io
from contextlib import redirect_stderr

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from accounts.views.api_docs import document, groups
from tests.accounts.factories import UserFactory, sign_in
from tests.accounts.routes import OPERATIONS

pytestmark = pytest.mark.django_db


def test_the_document_is_valid_and_nothing_in_it_was_guessed() -> None:
    GENERATOR_STATS.reset()
    said = io.StringIO()
    with redirect_stderr(said), GENERATOR_STATS.silence():
        spec = SchemaGenerator().get_schema(request=None, public=True)
    validate_schema(spec)
    complaints = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert not complaints, "\n".join(map(str, complaints))


def test_every_operation_is_in_it_with_its_scope_its_words_and_its_refusals() -> None:
    found = {
        (method.upper(), path): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    assert len(found) == sum(len(route.operations) for route in OPERATIONS)
    for (method, path), operation in found.items():
        assert operation["x-scope"], path
        assert operation["description"].split("\n")[0].strip().endswith("."), f"{method} {path} needs a docstring"
        assert operation["security"] == [{"token": []}], path
        assert {"401", "403", "429"} <= set(operation["responses"]), path


def test_the_page_shows_every_operation_and_runs_nobody_elses_code(client: Client) -> None:
    sign_in(client, UserFactory())
    page = client.get("/api/v1/docs").content.decode()
    for group in groups(document()):
        for operation in group["operations"]:
            assert f'id="{operation["id"]}"' in page
    assert "style=" not in page
    assert "//cdn" not in page
