"""Signing in as people do it: a real browser, a virtual authenticator, a thief's proxy."""

import time
from typing import Any

import pytest
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp_webauthn.models import WebAuthnCredential

from accounts.commands import invite
from accounts.models import TotpDevice, User
from accounts.policy import Role
from audit.models import Entry
from core.actors import SYSTEM
from tests.accounts.factories import PASSWORD, UserFactory
from tests.browser import Visitors, assert_accessible, assert_fits, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def authenticator(page: Any, *, verifies: bool = True) -> Any:
    """A device with a fingerprint reader, built into this browser."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def code_of(device: TotpDevice) -> str:
    totp = TOTP(bytes.fromhex(device.secret))
    totp.time = time.time()
    return f"{totp.token():06d}"


def sign_out(page: Any) -> None:
    page.locator(".topbar details[data-menu] summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/account/sign-in**")


def give_password(page: Any, user: User, password: str = PASSWORD) -> None:
    page.goto(reverse("accounts:sign_in"))
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()


def test_a_newcomer_joins_with_a_passkey_and_comes_back_without_a_password(page: Any) -> None:
    user, path = invite(email="nina@clinic.example", name="Nina", roles=["marketer"], reason="Starts", by=SYSTEM)
    authenticator(page)
    page.goto(path)
    assert_accessible(page)
    page.get_by_label("New password").fill("a sentence nobody else says")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/account/enrol**")
    assert_accessible(page)
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/account/profile/recovery-codes")
    page.get_by_role("button", name="Show my codes").click()
    assert page.locator("#codes li").count() == 10
    assert_accessible(page)
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url("**/")
    sign_out(page)
    assert_accessible(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: "/account/" not in url)
    assert WebAuthnCredential.objects.get(user=user).name.startswith("Passkey, ")
    assert Entry.objects.filter(action="accounts.signed_in", details__factor="passkey").count() == 1


def test_password_and_app_in_the_browser_then_a_passkey_as_well(page: Any) -> None:
    user = UserFactory(roles=[Role.ADMINISTRATOR.value])
    authenticator(page)
    give_password(page, user)
    page.wait_for_url("**/account/enrol**")
    page.get_by_role("textbox", name="Code").fill(code_of(TotpDevice.objects.get(user=user)))
    page.get_by_role("button", name="Confirm the app").click()
    page.wait_for_url("**/recovery-codes")
    page.goto(reverse("accounts:add_passkey"))
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/account/profile")
    assert WebAuthnCredential.objects.filter(user=user).count() == 1
    sign_out(page)
    give_password(page, user)
    page.wait_for_url("**/account/second-factor**")
    assert_accessible(page)
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url(lambda url: "/account/" not in url)


def test_a_device_without_a_matching_passkey_says_so(page: Any) -> None:
    authenticator(page)
    page.goto(reverse("accounts:sign_in"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("alert").filter(has_text="Try again").wait_for()


def test_a_passkey_made_here_does_not_open_through_a_thiefs_proxy(visitors: Visitors, settings: Any) -> None:
    """AiTM: the browser signs the address it sees, so the server that expects its own refuses (IDN-02)."""
    user, page = UserFactory(), visitors.new()
    authenticator(page)
    give_password(page, user)
    page.wait_for_url("**/account/enrol**")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/recovery-codes")
    page.context.clear_cookies()
    settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = ["https://mail.clinic.example"]
    page.goto(reverse("accounts:sign_in"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("alert").filter(has_text="Invalid").wait_for()
    page.goto("/")
    page.wait_for_url("**/account/sign-in**")


def test_a_copied_passkey_that_was_not_unlocked_opens_nothing(page: Any) -> None:
    user = UserFactory()
    session = authenticator(page)
    give_password(page, user)
    page.wait_for_url("**/account/enrol**")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/recovery-codes")
    page.context.clear_cookies()
    session.send("WebAuthn.disable")
    page.goto(reverse("accounts:sign_in"))
    authenticator(page, verifies=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("alert").filter(has_text="Try again").wait_for()


def test_what_a_page_asks_by_itself_is_marked_so_that_it_keeps_no_session_alive(page: Any) -> None:
    sign_in(page, UserFactory())
    page.goto(reverse("accounts:profile"))
    # Aimed at the body: a whole page in answer to a fragment would load this one anew, buttons and all.
    attributes = {"hx-get": "/account/profile", "hx-swap": "none", "hx-target": "body"}
    for trigger in ("every 300ms", "click"):
        page.evaluate(
            """(attributes) => {
                const part = document.createElement("button");
                for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
                part.textContent = attributes["hx-trigger"];
                document.querySelector("main").append(part);
                htmx.process(part);
            }""",
            attributes | {"hx-trigger": trigger},
        )
    with page.expect_request(lambda request: request.headers.get("x-poll") == "1"):
        pass
    with page.expect_request(lambda request: "hx-request" in request.headers and "x-poll" not in request.headers):
        page.get_by_role("button", name="click").click()


@pytest.mark.parametrize("width", [1440, 390])
def test_own_pages_fit_and_are_accessible(visitors: Visitors, width: int) -> None:
    user = UserFactory(roles=[Role.ADMINISTRATOR.value, Role.COMPLIANCE.value])
    other = UserFactory(name="Wolfeschlegelsteinhausenbergerdorff-Oberkirchner", roles=Role.values)
    page = visitors.new(width=width)
    sign_in(page, user)
    names = ["profile", "add_app", "add_passkey", "password", "recovery_codes", "staff", "invite", "tokens"]
    paths = [reverse(f"accounts:{name}") for name in [*names, "token_new", "resets"]]
    paths += [reverse(f"accounts:{name}", args=[other.pk]) for name in ("person", "roles", "disable", "request_reset")]
    for path in [*paths, reverse("api-accounts:docs")]:
        page.goto(path)
        assert page.get_by_role("heading", level=1).count() == 1, path
        assert_accessible(page)
        assert_fits(page)
