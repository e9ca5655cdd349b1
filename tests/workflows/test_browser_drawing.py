"""Nothing that was drawn is lost: two people at once, no connection, leaving; on a phone; live; and the edits alone."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from tests import browser
from tests.workflows.canvas import EMPTY, drawn, kept, only, opened, plus, read, said
from tests.workflows.factories import end, graph, linear, make_draft, make_people, make_workflow, place, wait
from workflows import drawing
from workflows.models import Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# -- nothing is lost --------------------------------------------------------------------------------------------------


def test_two_people_draw_at_once_and_both_changes_stay(visitors: browser.Visitors) -> None:
    workflow = make_draft(linear(wait(days=1), wait(days=2), end()))
    one, other = opened(visitors.new(), workflow), opened(visitors.new(), workflow)
    plus(one, "~trigger start").click()
    one.get_by_role("menuitem", name="Send a mail").click()
    kept(one)
    plus(other, "s2 next").click()
    other.get_by_role("menuitem", name="Tell staff").click()
    assert read(kept(other)) == ["mail", "wait", "wait", "tell", "end"]
    assert "Both changes" in said(other) or "added" in said(other)


def test_what_does_not_fit_together_is_decided_by_a_person_and_neither_is_lost(visitors: browser.Visitors) -> None:
    workflow = make_draft(linear(wait(days=1), end()))
    one, other = opened(visitors.new(), workflow), opened(visitors.new(), workflow)
    for page, kind in ((one, "Send a mail"), (other, "Tell staff")):
        plus(page, "~trigger start").click()
        page.get_by_role("menuitem", name=kind).click()
        if page is one:
            kept(one)
    dialog = other.get_by_role("dialog", name="Somebody else changed the same thing")
    dialog.get_by_role("button", name="Keep what I drew").click()
    assert read(kept(other)) == ["tell", "wait", "end"]
    other.get_by_role("button", name="Undo").click()
    assert read(kept(other)) == ["mail", "wait", "end"]


def test_without_a_connection_it_says_so_and_saves_when_it_is_back(page: Any) -> None:
    opened(page, make_draft(linear(wait(days=1))))
    page.route("**/draft.json", lambda route: route.abort())
    plus(page, "s1 next").click()
    page.get_by_role("menuitem", name="Tell staff").click()
    page.wait_for_function("() => /^Not saved/.test(document.querySelector('.journey-state').textContent)")
    assert read(Workflow.objects.get().draft) == ["wait"]
    page.unroute("**/draft.json")
    plus(page, "~trigger start").click()
    page.get_by_role("menuitem", name="Send a mail").click()
    assert read(kept(page)) == ["mail", "wait", "tell"]


def test_whoever_leaves_at_once_loses_nothing(page: Any) -> None:
    workflow = make_draft(linear(wait(days=1)))
    opened(page, workflow)
    page.on("dialog", lambda dialog: dialog.accept())
    plus(page, "s1 next").click()
    page.get_by_role("menuitem", name="Tell staff").click()
    page.goto(reverse("workflows:list"))
    drawn(page, workflow)
    assert page.locator(".journey-map .card").count() == 4


# -- on a phone, and to look at ---------------------------------------------------------------------------------------


def test_on_a_phone_it_is_a_list_with_the_same_acts(visitors: browser.Visitors) -> None:
    page = visitors.new(width=390, height=844, has_touch=True)
    opened(page, make_draft(linear(wait(days=1), end())))
    assert not page.locator(".journey-map").is_visible()
    browser.assert_fits(page)
    browser.assert_accessible(page)
    page.get_by_role("button", name="Add a step after ‘Wait’").click()
    page.get_by_role("menuitem", name="Wait for an event").click()
    draft = kept(page)
    asks = only(draft, "wait_event")
    page.get_by_role("button", name="Add a step after ‘Wait for an event’ by ‘Not within").click()
    page.get_by_role("menuitem", name="Tell staff").click()
    assert read(kept(page)) == ["wait", {"wait_event": {"happened": ["end"], "timeout": ["tell"]}}]
    page.get_by_role("button", name="More for ‘Tell staff’").click()
    page.get_by_role("menuitem", name="Move").click()
    page.get_by_role("menuitem", name="At the start").click()
    assert read(kept(page))[:2] == ["tell", "wait"]
    page.locator(f'[data-name="open {asks}"]').click()
    page.wait_for_selector("#panel-title")
    browser.assert_fits(page)


def test_the_overview_shows_who_is_where_and_changes_with_it(page: Any) -> None:
    workflow = make_workflow(
        linear(
            wait(
                days=1,
            ),
            wait(days=2),
            end(),
        )
    )
    people = make_people(7)
    opened(page, workflow, "detail")
    assert page.locator(".journey-map .plus").count() == 0
    place(workflow, people, step="s2", wake_at=None)
    card = page.locator('.journey-map .card[data-step="s2"]', has_text="7 waiting")
    card.wait_for()
    assert "7 waiting" in card.get_by_role("button").get_attribute("aria-label")
    card.click()
    page.locator(".journey-panel", has_text="Waiting").wait_for()
    browser.assert_accessible(page)


# -- the edits themselves ---------------------------------------------------------------------------------------------

HERE = Path(__file__).parent


def test_random_edits_lose_no_step_and_change_nothing_in_place(page: Any) -> None:
    opened(page, make_draft(EMPTY))
    kinds = [kind["step"] for group in drawing.palette()["groups"] for kind in group["kinds"]]
    result = page.evaluate((HERE / "canvas_edits.js").read_text(), {"kinds": kinds, "rounds": 500})
    assert result["wrong"] == []
    assert min(result["done"][what] for what in ("add", "move", "remove", "connect", "paste")) > 40


def test_changes_of_two_people_are_put_together_where_they_fit(page: Any) -> None:
    opened(page, make_draft(EMPTY))
    assert page.evaluate((HERE / "canvas_merges.js").read_text()) == [True] * 6


def test_the_page_knows_the_same_ways_out_as_the_engine(page: Any) -> None:
    fresh = {kind["kind"]: kind["step"] for group in drawing.palette()["groups"] for kind in group["kinds"]}
    opened(page, make_draft(graph("wait", fresh)))
    differ = page.evaluate(
        """async () => {
          const { waysOut } = await import("/static/js/workflow-graph.js");
          const answer = await fetch(document.querySelector("[data-journey]").dataset.draft);
          const { definition, titles } = await answer.json();
          const told = (id) => titles[id].ways.map(({ way }) => way).join();
          return Object.keys(titles).filter((id) => told(id) !== waysOut(definition.steps[id]).join());
        }"""
    )
    assert differ == []
    assert re.search(r"\d+ problems", page.locator(".journey-problems-open").inner_text())
