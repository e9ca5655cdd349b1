"""Events and people by the API: each item for itself, nothing twice, and nothing believed about its form."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from audit.models import Entry
from contacts.models import Contact
from contacts.queries import open_one
from core import clock
from core.actors import SYSTEM
from tests.accounts.factories import api_token
from tests.contacts.factories import make_people
from tests.workflows.factories import end, linear, make_draft, make_workflow, place, wait
from workflows import event_types, events, happenings, steering
from workflows.engine.run import run
from workflows.models import Enrolment, EventType, Happening, Workflow

pytestmark = pytest.mark.django_db
NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def booked() -> EventType:
    kinds = {"clinic": "text", "fee": "number", "first": "yes_no", "day": "date", "starts": "datetime"}
    return event_types.declare(name="booked", properties=kinds, by=SYSTEM)


class Machine:
    def __init__(self, client: Client, *scopes: str) -> None:
        self.client, (_, self.headers) = client, api_token(scopes)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(self.client, method)(f"/api/v1{path}", headers=self.headers, **sent)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def send(self, *items: Any) -> list[tuple[str, str]]:
        answer = self.ask("post", "/events", {"events": list(items)})
        found = [(result["status"], result["message"]) for result in answer["results"]]
        counted = Counter(status for status, _ in found)
        assert {name: answer[name] for name in ("taken", "known", "refused")} == {
            name: counted[name] for name in ("taken", "known", "refused")
        }
        return found


@pytest.fixture
def machine(client: Client) -> Machine:
    return Machine(client, "events.send", "workflows.view", "workflows.enrol")


def person(who: UUID, by: str = "id") -> dict[str, str]:
    return {by: str(who) if by == "id" else open_one(Contact.objects.get(pk=who)).values[by]}


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_are_taken_by_id_external_id_or_address_and_sealed(machine: Machine, booked: EventType) -> None:
    people = make_people(3)
    said = {
        "clinic": "Elm Street", "fee": 12.5, "first": True, "day": "2026-12-01", "starts": "2026-12-01T10:00:00+01:00"
    }  # fmt: skip
    items = [
        {"event": "booked", "person": person(who, by), "key": f"A{n}", "properties": said, "id": f"e{n}"}
        for n, (who, by) in enumerate(zip(people, ("id", "external_id", "email"), strict=True))
    ]
    assert machine.send(*items) == [("taken", "")] * 3
    rows = list(Happening.objects.order_by("pk"))
    assert [(row.contact_id, row.kind, row.about) for row in rows] == [(who, "event", booked.pk) for who in people]
    assert [bytes(row.key_index or b"") for row in rows] == [
        happenings.key_index(who, f"A{n}") for n, who in enumerate(people)
    ]
    assert not any(b"Elm" in bytes(row.sealed or b"") for row in rows)
    kept = {**said, "starts": "2026-12-01T09:00:00Z"}
    assert list(happenings.opened(row.pk for row in rows).values()) == [kept] * 3
    (entry,) = Entry.objects.filter(action="events.received")
    assert entry.details == {"taken": 3, "refused": 0}


def test_the_same_event_is_taken_once_within_a_call_and_between_calls(machine: Machine, booked: EventType) -> None:
    event_types.declare(name="cancelled", by=SYSTEM)
    one, two = make_people(2)
    first = {"event": "booked", "person": person(one), "id": "77"}
    assert machine.send(first, first, {**first, "event": "cancelled"}) == [("taken", ""), ("known", ""), ("taken", "")]
    assert machine.send({**first, "person": person(two)}, {**first, "id": "78"}) == [("known", ""), ("taken", "")]
    assert machine.send({**first, "id": None}, {**first, "id": None}) == [("taken", "")] * 2
    assert Happening.objects.count() == 5


def test_one_bad_event_holds_up_no_other_and_each_is_told_what_is_wrong(machine: Machine, booked: EventType) -> None:
    (who,) = make_people(1)
    twins = make_people(2, email="family@example.com")
    well = {"event": "booked", "person": person(who)}
    now = clock.now()
    bad = [
        (None, "An event is an object"),
        ("booked", "An event is an object"),
        ([well], "An event is an object"),
        ({}, "Give event"),
        ({"event": 7, "person": person(who)}, "event has to be a text"),
        ({"event": "x" * 51, "person": person(who)}, "event has to be a text"),
        ({"event": "shipped", "person": person(who)}, "No event of this name is declared"),
        ({"event": "booked"}, "Say who by one of"),
        ({"event": "booked", "person": str(who)}, "Say who by one of"),
        ({"event": "booked", "person": {}}, "Say who by one of"),
        ({"event": "booked", "person": {"id": str(who), "email": "a@example.com"}}, "Say who by one of"),
        ({"event": "booked", "person": {"phone": "1"}}, "Say who by one of"),
        ({"event": "booked", "person": {"id": "7"}}, "person.id has to be the id of a contact"),
        ({"event": "booked", "person": {"id": ["7"]}}, "person.id has to be a text"),
        ({"event": "booked", "person": {"id": NOBODY}}, "Nobody has this id"),
        ({"event": "booked", "person": {"external_id": "nobody"}}, "Nobody has this external id"),
        ({"event": "booked", "person": {"email": "nobody@example.com"}}, "Nobody has this email address"),
        ({"event": "booked", "person": {"email": "not an address"}}, "Nobody has this email address"),
        ({"event": "booked", "person": {"email": "family@example.com"}}, "Several people have this email address"),
        ({**well, "propertys": {}}, "“propertys” is no field"),
        ({**well, "properties": ["clinic"]}, "properties has to be an object"),
        ({**well, "properties": {"doctor": "No"}}, "no property “doctor”"),
        ({**well, "properties": {"clinic": 7}}, "“clinic” has to be a text"),
        ({**well, "properties": {"clinic": "x" * 2_001}}, "“clinic” has to be a text"),
        ({**well, "properties": {"clinic": {"a": [1]}}}, "“clinic” has to be a text"),
        ({**well, "properties": {"fee": "12"}}, "“fee” has to be a number"),
        ({**well, "properties": {"fee": True}}, "“fee” has to be a number"),
        ({**well, "properties": {"fee": 10**400}}, "“fee” has to be a number"),
        ({**well, "properties": {"first": 1}}, "“first” has to be true or false"),
        ({**well, "properties": {"day": "2026-02-30"}}, "“day” has to be a date"),
        ({**well, "properties": {"day": "2026-W01-1"}}, "“day” has to be a date"),
        ({**well, "properties": {"starts": "2026-12-01T10:00:00"}}, "“starts” has to be a date and time"),
        ({**well, "properties": {"starts": "0001-01-01T00:00:00+23:59"}}, "“starts” has to be a date and time"),
        ({**well, "at": "yesterday"}, "at has to be"),
        ({**well, "at": 1700000000}, "at has to be"),
        ({**well, "at": (now + timedelta(hours=1)).isoformat()}, "at lies in the future"),
        ({**well, "at": "1990-01-01T00:00:00Z"}, "at lies longer ago"),
        ({**well, "key": {"a": 1}}, "key has to be a text"),
        ({**well, "key": ""}, "key has to be a text"),
        ({**well, "key": True}, "key has to be a text"),
        ({**well, "id": "x" * 201}, "id has to be a text"),
    ]
    answers = machine.send(*(item for pair in bad for item in (pair[0], well)))
    assert [status for status, _ in answers[1::2]] == ["taken"] * len(bad)
    for (item, expected), (status, message) in zip(bad, answers[::2], strict=True):
        assert (status, expected in message) == ("refused", True), (item, message)
        assert message.endswith(".")
    assert not any(str(value) in message for _, message in answers for value in (*twins, NOBODY, "family@", "x" * 60))
    assert Happening.objects.count() == len(bad)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"events": []},
        {"events": {}},
        {"events": None},
        {"events": "all"},
        {"events": [{"event": "booked"}] * 1_001},
    ],
)
def test_a_call_that_is_no_list_of_at_most_1000_events_is_refused_as_a_whole(
    machine: Machine, booked: EventType, body: Any
) -> None:
    error = machine.ask("post", "/events", body, 400)["error"]
    assert error["message"]
    assert not Happening.objects.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b'{"events": [NaN]}',
        b'{"events": ["\\ud800"]}',
        b'{"events": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"events": [' + b" " * (6 << 20) + b"1]}",
    ],
)
def test_hostile_bodies_are_refused(machine: Machine, booked: EventType, raw: bytes) -> None:
    answer = machine.client.post("/api/v1/events", raw, content_type="application/json", headers=machine.headers)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["message"]


def test_a_thousand_events_take_as_many_statements_as_one(
    machine: Machine, booked: EventType, django_assert_max_num_queries: Any
) -> None:
    people = make_people(100)
    items = [
        {"event": "booked", "person": person(who), "id": f"{n}.{who}", "properties": {"fee": n}}
        for n in range(10)
        for who in people
    ]
    with django_assert_max_num_queries(8):
        results = events.take(items, by=SYSTEM)
    assert {(result.status, result.message) for result in results} == {("taken", "")}
    assert Happening.objects.count() == 1_000


def test_events_need_their_own_scope(client: Client, booked: EventType) -> None:
    Machine(client, "workflows.view").ask("post", "/events", {"events": [{}]}, 403)


@pytest.mark.django_db(transaction=True)
def test_two_posts_of_the_same_events_at_once_take_each_once() -> None:
    event_types.declare(name="booked", by=SYSTEM)
    people = make_people(40)
    items = [{"event": "booked", "person": person(who), "id": f"e{n}"} for n, who in enumerate(people)]
    found: Counter[str] = Counter()
    barrier = threading.Barrier(3)

    def post(order: int) -> None:
        try:
            barrier.wait(20)
            for _ in range(3):
                found.update(result.status for result in events.take(items[::order], by=SYSTEM))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=post, args=[order]) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"taken": 40, "known": 320}
    assert Happening.objects.count() == 40


# -- people -----------------------------------------------------------------------------------------------------------


def test_people_are_put_on_seen_and_taken_off(machine: Machine) -> None:
    journey = make_workflow(linear(wait(days=2), wait(days=3), end(), exits=[]))
    one, two = make_people(2)
    path = f"/workflows/{journey.pk}/people"
    asked = [person(one, "email"), person(two, "external_id"), person(one), {"id": NOBODY}, {"email": "a@b", "id": "7"}]
    answer = machine.ask("post", path, {"people": asked[:4]})
    assert (answer["entered"], answer["refused"]) == (2, 2)
    assert [(r["status"], r["message"]) for r in answer["results"]] == [
        ("entered", ""),
        ("entered", ""),
        ("refused", "This person was on this journey before, and people enter it only once."),
        ("refused", "Nobody has this id."),
    ]
    machine.ask("post", path, {"people": asked[4:]}, 400)
    run(seconds=5, now=clock.now() + timedelta(days=2))
    (where,) = machine.ask("get", f"{path}/{one}")["enrolments"]
    assert (where["status"], where["step"], where["version"], where["sequence"]) == ("active", "s2", 1, 1)
    assert [(step["step"], step["way"], step["note"]) for step in where["path"]] == [
        ("s1", "next", "waited"),
        ("s2", None, ""),
    ]
    assert machine.ask("delete", f"{path}/{one}", status=204) is None
    machine.ask("delete", f"{path}/{one}", status=204)
    (where,) = machine.ask("get", f"{path}/{one}")["enrolments"]
    assert (where["status"], where["left_because"], where["path"][-1]["way"]) == ("left", "removed", "")
    assert machine.ask("get", f"{path}/{NOBODY}") == {"enrolments": []}
    assert set(Entry.objects.filter(action="workflow.person_asked").values_list("subject_id", flat=True)) == {
        one,
        UUID(NOBODY),
    }


def test_people_enter_once_for_each_key(machine: Machine) -> None:
    event_types.declare(name="booked", by=SYSTEM)
    trigger = {"kind": "event", "event": "booked"}
    journey = make_workflow(linear(wait(days=2), end(), trigger=trigger, exits=[], reentry={"kind": "per_key"}))
    (who,) = make_people(1)
    asked = [{**person(who), "key": key} for key in ("A", "B", "A")]
    answer = machine.ask("post", f"/workflows/{journey.pk}/people", {"people": asked})
    assert [result["status"] for result in answer["results"]] == ["entered", "entered", "refused"]
    assert "for the same event" in answer["results"][2]["message"]


def _stopped() -> Workflow:
    journey = make_workflow()
    return steering.stop(journey, by=SYSTEM)


@pytest.mark.parametrize("made", [make_draft, _stopped])
def test_nobody_is_put_on_a_journey_that_does_not_run(machine: Machine, made: Any) -> None:
    journey, (who,) = made(), make_people(1)
    error = machine.ask("post", f"/workflows/{journey.pk}/people", {"people": [person(who)]}, 409)["error"]
    assert error["code"] == "not_possible_now"
    assert not Enrolment.objects.exists()


def test_putting_on_and_taking_off_needs_its_scope(client: Client) -> None:
    journey, (who,) = make_workflow(), make_people(1)
    place(journey, [who])
    looking = Machine(client, "workflows.view")
    looking.ask("post", f"/workflows/{journey.pk}/people", {"people": [person(who)]}, 403)
    looking.ask("delete", f"/workflows/{journey.pk}/people/{who}", status=403)
    looking.ask("get", f"/workflows/{journey.pk}/people/{who}")
