"""A segment built by keyboard alone, in a real browser."""

from datetime import date
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from accounts.policy import Role
from contacts.models import Kind
from contacts.records import Coded
from core import clock
from segments.models import Segment
from tests import browser
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.segments.factories import attribute

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def clinic() -> int:
    """60 people; how many are 50 to 74, have diabetes, and are with BCBS or without a plan."""
    attribute("plan", Kind.CHOICE, "Aetna", "BCBS")
    today = clock.now().date()
    ages, plans = [20 + n for n in range(60)], ["BCBS", "Aetna", None]
    make_people(
        60,
        birth_date=lambda n: date(today.year - ages[n], 1, 1).isoformat(),
        plan=lambda n: plans[n % 3],
        coded=lambda n: {
            "conditions": [Coded("E11.9", "Type 2 diabetes")] if n % 2 else [Coded("I10", "Hypertension")]
        },
    )
    return sum(50 <= ages[n] <= 74 and n % 2 == 1 and plans[n % 3] in ("BCBS", None) for n in range(60))


def focused(page: Any) -> str:
    return str(page.evaluate("() => document.activeElement.name + '|' + (document.activeElement.value || '')"))


class Keys:
    """A keyboard, and nothing else."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def tab_to(self, name: str, at_most: int = 14, key: str = "Tab") -> None:
        """To the field of that name, or to the one of that name and value ("do|up:r-1")."""
        for _ in range(at_most):
            if focused(self.page) == name or focused(self.page).startswith(f"{name}|"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"no way to {name}: the keyboard is at {focused(self.page)}")

    def type(self, name: str, text: str) -> None:
        self.tab_to(name)
        self.page.keyboard.type(text)

    def choose(self, name: str, text: str, value: str) -> None:
        """Choose in a closed list by typing the beginning; a slow machine may need a second try."""
        self.tab_to(name)
        for _ in range(4):
            self.page.keyboard.type(text)
            self.page.wait_for_timeout(1_200)
            self.wait_focus(name)
            if focused(self.page) == f"{name}|{value}":
                return
        raise AssertionError(f"{focused(self.page)} instead of {value}")

    def wait_for(self, selector: str) -> None:
        """What the choice brings; on a busy machine a person presses once up and once down when nothing comes."""
        for _ in range(4):
            try:
                self.page.wait_for_selector(selector, state="attached", timeout=6_000)
            except PlaywrightTimeout:
                self.page.keyboard.press("ArrowUp")
                self.page.keyboard.press("ArrowDown")
            else:
                return
        self.page.wait_for_selector(selector, state="attached")

    def wait_focus(self, name: str) -> None:
        self.page.wait_for_function("name => document.activeElement.name === name", arg=name)


def test_a_nested_segment_is_built_by_keyboard_alone(page: Any) -> None:  # noqa: PLR0915
    expected = clinic()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/")
    browser.assert_accessible(page)
    page.goto("/segments/new")
    keys = Keys(page)
    for _ in range(40):
        if focused(page).startswith("name|"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("Diabetes, 50 to 74")
    keys.choose("r-0.subject", "Birth", "attribute:birth_date")
    keys.wait_for("[name='r-0.op']")
    keys.choose("r-0.op", "gives", "age_between")
    keys.wait_for("[name='r-0.to']")
    keys.type("r-0.value", "50")
    keys.type("r-0.to", "74")
    keys.tab_to("do|condition:r")
    page.keyboard.press("Enter")
    keys.wait_focus("r-1.subject")
    keys.choose("r-1.subject", "Cond", "attribute:conditions")
    keys.wait_for("[name='r-1.q']")
    keys.type("r-1.q", "diab")
    page.get_by_role("button", name="Type 2 diabetes").wait_for()
    keys.tab_to("do|code:r-1:E11.9")
    page.keyboard.press("Enter")
    keys.wait_for("[name='r-1.value'][value='E11.9']")
    keys.wait_focus("r-1.q")
    keys.tab_to("do|group:r")
    page.keyboard.press("Enter")
    keys.wait_focus("r-2-0.subject")
    keys.choose("r-2-0.subject", "Plan", "attribute:plan")
    keys.wait_for("[name='r-2-0.value']")
    keys.tab_to("r-2-0.value|BCBS")
    page.keyboard.press("Space")
    keys.tab_to("do|condition:r-2")
    page.keyboard.press("Enter")
    keys.wait_focus("r-2-1.subject")
    keys.choose("r-2-1.subject", "Plan", "attribute:plan")
    keys.wait_for("[name='r-2-1.op']")
    keys.choose("r-2-1.op", "is empty", "is_empty")
    page.wait_for_function(
        "n => document.querySelector('#preview .sentence')?.textContent.includes(n + ' people')", arg=expected
    )
    assert "Plan is “BCBS” or Plan is empty" in page.inner_text("#preview")
    browser.assert_accessible(page)
    # The group goes up and the keyboard goes with it.
    keys.tab_to("do|up:r-2", 40, "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.value === 'up:r-1'")
    keys.wait_for("[name='r-1.match']")
    save = page.get_by_role("button", name="Save segment")
    for _ in range(60):
        if save.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/segments/*-*")
    page.wait_for_function("n => document.querySelector('#count')?.textContent.includes(n + ' people')", arg=expected)
    browser.assert_accessible(page)
    [clause, group, codes] = Segment.objects.get().rule["root"]["all"]
    assert clause["value"] == {"from": 50, "to": 74}
    assert group == {
        "any": [
            {"attribute": "plan", "op": "one_of", "value": ["BCBS"]},
            {"attribute": "plan", "op": "is_empty"},
        ]
    }
    assert codes["value"] == ["E11.9"]


def test_the_builder_fits_a_phone_and_enter_only_looks_again(visitors: Any) -> None:
    clinic()
    page = visitors.new(width=390, height=844)
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    page.select_option("[name='r-0.subject']", "attribute:last_name")
    page.wait_for_selector("[name='r-0.value']")
    page.fill("[name='r-0.value']", "Müller-Lüdenscheidt-Hohenzollern-Sigmaringen")
    page.press("[name='r-0.value']", "Enter")
    page.wait_for_function("() => document.querySelector('#preview').textContent.includes('0 people')")
    assert page.input_value("[name='r-0.value']").startswith("Müller")
    assert not Segment.objects.exists()
    browser.assert_fits(page)
    browser.assert_accessible(page)


def test_an_error_stands_beside_its_clause_while_it_is_typed(page: Any) -> None:
    clinic()
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    page.select_option("[name='r-0.subject']", "attribute:birth_date")
    page.wait_for_selector("[name='r-0.value']")
    page.fill("[name='r-0.value']", "ten")
    page.wait_for_function("() => document.getElementById('error-r-0').textContent.includes('whole number')")
    page.fill("[name='r-0.value']", "10")
    page.wait_for_function("() => document.getElementById('error-r-0').textContent.trim() === ''")
