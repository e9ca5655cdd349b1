"""The builder in a real browser, by mouse and by keyboard alone: no choice is lost, however slow the machine."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.policy import Role
from contacts.models import Kind
from contacts.records import Coded
from core import clock
from core.ids import uuid7
from core.models import Organization
from segments.models import Segment
from tests import browser
from tests.accounts.factories import UserFactory
from tests.contacts.factories import make_people
from tests.delivery.factories import make_origin
from tests.segments import reference
from tests.segments.factories import attribute
from tests.segments.reference import Someone, World
from tracking.models import Event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLANS = ["BCBS PPO", "BCBS HMO", "Aetna", "Medicare"]
DOCTORS = ["Dr. Lee", "Dr. Osei", "Dr. Novak"]


class Clinic:
    """300 people, an older mailing and the last one; the same people once more as the reference evaluator sees them."""

    def __init__(self) -> None:
        random, today = Random(5), clock.now().date()
        attribute("insurance", Kind.CHOICE, *PLANS)
        attribute("provider", Kind.TEXT)
        attribute("procedures", Kind.CODED)
        self.people: list[Someone] = []
        for _ in range(300):
            born = date(today.year - random.randint(30, 90), random.randint(1, 12), random.randint(1, 28))
            values = {"sex": random.choice(["female", "female", "male"]), "birth_date": born.isoformat()}
            values["insurance"], values["provider"] = random.choices(PLANS, (4, 3, 2, 2))[0], random.choice(DOCTORS)
            done = [(code, today - timedelta(days=random.randint(1, 1_500))) for code in ("77067", "45378")]
            entries = [(code, day.isoformat(), day.isoformat()) for code, day in done if random.random() < 0.6]
            self.people.append(Someone(values, {"procedures": entries}))
        names = {"77067": "Screening mammogram", "45378": "Colonoscopy"}
        ids = make_people(
            300,
            **{key: self._value(key) for key in ("sex", "birth_date", "insurance", "provider")},
            coded=lambda n: {
                "procedures": [Coded(c, names[c], start, stop) for c, start, stop in self.people[n].coded["procedures"]]
            },
        )
        self.before, self.last = make_origin(), make_origin()
        rows = []
        for origin in (self.before, self.last):
            for person, contact_id in zip(self.people, ids, strict=True):
                for event, kind, share in (("opened", "open", 0.6), ("clicked", "click", 0.3)):
                    if random.random() >= share:
                        continue
                    at = clock.now() - timedelta(days=random.randint(0, 20))
                    person.events.append((event, str(origin.pk), at))
                    rows.append(
                        Event(delivery_id=uuid7(), origin_id=origin.pk, contact_id=contact_id, kind=kind, at=at)
                    )
        for row in rows:
            row.verdict = Event.Verdict.HUMAN
        Event.objects.bulk_create(rows)

    def _value(self, key: str) -> Callable[[int], Any]:
        return lambda n: self.people[n].values[key]

    def count(self, rule: dict[str, Any]) -> int:
        """How many the reference evaluator finds."""
        kinds = {"sex": "choice", "birth_date": "date", "insurance": "choice", "provider": "text"}
        world = World(clock.now(), ZoneInfo(Organization.current().time_zone), {**kinds, "procedures": "coded"})
        return sum(reference.holds(rule, person, world) for person in self.people)


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def settled(page: Any) -> None:
    """The page says itself when no answer is on its way."""
    page.wait_for_selector("#tree:not([aria-busy])")


def saved_rule(page: Any) -> dict[str, Any]:
    page.wait_for_url("**/segments/*-*")
    rule: dict[str, Any] = Segment.objects.get().rule
    return rule


def assert_is_the_sentence(rule: dict[str, Any], clinic: Clinic) -> None:
    asked = {clause.get("attribute") or clause["event"]: clause for clause in rule["root"]["all"]}
    assert list(asked) == ["sex", "birth_date", "procedures", "insurance", "provider", "opened", "clicked"]
    assert asked["sex"]["value"] == ["female"]
    assert asked["birth_date"]["value"] == {"from": 50, "to": 74}
    assert asked["insurance"]["value"] == ["BCBS PPO", "BCBS HMO"]
    assert (asked["procedures"]["op"], asked["procedures"]["value"]) == ("has_none", ["77067"])
    assert asked["procedures"]["when"] == {"in_last": {"years": 2}}
    assert asked["provider"]["value"] == "Dr. Lee"
    assert asked["opened"]["mailing"] == asked["clicked"]["mailing"] == str(clinic.last.pk)
    assert asked["clicked"]["op"] == "did_not"


def focused(page: Any) -> str:
    return str(page.evaluate("() => document.activeElement.name + '|' + (document.activeElement.value || '')"))


class Keys:
    """A keyboard, and nothing else."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def tab_to(self, name: str, at_most: int = 40, key: str = "Tab") -> None:
        """To the field of that name, or to the one of that name and value ("do|up:r-1")."""
        for _ in range(at_most):
            if focused(self.page) == name or focused(self.page).startswith(f"{name}|"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"no way to {name}: the keyboard is at {focused(self.page)}")

    def press(self, name: str, key: str = "Enter") -> None:
        self.tab_to(name)
        self.page.keyboard.press(key)

    def type(self, name: str, text: str) -> None:
        self.tab_to(name)
        self.page.keyboard.type(text)

    def choose(self, name: str, value: str) -> None:
        """Go down a closed list until the choice stands there; every press is a choice of its own, and none is lost.

        What the last one brings is waited for: the ones on the way bring fields of the same names.
        """
        self.tab_to(name)
        for _ in range(60):
            if focused(self.page) == f"{name}|{value}":
                settled(self.page)
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{focused(self.page)} instead of {value}")

    def wait_for(self, selector: str) -> None:
        self.page.wait_for_selector(selector, state="attached")

    def wait_focus(self, name: str) -> None:
        self.page.wait_for_function("name => document.activeElement.name === name", arg=name)

    def add_condition(self, name: str, to: str, subject: str, brings: str) -> None:
        self.press(f"do|condition:{to}")
        self.wait_focus(f"{name}.subject")
        self.choose(f"{name}.subject", subject)
        self.wait_for(f"[name='{name}.{brings}']")
        settled(self.page)


def test_the_sentence_is_built_by_keyboard_alone(page: Any, clinic: Clinic) -> None:  # noqa: PLR0915
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    keys = Keys(page)
    keys.type("name", "No mammogram in two years")
    keys.choose("r-0.subject", "attribute:sex")
    keys.wait_for("[name='r-0.value']")
    settled(page)
    keys.press("r-0.value|female", "Space")
    keys.add_condition("r-1", "r", "attribute:birth_date", "op")
    keys.choose("r-1.op", "age_between")
    keys.wait_for("[name='r-1.to']")
    keys.type("r-1.value", "50")
    keys.type("r-1.to", "74")
    keys.add_condition("r-2", "r", "attribute:procedures", "op")
    keys.choose("r-2.op", "has_none")
    keys.type("r-2.q", "mammo")
    keys.wait_for("#offers-r-2 li:only-child [value='code:r-2:77067']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    keys.wait_for("[name='r-2.value'][value='77067']")
    keys.wait_focus("r-2.q")
    keys.choose("r-2.when", "in_last")
    keys.wait_for("[name='r-2.days']")
    keys.type("r-2.days", "2")
    keys.choose("r-2.unit", "years")
    keys.add_condition("r-3", "r", "attribute:insurance", "value")
    keys.press("r-3.value|BCBS PPO", "Space")
    keys.press("r-3.value|BCBS HMO", "Space")
    keys.add_condition("r-4", "r", "attribute:provider", "value")
    keys.type("r-4.value", "Lee")
    keys.wait_for("#offers-r-4 li:only-child [value='value:r-4:Dr. Lee']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.value === 'Dr. Lee'")
    # The two about the mailing in the wrong order at first: the arrow keys put that right, and it is said aloud.
    for name, subject in (("r-5", "event:clicked"), ("r-6", "event:opened")):
        keys.add_condition(name, "r", subject, "mailing")
        keys.choose(f"{name}.mailing", str(clinic.last.pk))
    keys.tab_to("r-5.op", key="Shift+Tab")
    keys.choose("r-5.op", "did_not")
    keys.press("handle|r-6", "ArrowUp")
    page.wait_for_function("() => document.activeElement.value === 'r-5'")
    assert page.inner_text("#announcer") == "Condition 7 is now 6."
    browser.assert_accessible(page)
    for _ in range(80):
        if page.evaluate("() => 'save' in document.activeElement.dataset"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    rule = saved_rule(page)
    assert_is_the_sentence(rule, clinic)
    expected = clinic.count(rule)
    assert expected > 2
    page.wait_for_function("n => document.querySelector('#count')?.textContent.includes(n + ' people')", arg=expected)
    browser.assert_accessible(page)


def drag(page: Any, name: str, to: str, *, below: bool = False) -> None:
    """Take a node by its handle and let it go over another one's upper or lower part, following it where it yields."""
    settled(page)
    page.locator(f".rule-handle[value='{name}']").hover()
    page.mouse.down()
    target = page.locator(f"[data-node='{to}']:not(.sortable-fallback *)")
    for _ in range(4):
        box = target.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + (box["height"] - 8 if below else 8), steps=8)
    page.mouse.up()


def test_the_sentence_is_built_by_mouse(page: Any, clinic: Clinic) -> None:  # noqa: PLR0915
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.set_viewport_size({"width": 1440, "height": 1700})  # so that whatever is dragged is in sight
    page.goto("/segments/new")

    def add(name: str, subject: str, brings: str) -> None:
        page.locator("[data-do='condition:r']").click()
        page.select_option(f"[name='{name}.subject']", subject)
        page.wait_for_selector(f"[name='{name}.{brings}']")

    page.fill("[name=name]", "No mammogram in two years")
    page.select_option("[name='r-0.subject']", "attribute:birth_date")
    page.select_option("[name='r-0.op']", "age_between")
    page.fill("[name='r-0.value']", "50")
    page.fill("[name='r-0.to']", "74")
    add("r-1", "attribute:procedures", "op")
    page.select_option("[name='r-1.op']", "has_none")
    page.locator("[name='r-1.q']").click()
    page.get_by_role("button", name="Screening mammogram").click()
    page.select_option("[name='r-1.when']", "in_last")
    page.fill("[name='r-1.days']", "2")
    page.select_option("[name='r-1.unit']", "years")
    add("r-2", "attribute:insurance", "value")
    page.get_by_label("BCBS PPO").check()
    page.get_by_label("BCBS HMO").check()
    add("r-3", "attribute:provider", "value")
    page.locator("[name='r-3.value']").click()
    page.get_by_role("button", name="Dr. Lee").click()
    page.wait_for_function("() => document.querySelector('[name=\"r-3.value\"]').value === 'Dr. Lee'")
    for name, subject in (("r-4", "event:opened"), ("r-5", "event:clicked")):
        add(name, subject, "mailing")
        page.select_option(f"[name='{name}.mailing']", str(clinic.last.pk))
        settled(page)
    page.select_option("[name='r-5.op']", "did_not")
    add("r-6", "attribute:sex", "value")
    page.get_by_label("female").check()
    drag(page, "r-6", "r-0")
    page.wait_for_selector("[name='r-0.value'][value='female']")
    assert page.inner_text("#announcer") == "Condition 7 is now 1."
    # Two of them go into a group and out again, and one is taken away and comes back: nothing is lost by it.
    page.locator("[data-do='group:r']").click()
    page.wait_for_selector("[data-node='r-7-0']")
    drag(page, "r-6", "r-7-0")
    page.wait_for_selector("[name='r-6-0.mailing']")
    assert page.input_value("[name='r-6-0.op']") == "did_not"
    drag(page, "r-6-0", "r-5", below=True)
    page.wait_for_selector("[name='r-6.mailing']")
    page.locator("[data-do='remove:r-7']").click()
    page.wait_for_selector("[data-node='r-7']", state="detached")
    page.locator("[data-do='remove:r-4']").click()
    page.wait_for_selector("[data-node='r-6']", state="detached")
    page.locator("[data-undo]").click()
    page.wait_for_function("() => document.querySelector('[name=\"r-4.value\"]')?.value === 'Dr. Lee'")
    alone = f"{sum(p.values['provider'] == 'Dr. Lee' for p in clinic.people)} people match this alone"
    page.wait_for_function("said => document.getElementById('kept-r-4').textContent === said", arg=alone)
    browser.assert_accessible(page)
    page.locator("[data-save]").click()
    rule = saved_rule(page)
    assert_is_the_sentence(rule, clinic)
    page.wait_for_function(
        "n => document.querySelector('#count')?.textContent.includes(n + ' people')", arg=clinic.count(rule)
    )


def test_what_is_typed_while_an_answer_is_on_its_way_stays(page: Any, clinic: Clinic) -> None:
    """Every answer comes late and they overlap; keys go on meanwhile."""
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    page.context.route("**/segments/builder/step", lambda route: (page.wait_for_timeout(400), route.continue_()))
    page.select_option("[name='r-0.subject']", "attribute:birth_date")
    page.select_option("[name='r-0.subject']", "attribute:last_name")
    page.select_option("[name='r-0.subject']", "attribute:birth_date")
    page.wait_for_selector("[name='r-0.op'] option[value='age_between']", state="attached")
    page.select_option("[name='r-0.op']", "age_between")
    page.locator("[data-do='condition:r']").click()
    page.wait_for_selector("[name='r-0.to']")
    page.type("[name='r-0.value']", "50", delay=80)
    page.type("[name='r-0.to']", "74", delay=80)
    page.wait_for_selector("[name='r-1.subject']")
    page.select_option("[name='r-1.subject']", "attribute:provider")
    page.wait_for_selector("[name='r-1.value']")
    assert page.input_value("[name='r-0.subject']") == "attribute:birth_date"
    assert (page.input_value("[name='r-0.value']"), page.input_value("[name='r-0.to']")) == ("50", "74")
    assert page.locator("[data-kind=condition]").count() == 2


def test_the_builder_fits_a_phone_and_enter_only_looks_again(visitors: Any, clinic: Clinic) -> None:
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


def test_an_error_stands_beside_its_clause_while_it_is_typed(page: Any, clinic: Clinic) -> None:
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER]))
    page.goto("/segments/new")
    page.select_option("[name='r-0.subject']", "attribute:birth_date")
    page.wait_for_selector("[name='r-0.value']")
    page.fill("[name='r-0.value']", "ten")
    page.wait_for_function("() => document.getElementById('error-r-0').textContent.includes('whole number')")
    page.fill("[name='r-0.value']", "10")
    page.wait_for_function("() => document.getElementById('error-r-0').textContent.trim() === ''")


def test_a_lost_session_and_a_way_out_of_the_page_lose_nothing(page: Any, clinic: Clinic) -> None:
    user = UserFactory(roles=[Role.MARKETER])
    browser.sign_in(page, user)
    page.goto("/segments/new")
    page.select_option("[name='r-0.subject']", "attribute:provider")
    page.wait_for_selector("[name='r-0.value']")
    settled(page)
    page.context.clear_cookies()
    page.fill("[name='r-0.value']", "Dr. Lee")
    page.wait_for_selector("#signed-out[open]")
    assert browser.asks_before_it_goes(page, page.get_by_role("link", name="Leave this page")) == "beforeunload"
    other = page.context.new_page()
    browser.sign_in(other, user)
    other.close()
    page.bring_to_front()
    page.wait_for_selector("#signed-out[open]", state="detached")
    page.locator("[data-do='condition:r']").click()
    page.wait_for_selector("[name='r-1.subject']")
    assert page.input_value("[name='r-0.value']") == "Dr. Lee"
    page.wait_for_selector("#kept [data-mark]")
    page.get_by_role("link", name="Templates").click()
    page.wait_for_url("**/templates/")
