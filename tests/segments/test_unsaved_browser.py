"""What is built outlives the tab, the session and the network; whoever builds it in two tabs is told."""

import re
import time
from typing import Any

import pytest

from accounts.models import StaffSession
from accounts.policy import Role
from segments.models import Segment, Unsaved
from tests import browser
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def marketer() -> Any:
    make_people(30)
    return UserFactory(roles=[Role.MARKETER])


def kept(page: Any) -> None:
    page.wait_for_selector("#kept [data-mark]")


def build_half(page: Any, city: str) -> None:
    page.fill("[name=name]", "Half built")
    page.select_option("[name='r-0.subject']", "attribute:city")
    page.wait_for_selector("[name='r-0.value']")
    page.fill("[name='r-0.value']", city)


def test_a_closed_page_is_gone_on_with_after_signing_in_anew(visitors: Any, marketer: Any) -> None:
    page = visitors.new()
    browser.sign_in(page, marketer)
    page.goto("/segments/new")
    build_half(page, "Boston")
    page.close(run_before_unload=True)  # at once: what was typed last goes with the page's last breath
    for _ in range(100):
        if Unsaved.objects.filter().exists() and "Boston" in Unsaved.objects.get().form["rule"]:
            break
        time.sleep(0.05)
    StaffSession.objects.all().delete()
    stranger = visitors.new()
    browser.sign_in(stranger, UserFactory(roles=[Role.MARKETER]))
    stranger.goto("/segments/new")
    assert stranger.locator("text=You have unsaved changes").count() == 0
    page = visitors.new()
    browser.sign_in(page, marketer)
    page.goto("/segments/new")
    page.get_by_text("You have unsaved changes").wait_for()
    browser.assert_accessible(page)
    assert page.input_value("[name=name]") == ""
    page.get_by_role("link", name="Continue").click()
    page.wait_for_selector("[name='r-0.value']")
    assert (page.input_value("[name=name]"), page.input_value("[name='r-0.value']")) == ("Half built", "Boston")
    page.locator("[data-save]").first.click()
    page.wait_for_url(re.compile(r"/segments/[0-9a-f-]{36}$"))
    assert Segment.objects.get().rule["root"]["all"][0]["value"] == "Boston"
    assert not Unsaved.objects.exists()


def test_of_two_tabs_the_later_one_is_told_and_decides(visitors: Any, marketer: Any) -> None:
    segment = SegmentFactory()
    one = visitors.new()
    browser.sign_in(one, marketer)
    two = one.context.new_page()
    for page in (one, two):
        page.goto(f"/segments/{segment.pk}/edit")
    one.fill("[name=name]", "From the first")
    kept(one)
    two.fill("[name=name]", "From the second")
    two.get_by_text("Not kept yet").wait_for()
    browser.assert_accessible(two)
    assert Unsaved.objects.get().form["name"] == "From the first"
    assert browser.asks_before_it_goes(two, two.get_by_role("link", name="Templates")) == "beforeunload"
    two.get_by_role("button", name="Keep what is here").click()
    two.get_by_text("Kept for you").wait_for()
    assert Unsaved.objects.get().form["name"] == "From the second"
    one.fill("[name=name]", "From the first again")
    one.get_by_role("link", name="Open the other one").click()
    one.wait_for_function("() => document.querySelector('[name=name]').value === 'From the second'")
    one.get_by_role("button", name="Discard changes").click()
    one.get_by_text("Your unsaved changes are discarded.").wait_for()
    assert one.input_value("[name=name]") == segment.name
    assert not Unsaved.objects.exists()


def test_what_was_typed_just_before_it_is_discarded_is_discarded_too(visitors: Any, marketer: Any) -> None:
    page = visitors.new()
    browser.sign_in(page, marketer)
    page.goto("/segments/new")
    page.fill("[name=name]", "First thoughts")
    kept(page)
    page.route("**/builder/discard", lambda route: (time.sleep(1.5), route.continue_()))
    page.evaluate("""() => {
        const name = document.querySelector("[name=name]");
        name.value = "Second thoughts";
        name.dispatchEvent(new Event("input", { bubbles: true }));
        document.querySelector("[data-discard]").click();
    }""")
    page.get_by_text("Your unsaved changes are discarded.").wait_for()
    assert not Unsaved.objects.exists()


def test_without_a_connection_the_page_says_so_asks_before_it_goes_and_keeps_it_later(
    visitors: Any, marketer: Any
) -> None:
    page = visitors.new()
    browser.sign_in(page, marketer)
    page.goto("/segments/new")
    page.context.set_offline(True)
    page.fill("[name=name]", "On the train")
    page.locator("#kept", has_text="No connection: not kept").wait_for()
    page.locator("[data-save]").first.click()  # goes nowhere, and loses nothing
    assert browser.asks_before_it_goes(page, page.get_by_role("link", name="Templates")) == "beforeunload"
    page.context.set_offline(False)
    page.fill("[name=name]", "On the train.")
    kept(page)
    assert Unsaved.objects.get().form["name"] == "On the train."


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_of_segments_fits_and_shuts_nobody_out(visitors: Any, marketer: Any, width: int) -> None:
    segment = SegmentFactory(name="In Massachusetts")
    marketer.roles = list(Role.values)
    marketer.save()
    page = visitors.new(width=width)
    browser.sign_in(page, marketer)
    for path in ("", "new", "ask", "overlap", "exports", f"{segment.pk}", f"{segment.pk}/edit", f"{segment.pk}/export"):
        page.goto(f"/segments/{path}")
        page.wait_for_load_state("networkidle")
        browser.assert_fits(page)
        browser.assert_accessible(page)
