"""People leave as a file only as a second person approved it, and never without a trace (TRK-08)."""

import csv
import io
import logging
import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pyroaring import BitMap

from accounts.models import User
from accounts.policy import POLICY, Role
from audit.models import Entry
from consent import commands as consent
from consent.models import Source
from consent.state import AuthorizationFacts, ConsentFacts
from contacts import commands as people
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from core.purposes import Purpose
from core.sensitivity import Sensitivity
from segments import commands, export_file, exports
from segments.errors import (
    AgreementMissing,
    Archived,
    NotApproved,
    NotAsAsked,
    NothingToExport,
    NotTheSecondPerson,
    NotYours,
    SaleForbidden,
)
from segments.export_file import Limits
from segments.exports import Wanted
from segments.models import Export, Segment
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.consent.factories import DOCUMENT, EVIDENCE
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule

pytestmark = pytest.mark.django_db
State = Export.State
COLUMNS = ("first_name", "email", "conditions")


@pytest.fixture
def clinic() -> Segment:
    """Ten people, half of them ill."""
    attribute("hiv", Kind.BOOLEAN, sensitivity=Sensitivity.SPECIAL)
    make_people(
        10,
        first_name=lambda i: f"Zora{i:02}",
        state="MA",
        hiv=lambda i: i < 4,
        coded=lambda i: {"conditions": [Coded("E11.9", "Diabetes", "2020-01-01")] if i % 2 else []},
    )
    segment: Segment = SegmentFactory(rule=rule(is_("state", "MA")))
    return segment


@pytest.fixture
def asker() -> User:
    user: User = UserFactory(roles=[Role.MARKETER])
    return user


@pytest.fixture
def second() -> User:
    user: User = UserFactory(roles=[Role.APPROVER])
    return user


def wanted(*columns: str, purpose: str = Purpose.TREATMENT, **more: Any) -> Wanted:
    return Wanted(columns or COLUMNS, purpose, "Nurses call them", **more)


def approved(segment: Segment, by: User, second: User, *columns: str, **more: Any) -> Export:
    return exports.approve_export(exports.request_export(segment, wanted(*columns, **more), by=by), by=second)


def read(lines: Iterator[str]) -> list[dict[str, str]]:
    text = "".join(lines)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def trail(export: Export) -> list[str]:
    return list(Entry.objects.filter(target_id=str(export.pk)).order_by("pk").values_list("action", flat=True))


# Asking and approving


def test_what_was_asked_for_and_approved_leaves_and_each_step_is_on_the_trail(
    clinic: Segment, asker: User, second: User
) -> None:
    export = exports.request_export(clinic, wanted(), by=asker)
    assert (export.state, export.people, export.tier) == (State.REQUESTED, 10, Sensitivity.PHI)
    export = exports.approve_export(export, note="For the nurses", by=second)
    assert export.expires_at == export.decided_at + timedelta(days=7)
    lines = exports.download(export, by=asker)
    taken = Entry.objects.get(action="export.downloaded")
    assert (taken.actor_id, taken.details["people"], taken.details["tier"]) == (str(asker.pk), 10, "phi")
    rows = read(lines)
    assert [row["first_name"] for row in rows] == [f"Zora{i:02}" for i in range(10)]
    assert list(rows[1]) == ["first_name", "email", "conditions"]
    assert rows[1]["conditions"] == "E11.9 Diabetes (2020-01-01 to now)"
    assert trail(export) == ["export.requested", "export.approved", "export.downloaded", "export.finished"]
    assert Entry.objects.get(action="export.finished").details["rows"] == 10


def test_nobody_approves_what_they_asked_for(clinic: Segment) -> None:
    both = UserFactory(roles=[Role.MARKETER, Role.APPROVER, Role.COMPLIANCE])
    export = exports.request_export(clinic, wanted(), by=both)
    token, _ = api_token(["exports.approve"], both)
    for by in (both, token, SYSTEM):
        with pytest.raises(NotTheSecondPerson):
            exports.approve_export(export, by=by)
    export.refresh_from_db()
    assert export.state == State.REQUESTED
    with pytest.raises(IntegrityError), transaction.atomic():  # nor where the code forgot
        Export.objects.filter(pk=export.pk).update(state=State.APPROVED, decided_by=both.pk)


def test_a_person_asks_and_not_the_product_itself(clinic: Segment) -> None:
    with pytest.raises(NotYours):
        exports.request_export(clinic, wanted(), by=SYSTEM)


def test_only_who_asked_takes_the_file_and_only_once_it_is_approved(clinic: Segment, asker: User, second: User) -> None:
    export = exports.request_export(clinic, wanted(), by=asker)
    with pytest.raises(NotApproved):
        exports.download(export, by=asker)
    exports.approve_export(export, by=second)
    for by in (second, UserFactory(roles=[Role.MARKETER]), SYSTEM):
        with pytest.raises(NotYours):
            exports.download(export, by=by)
    assert len(read(exports.download(export, by=asker))) == 10


def test_what_is_asked_for_must_say_enough(clinic: Segment, asker: User) -> None:
    def refused(error: type[Exception], match: str, *columns: str, **more: Any) -> None:
        with pytest.raises(error, match=match):
            exports.request_export(clinic, wanted(*columns, **more), by=asker)

    refused(NotAsAsked, "no attribute shoe_size", "shoe_size")
    refused(NothingToExport, "what the file is for", purpose="curiosity")
    refused(SaleForbidden, "sale of health information", paid=True)
    refused(AgreementMissing, "business associate", recipient="associate")
    refused(AgreementMissing, "signed", recipient="associate", party="Mail House")
    past = clock.now().date() - timedelta(days=1)
    refused(AgreementMissing, "has ended", recipient="associate", party="Mail House", agreed_on=past, agreed_until=past)
    for bad in (Wanted([], Purpose.TREATMENT, "Nurses call them"), Wanted(COLUMNS, Purpose.TREATMENT, " no ")):
        with pytest.raises(Exception, match=r"Choose at least one column|in a few words"):
            exports.request_export(clinic, bad, by=asker)
    with pytest.raises(NothingToExport, match="Nobody"):
        exports.request_export(SegmentFactory(rule=rule(is_("state", "ZZ"))), wanted(), by=asker)
    with pytest.raises(Archived):
        exports.request_export(commands.archive(clinic, by=asker), wanted(), by=asker)
    assert not Export.objects.exists()


def test_hashes_of_addresses_are_no_way_around(clinic: Segment, asker: User) -> None:
    """Nothing but attributes can be a column: the blind index of an address is none."""
    for column in ("email_index", "external_index", "id", "number", "sealed"):
        with pytest.raises(NotAsAsked):
            exports.request_export(clinic, wanted(column), by=asker)


# What is no longer what was approved


def test_an_approval_ends(clinic: Segment, asker: User, second: User, monkeypatch: pytest.MonkeyPatch) -> None:
    export = approved(clinic, asker, second)
    later = clock.now() + timedelta(days=7)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(NotApproved, match="run out"):
        exports.download(export, by=asker)
    assert not Entry.objects.filter(action="export.downloaded").exists()


def test_a_rule_changed_meanwhile_stops_it(clinic: Segment, asker: User, second: User) -> None:
    waiting, ready = exports.request_export(clinic, wanted(), by=asker), approved(clinic, asker, second)
    commands.edit(clinic, name="Another name", rule=clinic.rule, by=asker)
    assert len(read(exports.download(ready, by=asker))) == 10
    commands.edit(clinic, name="Another name", rule=rule(is_("state", "MA"), has("E11.*")), by=asker)
    with pytest.raises(NotAsAsked, match="changed"):
        exports.download(ready, by=asker)
    with pytest.raises(NotAsAsked, match="changed"):
        exports.approve_export(waiting, by=second)


def test_a_segment_within_the_segment_changed_meanwhile_stops_it(clinic: Segment, asker: User, second: User) -> None:
    outer = SegmentFactory(rule=rule({"segment": str(clinic.pk), "op": "in"}))
    export = approved(outer, asker, second)
    assert len(read(exports.download(export, by=asker))) == 10
    commands.edit(clinic, name="Wider", rule=rule(is_("state", "MA"), match="none"), by=asker)
    with pytest.raises(NotApproved, match="not what was approved"):
        exports.download(export, by=asker)


def test_of_a_list_leaves_who_was_on_it_when_it_was_approved(clinic: Segment, asker: User, second: User) -> None:
    one, two, *_ = Contact.objects.order_by("number")
    kept = commands.start_list(name="Called back", by=asker)
    commands.add_people(kept, [one.pk], by=asker)
    export = approved(kept, asker, second)
    assert [row["first_name"] for row in read(exports.download(export, by=asker))] == ["Zora00"]
    commands.add_people(kept, [two.pk], by=asker)
    with pytest.raises(NotApproved, match="not what was approved"):
        exports.download(export, by=asker)


def test_of_a_rule_with_a_list_in_it_leaves_who_was_on_it_when_it_was_approved(
    clinic: Segment, asker: User, second: User
) -> None:
    one, two, *_ = Contact.objects.order_by("number")
    kept = commands.start_list(name="Called back", by=asker)
    commands.add_people(kept, [one.pk], by=asker)
    outer = SegmentFactory(rule=rule({"segment": str(kept.pk), "op": "in"}, is_("state", "MA")))
    export = approved(outer, asker, second)
    assert len(read(exports.download(export, by=asker))) == 1
    commands.add_people(kept, [two.pk], by=asker)
    with pytest.raises(NotApproved, match="not what was approved"):
        exports.download(export, by=asker)


def test_an_attribute_that_counts_as_more_sensitive_stops_it(clinic: Segment, asker: User, second: User) -> None:
    export = approved(clinic, asker, second, "first_name")
    assert export.tier == Sensitivity.IDENTITY
    Attribute.objects.filter(key="first_name").update(sensitivity=Sensitivity.SPECIAL)
    with pytest.raises(NotAsAsked, match="sensitive"):
        exports.download(export, by=asker)
    Attribute.objects.filter(key="first_name").update(removed_at=clock.now())
    with pytest.raises(NotAsAsked, match="no attribute"):
        exports.download(export, by=asker)


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": ["first_name", "hiv"]},
        {"tier": "identity"},
        {"expires_at": clock.now() + timedelta(days=900)},
        {"recipient": "associate"},
        {"rule": rule(is_("state", "MA"), is_("city", "Boston"))},
    ],
)
def test_a_row_tampered_with_opens_nothing(clinic: Segment, asker: User, second: User, change: dict[str, Any]) -> None:
    export = approved(clinic, asker, second)
    Export.objects.filter(pk=export.pk).update(**change)
    with pytest.raises(NotApproved, match="not what was approved"):
        exports.download(export, by=asker)


def test_an_approval_is_not_moved_to_another_request(clinic: Segment, asker: User, second: User) -> None:
    ready = approved(clinic, asker, second, "first_name")
    other = exports.request_export(clinic, wanted("first_name", "hiv"), by=asker)
    fields = ("state", "decided_by", "decided_at", "expires_at", "approved_digest")
    Export.objects.filter(pk=other.pk).update(**{name: getattr(ready, name) for name in fields})
    with pytest.raises(NotApproved, match="not what was approved"):
        exports.download(other, by=asker)


def test_an_agreement_that_ended_stops_it(
    clinic: Segment, asker: User, second: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = clock.now().date()
    agreed = {"recipient": "associate", "party": "Mail House", "agreed_on": date(2026, 1, 1)}
    export = approved(clinic, asker, second, **agreed, agreed_until=today + timedelta(days=2))
    assert len(read(exports.download(export, by=asker))) == 10
    later = clock.now() + timedelta(days=4)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(AgreementMissing):
        exports.download(export, by=asker)


def test_refused_taken_back_or_withdrawn_nothing_leaves(clinic: Segment, asker: User, second: User) -> None:
    refused = exports.request_export(clinic, wanted(), by=asker)
    with pytest.raises(Exception, match="Say why"):
        exports.refuse_export(refused, note="", by=second)
    exports.refuse_export(refused, note="Too many columns", by=second)
    taken_back = exports.refuse_export(approved(clinic, asker, second), note="Not needed any more", by=second)
    withdrawn = approved(clinic, asker, second)
    with pytest.raises(NotYours):
        exports.withdraw_export(withdrawn, by=second)
    exports.withdraw_export(withdrawn, by=asker)
    for export in (refused, taken_back, withdrawn):
        with pytest.raises(NotApproved):
            exports.download(export, by=asker)
        with pytest.raises(NotApproved):
            exports.approve_export(export, by=second)


# Who is in the file


def test_people_deleted_meanwhile_are_not_in_it(clinic: Segment, asker: User, second: User) -> None:
    export = approved(clinic, asker, second)
    contacts = list(Contact.objects.order_by("number"))
    people.delete(contacts[0], by=SYSTEM)
    lines = exports.download(export, by=asker)
    people.delete(contacts[1], by=SYSTEM)  # after the count, before the first byte
    assert [row["first_name"] for row in read(lines)] == [f"Zora{i:02}" for i in range(2, 10)]
    finished = Entry.objects.get(action="export.finished")
    assert (finished.details["rows"], finished.details["left_out"]) == (8, {"deleted": 1})


def test_special_categories_leave_with_consent_and_with_the_notice_only(
    clinic: Segment, asker: User, second: User
) -> None:
    first = Contact.objects.order_by("number").first()
    assert first is not None
    consent.give_special_consent(first.pk, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    export = approved(clinic, asker, second, "first_name", "hiv")
    assert export.tier == Sensitivity.SPECIAL
    rows = read(exports.download(export, by=asker))
    assert rows == [{"first_name": "Zora00", "hiv": "yes", "notice": export_file.NOTICE}]
    assert Entry.objects.get(action="export.finished").details["left_out"] == {"no_special_consent": 9}


def test_marketing_with_health_information_takes_an_authorization(clinic: Segment, asker: User, second: User) -> None:
    first = Contact.objects.order_by("number").first()
    assert first is not None
    consent.authorize(first.pk, document=DOCUMENT, source=Source.STAFF, by=SYSTEM)
    export = approved(clinic, asker, second, purpose=Purpose.MARKETING)
    assert [row["first_name"] for row in read(exports.download(export, by=asker))] == ["Zora00"]
    plain = approved(clinic, asker, second, "first_name", purpose=Purpose.MARKETING)
    assert len(read(exports.download(plain, by=asker))) == 10


def test_addresses_that_opted_out_never_leave(clinic: Segment, asker: User, second: User) -> None:
    one, two, *_ = Contact.objects.order_by("number")
    consent.opt_out(one.pk, None, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    address = contacts_of(two)
    consent.suppress(address, reason="staff", by=SYSTEM)
    care = read(exports.download(approved(clinic, asker, second), by=asker))
    assert [row["email"] == "" for row in care] == [True, True] + [False] * 8
    plea = approved(clinic, asker, second, "first_name", purpose=Purpose.FUNDRAISING)
    assert len(read(exports.download(plea, by=asker))) == 9


def contacts_of(contact: Contact) -> str:
    from contacts import queries

    return queries.open_one(contact).email


NOW = clock.now()
SIGNED = AuthorizationFacts(uuid7(), (Purpose.MARKETING,), False, NOW + timedelta(days=1), True)


@pytest.mark.parametrize(
    ("purpose", "tier", "said", "why"),
    [
        (Purpose.TREATMENT, "phi", ConsentFacts(), ""),
        (Purpose.TREATMENT, "special", ConsentFacts(), "no_special_consent"),
        (Purpose.TREATMENT, "special", ConsentFacts(special_consent=uuid7()), ""),
        (Purpose.TREATMENT, "phi", ConsentFacts(opted_out_all=True), ""),
        (Purpose.MARKETING, "identity", ConsentFacts(opted_out_all=True), "opted_out_all"),
        (Purpose.MARKETING, "identity", ConsentFacts(), ""),
        (Purpose.MARKETING, "phi", ConsentFacts(), "no_authorization"),
        (Purpose.MARKETING, "phi", ConsentFacts(authorization=SIGNED), ""),
        (
            Purpose.MARKETING,
            "phi",
            ConsentFacts(authorization=AuthorizationFacts(uuid7(), (Purpose.MARKETING,), False, NOW, True)),
            "no_authorization",
        ),
        (
            Purpose.MARKETING,
            "phi",
            ConsentFacts(authorization=AuthorizationFacts(uuid7(), (Purpose.TREATMENT,), False, None, True)),
            "no_authorization",
        ),
        (
            Purpose.MARKETING,
            "phi",
            ConsentFacts(authorization=AuthorizationFacts(uuid7(), (Purpose.MARKETING,), False, None, False)),
            "no_authorization",
        ),
        (Purpose.MARKETING, "special", ConsentFacts(authorization=SIGNED), "no_special_consent"),
    ],
)
def test_who_is_left_out_and_why(purpose: str, tier: str, said: ConsentFacts, why: str) -> None:
    assert export_file.kept_out(Limits(purpose, Sensitivity(tier)), said, NOW) == why


def test_cells_are_no_formulas_and_numbers_keep_their_sign(asker: User, second: User) -> None:
    attribute("balance", Kind.NUMBER, sensitivity=Sensitivity.IDENTITY)
    make_people(1, first_name="=1+1", last_name='Quo"te, Ann', balance=-5, state="MA")
    segment = SegmentFactory(rule=rule(is_("state", "MA")))
    export = approved(segment, asker, second, "first_name", "last_name", "balance")
    assert read(exports.download(export, by=asker)) == [
        {"first_name": "'=1+1", "last_name": 'Quo"te, Ann', "balance": "-5"}
    ]


# Many people


def test_a_lot_costs_the_same_statements_whoever_is_in_it(clinic: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = list(Attribute.objects.filter(key__in=["first_name", "email"]))
    numbers = BitMap(Contact.objects.values_list("number", flat=True))

    def statements(lot: int) -> int:
        monkeypatch.setattr(export_file, "LOT", lot)
        with CaptureQueriesContext(connection) as seen:
            rows = "".join(
                export_file.stream(numbers, columns, Limits(Purpose.MARKETING, Sensitivity.PHI), lambda *_: None)
            )
        assert rows
        return len(seen)

    assert statements(10) == 4
    assert statements(5) == 8


def test_fifty_thousand_people_stream_through_flat_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the second lot of ten no more memory is needed."""
    make_people(1_000)
    found = export_file.opening.numbered(list(Contact.objects.values_list("number", flat=True)))
    monkeypatch.setattr(export_file.opening, "numbered", lambda asked: (found * 5)[: len(asked)])
    columns = list(Attribute.objects.filter(key="first_name"))
    rows, most = 0, []
    tracemalloc.start()
    for piece in export_file.stream(
        BitMap(range(50_000)), columns, Limits(Purpose.TREATMENT, Sensitivity.PHI), lambda *_: None
    ):
        rows += piece.count("\n")
        most.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert rows == 50_001
    assert len(most) == 11
    assert most[-1] < 1.1 * most[2]


# Pages and API


def ask_on_the_page(client: Client, segment: Segment, **more: Any) -> Any:
    data = {"attributes": ["first_name", "conditions"], "purpose": "treatment", "reason": "Nurses call them"}
    return client.post(reverse("segments:export_new", args=[segment.pk]), {**data, "recipient": "own", **more})


def test_from_the_segment_to_the_file_by_the_pages(clinic: Segment, asker: User, second: User) -> None:
    one, other = Client(), Client()
    sign_in(one, asker), sign_in(other, second)
    page = one.get(reverse("segments:export_new", args=[clinic.pk]))
    assert "10 people" in page.content.decode()
    assert "checked" not in page.content.decode().split("Purpose")[0]
    leaves = one.post(reverse("segments:export_preview", args=[clinic.pk]), {"attributes": ["hiv"]}).content.decode()
    assert "Special category" in leaves
    assert "42 CFR part 2" in leaves
    refused = ask_on_the_page(one, clinic, paid="on")
    assert "sale of health information" in refused.content.decode()
    export = Export.objects.get(pk=ask_on_the_page(one, clinic).url.rsplit("/", 1)[1])
    address = reverse("segments:export", args=[export.pk])
    assert "A second person has to approve this" in one.get(address).content.decode()
    assert clinic.name in other.get("/").content.decode()
    seen = other.get(address).content.decode()
    assert "State is “MA”" in seen
    assert "Approve for 10 people" in seen
    assert other.post(f"{address}/decide", {"refuse": "1"}).status_code == 200  # a refusal says why
    assert other.post(f"{address}/decide", {"approve": "1"}).url == address
    assert "Your export is approved" in one.get("/").content.decode()
    assert "Download 10 people" in one.get(address).content.decode()
    file = one.post(f"{address}/download")
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert b"Zora03,E11.9 Diabetes" in b"".join(file.streaming_content)
    assert other.post(f"{address}/download").status_code == 403
    assert clinic.name in one.get(reverse("segments:exports")).content.decode()
    assert one.post(f"{address}/withdraw").url == address
    assert "Withdrawn" in one.get(address).content.decode()


MAY = {
    "exports.view": {Role.MARKETER, Role.APPROVER, Role.COMPLIANCE},
    "exports.request": {Role.MARKETER, Role.COMPLIANCE},
    "exports.approve": {Role.APPROVER, Role.COMPLIANCE},
    "exports.download": {Role.MARKETER, Role.COMPLIANCE},
}


def test_who_may_what(clinic: Segment, client: Client) -> None:
    assert {action.value: roles for action, roles in POLICY.items() if action.value.startswith("exports.")} == MAY
    export = exports.request_export(clinic, wanted(), by=UserFactory(roles=[Role.MARKETER]))
    here = reverse("segments:export", args=[export.pk])
    for role in Role:
        sign_in(client, UserFactory(roles=[role]))
        for action, method, address in (
            ("exports.view", "GET", reverse("segments:exports")),
            ("exports.view", "GET", here),
            ("exports.request", "GET", reverse("segments:export_new", args=[clinic.pk])),
            ("exports.approve", "POST", f"{here}/decide"),
            ("exports.download", "POST", f"{here}/download"),
        ):
            status = client.generic(method, address).status_code
            assert (status == 403) == (role not in MAY[action]), (role, action, status)


def test_the_list_asks_as_much_for_three_as_for_one(clinic: Segment, client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.COMPLIANCE]))

    def statements() -> int:
        exports.request_export(clinic, wanted(), by=UserFactory(roles=[Role.MARKETER]))
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("segments:exports")).status_code == 200
        return len(seen)

    statements()
    one = statements()
    statements()
    assert statements() == one


def test_a_machine_asks_and_downloads_with_the_scope_for_it_and_cannot_approve(clinic: Segment, second: User) -> None:
    owner = UserFactory(roles=[Role.MARKETER])
    _, asks = api_token(["exports.request"], owner)
    _, takes = api_token(["exports.download", "exports.view"], owner)
    _, reads = api_token(["segments.view", "contacts.reveal"], owner)
    _, counts = api_token(["exports.view", "reports.small_cells"], owner)
    client = Client()
    body = {"attributes": ["first_name"], "purpose": "treatment", "reason": "Call list of the practice"}
    address = f"/api/v1/segments/{clinic.pk}/exports"
    assert client.post(address, body, "application/json", headers=reads).status_code == 403
    made = client.post(address, body, "application/json", headers=asks)
    assert (made.status_code, made.json()["state"], made.json()["people"]) == (201, "REQUESTED", None)
    one = f"/api/v1/segments/exports/{made.json()['id']}"
    assert [client.get(one, headers=who).json()["people"] for who in (takes, counts)] == [None, 10]
    assert client.get(f"{one}/file", headers=takes).json()["error"]["code"] == "not_approved"
    exports.approve_export(Export.objects.get(), by=second)
    assert client.get(one, headers=takes).json()["state"] == "APPROVED"
    assert client.get(f"{one}/file", headers=asks).status_code == 403
    file = client.get(f"{one}/file", headers=takes)
    assert file.status_code == 200
    assert b"".join(file.streaming_content).decode().count("\r\n") == 11  # type: ignore[attr-defined]
    taken = Entry.objects.get(action="export.downloaded")
    assert taken.actor_kind == "token"
    listed = client.get("/api/v1/segments/exports", headers=takes).json()["results"]
    assert [row["id"] for row in listed] == [made.json()["id"]]
    bad = client.post(address, {**body, "attributes": ["shoe_size"]}, "application/json", headers=asks)
    assert bad.status_code == 409


def test_nothing_of_the_people_is_in_logs_trail_or_table(
    clinic: Segment, asker: User, second: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client()
    sign_in(client, asker)
    export = approved(clinic, asker, second)
    with CaptureQueriesContext(connection) as seen:
        file = client.post(reverse("segments:export_download", args=[export.pk]))
        assert b"Zora07" in b"".join(file.streaming_content)
    said = caplog.text + "".join(query["sql"] for query in seen) + str(list(Entry.objects.values_list("details")))
    for value in ("Zora", "E11.9", "Diabetes", 'MA"', "Nurses"):
        assert value not in said, value
    with connection.cursor() as cursor:
        cursor.execute("SELECT segments_export::text FROM segments_export")
        assert "Nurses" not in cursor.fetchone()[0]
