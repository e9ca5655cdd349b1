"""Role × action over every address and every API operation (SEC-04): what is not in the table does not open."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.management.commands.roles import table
from accounts.models import TotpDevice
from accounts.policy import POLICY, Action, Role, allowed
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.accounts.routes import OPERATIONS, PAGES, Route, every_route

pytestmark = pytest.mark.django_db

WORDS = {"public", "signed-in", "half-signed-in"}
ACTIONS = {action.value for action in Action}
GUARDED = [route for route in PAGES if route.access != "public"]
FOR_ROLES = [route for route in PAGES if route.access in ACTIONS]
CALLS = [(route, method) for route in OPERATIONS for method in route.operations]


def ids(case: object) -> str:
    return str(case)


def ask(client: Client, path: str, method: str = "GET") -> int:
    """The status; an exception in a view counts as 500 and is told apart by the caller."""
    answer = client.generic(method, path, content_type="application/x-www-form-urlencoded")
    return answer.status_code


def sent_to(client: Client, path: str, method: str) -> str:
    answer = client.generic(method, path, content_type="application/x-www-form-urlencoded")
    return urlsplit(answer.headers.get("Location", "")).path if answer.status_code == 302 else ""


def where_to(client: Client, path: str) -> set[str]:
    """Where GET and POST are sent; a method the view does not know (405) tells and does nothing."""
    return {sent_to(client, path, method) for method in ("GET", "POST") if ask(client, path, method) != 405}


def test_the_walk_finds_the_product() -> None:
    names = {route.name for route in every_route()}
    assert {"home", "accounts:sign_in", "accounts:person", "contacts:list", "api-accounts:docs"} <= names
    assert len(names) > 40


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_every_page_says_who_may_come_in(route: Route) -> None:
    assert route.access in WORDS | ACTIONS, f"{route.path}: decorate the view with @may, @signed_in or @public"


@pytest.mark.parametrize(("route", "method"), CALLS, ids=ids)
def test_every_api_operation_names_its_scope(route: Route, method: str) -> None:
    assert isinstance(route.endpoint.scopes.get(method), Action), f"{method} {route.path}: add it to `scopes`"


def test_every_action_has_a_row_and_every_row_a_role() -> None:
    assert set(POLICY) == set(Action)
    assert all(POLICY.values())


def test_the_table_in_the_documents_is_the_table_of_the_code() -> None:
    path = Path(settings.BASE_DIR) / "docs" / "roles.md"
    assert path.read_text() == table(), "run: python manage.py roles > docs/roles.md"


@pytest.mark.parametrize("route", GUARDED, ids=ids)
def test_a_stranger_is_sent_to_sign_in(client: Client, route: Route) -> None:
    assert where_to(client, route.path) == {reverse("accounts:sign_in")}


@pytest.mark.parametrize("role", Role)
def test_each_role_opens_what_the_table_says_and_nothing_else(role: Role) -> None:
    client = Client(raise_request_exception=False)
    sign_in(client, UserFactory(roles=[role.value]))
    wrong = []
    for route in FOR_ROLES:
        if allowed([role], Action(route.access)):
            status = ask(client, route.path)
            status = ask(client, route.path, "POST") if status == 405 else status
            if (
                status in (401, 403)
                or status >= 500
                or sent_to(client, route.path, "GET") == reverse("accounts:sign_in")
            ):
                wrong.append(f"{route.path}: {status}, though {role} may {route.access}")
        else:
            found = {ask(client, route.path, method) for method in ("GET", "POST")} - {405}
            if found != {403}:
                wrong.append(f"{route.path}: {found}, though {role} may not {route.access}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", Role)
def test_each_role_opens_what_everybody_may(role: Role) -> None:
    client = Client(raise_request_exception=False)
    for route in PAGES:
        if route.access == "signed-in":
            sign_in(client, UserFactory(roles=[role.value]))
            status = ask(client, route.path)
            assert status not in (401, 403), route.path
            assert not sent_to(client, route.path, "GET").startswith("/account/s"), route.path
            assert status < 500, route.path


def test_the_password_alone_opens_nothing_but_the_second_factor() -> None:
    client, user = Client(), UserFactory(roles=Role.values)
    TotpDevice.objects.create(user=user, name="App")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for route in GUARDED:
        if route.access != "half-signed-in":
            assert where_to(client, route.path) == {reverse("accounts:second_factor")}, route.path


def test_whoever_has_no_second_factor_yet_can_only_make_one() -> None:
    client, user = Client(), UserFactory(roles=Role.values)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/", follow=True).redirect_chain[-1][0].startswith(reverse("accounts:enrol"))


def test_public_pages_need_nobody(client: Client) -> None:
    client.raise_request_exception = False
    for route in PAGES:
        if route.access == "public":
            assert sent_to(client, route.path, "GET") != reverse("accounts:sign_in"), route.path
            assert ask(client, route.path) < 500, route.path
            assert ask(client, route.path, "POST") < 500, route.path


def call(path: str, method: str, headers: dict[str, str]) -> int:
    client = Client(raise_request_exception=False)
    return client.generic(method, path, "{}", content_type="application/json", headers=headers).status_code


def test_a_machine_without_a_token_gets_nothing() -> None:
    for route, method in CALLS:
        assert call(route.path, method, {}) == 401, f"{method} {route.path}"
        assert call(route.path, method, {"Authorization": "Bearer crl_forged"}) == 401, f"{method} {route.path}"


@pytest.mark.parametrize("role", Role)
def test_a_token_does_what_its_scopes_and_its_owners_role_both_allow(role: Role) -> None:
    owner = UserFactory(roles=Role.values)
    tokens = {action: api_token([action.value], owner)[1] for action in Action}
    rest = {a: api_token([b.value for b in Action if b != a], owner)[1] for a in {_scope(r, m) for r, m in CALLS}}
    type(owner).objects.filter(pk=owner.pk).update(roles=[role.value])
    wrong = []
    for route, method in CALLS:
        scope = _scope(route, method)
        status = call(route.path, method, tokens[scope])
        if allowed([role], scope) and (status in (401, 403) or status >= 500):
            wrong.append(f"{method} {route.path}: {status}, though {role} may {scope}")
        if not allowed([role], scope) and status != 403:
            wrong.append(f"{method} {route.path}: {status}, though {role} may not {scope}")
        if (status := call(route.path, method, rest[scope])) != 403:
            wrong.append(f"{method} {route.path}: {status} without the scope {scope}")
    assert not wrong, "\n".join(wrong)


def _scope(route: Route, method: str) -> Action:
    return route.endpoint.scopes[method]
