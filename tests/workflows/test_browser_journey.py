"""The journey of the first sentence, in a browser: built from nothing, published, simulated, and run on a set clock.

"Three days before the appointment, at ten in the patient's morning, remind them; if they have not confirmed two days
later, send the other text; stop the moment it is cancelled."
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from accounts.models import User
from accounts.policy import Role
from content.models import Template
from core import clock
from core.purposes import Stream
from tests import browser
from tests.accounts.factories import UserFactory, api_token
from tests.delivery.factories import RelayFactory
from tests.delivery.smtp import Catcher
from tests.workflows.appointments import Appointment, book, clinic
from workflows import tasks, tasks_intake
from workflows.models import Enrolment, EventType, Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EVENTS = ("Appointment booked", "Appointment confirmed", "Appointment cancelled")
#: Cards of the map show a shortened text and say the whole of it.
CLIPPED = ("label-content-name-mismatch",)


@pytest.fixture
def marketer() -> User:
    user: User = UserFactory(roles=[Role.MARKETER], name="Robin Writer")
    return user


# -- building ---------------------------------------------------------------------------------------------------------


def declare_events(page: Any) -> None:
    for label in EVENTS:
        page.goto("/workflows/events/new")
        page.get_by_label("Name", exact=True).first.fill(label.lower().replace(" ", "_"))
        page.get_by_label("In words").fill(label)
        page.get_by_role("button", name="Declare event").click()
        page.get_by_text("Declared. It is taken from now on.").wait_for()


def begin(page: Any) -> Workflow:
    page.goto("/workflows/new")
    page.get_by_label("Name").fill("Reminder of a visit")
    page.get_by_role("button", name="Begin drawing").click()
    page.wait_for_selector("[data-journey]:not([aria-busy])")
    return Workflow.objects.get()


def reads(page: Any, text: str) -> None:
    """The panel has kept it and reads it back."""
    page.locator("#panel-body .rule-sentence").get_by_text(text).wait_for()


def card(page: Any, step: str) -> Any:
    return page.locator(f".journey-map .card[data-step='{step}']")


def build_by_mouse(page: Any) -> None:
    panel = page.locator("#panel-body[data-opened]")  # a panel listens a moment after it is there
    card(page, "~trigger").click()
    panel.locator("[name=kind]").select_option("date")
    panel.locator("[name=amount]").fill("3")
    panel.locator("[name=date]").select_option("attribute:next_visit_at")
    panel.locator("[name=at]").fill("10:00")
    reads(page, "They enter 3 days before Next visit at 10:00, in the time zone of each person.")
    card(page, "~rules").click()
    panel.get_by_role("button", name="An event comes").click()
    panel.locator("[name=event-1]").select_option("appointment_cancelled")
    reads(page, "Once for each event or date. Out early")
    reads(page, "Appointment cancelled happens")
    card(page, "~trigger").click()
    page.locator(".journey-palette [data-kind=mail]").click()
    panel.get_by_label("Visit reminder").check()
    reads(page, "Send “Visit reminder”")
    page.locator(".journey-palette [data-kind=wait_event]").click()
    panel.locator("[name=event]").select_option("appointment_confirmed")
    panel.locator("[name=count]").fill("2")
    reads(page, "Stay until “Appointment confirmed” happens, at most 2 days.")
    page.locator(".journey-palette [data-kind=mail]").click()
    page.get_by_role("menuitem", name="Not within 2 days").click()
    panel.get_by_label("Please answer").check()
    reads(page, "Send “Please answer”")


class Keys:
    """A keyboard, and nothing else."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def at(self) -> str:
        """What the keyboard is at: a card, a field with its value, or a button by its words."""
        return str(
            self.page.evaluate(
                "() => { const e = document.activeElement; return e.closest('svg [data-step]')?.dataset.step ??"
                " (e.name ? `${e.name}|${e.value ?? ''}` : e.textContent.trim()) }"
            )
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def to(self, what: str, key: str = "Tab") -> None:
        """Along to what is called so, or begins so."""
        for _ in range(60):
            if self.at().startswith(what):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"no way to {what}: the keyboard is at {self.at()}")

    def wait_at(self, what: str) -> None:
        self.page.wait_for_function(
            "what => { const e = document.activeElement;"
            " return (e.closest('svg [data-step]')?.dataset.step ?? e.id ?? '') === what }",
            arg=what,
        )

    def open(self, step: str, path: tuple[str, ...] = ()) -> None:
        """From the card where the keyboard is, by arrows, into the panel."""
        self.press(*path)
        self.wait_at(step)
        self.press("Enter")
        self.wait_at("panel-title")

    def choose(self, name: str, value: str) -> None:
        """In a closed list, up or down to the choice."""
        self.to(f"{name}|")
        for _ in range(40):
            if self.at() == f"{name}|{value}":
                return
            places = "() => [...document.activeElement.options].map(o => o.value)"
            options = self.page.evaluate(places)
            now = options.index(self.at().partition("|")[2])
            self.page.keyboard.press("ArrowDown" if options.index(value) > now else "ArrowUp")
        raise AssertionError(f"{self.at()} instead of {value}")

    def type(self, name: str, text: str) -> None:
        self.to(f"{name}|")
        self.page.keyboard.type(text)

    def leave(self, step: str) -> None:
        self.press("Escape")
        self.wait_at(step)

    def add(self, words: str, way: str = "") -> str:
        """A step after the card where the keyboard is; it goes to the new one."""
        was = self.at()
        self.press("+")
        for typed in (way, words):
            if typed:
                self.page.get_by_role("menu").wait_for()
                self.page.keyboard.type(typed)
                self.page.wait_for_function("typed => document.activeElement.textContent.startsWith(typed)", arg=typed)
                self.press("Enter")
        self.page.wait_for_function(
            "was => ![was, undefined].includes(document.activeElement.closest('svg [data-step]')?.dataset.step)",
            arg=was,
        )
        return self.at()


def pick_template(keys: Keys, name: str) -> None:
    chosen = str(next(t.pk for t in Template.objects.all() if t.name == name))
    keys.to("template|")
    keys.press("Space")
    keys.to(f"template|{chosen}", "ArrowDown")
    reads(keys.page, f"Send “{name}”")


def build_by_keyboard(page: Any) -> None:
    keys = Keys(page)
    keys.to("~trigger")
    keys.open("~trigger")
    keys.choose("kind", "date")
    page.wait_for_selector("#panel-form [name=amount]")
    keys.type("amount", "3")
    keys.choose("date", "attribute:next_visit_at")
    keys.type("at", "1000AM")
    reads(page, "They enter 3 days before Next visit at 10:00, in the time zone of each person.")
    keys.leave("~trigger")
    keys.open("~rules", ("ArrowDown",))
    keys.to("do|add:event")
    keys.press("Enter")
    page.wait_for_selector("#panel-form [name=event-1]")
    keys.to("event-1|", "Shift+Tab")
    keys.choose("event-1", "appointment_cancelled")
    reads(page, "Appointment cancelled happens")
    keys.leave("~rules")
    keys.press("ArrowUp")
    keys.wait_at("~trigger")
    first = keys.add("Send a mail")
    keys.open(first)
    pick_template(keys, "Visit reminder")
    keys.leave(first)
    wait = keys.add("Wait for an event")
    keys.open(wait)
    keys.choose("event", "appointment_confirmed")
    keys.to("count|")
    keys.press("Control+a")
    keys.page.keyboard.type("2")
    reads(page, "Stay until “Appointment confirmed” happens, at most 2 days.")
    keys.leave(wait)
    second = keys.add("Send a mail", way="Not within 2 days")
    keys.open(second)
    pick_template(keys, "Please answer")
    keys.leave(second)


def assert_is_the_sentence(workflow: Workflow) -> None:
    """What was drawn, by whatever ids."""
    workflow.refresh_from_db()
    drawn, named = workflow.draft, {t.name: str(t.pk) for t in Template.objects.all()}
    assert drawn["trigger"] == {
        "kind": "date",
        "moment": {"attribute": "next_visit_at", "days": -3, "at": "10:00"},
    }
    assert drawn["reentry"] == {"kind": "per_key"}
    cancelled = {"kind": "event", "event": "appointment_cancelled", "same_key": False}
    assert drawn["exits"] == [{"kind": "unsubscribed"}, cancelled]
    reminder = drawn["steps"][drawn["start"]]
    assert (reminder["template"], reminder["stream"]) == (named["Visit reminder"], "transactional")
    wait = drawn["steps"][reminder["exits"]["next"]]
    assert (wait["event"], wait["timeout"]) == ("appointment_confirmed", {"days": 2})
    assert wait["exits"].get("happened") is None
    other = drawn["steps"][wait["exits"]["timeout"]]
    assert other["template"] == named["Please answer"]
    assert not [way for way in other.get("exits", {}).values() if way]
    assert len(drawn["steps"]) == 3


# -- running ----------------------------------------------------------------------------------------------------------


def work() -> None:
    """What beat and workers do within a moment or two; mails leave at once."""
    for _ in range(3):
        tasks_intake.look()
        tasks_intake.listen()
        tasks.sweep()


class Life:
    """Days of the clinic on a set clock: other systems, patients and staff, each at their moment."""

    def __init__(self, visitors: browser.Visitors, catcher: Catcher) -> None:
        self.visitors = visitors
        self.catcher = catcher
        self.api = visitors.new()
        _, self.headers = api_token(["events.send"])

    def pass_until(self, moment: datetime) -> None:
        with clock.set_to(moment):
            work()

    def has(self, one: Appointment, *subjects: str, moment: datetime) -> None:
        """By then just these have arrived."""
        self.pass_until(moment)
        assert self.subjects(one) == list(subjects), f"{one.email}, {moment}"

    def tell(self, event: str, one: Appointment, *, moment: datetime) -> None:
        with clock.set_to(moment):
            said = {"event": event, "person": {"external_id": one.external_id}, "key": f"visit-{one.external_id}"}
            answer = self.api.request.post("/api/v1/events", headers=self.headers, data={"events": [said]})
            assert answer.json()["taken"] == 1, answer.text()
            work()

    def unsubscribe(self, one: Appointment, *, moment: datetime) -> None:
        """By the link in the mail they got, on the page it leads to."""
        link = re.findall(r'href="([^"]+)"[^>]*>Stop these mails', self.mails(one)[-1][1])[0]
        with clock.set_to(moment):
            patient = self.visitors.new(width=390, height=844)
            patient.goto(link)
            patient.get_by_role("button", name="Stop these emails").click()
            patient.get_by_text("You will not get these emails any more").wait_for()
            work()

    def mails(self, one: Appointment) -> list[tuple[str, str]]:
        """Subject and HTML of what arrived, in order."""
        found = [m.parsed for m in self.catcher.messages if m.recipients == [one.email]]
        bodies = [m.get_body(("html",)) for m in found]
        return [(str(m["Subject"]), body.get_content()) for m, body in zip(found, bodies, strict=True) if body]

    def subjects(self, one: Appointment) -> list[str]:
        return [subject for subject, _ in self.mails(one)]


def publish(page: Any, second: Any, workflow: Workflow) -> None:
    """Proposed by who drew it, approved by somebody else: it tells of visits, which is health information."""
    page.goto(f"/workflows/{workflow.pk}/publish/")
    browser.assert_accessible(page, ignore=CLIPPED)
    page.get_by_role("button", name="Propose for approval").click()
    page.get_by_text("A second person has to approve it").first.wait_for()
    second.goto(f"/workflows/{workflow.pk}/review/")
    second.get_by_text("3 days before Next visit at 10:00").first.wait_for()
    browser.assert_accessible(second, ignore=CLIPPED)
    second.get_by_role("button", name="Approve").click()
    second.wait_for_url(lambda url: "/review" not in url)
    workflow.refresh_from_db()
    assert workflow.state == Workflow.State.ACTIVE


def simulate(page: Any, workflow: Workflow, start: datetime) -> None:
    """Nobody confirms and nobody cancels: six are reminded, and six get the other text."""
    page.goto(f"/workflows/{workflow.pk}/simulations/new")
    page.locator("[name=start]").fill(f"{start:%Y-%m-%dT%H:%M}")
    page.get_by_label("Days", exact=True).fill("14")
    for n in range(2):
        page.locator(f"[name=event{n}]").fill("0")
    unsubscribes = page.locator("[name=unsubscribes]")
    if unsubscribes.count():
        unsubscribes.fill("0")
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("would enter").wait_for()
    sentence = page.locator("p.sentence", has_text="would enter").inner_text()
    assert "6 people would enter, and 12 mails would leave; 0 would be refused." in " ".join(sentence.split()), (
        page.locator("main").inner_text()
    )
    browser.assert_accessible(page)


def assert_path(page: Any, workflow: Workflow, one: Appointment, *said: str) -> None:
    """The page of one person's path says this."""
    enrolment = Enrolment.objects.get(workflow=workflow, contact_id=one.contact)
    page.goto(f"/workflows/{workflow.pk}/people/{enrolment.pk}/")
    text = " ".join(page.locator("main").inner_text().split())
    for words in said:
        assert words in text, f"“{words}” is not in: {text}"


def test_the_journey_of_the_first_sentence(visitors: browser.Visitors, marketer: User, catcher: Catcher) -> None:
    today = clock.now()
    monday = today.date() + timedelta(days=14 - today.weekday())
    clinic()
    RelayFactory(stream=Stream.TRANSACTIONAL, **catcher.relay_fields())
    people = book(monday)
    page, second = visitors.new(), visitors.new()
    browser.sign_in(page, marketer)
    browser.sign_in(second, UserFactory(roles=[Role.APPROVER], name="Sam Second"))
    declare_events(page)
    assert EventType.objects.count() == 3
    workflow = begin(page)
    build_by_mouse(page)
    browser.assert_accessible(page, ignore=CLIPPED)
    assert_is_the_sentence(workflow)
    simulate(page, workflow, today + timedelta(days=1))
    assert not catcher.messages
    publish(page, second, workflow)

    life = Life(visitors, catcher)
    confirms, cancels, stops, silent, *others = people
    for one in people:
        life.tell("appointment_booked", one, moment=today + timedelta(hours=1))
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    agenda: list[tuple[datetime, Callable[..., None]]] = []
    for one in people:
        agenda.append((one.reminded - minute, partial(life.has, one)))  # not before ten in their morning
        agenda.append((one.reminded + minute, partial(life.has, one, "Visit reminder")))
    agenda.append((confirms.reminded + hour, partial(life.tell, "appointment_confirmed", confirms)))
    agenda.append((cancels.reminded + 2 * hour, partial(life.tell, "appointment_cancelled", cancels)))
    agenda.append((stops.reminded + 3 * hour, partial(life.unsubscribe, stops)))
    for one in (silent, *others):
        agenda.append((one.texted - minute, partial(life.has, one, "Visit reminder")))
        agenda.append((one.texted + 10 * minute, partial(life.has, one, "Visit reminder", "Please answer")))
    for moment, happen in sorted(agenda, key=lambda pair: pair[0]):
        happen(moment=moment)
    assert all(one.first_name in life.mails(one)[0][1] for one in people)
    life.pass_until(today + timedelta(days=40))
    for one in (confirms, cancels, stops):
        assert life.subjects(one) == ["Visit reminder"]
    assert len(catcher.messages) == len(people) * 2 - 3
    assert not Enrolment.objects.exclude(status=Enrolment.Status.LEFT).exists()

    assert_path(page, workflow, confirms, "Sent", "It happened", "by “Happened”")
    assert_path(page, workflow, cancels, "Sent", "An event took them out")
    assert_path(page, workflow, stops, "Sent", "Unsubscribed")
    assert_path(page, workflow, silent, "It did not happen in time", "by “Not within 2 days”")
    browser.assert_accessible(page)


def test_the_same_journey_is_built_by_keyboard_alone(page: Any, marketer: User) -> None:
    clinic()
    book(clock.now().date() + timedelta(days=7))
    browser.sign_in(page, marketer)
    declare_events(page)
    workflow = begin(page)
    build_by_keyboard(page)
    assert_is_the_sentence(workflow)
