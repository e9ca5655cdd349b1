"""Endpoints, events and notices: commands, pages and the API."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Action, Role
from audit.models import Entry
from contacts.models import Contact, Lowering
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from delivery.gate import agreement_in_force
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people, make_person
from tests.workflows.factories import end, graph, linear, make_workflow, place, wait
from workflows import endpoints, event_types, notices
from workflows.errors import BadAddress, EndpointInUse, EventInUse, EventTaken, NotComplete
from workflows.models import Endpoint, EventType, Notice, Workflow
from workflows.ready import journeys as ready
from workflows.webhooks import sending
from workflows.webhooks.sending import Ended

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.com/in"


def signed_in(role: Role) -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[role.value]))
    return client


# -- endpoints --------------------------------------------------------------------------------------------------------


def test_an_endpoint_is_made_changed_and_removed_and_its_secret_is_shown_once() -> None:
    client = signed_in(Role.ADMINISTRATOR)
    answer = client.post(reverse("workflows:endpoint_new"), {"name": "Records", "url": URL})
    endpoint = Endpoint.objects.get()
    assert endpoint.secret in answer.content.decode()
    page = client.get(reverse("workflows:endpoint", args=[endpoint.pk]))
    assert endpoint.secret not in page.content.decode()
    client.post(reverse("workflows:endpoint", args=[endpoint.pk]), {"name": "Records 2", "url": URL})
    renewed = client.post(reverse("workflows:endpoint_secret", args=[endpoint.pk]))
    before, endpoint = endpoint.secret, Endpoint.objects.get()
    assert (endpoint.name, endpoint.secret != before) == ("Records 2", True)
    assert endpoint.secret in renewed.content.decode()
    client.post(reverse("workflows:endpoint_remove", args=[endpoint.pk]))
    assert "No endpoints yet" in client.get(reverse("workflows:endpoints")).content.decode()
    said = list(Entry.objects.filter(action__startswith="endpoint.").order_by("at").values_list("action", flat=True))
    assert said == ["endpoint.created", "endpoint.changed", "endpoint.secret_renewed", "endpoint.removed"]


def test_an_agreement_is_about_one_server_and_ends_where_the_address_leads_to_another() -> None:
    client, today = signed_in(Role.ADMINISTRATOR), clock.now().date()
    agreed = {"baa_party": "Records Ltd", "baa_signed_on": today, "baa_expires_on": None}
    endpoint, _ = endpoints.create(name="Records", url=URL, by=SYSTEM, **agreed)
    page = reverse("workflows:endpoint", args=[endpoint.pk])
    typed = {"name": "Records", "baa_party": "Records Ltd", "baa_signed_on": today.isoformat(), "baa_expires_on": ""}

    def party(url: str, **more: str) -> tuple[str, str, bool]:
        client.post(page, {**typed, "url": url, **more})
        kept = Endpoint.objects.get()
        return kept.url, kept.baa_party, agreement_in_force(kept, today)

    assert party("https://HOOKS.example.com/other") == ("https://HOOKS.example.com/other", "Records Ltd", True)
    asked = client.post(page, {**typed, "url": "https://elsewhere.example.com/in"}).content.decode()
    assert "end the agreement?" in asked
    assert Endpoint.objects.get().baa_party == "Records Ltd"  # nothing happened yet
    other = "https://elsewhere.example.com/in"
    assert party(other, move="1") == (other, "", False)
    assert Entry.objects.filter(action="endpoint.changed").latest("at").details["agreement_ended"] is True
    assert party(other) == (other, "Records Ltd", True)  # recorded anew, about that server
    third = endpoints.change(Endpoint.objects.get(), url="https://third.example.com/", by=SYSTEM, **agreed)
    assert (third.baa_party, third.baa_signed_on) == ("", None)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://localhost/"]
)
def test_a_hostile_address_is_refused_with_words(url: str) -> None:
    answer = signed_in(Role.ADMINISTRATOR).post(reverse("workflows:endpoint_new"), {"name": "Records", "url": url})
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not Endpoint.objects.exists()
    with pytest.raises(BadAddress):
        endpoints.create(name="Records", url=url, by=SYSTEM)


def test_an_endpoint_that_a_journey_tells_is_not_removed() -> None:
    endpoint, _ = endpoints.create(name="Records", url=URL, by=SYSTEM)
    step = {"kind": "webhook", "endpoint": str(endpoint.pk), "exits": {"next": "e"}}
    make_workflow(graph("s", {"s": step, "e": end()}), name="Telling")
    with pytest.raises(EndpointInUse):
        endpoints.remove(endpoint, by=SYSTEM)
    page = signed_in(Role.ADMINISTRATOR).get(reverse("workflows:endpoint", args=[endpoint.pk])).content.decode()
    assert "Telling" in page


def test_a_test_says_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, _ = endpoints.create(name="Records", url=URL, by=SYSTEM)
    said: list[dict[str, Any]] = []

    def tell(where: Endpoint, call_id: str, what: dict[str, Any]) -> Ended:
        said.append(what)
        return Ended("busy", 503)

    monkeypatch.setattr(sending, "tell", tell)
    client = signed_in(Role.ADMINISTRATOR)
    page = client.post(reverse("workflows:endpoint_check", args=[endpoint.pk])).content.decode()
    assert said[0]["type"] == "ping"
    assert "It answered 503" in page


# -- events -----------------------------------------------------------------------------------------------------------


def form(**given: str) -> dict[str, str]:
    return {"p-TOTAL_FORMS": "3", "p-INITIAL_FORMS": "0", "sensitivity": "phi", **given}


def test_an_event_counts_as_less_only_once_a_second_person_approves_it(client: Client) -> None:
    marketer, approver = UserFactory(roles=[Role.MARKETER, Role.APPROVER]), UserFactory(roles=[Role.COMPLIANCE])
    second = Client()
    sign_in(client, marketer)
    sign_in(second, approver)
    event = event_types.declare(name="tested_positive", by=marketer)
    page, decision = (reverse(f"workflows:{name}", args=[event.pk]) for name in ("event", "event_lower"))
    typed = form(label="Tested positive", sensitivity="identity")

    def tier() -> str:
        event.refresh_from_db()
        return event.sensitivity

    assert "Say why" in client.post(page, typed).content.decode()
    client.post(page, {**typed, "reason": "It says nothing of what was tested"})
    asked = Lowering.objects.get()
    second_marketer = UserFactory(roles=[Role.MARKETER])
    event_types.change(event, label="Tested positive", properties={}, sensitivity="identity", by=second_marketer)
    assert (Lowering.objects.get(), Entry.objects.filter(action="event.lowering_asked").count()) == (asked, 1)
    for _ in range(2):  # whoever asked is no second person, whatever their roles
        client.post(decision, {"seen": str(asked.pk), "approve": "1"})
    assert tier() == "phi"
    assert "Let it count" not in client.get(page).content.decode()
    assert "Tested positive" in second.get("/").content.decode()
    assert "It says nothing of what was tested" in second.get(page).content.decode()
    second.post(decision, {"seen": str(asked.pk), "keep": "1"})
    assert (tier(), Lowering.objects.count()) == ("phi", 0)
    client.post(page, {**typed, "reason": "It says nothing of what was tested"})
    second.post(decision, {"seen": str(asked.pk), "approve": "1"})  # which is not what is asked for now
    assert tier() == "phi"
    second.post(decision, {"seen": str(Lowering.objects.get().pk), "approve": "1"})
    assert tier() == "identity"
    said = Entry.objects.get(action="event.lowered").details
    assert (said["was"], said["now"], said["asked_by"]) == ("phi", "identity", str(marketer.pk))


def test_an_event_is_not_made_less_by_archiving_it_and_declaring_it_anew_or_by_the_api() -> None:
    event = event_types.declare(name="tested_positive", by=SYSTEM)
    event_types.archive(event, by=SYSTEM)
    with pytest.raises(EventTaken, match="health information before"):
        event_types.declare(name="tested_positive", sensitivity="identity", by=SYSTEM)
    event_types.declare(name="tested_positive", by=SYSTEM)
    _, headers = api_token([Action.WORKFLOWS_EDIT], UserFactory(roles=[Role.MARKETER]))
    url, client = f"/api/v1/event-types/{event.pk}", Client()

    def patch(**given: str) -> Any:
        return client.patch(url, given, content_type="application/json", headers=headers)

    assert patch(sensitivity="identity").status_code == 400
    answer = patch(sensitivity="identity", reason="It says nothing of what was tested").json()
    assert (answer["sensitivity"], answer["asked_sensitivity"]) == ("phi", "identity")
    assert patch(label="Tested").json()["asked_sensitivity"] == "identity"
    assert patch(sensitivity="phi").json()["asked_sensitivity"] is None


def test_an_event_is_declared_changed_and_archived_on_pages() -> None:
    client = signed_in(Role.MARKETER)
    given = form(**{"name": "appointment_booked", "label": "Appointment booked", "p-0-name": "starts_at",
                    "p-0-kind": "datetime", "p-2-name": "clinic", "p-2-kind": "text"})  # fmt: skip
    answer = client.post(reverse("workflows:event_new"), given)
    event = EventType.objects.get()
    assert answer.status_code == 302
    assert event.properties == {"starts_at": "datetime", "clinic": "text"}
    page = client.get(reverse("workflows:event", args=[event.pk])).content.decode()
    assert "curl http://testserver/api/v1/events" in page
    assert "&quot;starts_at&quot;: &quot;2026-11-30T14:00:00Z&quot;" in page
    changed = form(**{"label": "Booked", "p-0-name": "starts_at", "p-0-kind": "datetime", "p-1-name": ""})
    client.post(reverse("workflows:event", args=[event.pk]), changed)
    event.refresh_from_db()
    assert (event.name, event.label, event.properties) == ("appointment_booked", "Booked", {"starts_at": "datetime"})
    assert "appointment_booked" in client.get(reverse("workflows:events")).content.decode()
    client.post(reverse("workflows:event_archive", args=[event.pk]))
    assert "No events yet" in client.get(reverse("workflows:events")).content.decode()


def test_whoever_only_looks_changes_no_event() -> None:
    event = event_types.declare(name="booked", label="Booked", by=SYSTEM)
    client = signed_in(Role.APPROVER)
    page = client.post(reverse("workflows:event", args=[event.pk]), form(label="Otherwise")).content.decode()
    event.refresh_from_db()
    assert event.label == "Booked"
    assert "Save" not in page


@pytest.mark.parametrize("name", ["", "Appointment booked", "1st", "ä", "a" * 51, "a-b"])
def test_a_name_that_is_no_word_is_refused(name: str) -> None:
    with pytest.raises(NotComplete):
        event_types.declare(name=name, by=SYSTEM)


def test_properties_are_checked() -> None:
    for wrong in ({"a b": "text"}, {"a": "blob"}, {f"p{n}": "text" for n in range(51)}):
        with pytest.raises(NotComplete):
            event_types.declare(name="booked", properties=wrong, by=SYSTEM)


def test_an_event_that_a_journey_listens_to_stays_as_the_journey_needs_it() -> None:
    event = event_types.declare(name="booked", properties={"day": "date", "room": "text"}, by=SYSTEM)
    with pytest.raises(EventTaken):
        event_types.declare(name="BOOKED", by=SYSTEM)
    until = {"kind": "wait_until", "moment": {"property": "day", "days": -1, "at": "10:00"}, "exits": {"next": "e"}}
    make_workflow(graph("w", {"w": until, "e": end()}, trigger={"kind": "event", "event": "booked"}), name="Listening")
    assert [str(one.name) for one in event_types.listeners("booked")] == ["Listening"]
    kept: dict[str, Any] = {"label": "Booked", "sensitivity": "phi", "by": SYSTEM}
    event_types.change(event, properties={"day": "date"}, **kept)
    for properties in ({}, {"day": "text"}):
        with pytest.raises(EventInUse):
            event_types.change(event, properties=properties, **kept)
    with pytest.raises(EventInUse):
        event_types.archive(event, by=SYSTEM)


def test_an_archived_event_is_the_same_one_when_it_is_declared_again() -> None:
    event = event_types.declare(name="booked", by=SYSTEM)
    event_types.archive(event, by=SYSTEM)
    assert event_types.declare(name="booked", label="Booked", by=SYSTEM).pk == event.pk


def test_machines_declare_read_change_and_archive_events(client: Client) -> None:
    owner = UserFactory(roles=[Role.MARKETER.value])
    _, headers = api_token([Action.WORKFLOWS_VIEW, Action.WORKFLOWS_EDIT], owner)
    head: dict[str, Any] = {"headers": headers, "content_type": "application/json"}
    made = client.post(
        "/api/v1/event-types", {"name": "order_shipped", "label": "Shipped", "properties": {"weight": "number"}}, **head
    )
    assert made.status_code == 201, made.content
    path = f"/api/v1/event-types/{made.json()['id']}"
    assert (
        client.post("/api/v1/event-types", {"name": "order_shipped"}, **head).json()["error"]["code"] == "event_taken"
    )
    assert client.get("/api/v1/event-types", **head).json()["results"][0]["name"] == "order_shipped"
    changed = client.patch(path, {"label": "Order shipped"}, **head).json()
    assert (changed["label"], changed["properties"]) == ("Order shipped", {"weight": "number"})
    assert client.delete(path, **head).status_code == 204
    assert client.get(path, **head).status_code == 404


# -- ready-made journeys ---------------------------------------------------------------------------------------------


def test_a_ready_made_journey_is_taken_where_a_new_one_begins() -> None:
    client = signed_in(Role.MARKETER)
    page = client.get(reverse("workflows:new")).content.decode()
    assert all(one.name in page for one in ready.READY)
    answer = client.post(reverse("workflows:ready_start", args=["refill"]))
    workflow = Workflow.objects.get()
    assert answer.headers["Location"] == reverse("workflows:edit", args=[workflow.pk])
    assert workflow.name == "Refill reminder"
    assert client.post(reverse("workflows:ready_start", args=["other"])).status_code == 302
    assert Workflow.objects.count() == 1


# -- as many statements for more rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["endpoints", "events", "notices"])
def test_lists_take_no_more_statements_for_more_rows(name: str) -> None:
    client = signed_in(Role.MARKETER)
    workflow = make_workflow(linear(wait(days=1), end()), name="Calls")
    counts = []
    for round_ in range(2):
        for number in range(1 + 2 * round_):
            endpoints.create(name=f"E{number}", url=URL, by=SYSTEM)
            event_types.declare(name=f"event_{round_}_{number}", properties={"a": "text"}, by=SYSTEM)
            [enrolment] = place(workflow, [make_person().pk])
            Notice.objects.create(
                id=uuid7(), workflow=workflow, enrolment=enrolment, contact_id=enrolment.contact_id,
                at=enrolment.since, role="marketer",
            )  # fmt: skip
        client.get(reverse(f"workflows:{name}"))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(f"workflows:{name}")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


# -- notices ----------------------------------------------------------------------------------------------------------


def test_notices_are_shown_to_whom_they_are_for_and_worked_off() -> None:
    marketer, approver = UserFactory(roles=[Role.MARKETER.value]), UserFactory(roles=[Role.APPROVER.value])
    person = make_person(first_name="Ada", last_name="Quill")
    workflow = make_workflow(linear(wait(days=1), end()), name="Calls")
    [enrolment] = place(workflow, [person.pk])
    made = [
        Notice.objects.create(
            id=uuid7(), workflow=workflow, enrolment=enrolment, contact_id=person.pk, text=text,
            at=enrolment.since, **whose,
        )
        for text, whose in (
            ("For marketers", {"role": "marketer"}), ("For one", {"user_id": approver.pk}), ("For all", {}),
        )
    ]  # fmt: skip
    assert (notices.open_count(marketer), notices.open_count(approver)) == (2, 2)
    client = Client()
    sign_in(client, marketer)
    page = client.get(reverse("workflows:notices")).content.decode()
    assert "For marketers" in page
    assert "For one" not in page
    assert "Quill" not in page
    assert "For one" in client.get(reverse("workflows:notices"), {"whose": "all"}).content.decode()
    client.post(reverse("workflows:notice_done", args=[made[0].pk]))
    assert notices.open_count(marketer) == 1
    assert "For marketers" in client.get(reverse("workflows:notices"), {"show": "done"}).content.decode()
    client.post(reverse("workflows:notice_reopen", args=[made[0].pk]))
    assert notices.open_count(marketer) == 2


def test_notices_are_ticked_off_together() -> None:
    marketer = UserFactory(roles=[Role.MARKETER.value])
    client = Client()
    sign_in(client, marketer)
    workflow = make_workflow()
    rows = place(workflow, [make_person().pk for _ in range(4)])
    made = [
        Notice.objects.create(
            id=uuid7(), workflow=workflow, enrolment=row, contact_id=row.contact_id, role="marketer", at=clock.now()
        )
        for row in rows
    ]
    shown = [str(one.pk) for one in made]
    done = reverse("workflows:notices_done")
    assert "Tick what is done first" in client.post(done, {"shown": shown}, follow=True).content.decode()
    client.post(done, {"shown": shown, "notice": [shown[0], "nonsense"]})
    assert notices.open_count(marketer) == 3
    assert "3 done" in client.post(done, {"shown": shown, "all": "1"}, follow=True).content.decode()
    assert notices.open_count(marketer) == 0
    assert set(Notice.objects.values_list("done_by", flat=True)) == {marketer.pk}


def test_a_record_that_does_not_open_keeps_no_notice_from_staff() -> None:
    journey = make_workflow(linear(wait(days=1), end()))
    people = make_people(2, first_name="Ada")
    for row in place(journey, people):
        Notice.objects.create(
            id=uuid7(), workflow=journey, enrolment=row, contact_id=row.contact_id, role="marketer", at=clock.now()
        )
    Contact.objects.filter(pk=people[0]).update(sealed=b"\x01" + bytes(300))  # by nobody
    page = signed_in(Role.MARKETER).get(reverse("workflows:notices"))
    assert page.status_code == 200
    assert "Cannot be read" in page.content.decode()
    assert reverse("contacts:detail", args=[people[1]]) in page.content.decode()
