"""What stands on the steps of a running journey, in a real browser: each number says what it counts."""

from typing import Any

import pytest
from django.core.cache import cache

from accounts.policy import Role
from tests import browser
from tests.accounts.factories import UserFactory
from tests.workflows.factories import linear, make_people, make_workflow, place, wait
from workflows.models import Tally

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def look(page: Any, role: Role) -> None:
    workflow = make_workflow(linear(wait(days=1), {"kind": "end"}))
    place(workflow, make_people(14))
    for what, count in {"passed": 72, "left": 3, "refused": 31, "failed": 2, "goal": 12}.items():
        Tally.objects.create(version=workflow.versions.get(), step="s1", what=what, count=count)
    cache.clear()
    browser.sign_in(page, UserFactory(roles=[role]))
    page.goto(f"/workflows/{workflow.pk}/")
    page.locator(".journey-map .card[data-step='s1'] .numbers tspan").first.wait_for()


def test_each_number_on_a_step_says_what_it_counts_and_since_when(page: Any) -> None:
    look(page, Role.MARKETER)
    shown = page.locator(".journey-map .card[data-step='s1'] .numbers").text_content()
    assert "14 waiting" in shown
    page.locator(".journey-map .card[data-step='s1']").click()
    lines = page.locator("#panel-body li")
    told = [lines.nth(n).inner_text().split("\n") for n in range(lines.count())]
    assert [first for first, _ in told] == [
        *("14 waiting", "2 failed", "31 refused", "72 passed", "3 left", "12 reached the goal")
    ]
    page.get_by_text("What the numbers on the steps mean").click()
    legend = page.locator("[data-legend]").inner_text().lower()
    for first, meaning in told:
        assert first.partition(" ")[2] in legend
        assert meaning.lower() in legend
    assert "They are of version 1: now, and since" in page.locator(".journey-legend").inner_text()
    assert "times, since it first ran" in page.locator("dl.stats").inner_text()
    browser.assert_accessible(page, ignore=("label-content-name-mismatch",))


def test_coarse_numbers_find_room_on_a_card(page: Any) -> None:
    look(page, Role.ANALYST)
    shown = page.locator(".journey-map .card[data-step='s1'] .numbers").text_content()
    assert "≈10 waiting" in shown
    assert "<11 failed" in shown
    assert "≈30 refused" in shown
    assert page.get_by_label("More actions").count() == 0
