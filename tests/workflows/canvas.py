"""What browser tests of the canvas share: opening it, waiting until it has saved, and reading what was drawn."""

from typing import Any

from django.urls import reverse

from accounts.policy import Role
from tests import browser
from tests.accounts.factories import UserFactory
from workflows.models import Workflow

EMPTY: dict[str, Any] = {"version": 1}


def opened(page: Any, workflow: Workflow, name: str = "edit") -> Any:
    """The page of the journey, its map drawn, for a marketer who has just signed in."""
    page.emulate_media(reduced_motion="reduce")  # cards stand where they go at once
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER.value]))
    return drawn(page, workflow, name)


def drawn(page: Any, workflow: Workflow, name: str = "edit") -> Any:
    page.goto(reverse(f"workflows:{name}", args=[workflow.pk]))
    page.wait_for_selector(".journey:not([aria-busy])")
    return page


def kept(page: Any) -> dict[str, Any]:
    """The draft, once the page says that it is saved."""
    page.wait_for_function("() => document.querySelector('.journey-state').textContent === 'Saved'")
    draft: dict[str, Any] = Workflow.objects.get().draft
    return draft


def read(draft: dict[str, Any], step: str | None = "") -> Any:
    """A journey without loops as nested lists: kinds one after the other, decisions with their ways."""
    step = draft.get("start") if step == "" else step
    if not step:
        return []
    node = draft["steps"][step]
    exits = node.get("exits", {})
    if set(exits) <= {"next"}:
        return [node["kind"], *read(draft, exits.get("next"))]
    return [{node["kind"]: {way: read(draft, to) for way, to in sorted(exits.items())}}]


def said(page: Any) -> str:
    return str(page.inner_text("#announcer"))


def focused(page: Any) -> str:
    return str(page.evaluate("() => document.activeElement.getAttribute('aria-label') || document.activeElement.id"))


def plus(page: Any, place: str) -> Any:
    return page.locator(f'.journey-map [data-plus="{place}"]')


def only(draft: dict[str, Any], kind: str) -> str:
    [found] = [step for step, node in draft["steps"].items() if node["kind"] == kind]
    return found
