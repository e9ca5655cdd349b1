"""The panels in a real browser: kept as they are filled in, nothing typed is lost, and the segment builder inside."""

from typing import Any

import pytest

from accounts.models import User
from accounts.policy import Role
from contacts.models import Kind
from content.models import Template
from tests import browser
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.segments.factories import attribute
from tests.workflows.factories import TemplateFactory, graph, linear, mail, make_draft, wait
from workflows import commands
from workflows.models import Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: Cards of the map show a shortened text and say the whole of it.
CLIPPED = ("label-content-name-mismatch",)


@pytest.fixture
def marketer() -> User:
    user: User = UserFactory(roles=[Role.MARKETER])
    return user


def open_map(page: Any, workflow: Workflow, user: User) -> None:
    browser.sign_in(page, user)
    page.goto(f"/workflows/{workflow.pk}/edit")
    page.wait_for_selector("[data-journey]:not([aria-busy])")


def open_step(page: Any, step: str = "s1") -> None:
    """By the keyboard, from the map: the panel takes it."""
    at = "step => { document.querySelector(`.journey-map .card[data-step='${step}'] .back`)?.focus();"
    page.wait_for_function(
        f"{at} return document.activeElement.closest('[data-step]')?.dataset.step === step }}", arg=step
    )
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'panel-title'")


def kept(page: Any) -> None:
    page.get_by_text("Kept.", exact=True).wait_for()


def step_of(workflow: Workflow, step: str = "s1") -> dict[str, Any]:
    workflow.refresh_from_db()
    found: dict[str, Any] = workflow.draft["steps"][step]
    return found


def test_a_step_is_set_by_keyboard_and_the_map_follows(page: Any, marketer: User) -> None:
    workflow = make_draft(linear(wait(days=1), {"kind": "end"}))
    open_map(page, workflow, marketer)
    open_step(page)
    for _ in range(2):  # past the way out of the panel, to the first field
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.name") == "count"
    page.keyboard.type("4")
    kept(page)
    assert step_of(workflow)["span"] == {"days": 4}
    page.wait_for_function(
        "() => document.querySelector(\".journey-map .card[data-step='s1']\").textContent.includes('4 days')"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.get_by_text("Stay for 4 weeks, then go on.").wait_for()
    browser.assert_accessible(page, ignore=CLIPPED)
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement.closest('[data-step]')?.dataset.step === 's1'")
    assert page.locator("#panel-form").count() == 0


def test_what_is_typed_while_an_answer_is_on_its_way_stays(page: Any, marketer: User) -> None:
    workflow = make_draft(linear(wait(days=1)))
    open_map(page, workflow, marketer)
    open_step(page)
    page.context.route("**/steps/s1/panel", lambda route: (page.wait_for_timeout(500), route.continue_()))
    page.fill("[name=count]", "7")
    page.type("[name=name]", "Take a long breath", delay=70)
    page.wait_for_function("() => document.querySelector('#panel-title').textContent === 'Take a long breath'")
    assert page.input_value("[name=name]") == "Take a long breath"
    assert step_of(workflow) == {"kind": "wait", "span": {"days": 7}, "name": "Take a long breath"}


def test_a_template_is_picked_and_seen_as_others_would_get_it(page: Any, marketer: User) -> None:
    sample = mail()
    workflow = make_draft(linear({"kind": "mail"}))
    template = Template.objects.get()
    open_map(page, workflow, marketer)
    open_step(page)
    page.get_by_label(str(template.name)).check()
    page.get_by_text(f"Send “{template.name}”").wait_for()
    assert step_of(workflow)["template"] == sample["template"]
    page.get_by_text("Preview", exact=True).click()
    page.frame_locator(".journey-panel iframe").locator("body").wait_for()
    page.select_option("[name=persona]", "longest")
    page.wait_for_function("() => document.querySelector('.journey-panel iframe').src.endsWith('persona=longest')")
    browser.assert_accessible(page, ignore=CLIPPED)


def test_many_templates_are_narrowed_by_what_is_typed_and_that_is_not_kept(page: Any, marketer: User) -> None:
    for name in ("Recall", *(f"Letter {n}" for n in range(9))):
        TemplateFactory(name=name)
    workflow = make_draft(linear({"kind": "mail"}))
    open_map(page, workflow, marketer)
    open_step(page)
    before, options = step_of(workflow), page.locator(".panel-picker .option")
    page.get_by_role("searchbox", name="Find a template").press_sequentially("reca")
    page.get_by_text("1 of 10").wait_for()
    assert [text.startswith("Recall") for text in options.filter(visible=True).all_inner_texts()] == [True]
    page.keyboard.press("Enter")
    browser.assert_accessible(page, ignore=CLIPPED)
    assert step_of(workflow) == before
    options.filter(visible=True).locator("input").check()
    page.get_by_text("Send “Recall”").wait_for()
    assert step_of(workflow)["template"] == str(next(one.pk for one in Template.objects.all() if one.name == "Recall"))


def test_the_rule_of_a_way_is_built_with_the_very_builder_of_segments(page: Any, marketer: User) -> None:
    make_people(12, state=lambda n: "MA" if n < 5 else "NH")
    steps = {"s1": {"kind": "branch", "cases": [{"rule": None}, {"rule": None}], "exits": {"else": "s2"}}}
    workflow = make_draft(graph("s1", {**steps, "s2": {"kind": "end"}}))
    open_map(page, workflow, marketer)
    open_step(page)
    page.get_by_label("Name of way 2").fill("From the state")
    page.get_by_role("button", name="Say who goes this way").nth(1).click()
    page.get_by_role("heading", name="Who goes this way: From the state").wait_for()
    page.wait_for_selector("#rule-form")
    page.select_option("[name='r-0.subject']", "attribute:state")
    page.fill("[name='r-0.value']", "MA")
    page.get_by_text("5 people", exact=True).first.wait_for()
    page.locator("[data-do='condition:r']").click()
    page.select_option("[name='r-1.subject']", "attribute:city")
    page.wait_for_selector("[name='r-1.op']")
    page.select_option("[name='r-1.op']", "is_empty")
    kept(page)
    browser.assert_accessible(page, ignore=CLIPPED)
    page.locator("[name='r-0.value']").press("End")
    page.keyboard.type("X")
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")  # back to the step, with what was typed a moment ago
    page.locator("#panel-form").get_by_text("People where State is “MA”, and City is empty.").wait_for()
    cases = step_of(workflow)["cases"]
    assert cases[0] == {"rule": None}
    assert [clause["attribute"] for clause in cases[1]["rule"]["root"]["all"]] == ["state", "city"]
    page.wait_for_function("() => document.activeElement.id === 'panel-title'")
    page.get_by_role("button", name="Move way 2 up").click()
    page.wait_for_function("() => document.querySelector('[name=case-1]').value === 'From the state'")


def test_a_rule_that_could_not_be_kept_is_not_left_unasked_and_is_kept_once_signed_in_again(
    page: Any, marketer: User
) -> None:
    make_people(12, state=lambda n: "MA" if n < 5 else "NH")
    steps = {"s1": {"kind": "branch", "cases": [{"rule": None}], "exits": {"else": "s2"}}, "s2": {"kind": "end"}}
    workflow = make_draft(graph("s1", steps))
    open_map(page, workflow, marketer)
    open_step(page)
    page.get_by_role("button", name="Say who goes this way").click()
    page.wait_for_selector("#rule-form")
    page.select_option("[name='r-0.subject']", "attribute:state")
    page.fill("[name='r-0.value']", "NH")
    kept(page)
    base = "#rule-saved [name=base]"
    before = page.input_value(base)
    page.context.clear_cookies()
    page.fill("[name='r-0.value']", "MA")
    page.wait_for_selector("#signed-out[open]")
    page.wait_for_timeout(500)
    assert browser.asks_before_it_goes(page, page.get_by_role("link", name="Leave this page")) == "beforeunload"
    other = page.context.new_page()
    browser.sign_in(other, marketer)
    other.close()
    page.bring_to_front()
    page.wait_for_selector("#signed-out[open]", state="detached")
    page.get_by_text("5 people", exact=True).first.wait_for()
    page.wait_for_function("([at, was]) => document.querySelector(at)?.value !== was", arg=[base, before])
    rule = step_of(workflow)["cases"][0]["rule"]
    assert [clause["value"] for clause in rule["root"]["all"]] == ["MA"]


def test_two_people_at_one_step_lose_nothing(page: Any, marketer: User) -> None:
    workflow = make_draft(linear(wait(days=1)))
    open_map(page, workflow, marketer)
    open_step(page)
    commands.save_draft(workflow, linear(wait(hours=9)), revision=None, by=UserFactory())
    page.fill("[name=count]", "5")
    page.get_by_text("Somebody else changed just this meanwhile.").wait_for()
    assert page.input_value("[name=count]") == "5"
    assert step_of(workflow)["span"] == {"hours": 9}
    page.get_by_role("button", name="Keep mine").click()
    page.get_by_text("Stay for 5 days, then go on.").wait_for()
    assert step_of(workflow)["span"] == {"days": 5}


def test_a_panel_is_a_sheet_on_a_phone(visitors: Any, marketer: User) -> None:
    page = visitors.new(width=390, height=844)
    attribute("next_visit", Kind.DATETIME)
    workflow = make_draft(linear({"kind": "wait_until"}))
    browser.sign_in(page, marketer)
    page.goto(f"/workflows/{workflow.pk}/edit")
    page.locator(".journey-list [data-name='open s1']").click()
    page.wait_for_selector("#panel-body[data-opened]")
    page.select_option("[name=date]", "attribute:next_visit")
    page.select_option("[name=side]", "before")
    page.fill("[name=amount]", "3")
    page.fill("[name=at]", "10:00")
    page.get_by_text("Stay until 3 days before Next_visit at 10:00").wait_for()
    browser.assert_fits(page)
    browser.assert_accessible(page, ignore=CLIPPED)
    assert step_of(workflow)["moment"] == {"attribute": "next_visit", "days": -3, "at": "10:00"}
    page.get_by_role("button", name="Close and go back to the journey").click()
    page.locator("#panel-form").wait_for(state="detached")


def test_who_closes_a_panel_at_once_loses_nothing(page: Any, marketer: User) -> None:
    workflow = make_draft(linear(wait(days=1)))
    open_map(page, workflow, marketer)
    open_step(page)
    page.fill("[name=count]", "8")
    page.press("[name=count]", "Escape")
    page.locator("#panel-form").wait_for(state="detached")
    assert step_of(workflow)["span"] == {"days": 8}
    page.locator(".journey-map .card[data-step='s1'] .summary", has_text="8 days").wait_for()
    open_step(page)
    page.fill("[name=count]", "8")  # as it was: there is nothing to keep
    page.press("[name=count]", "Escape")
    page.locator("#panel-form").wait_for(state="detached")
    open_step(page)
    page.fill("[name=count]", "soon")
    page.press("[name=count]", "Escape")
    page.get_by_text("Enter a whole number.").wait_for()
    page.press("[name=count]", "Escape")
    page.locator("#panel-form").wait_for(state="detached")
    assert step_of(workflow)["span"] == {"days": 8}
