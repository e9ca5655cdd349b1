"""Every component in a real browser: reachable, readable, fitting, and within the content policy."""

from typing import Any

import pytest

from tests import browser

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture
def components(visitors: Any, settings: Any) -> Any:
    settings.ROOT_URLCONF = "tests.ui.urls"

    def open_at(width: int, **options: Any) -> Any:
        page = visitors.new(width=width, **options)
        page.goto("/style/?sent=1")
        page.wait_for_selector(".u-over")
        return page

    return open_at


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_components_fit_and_shut_nobody_out(components: Any, width: int, scheme: str) -> None:
    page = components(width, color_scheme=scheme)
    browser.assert_fits(page)
    browser.assert_accessible(page)


def test_a_dialog_opens_takes_the_focus_and_closes_by_escape(components: Any) -> None:
    page = components(1440)
    page.get_by_role("button", name="Pause sending").click()
    dialog = page.get_by_role("dialog", name="Pause sending?")
    assert dialog.is_visible()
    browser.assert_accessible(page)
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.textContent").strip() == "Pause sending"


def test_a_menu_closes_by_escape_and_by_a_click_elsewhere(components: Any) -> None:
    page = components(1440)
    opener = page.get_by_label("More actions")
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.mouse.click(300, 500)):
        opener.click()
        assert page.get_by_role("link", name="Duplicate").is_visible()
        leave()
        assert not page.get_by_role("link", name="Duplicate").is_visible()


def test_the_rail_is_a_menu_on_a_phone(components: Any) -> None:
    page = components(390, has_touch=True)
    assert not page.get_by_role("link", name="Home").is_visible()
    page.get_by_role("button", name="Open menu").click()
    assert page.get_by_role("link", name="Home").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Home").is_visible()


def test_controls_are_large_enough_for_a_finger(components: Any) -> None:
    page = components(390, has_touch=True, is_mobile=True)
    small = page.evaluate(
        "() => [...document.querySelectorAll('.button, input:not([type=checkbox],[type=radio],[type=hidden]), select')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_revealed_values_blank_while_nobody_is_there(components: Any) -> None:
    page = components(1440)
    page.clock.install()
    page.goto("/style/")
    value = page.get_by_text("555 0134")
    assert value.is_visible()
    page.clock.run_for(3 * 60 * 1000)
    assert not value.is_visible()
    assert page.get_by_text("Values are hidden while you are away").is_visible()
    page.mouse.move(200, 300)
    assert value.is_visible()


def test_the_first_tab_stop_skips_to_the_page(components: Any) -> None:
    page = components(1440)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
