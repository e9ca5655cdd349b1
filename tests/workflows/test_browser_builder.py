"""The canvas in a real browser, by mouse and by keyboard alone."""

from typing import Any

import pytest

from tests import browser
from tests.workflows.canvas import EMPTY, drawn, focused, kept, only, opened, plus, read, said
from tests.workflows.factories import end, graph, linear, make_draft, wait
from workflows.models import Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# -- by mouse ---------------------------------------------------------------------------------------------------------


def drag(page: Any, what: Any, to: Any) -> None:
    """As a hand does it: press, move in steps, let go; with all of the map in sight."""
    page.get_by_role("button", name="Show all of it").click()
    for spot in (what, to):
        spot.wait_for(state="visible")
    start, stop = what.bounding_box(), to.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + start["width"] / 2 + 12, start["y"] + start["height"] / 2 + 12)
    page.mouse.move(stop["x"] + stop["width"] / 2, stop["y"] + stop["height"] / 2, steps=6)
    page.mouse.up()


def test_a_journey_is_drawn_by_mouse(page: Any) -> None:
    opened(page, make_draft(EMPTY))
    plus(page, "~trigger start").click()
    page.get_by_role("menuitem", name="Send a mail").click()
    page.wait_for_selector("#panel-title")
    page.locator("[data-panel-close]").click()
    assert read(kept(page)) == ["mail"]

    # A kind is dragged in front of it, and one behind it.
    drag(page, page.locator("[data-kind=wait]"), plus(page, "~trigger start"))
    draft = kept(page)
    drag(page, page.locator("[data-kind=wait_event]"), plus(page, f"{only(draft, 'mail')} next"))
    draft = kept(page)
    page.locator("[data-panel-close]").click()
    asks = only(draft, "wait_event")
    assert [node["kind"] for node in draft["steps"].values()].count("wait") == 1
    drag(page, page.locator("[data-kind=tell]"), plus(page, f"{asks} timeout"))
    kept(page)
    page.locator("[data-panel-close]").click()
    drag(page, page.locator("[data-kind=end]"), plus(page, f"{asks} happened"))
    draft = kept(page)
    page.locator("[data-panel-close]").click()
    ways = {"happened": ["end"], "timeout": ["tell"]}
    assert read(draft) == ["wait", "mail", {"wait_event": ways}]

    # A step is dragged elsewhere; the gap closes.
    card = page.locator(f'.card[data-step="{only(draft, "tell")}"]')
    drag(page, card, plus(page, f"{only(draft, 'wait')} next"))
    draft = kept(page)
    assert read(draft)[:3] == ["wait", "tell", "mail"]

    # A way is dragged onto a step: the ways join. Undo and redo go back and forth, and are kept as well.
    drag(page, plus(page, f"{asks} timeout"), page.locator(f'.card[data-step="{only(draft, "end")}"]'))
    joined = kept(page)
    assert joined["steps"][asks]["exits"] == {"happened": only(draft, "end"), "timeout": only(draft, "end")}
    page.get_by_role("button", name="Undo").click()
    assert kept(page) == draft
    page.get_by_role("button", name="Redo").click()
    assert kept(page) == joined

    # What was drawn is there again on another day.
    drawn(page, Workflow.objects.get())
    assert page.locator(".journey-map .card").count() == len(joined["steps"]) + 2


def test_deleting_a_decision_asks_which_way_stays(page: Any) -> None:
    steps = {
        "a": {"kind": "split", "shares": [{"percent": 50}, {"percent": 50}], "exits": {"1": "b", "2": "c"}},
        "b": wait(days=1) | {"exits": {"next": "d"}},
        "c": wait(days=2) | {"exits": {"next": "d"}},
        "d": end(),
    }
    opened(page, make_draft(graph("a", steps)))
    page.locator('.card[data-step="a"]').click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    choices = page.locator(".journey-menu [role=menuitem]")
    assert choices.count() == 4  # either way, neither, or nothing at all
    choices.nth(1).click()
    draft = kept(page)
    assert (draft["start"], set(draft["steps"])) == ("c", {"c", "d"})
    assert "1 step" in said(page)
    page.keyboard.press("Control+z")
    assert set(kept(page)["steps"]) == set(steps)


def test_the_map_is_moved_and_made_larger_and_smaller(page: Any) -> None:
    opened(page, make_draft(linear(*[wait(days=1) for _ in range(12)])))
    box = page.locator(".journey-map").bounding_box()
    zoom = page.locator(".journey-zoom")
    before = zoom.inner_text()
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 200)
    page.keyboard.up("Control")
    assert zoom.inner_text() != before
    page.get_by_role("button", name="Show all of it").click()
    cards = [card.bounding_box() for card in page.locator(".journey-map .card .back").all()]
    assert all(card["y"] >= box["y"] and card["y"] + card["height"] <= box["y"] + box["height"] for card in cards)
    top = cards[0]["y"]
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.wheel(0, 100)
    page.wait_for_function(
        "top => document.querySelector('.journey-map .card .back').getBoundingClientRect().y < top - 50", arg=top
    )
    card = page.locator('.card[data-step="s6"]')
    drag(page, card, page.locator("[data-kind=wait]"))  # dropped nowhere: nothing happens
    assert Workflow.objects.get().draft_revision == 1


# -- by keyboard alone ------------------------------------------------------------------------------------------------


class Keys:
    """A keyboard, and nothing else."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, name: str) -> None:
        """What the menu that is open calls so."""
        self.page.wait_for_selector(".journey-menu")
        for _ in range(30):
            if self.page.evaluate("() => document.activeElement.textContent").startswith(name):
                self.press("Enter")
                return
            self.press("ArrowDown")
        raise AssertionError(f"{name} is not in the menu")

    def to_map(self) -> None:
        for _ in range(60):
            if self.page.evaluate("() => Boolean(document.activeElement.closest('.journey-map'))"):
                return
            self.press("Tab")
        raise AssertionError("no way to the map")


def test_a_journey_is_drawn_by_keyboard_alone(page: Any) -> None:
    opened(page, make_draft(EMPTY))
    keys = Keys(page)
    keys.to_map()
    assert focused(page).startswith("By hand")
    keys.press("+")
    keys.choose("Wait for an event")
    kept(page)
    assert focused(page).startswith("Wait for an event")
    assert "Step 1 of 1, at the start" in focused(page)
    assert "Ways out: ‘Happened’ ends the journey" in focused(page)
    keys.press("Insert", "Enter")  # by the first of its ways
    keys.choose("Send a mail")
    keys.press("ArrowUp", "+", "ArrowDown", "Enter")
    keys.choose("Tell staff")
    kept(page)
    keys.press("+")
    keys.choose("End")
    assert read(kept(page)) == [{"wait_event": {"happened": ["mail"], "timeout": ["tell", "end"]}}]

    # The palette is one stop of the keyboard.
    page.locator("[data-kind=mail]").focus()
    keys.press("End", "ArrowUp")
    assert page.evaluate("() => document.activeElement.dataset.kind") == "enter"

    # It walks: up to what comes before, down again, and to the way beside.
    keys.to_map()
    keys.press("Home", "ArrowDown", "ArrowDown", "ArrowDown")
    assert focused(page).startswith("Send a mail")
    keys.press("ArrowRight")
    assert focused(page).startswith("Tell staff")


#: What the keyboard drew above, with ids.
DRAWN = graph(
    "ask",
    {
        "ask": {
            "kind": "wait_event",
            "event": "confirmed",
            "timeout": {"days": 2},
            "exits": {"happened": "mail", "timeout": "tell"},
        },
        "mail": {"kind": "mail"},
        "tell": {"kind": "tell", "exits": {"next": "end"}},
        "end": end(),
    },
)


def test_steps_are_moved_joined_copied_and_deleted_by_keyboard_alone(page: Any) -> None:
    opened(page, make_draft(DRAWN))
    keys = Keys(page)
    keys.to_map()
    before = kept(page)
    keys.press("ArrowDown", "ArrowDown", "ArrowDown", "m")
    keys.choose("At the start")
    assert read(kept(page)) == ["mail", {"wait_event": {"happened": [], "timeout": ["tell", "end"]}}]
    keys.press("Control+z")
    assert kept(page) == before

    keys.press("Home", "ArrowDown", "ArrowDown", "ArrowDown", "c")
    keys.choose("End")
    joined = kept(page)
    assert read(joined) == [{"wait_event": {"happened": ["mail", "end"], "timeout": ["tell", "end"]}}]
    assert focused(page).startswith("Send a mail")
    keys.press("Shift+F10")
    keys.choose("Copy")
    keys.press("ArrowRight", "Shift+F10")
    keys.choose("Paste")
    assert read(kept(page)) == [{"wait_event": {"happened": ["mail", "end"], "timeout": ["tell", "mail", "end"]}}]
    assert focused(page).startswith("Send a mail")
    keys.press("Delete")
    assert kept(page) == joined
    assert "deleted" in said(page)


def test_what_is_typed_in_a_panel_is_drawn_and_undone_by_keyboard_alone(page: Any) -> None:
    opened(page, make_draft(DRAWN))
    keys = Keys(page)
    keys.to_map()
    before = kept(page)
    keys.press("ArrowDown", "ArrowDown", "Enter")
    page.wait_for_function("() => document.activeElement.closest('#panel-body')")
    name = page.locator("#panel-body [name=name]")
    for _ in range(30):
        if name.evaluate("field => field === document.activeElement"):
            break
        keys.press("Tab")
    page.keyboard.type("Do they confirm?")
    page.wait_for_selector(".journey-map .card:has-text('Do they confirm?')")
    keys.press("Escape")
    page.wait_for_function("() => document.activeElement.closest('.journey-map')")
    assert focused(page).startswith("Do they confirm?")
    assert kept(page)["steps"]["ask"]["name"] == "Do they confirm?"
    keys.press("Control+z")
    assert kept(page) == before


def test_the_keys_are_listed_and_the_page_is_readable_by_machines(page: Any) -> None:
    steps = {"a": wait(days=1) | {"exits": {"next": "b"}}, "b": {"kind": "mail"}, "c": end()}
    opened(page, make_draft(graph("a", steps)))
    browser.assert_accessible(page)
    Keys(page).to_map()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys on the map").wait_for()
    browser.assert_accessible(page)
    page.keyboard.press("Escape")
    # The next problem, its words among what is read aloud; the same stands in the list, always.
    page.keyboard.press("p")
    assert "2 problems: Choose a template. Choose a sender." in focused(page)
    page.keyboard.press("l")
    page.wait_for_selector(".journey[data-seen=list]")
    listed = page.locator(".journey-list").inner_text()
    assert "Choose a template." in listed
    assert "Nothing leads here" in listed
    browser.assert_accessible(page)
