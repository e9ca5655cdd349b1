"""Where webhooks go, what they say, and what becomes of them (IDN-18, SEC-09)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import contacts.commands
from audit.models import Entry
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from tests.workflows.factories import end, graph, make_person, make_workflow, place
from tests.workflows.webserver import HOST, WebServer, drip, flood
from workflows import endpoints, steering, tasks_effects
from workflows.engine.run import run
from workflows.errors import BadAddress
from workflows.ids import made_id
from workflows.models import Call, Endpoint, Enrolment
from workflows.webhooks import sending
from workflows.webhooks.address import Target, is_public, parse
from workflows.webhooks.wire import NotTold, Wire

TARGET = Target(HOST, "/in")
Sweep = Callable[[], None]


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254",
        "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7",
        "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1", "2001:0:1::1",
        "2001:db8::1", "100::1", "5f00::1", "localhost", "", "8.8.8", "0177.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_not_everybody_can_reach_are_not_called(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1"])
def test_public_addresses_are_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/",
        "//hooks.example.com/", "hooks.example.com", "https://", "https:///path", "javascript:alert(1)",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://2130706433/", "https://127.1/",
        "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
        "https://hooks.example.com.10/", "https://localhost/", "https://LOCALHOST./", "https://a.localhost/",
        "https://metadata.google.internal/", "https://printer.local/", "https://intranet/", "https://ehr.corp/",
        "https://user@hooks.example.com/", "https://user:word@hooks.example.com/", "https://good.example.com@10.0.0.1/",
        "https://10.0.0.1#@good.example.com/", "https://good.example.com\\@10.0.0.1/", "https://hooks.example.com:80/",
        "https://hooks.example.com:22/", "https://hooks.example.com:99999/", "https://hooks.example.com:x/",
        "https://hooks.example.com/#part", "https://hooks .example.com/", "https://hooks.example.com/a\r\nHost: b",
        "https://hooks.example.com/\x00", "https://-hooks.example.com/", "https://hooks..example.com/",
        "https://höoks.example.com/", "https://①②⑦.⓪.⓪.①/", "https://hooks.example.com%2f@10.0.0.1/",
        "https://hooks.example.com/" + "x" * 500, f"https://{'a' * 64}.example.com/",
    ],
)  # fmt: skip
def test_addresses_that_are_no_public_https_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        parse(url)


def test_an_address_is_taken_apart() -> None:
    assert parse("https://Hooks.Example.com:443/in?key=1") == Target("hooks.example.com", "/in?key=1")
    assert parse("https://hooks.example.com") == Target("hooks.example.com", "/")
    assert parse("https://xn--hoks-5qa.example.com/a@b").path == "/a@b"


# -- the wire ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_leads_inside_is_not_called(tmp_path: Path, inside: str) -> None:
    with WebServer(tmp_path) as server:
        wire = Wire(resolve=lambda host, port: [inside], port=server.port)
        with pytest.raises(NotTold) as told:
            wire.post(TARGET, b"{}", {})
    assert told.value.code == "not_public"
    assert server.connections == 0


def test_a_name_with_one_public_and_one_inner_address_is_not_called_at_all(tmp_path: Path) -> None:
    wire = Wire(resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"], port=9)
    with pytest.raises(NotTold) as told:
        wire.post(TARGET, b"{}", {})
    assert told.value.code == "not_public"


def test_a_name_that_answers_otherwise_the_second_time_is_resolved_only_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with WebServer(tmp_path) as server:
        assert server.wire(names=rebinding).post(TARGET, b"{}", {}) == 204
    assert asked == [HOST]
    assert len(server.heard) == 1


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        server.answer = (
            f"HTTP/1.1 307 Elsewhere\r\nLocation: https://{HOST}/other\r\nContent-Length: 0\r\n\r\n".encode()
        )
        assert server.wire().post(TARGET, b"{}", {}) == 307
    assert [call.path for call in server.heard] == ["/in"]
    assert server.connections == 1


def test_somebody_who_speaks_slowly_is_left_after_the_time_for_all_of_it(tmp_path: Path) -> None:
    with WebServer(tmp_path, behave=drip) as server:
        began = time.monotonic()
        with pytest.raises(NotTold) as told:
            server.wire(seconds=0.4).post(TARGET, b"{}", {})
    assert told.value.code == "slow"
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_not_listened_to(tmp_path: Path) -> None:
    with WebServer(tmp_path, behave=flood) as server:
        began = time.monotonic()
        assert server.wire().post(TARGET, b"{}", {}) == 200
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"SSH-2.0-OpenSSH\r\n", "broken"), (b"", "broken"), (b"HTTP/1.1 2\r\n\r\n", "broken"), (b"x" * 70_000, "broken")],
)
def test_an_answer_that_is_no_http_is_none(tmp_path: Path, answer: bytes, code: str) -> None:
    with WebServer(tmp_path, answer=answer) as server, pytest.raises(NotTold) as told:
        server.wire().post(TARGET, b"{}", {})
    assert told.value.code == code


@pytest.mark.parametrize("how", ["another name", "expired", "unknown authority"])
def test_whoever_cannot_prove_the_name_hears_nothing(tmp_path: Path, how: str) -> None:
    name = "other.example.com" if how == "another name" else HOST
    with WebServer(tmp_path, host=name, expired=how == "expired") as server:
        wire = server.wire()
        if how == "unknown authority":
            wire = Wire(resolve=wire.resolve, permits=wire.permits, port=server.port)
        with pytest.raises(NotTold) as told:
            wire.post(TARGET, b"secret", {})
    assert told.value.code == "certificate"
    assert not server.heard


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        wire = server.wire()
    with pytest.raises(NotTold) as told:
        wire.post(TARGET, b"{}", {})
    assert told.value.code == "unreachable"


# -- calls ------------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with WebServer(tmp_path) as made:
        monkeypatch.setattr(sending, "WIRE", made.wire())
        yield made


@pytest.fixture
def sweep(django_capture_on_commit_callbacks: Any) -> Callable[[], None]:
    """What beat does every few seconds."""

    def swept() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            tasks_effects.sweep_calls()

    return swept


def endpoint(**more: Any) -> Endpoint:
    made, _ = endpoints.create(name="Records", url=f"https://{HOST}/in", by=SYSTEM, **more)
    return made


AGREED = {"baa_party": "Hooks Inc", "baa_signed_on": date(2026, 1, 1)}


def waiting(where: Endpoint, *, attributes: tuple[str, ...] = (), person: Contact | None = None) -> Call:
    """A call that is due, of somebody who waits for its end."""
    step = {"kind": "webhook", "endpoint": str(where.pk), "exits": {"next": "s2"}}
    workflow = make_workflow(graph("s1", {"s1": step, "s2": end()}))
    person = person or make_person(first_name="Ada")
    [enrolment] = place(workflow, [person.pk], wake_at=None)
    made = made_id("call", enrolment.pk, 0)
    Enrolment.objects.filter(pk=enrolment.pk).update(awaits=made)
    return Call.objects.create(
        id=made, endpoint=where, enrolment=enrolment, visit=0, step="s1", contact_id=person.pk,
        attributes=list(attributes), due_at=clock.now(), at=clock.now(),
    )  # fmt: skip


def test_a_call_says_opaque_ids_signed_and_wakes_who_waits(server: WebServer, sweep: Sweep) -> None:
    where = endpoint()
    call = waiting(where)
    sweep()
    [heard] = server.heard
    said = json.loads(heard.body)
    assert heard.path == "/in"
    assert heard.headers["host"] == HOST
    assert said["contact"] == str(call.contact_id)
    assert said["attributes"] == {}
    assert said["step"] == "s1"
    assert said["enrolment"] == call.enrolment_id
    assert said["id"] == str(call.pk) == heard.headers["webhook-id"]
    key = base64.b64decode(where.secret.removeprefix("whsec_"))
    stamp = heard.headers["webhook-timestamp"]
    mac = hmac.digest(key, f"{call.pk}.{stamp}.".encode() + heard.body, hashlib.sha256)
    assert heard.headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert abs(int(stamp) - time.time()) < 60
    call.refresh_from_db()
    assert call.state == "done"
    assert call.status_code == 204
    assert call.due_at is None
    assert Enrolment.objects.get(pk=call.enrolment_id).wake_at is not None
    entry = Entry.objects.get(action="endpoint.called")
    assert entry.details["told"] == 1
    sweep()
    assert len(server.heard) == 1


def test_values_go_along_only_while_an_agreement_is_in_force(server: WebServer, sweep: Sweep) -> None:
    person = make_person(first_name="Ada", last_name="Quill")
    call = waiting(endpoint(**AGREED), attributes=("first_name", "sex", "conditions"), person=person)
    sweep()
    assert json.loads(server.heard[0].body)["attributes"] == {"first_name": "Ada", "sex": None, "conditions": None}
    call.refresh_from_db()
    assert call.state == "done"
    today = clock.now().date()
    over, not_yet = {"baa_expires_on": today - timedelta(days=1)}, {"baa_signed_on": today + timedelta(days=1)}
    for agreement in ({}, {**AGREED, **over}, {**AGREED, **not_yet}):
        refused = waiting(endpoint(**agreement), attributes=("first_name",), person=make_person())
        sweep()
        refused.refresh_from_db()
        assert (refused.state, refused.trouble) == ("failed", "no_agreement")
        assert Enrolment.objects.get(pk=refused.enrolment_id).wake_at is not None
    assert len(server.heard) == 1


def test_values_do_not_go_to_another_server_than_the_agreement_is_about(server: WebServer, sweep: Sweep) -> None:
    where = endpoint(**AGREED)
    waits = waiting(where, attributes=("first_name",), person=make_person())
    endpoints.change(where, url="https://elsewhere.example.com/in", by=SYSTEM)
    sweep()
    waits.refresh_from_db()
    assert (waits.state, waits.trouble, server.heard) == ("failed", "no_agreement", [])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example.com/\r\n\r\n", "redirect"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "refused"),
        (b"HTTP/1.1 410 Gone\r\n\r\n", "refused"),
    ],
)
def test_an_answer_that_will_not_change_ends_the_call(
    server: WebServer, sweep: Sweep, answer: bytes, code: str
) -> None:
    server.answer = answer
    call = waiting(endpoint())
    sweep()
    call.refresh_from_db()
    assert (call.state, call.trouble, call.attempts) == ("failed", code, 1)
    assert Enrolment.objects.get(pk=call.enrolment_id).wake_at is not None


def test_trouble_is_tried_again_with_pauses_and_then_given_up(server: WebServer, sweep: Sweep) -> None:
    server.answer = b"HTTP/1.1 500 Oops\r\n\r\n"
    call = waiting(endpoint())
    now, pauses = clock.now(), []
    while call.state == "waiting":
        with clock.set_to(now):
            sweep()
            sweep()  # not due: nothing
        call.refresh_from_db()
        if call.due_at:
            assert Enrolment.objects.get(pk=call.enrolment_id).wake_at is None
            pauses.append(round((call.due_at - now).total_seconds() / 60))
            now = call.due_at + timedelta(seconds=1)
    assert pauses == [1, 5, 15, 60, 360]
    assert (call.state, call.trouble, call.attempts, call.status_code) == ("failed", "busy", 6, 500)
    assert len(server.heard) == 6
    assert len({heard.headers["webhook-id"] for heard in server.heard}) == 1


def test_an_endpoint_in_trouble_is_asked_once_and_not_for_every_call(server: WebServer, sweep: Sweep) -> None:
    server.answer = b"HTTP/1.1 503 Later\r\n\r\n"
    where = endpoint()
    calls = [waiting(where, person=make_person()) for n in range(3)]
    sweep()
    assert len(server.heard) == 1
    assert set(Call.objects.values_list("attempts", "state")) == {(1, "waiting")}
    assert len(calls) == 3


def test_one_refused_call_does_not_hold_the_others(server: WebServer, sweep: Sweep) -> None:
    where = endpoint()
    one, gone, last = [waiting(where, person=make_person()) for n in range(3)]
    contacts.commands.delete(Contact.objects.get(pk=gone.contact_id), by=SYSTEM)
    sweep()
    states = {call.pk: (call.state, call.trouble) for call in Call.objects.all()}
    assert states == {one.pk: ("done", ""), gone.pk: ("failed", "contact_gone"), last.pk: ("done", "")}
    assert len(server.heard) == 2


def test_a_record_that_does_not_open_holds_nobody_elses_call(server: WebServer, sweep: Sweep) -> None:
    where = endpoint(**AGREED)
    one, broken = (waiting(where, attributes=("first_name",), person=make_person()) for _ in range(2))
    whole = bytes(Contact.objects.get(pk=broken.contact_id).sealed)
    Contact.objects.filter(pk=broken.contact_id).update(sealed=whole[:-1] + bytes([whole[-1] ^ 1]))
    sweep()
    states = {call.pk: (call.state, call.trouble) for call in Call.objects.all()}
    assert states == {one.pk: ("done", ""), broken.pk: ("failed", "record_unreadable")}


def test_a_removed_endpoint_is_told_nothing_more(server: WebServer, sweep: Sweep) -> None:
    where = endpoint()
    call = waiting(where)
    Endpoint.objects.filter(pk=where.pk).update(removed_at=clock.now())
    sweep()
    call.refresh_from_db()
    assert (call.state, call.trouble) == ("failed", "endpoint_gone")
    assert not server.heard


@pytest.mark.parametrize(
    ("answer", "then"),
    [(b"HTTP/1.1 202 OK\r\n\r\n", ("next", "done", "s2")), (b"HTTP/1.1 400 No\r\n\r\n", ("failed", "failed", "s3"))],
)
def test_a_journey_waits_for_the_end_of_its_call_and_goes_on_by_it(
    server: WebServer, sweep: Sweep, answer: bytes, then: tuple[str, str, str]
) -> None:
    server.answer = answer
    step = {"kind": "webhook", "endpoint": str(endpoint().pk), "exits": {"next": "s2", "failed": "s3"}}
    workflow = make_workflow(graph("s1", {"s1": step, "s2": end(), "s3": end()}))
    [enrolment] = place(workflow, [make_person().pk])
    run(seconds=5)
    enrolment.refresh_from_db()
    call = Call.objects.get()
    assert (enrolment.step, enrolment.wake_at, enrolment.awaits) == ("s1", None, call.pk)
    assert not server.heard  # nothing is said inside the engine's transaction
    sweep()
    run(seconds=5)
    first = enrolment.transitions.get(visit=0)
    assert (first.way, first.note, first.made) == (*then[:2], call.pk)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.step) == ("left", then[2])


def test_whoever_has_no_way_for_a_failure_needs_attention_and_is_told_again_on_retry(
    server: WebServer, sweep: Sweep
) -> None:
    server.answer = b"HTTP/1.1 400 No\r\n\r\n"
    step = {"kind": "webhook", "endpoint": str(endpoint().pk), "exits": {"next": "s2"}}
    workflow = make_workflow(graph("s1", {"s1": step, "s2": end()}))
    [enrolment] = place(workflow, [make_person().pk])
    run(seconds=5)
    sweep()
    run(seconds=5)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.trouble) == ("attention", "call_failed")
    server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    assert steering.retry(workflow, None, by=SYSTEM) == 1
    run(seconds=5)
    sweep()
    run(seconds=5)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.left_because) == ("left", "end")
    assert len({heard.headers["webhook-id"] for heard in server.heard}) == 1


def test_every_trouble_has_words() -> None:
    codes: set[Any] = set(sending.FINAL) | {"no_name", "unreachable", "certificate", "tls", "slow", "broken", "busy"}
    assert codes <= set(sending.WORDS)
    assert all(sending.words(code).endswith(".") for code in codes)
