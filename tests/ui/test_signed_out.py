"""A session that ends while somebody types: the page says so, covers what is on it, and loses nothing of it."""

import re
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import StaffSession
from accounts.policy import Role
from campaigns.models import Campaign
from contacts.models import Contact
from core import clock
from tests import browser
from tests.accounts.factories import UserFactory
from tests.content.factories import TemplateFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COVER = "#signed-out[open]"


def end_sessions() -> None:
    StaffSession.objects.update(seen_at=clock.now() - timedelta(minutes=16))


def go_on(page: Any, minutes: float) -> None:
    """So long passes at the page's own clock."""
    page.clock.fast_forward(int(minutes * 60_000))


def sign_in_again(page: Any, user: Any) -> None:
    other = page.context.new_page()
    browser.sign_in(other, user)
    other.close()
    page.bring_to_front()
    page.clock.run_for(5_000)


def test_a_form_that_is_sent_after_the_session_ended_stays_and_is_sent_again(visitors: Any) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, user)
    page.goto("/campaigns/new")
    page.fill("[name=name]", "Spring letters")
    go_on(page, 2)
    end_sessions()
    page.get_by_role("button", name="Create draft").click()
    page.wait_for_selector(COVER)
    assert not page.locator("[name=name]").is_visible()
    browser.assert_accessible(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert not page.locator("[name=name]").is_visible()
    page.wait_for_selector(COVER)  # a second Escape closes it whatever the page says; it is opened again
    assert page.get_by_role("link", name="Sign in again").get_attribute("href") == "/account/sign-in?next=/account/back"
    sign_in_again(page, user)
    page.wait_for_selector(COVER, state="detached")
    page.get_by_text("You are signed in again").wait_for()
    assert page.input_value("[name=name]") == "Spring letters"
    page.get_by_role("button", name="Create draft").click()
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}"))
    assert Campaign.objects.get().name == "Spring letters"


def test_whoever_comes_back_after_the_idle_limit_finds_what_they_typed(visitors: Any) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, user)
    page.goto("/people/new")
    page.get_by_label("Email").first.fill("ada@example.org")
    go_on(page, 16)
    end_sessions()
    page.mouse.move(200, 300)
    page.wait_for_selector(COVER)
    sign_in_again(page, user)
    page.wait_for_selector(COVER, state="detached")
    page.get_by_role("button", name="Add contact").click()
    page.wait_for_url(re.compile(r"/people/[0-9a-f-]{36}"))
    assert Contact.objects.count() == 1


def test_what_was_typed_is_covered_though_nobody_comes_back(visitors: Any) -> None:
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/people/new")
    page.get_by_label("Email").first.fill("ada@example.org")
    end_sessions()
    go_on(page, 16)
    page.wait_for_selector(COVER)


def test_a_page_that_is_looked_at_again_after_a_sign_out_in_another_tab_goes(visitors: Any) -> None:
    page = visitors.new()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/people/new")
    StaffSession.objects.all().delete()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_url("**/account/sign-in?next=/people/new**")


def test_nobody_has_to_be_asked_for_a_covered_page_to_go_after_an_hour(visitors: Any) -> None:
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    end_sessions()
    page.locator("[name=name]").press_sequentially("Half built")
    page.clock.run_for(5_000)
    page.wait_for_selector(COVER)
    page.on("dialog", lambda dialog: dialog.dismiss())  # nobody says yes to losing it
    go_on(page, 61)
    page.wait_for_url("**/account/sign-in?next=/segments/new")


def test_where_nothing_was_typed_the_page_goes(visitors: Any) -> None:
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/people/new")
    go_on(page, 16)
    end_sessions()
    page.mouse.move(200, 300)
    page.wait_for_url("**/account/sign-in?next=/people/new**")


def test_an_editor_that_keeps_itself_stays_and_keeps_what_it_could_not(visitors: Any) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    template = TemplateFactory()
    page = visitors.new()
    browser.sign_in(page, user)
    page.goto(f"/templates/{template.pk}/")
    page.wait_for_load_state("networkidle")
    end_sessions()
    page.fill("[name=subject]", "Typed after the session ended")
    page.wait_for_selector(COVER)
    assert page.url.endswith(f"/templates/{template.pk}/")
    other = page.context.new_page()
    browser.sign_in(other, user)
    other.close()
    page.bring_to_front()
    page.wait_for_selector(COVER, state="detached")
    page.wait_for_function("r => Number(document.querySelector('[name=revision]').value) > r", arg=template.revision)
    template.refresh_from_db()
    assert template.subject == "Typed after the session ended"


def test_whoever_else_signs_in_meanwhile_sees_and_sends_nothing_of_it(visitors: Any) -> None:
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/campaigns/new")
    page.fill("[name=name]", "Not theirs")
    go_on(page, 2)
    sign_in_again(page, UserFactory(roles=[Role.MARKETER]))
    page.get_by_role("button", name="Create draft").click()
    page.get_by_text("Somebody else is signed in").wait_for()
    assert not page.locator("[name=name]").is_visible()
    assert not Campaign.objects.exists()


def test_who_goes_on_typing_stays_signed_in_and_a_page_that_polls_does_not(visitors: Any) -> None:
    page = visitors.new()
    page.clock.install()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/people/new")
    before = clock.now() - timedelta(minutes=10)
    StaffSession.objects.update(seen_at=before)
    go_on(page, 10)
    page.mouse.move(200, 300)
    page.mouse.move(300, 300)
    page.wait_for_timeout(300)
    assert StaffSession.objects.get().seen_at == before
    with page.expect_response("**/account/session"):
        page.get_by_label("Email").first.fill("ada@example.org")
    assert StaffSession.objects.get().seen_at > before
