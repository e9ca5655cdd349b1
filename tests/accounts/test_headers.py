"""Headers of every route (IDN-16), and cookies under https."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client

from accounts.policy import Role
from tests.accounts.factories import UserFactory, sign_in
from tests.accounts.routes import Route, every_route

pytestmark = pytest.mark.django_db


def checked(answer: object) -> list[str]:
    """What is wrong with the headers of an answer."""
    headers = answer.headers  # type: ignore[attr-defined]
    policy = {
        part.split()[0]: part.split()[1:] for part in headers.get("Content-Security-Policy", "").split("; ") if part
    }
    # A mail in a preview needs its own inline style; its frame runs nothing and belongs to our page alone.
    framed, moved = "sandbox" in policy, answer.status_code == 302  # type: ignore[attr-defined]
    wrong = []
    if framed:
        if policy.get("script-src", policy.get("default-src")) not in (["'none'"], []):
            wrong.append("a sandboxed page may run scripts")
    else:
        for name in ("default-src", "script-src", "style-src"):
            if policy.get(name) != ["'self'"]:
                wrong.append(f"{name} is {policy.get(name)}")
        if policy.get("frame-ancestors") != ["'none'"]:
            wrong.append("may be framed")
    if headers.get("X-Frame-Options") not in (("DENY", "SAMEORIGIN") if framed or moved else ("DENY",)):
        wrong.append(f"X-Frame-Options {headers.get('X-Frame-Options')}")
    expected = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    wrong += [f"{name}: {headers.get(name)}" for name, value in expected.items() if headers.get(name) != value]
    # Pages with forms need same-origin: under no-referrer browsers send `Origin: null`, which CSRF protection refuses.
    if headers.get("Referrer-Policy") not in ("same-origin", "no-referrer"):
        wrong.append(f"Referrer-Policy {headers.get('Referrer-Policy')}")
    if "no-store" not in headers.get("Cache-Control", ""):
        wrong.append(f"Cache-Control {headers.get('Cache-Control')}")
    if "Server" in headers or "X-Powered-By" in headers:
        wrong.append("names its software")
    return wrong


@pytest.mark.parametrize("route", every_route(), ids=str)
def test_every_answer_carries_the_headers(client: Client, route: Route) -> None:
    client.raise_request_exception = False
    stranger = client.get(route.path)
    assert not checked(stranger), "asked by a stranger"
    sign_in(client, UserFactory(roles=Role.values))
    assert not checked(client.get(route.path)), "asked by staff"


def test_a_page_that_does_not_exist_carries_them_too(client: Client) -> None:
    assert not checked(client.get("/no/such/page"))


def test_a_foreign_host_name_is_refused(client: Client) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_https_makes_cookies_that_no_other_host_can_set(tmp_path: object) -> None:
    names = [
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SAMESITE",
        "CSRF_COOKIE_NAME",
        "CSRF_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_DOMAIN",
        "SESSION_COOKIE_PATH",
        "LOCAL_RUN",
    ]
    environment = os.environ | {
        "CARILLON_PUBLIC_URL": "https://mail.clinic.example",
        "CARILLON_HOME": str(tmp_path),
        "CARILLON_HOSTS": "mail.clinic.example",
        "CARILLON_LOCAL_RUN": "0",
        "DJANGO_SETTINGS_MODULE": "marketing.settings",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing",
    }
    code = (
        "import json; from django.conf import settings as s;"
        f"print(json.dumps({{n: getattr(s, n) for n in {names!r}}} | {{'passkeys': sorted(s.PASSKEY_ROLES)}}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SESSION_COOKIE_HTTPONLY"]
    assert found["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert found["SESSION_COOKIE_DOMAIN"] is None
    assert found["SESSION_COOKIE_PATH"] == "/"
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["passkeys"] == ["administrator", "approver", "compliance", "marketer"]
    assert not found["LOCAL_RUN"]
