import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import StopUpload
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from audit.models import Entry
from contacts import attributes, chunks, queries
from contacts.models import Attribute, Contact, Import, ImportChunk, Lowering, Reason
from contacts.records import Coded
from contacts.uploads import SealingUploadHandler
from tests import browser as browsing
from tests.accounts.factories import UserFactory, sign_in
from tests.contacts.factories import finish, make_import, make_people, make_person, run_import

pytestmark = pytest.mark.django_db

State = Import.State
WHY = {"reason": "To correct them at the front desk"}
ClientFor = Callable[..., Client]


@pytest.fixture
def client_for() -> ClientFor:
    def make(*roles: Role, csrf: bool = False) -> Client:
        client = Client(enforce_csrf_checks=csrf)
        sign_in(client, UserFactory(roles=[role.value for role in roles or (Role.MARKETER,)]))
        return client

    return make


def text_of(response: Any) -> str:
    return response.content.decode()


def upload(client: Client, data: bytes | str, *, shape: str = "people", follow: bool = False) -> Any:
    raw = data.encode() if isinstance(data, str) else data
    file = SimpleUploadedFile("people.csv", raw, "text/csv")
    return client.post(reverse("contacts:import_new"), {"shape": shape, "file": file}, follow=follow)


def test_the_list_shows_people_masked_and_costs_the_same_for_one_and_three(client_for: ClientFor) -> None:
    client = client_for()
    client.get(reverse("contacts:list"))

    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("contacts:list")).status_code == 200
        return len(seen)

    make_people(1, email="ada.lovelace@example.com", first_name="Ada", last_name="Lovelace")
    one = cost()
    make_people(2)
    assert cost() == one
    page = text_of(client.get(reverse("contacts:list")))
    assert "a•••e@e•••.com" in page
    assert "Lovelace" not in page


def test_pages_of_the_list_lead_on_and_back_without_leaving_anybody_out(
    client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = make_people(7)
    seen: list[Any] = []
    page = queries.page(size=3)
    while True:
        seen += [contact.pk for contact in page.contacts]
        if page.after is None:
            break
        page = queries.page(after=page.after, size=3)
    assert seen == sorted(ids, reverse=True)
    back = queries.page(before=page.before, size=3)
    assert [contact.pk for contact in back.contacts] == seen[3:6]
    assert client_for().get(reverse("contacts:list"), {"after": "rubbish"}).status_code == 200


def test_search_is_exact_and_never_in_an_address(client_for: ClientFor) -> None:
    client = client_for()
    contact = make_person(email="ada@example.com", external_id="MRN-1")
    make_people(2, email="family@example.com")
    for text in ("ADA@example.com", " MRN-1 "):
        response = client.post(reverse("contacts:search"), {"text": text})
        assert response["Location"] == reverse("contacts:detail", args=[contact.pk])
    assert "<strong>2 people</strong>" in text_of(
        client.post(reverse("contacts:search"), {"text": "family@example.com"})
    )
    assert "Nobody found" in text_of(client.post(reverse("contacts:search"), {"text": "ada"}))
    assert client.get(reverse("contacts:search")).status_code == 405


def test_an_analyst_sees_no_contact(client_for: ClientFor) -> None:
    client, contact = client_for(Role.ANALYST), make_person()
    for name, args in (("list", []), ("detail", [contact.pk]), ("imports", []), ("attributes", [])):
        assert client.get(reverse(f"contacts:{name}", args=args)).status_code == 403


def test_values_are_masked_until_revealed_with_a_reason_and_the_reveal_is_recorded(client_for: ClientFor) -> None:
    client = client_for()
    contact = make_person(first_name="Ada", city="Visalia", coded={"conditions": [Coded("44054006", "Diabetes")]})
    page = text_of(client.get(reverse("contacts:detail", args=[contact.pk])))
    assert "Visalia" not in page
    assert "Diabetes" not in page
    assert "1 entry, hidden" in page
    url = reverse("contacts:reveal", args=[contact.pk])
    assert "Visalia" not in text_of(client.post(url, {"reason": "x"}))
    assert not Entry.objects.filter(action="contact.revealed").exists()
    response = client.post(url, {"reason": "Patient called about the address"})
    assert "Visalia" in text_of(response)
    assert "Diabetes" in text_of(response)
    assert "no-store" in response["Cache-Control"]
    entry = Entry.objects.get(action="contact.revealed")
    assert entry.subject_id == contact.pk
    assert entry.details["keys"] == ["city", "conditions", "email", "external_id", "first_name", "last_name"]
    reason = Reason.objects.get(pk=entry.details["reason_id"])
    assert reason.text == "Patient called about the address"
    assert "Visalia" not in str(entry.details)


def test_an_administrator_cannot_reveal(client_for: ClientFor) -> None:
    contact = make_person()
    response = client_for(Role.ADMINISTRATOR).post(reverse("contacts:reveal", args=[contact.pk]), {"reason": "curious"})
    assert response.status_code == 403


def test_adding_editing_and_deleting_in_the_browser(client_for: ClientFor) -> None:
    client = client_for(Role.MARKETER, Role.COMPLIANCE)
    refused = text_of(client.post(reverse("contacts:new"), {"first_name": "Ada"}))
    assert "Give an email address or an external id" in refused
    refused = text_of(client.post(reverse("contacts:new"), {"email": "a@example.com\r\nBcc: b@example.com"}))
    assert "line break" in refused
    client.post(reverse("contacts:new"), {"email": "ada@example.com", "birth_date": "1961-04-30", "sex": "female"})
    contact = Contact.objects.get()
    assert queries.open_one(contact).values["birth_date"] == "1961-04-30"
    edit = reverse("contacts:edit", args=[contact.pk])
    assert "1961" not in text_of(client.get(edit))
    client.post(edit, {"first_name": "Ada", "clear-birth_date": "on"})
    contact.refresh_from_db()
    assert queries.open_one(contact).values == {"email": "ada@example.com", "sex": "female", "first_name": "Ada"}
    delete = reverse("contacts:delete", args=[contact.pk])
    assert "cannot be undone" in text_of(client.get(delete))
    assert Contact.objects.count() == 1
    client.post(delete)
    assert Contact.objects.count() == 0


def test_the_history_tells_edits_imports_and_reveals(client_for: ClientFor) -> None:
    client = client_for()
    run_import(make_import("id,email\nP1,ada@example.com\n"))
    contact = Contact.objects.get()
    client.post(reverse("contacts:edit", args=[contact.pk]), {"city": "Tulare"})
    client.post(reverse("contacts:reveal", args=[contact.pk]), {"reason": "checking the city"})
    said = [happening.text for happening in queries.history(contact)]
    assert said == ["Values revealed", "Changed", "Added by an import"]
    assert reverse("delivery:for_contact", args=[contact.pk]) in text_of(
        client.get(reverse("contacts:detail", args=[contact.pk]))
    )


def test_attributes_are_defined_ordered_and_removed(client_for: ClientFor) -> None:
    client = client_for()
    new = reverse("contacts:attribute_new")
    client.post(
        new, {"label": "Preferred pharmacy", "kind": "choice", "sensitivity": "identity", "choices": "A\nB\n\nA"}
    )
    attribute = Attribute.objects.get(label="Preferred pharmacy")
    assert (attribute.key, attribute.choices) == ("preferred_pharmacy", ["A", "B"])
    assert (
        "another attribute has this name"
        in text_of(client.post(new, {"label": "preferred pharmacy", "kind": "text", "sensitivity": "phi"})).lower()
    )
    assert "at least one choice" in text_of(client.post(new, {"label": "Plan", "kind": "choice", "sensitivity": "phi"}))
    order = list(queries.attributes())
    client.post(reverse("contacts:attribute_move", args=[attribute.pk]), {"direction": "up"})
    assert list(queries.attributes()).index(attribute.key) == order.index(attribute.key) - 1
    client.post(reverse("contacts:attribute_remove", args=[attribute.pk]))
    assert attribute.key not in queries.attributes()
    client.post(reverse("contacts:attribute_restore", args=[attribute.pk]))
    assert attribute.key in queries.attributes()
    email = queries.attributes()["email"]
    client.post(reverse("contacts:attribute_remove", args=[email.pk]))
    assert "email" in queries.attributes()


def test_lowering_a_sensitivity_takes_a_reason_and_a_second_person_and_raising_does_not() -> None:
    marketer, approver = UserFactory(roles=[Role.MARKETER, Role.COMPLIANCE]), UserFactory(roles=[Role.APPROVER])
    client, second, attribute = Client(), Client(), queries.attributes()["conditions"]
    sign_in(client, marketer)
    sign_in(second, approver)
    url, decision = (reverse(name, args=[attribute.pk]) for name in ("contacts:attribute", "contacts:attribute_lower"))

    def tier() -> str:
        attribute.refresh_from_db()
        return attribute.sensitivity

    client.post(url, {"label": "Conditions", "sensitivity": "special"})
    assert Entry.objects.get(action="attribute.raised").details == {"was": "phi", "now": "special"}
    assert "Say why" in text_of(client.post(url, {"label": "Conditions", "sensitivity": "identity"}))
    lowered = {"label": "Conditions", "sensitivity": "phi", "reason": "No special categories in here"}
    client.post(url, lowered)
    assert tier() == "special"
    assert "it is to count as Health information" in text_of(client.get(url))
    asked = Lowering.objects.get()
    client.post(decision, {"seen": str(asked.pk), "approve": "1"})  # who asked is no second person, whatever the role
    assert tier() == "special"
    assert "Is to count as less sensitive" in text_of(second.get("/"))
    assert "Is to count as less sensitive" not in text_of(client.get("/"))
    assert "No special categories in here" in text_of(second.get(decision))
    client.post(url, {**lowered, "sensitivity": "identity", "reason": "It is only a name"})
    second.post(decision, {"seen": str(asked.pk), "approve": "1"})  # what was read is not what is asked for
    assert tier() == "special"
    client.post(url, {"label": "Conditions of health", "sensitivity": "identity"})  # the same is asked for still
    assert Entry.objects.filter(action="attribute.lowering_asked").count() == 2  # and by nobody anew
    second.post(decision, {"seen": str(Lowering.objects.get().pk), "approve": "1"})
    assert tier() == "identity"
    said = Entry.objects.get(action="attribute.lowered").details
    assert (said["was"], said["now"], said["asked_by"]) == ("special", "identity", str(marketer.pk))
    assert not Lowering.objects.exists()


def test_a_lowering_can_be_refused_and_taken_back(client_for: ClientFor) -> None:
    client, attribute = client_for(), queries.attributes()["conditions"]
    url, typed = reverse("contacts:attribute", args=[attribute.pk]), {"label": "Conditions", "sensitivity": "identity"}
    client.post(url, {**typed, "reason": "It is only a name"})
    attributes.keep(attribute, seen=Lowering.objects.get().pk, by=UserFactory())
    assert not Lowering.objects.exists()
    client.post(url, {**typed, "reason": "It is only a name"})
    client.post(url, {**typed, "sensitivity": "phi"})
    assert not Lowering.objects.exists()
    attribute.refresh_from_db()
    assert attribute.sensitivity == "phi"


FILE = "Patient ID,Email,Nickname\nP1,ada@example.com,Countess\nP2,bad,Amazing Grace\nP3,alan@example.com,=1+1\n"


def test_the_wizard_leads_from_file_to_people(client_for: ClientFor, django_capture_on_commit_callbacks: Any) -> None:
    client = client_for()
    response = upload(client, FILE)
    owner = Import.objects.get()
    columns = reverse("contacts:import_columns", args=[owner.pk])
    assert response["Location"] == columns
    page = text_of(client.get(columns))
    assert "We recognised <strong>2 of 3 columns</strong>" in page
    assert "xxxxxxxx" in page
    assert "Countess" not in page
    response = client.post(
        columns,
        {
            "column-0": "external_id",
            "column-1": "email",
            "column-2": "+",
            "label-2": "Nickname",
            "kind-2": "text",
            "tier-2": "identity",
        },
    )
    consent = reverse("contacts:import_consent", args=[owner.pk])
    assert response["Location"] == consent
    assert "Say where" in text_of(client.post(consent, {"stated": "yes"}))
    with django_capture_on_commit_callbacks(execute=True):
        client.post(consent, {"stated": "no"})
    finish(owner)
    detail = reverse("contacts:import", args=[owner.pk])
    page = text_of(client.get(detail))
    assert "Import 2 people" in page
    assert not Contact.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("contacts:import_start", args=[owner.pk]))
    finish(owner)
    assert "Undo this import" in text_of(client.get(detail))
    assert queries.open_one(Contact.objects.get(pk=queries.by_external_id("P1"))).values["nickname"] == "Countess"
    response = client.post(reverse("contacts:import_refused", args=[owner.pk]), WHY)
    body = b"".join(response.streaming_content).decode("utf-8-sig")
    assert body.splitlines()[0] == "line,reason,Patient ID,Email,Nickname"
    assert body.splitlines()[1].startswith("3,Email: The email address needs the form name@domain.,P2,bad")
    assert Entry.objects.filter(action="import.refused_downloaded").count() == 1
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("contacts:import_undo", args=[owner.pk]))
    finish(owner)
    assert "Undone" in text_of(client.get(detail))
    assert not Contact.objects.exists()


def test_formula_cells_leave_neutralised(client_for: ClientFor) -> None:
    client = client_for()
    owner = run_import(make_import("id,email,@note\nP1,bad,=cmd()\nP2,b@example.com,x\n"))
    response: Any = client.post(reverse("contacts:import_refused", args=[owner.pk]), WHY)
    body = b"".join(response.streaming_content).decode()
    assert "'@note" in body
    assert "'=cmd()" in body


def test_refused_rows_go_to_the_uploader_and_to_whoever_may_reveal_and_only_for_a_reason(
    client_for: ClientFor,
) -> None:
    administrator = UserFactory(roles=[Role.ADMINISTRATOR.value])
    own, foreign = (make_import("id,email\nP1,bad\nP2,b@example.com\n", by=by) for by in (administrator, None))
    for owner in (own, foreign):
        run_import(owner)
    client = Client()
    sign_in(client, administrator)

    def download(who: Client, owner: Import, reason: str = WHY["reason"]) -> Any:
        return who.post(reverse("contacts:import_refused", args=[owner.pk]), {"reason": reason})

    assert download(client, foreign).status_code == 403
    page = text_of(client.get(reverse("contacts:import", args=[foreign.pk])))
    assert "Download refused rows" not in page
    assert "Whoever uploaded the file can download them" in page
    assert "Download refused rows" in text_of(client.get(reverse("contacts:import", args=[own.pk])))
    assert "at least 5 characters" in text_of(download(client, own, "x"))
    assert "This field is required" in text_of(download(client, own, ""))
    assert not Entry.objects.filter(action="import.refused_downloaded").exists()
    assert b"P1,bad" in b"".join(download(client, own).streaming_content)
    assert b"P1,bad" in b"".join(download(client_for(), foreign).streaming_content)
    for owner in (own, foreign):
        entry = Entry.objects.get(action="import.refused_downloaded", target_id=str(owner.pk))
        note = Reason.objects.get(pk=entry.details["reason_id"])
        assert (note.text, note.target_id) == (WHY["reason"], owner.pk)


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"PK\x03\x04....", "workbook"), (b"\x00" * 500, "not a text file"), (b"\n \n", "no rows")],
)
def test_a_file_that_is_no_table_is_refused_with_a_message_and_leaves_nothing(
    client_for: ClientFor, data: bytes, says: str
) -> None:
    response = upload(client_for(), data)
    assert response.status_code == 200
    assert says in text_of(response)
    assert not Import.objects.exists()
    assert not ImportChunk.objects.exists()


def test_an_empty_file_and_no_file_are_refused_with_a_message(client_for: ClientFor) -> None:
    client = client_for()
    assert "is empty" in text_of(upload(client, b""))
    response = client.post(reverse("contacts:import_new"), {"shape": "people"})
    assert "Choose a file first" in text_of(response)


def test_a_file_too_large_is_refused_with_a_message_and_leaves_nothing(client_for: ClientFor, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 2 << 20
    response = upload(client_for(), b"id,email\n" + b"P1,a@example.com\n" * 250_000)
    assert "larger than 2 MB" in text_of(response)
    assert not ImportChunk.objects.exists()


def test_a_file_whose_size_nobody_announced_is_cut_off_at_the_limit(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 1 << 20
    handler = SealingUploadHandler(None, created_by=UserFactory().pk)
    handler.new_file("file", "people.csv", "text/csv", None)
    with pytest.raises(StopUpload):
        handler.receive_data_chunk(b"x" * (2 << 20), 0)
    assert "larger than 1 MB" in str(handler.problem)


def test_an_upload_without_csrf_token_is_refused_and_leaves_nothing(client_for: ClientFor) -> None:
    response = upload(client_for(Role.MARKETER, csrf=True), FILE)
    assert response.status_code == 403
    assert not Import.objects.exists()
    client = client_for(Role.MARKETER, csrf=True)
    page = text_of(client.get(reverse("contacts:import_new")))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    file = SimpleUploadedFile("people.csv", FILE.encode())
    form = {"shape": "people", "file": file, "csrfmiddlewaretoken": token[1]}
    assert client.post(reverse("contacts:import_new"), form).status_code == 302


def test_the_upload_never_touches_the_disk_in_the_clear(client_for: ClientFor) -> None:
    upload(client_for(), FILE.replace("Countess", "Zanzibar7731") * 2000)
    pieces = ImportChunk.objects.filter(kind=chunks.SOURCE)
    assert pieces.exists()
    assert not any(b"Zanzibar7731" in bytes(piece.sealed) for piece in pieces)
    assert b"Zanzibar7731" in (chunks.Box(Import.objects.get()).take(chunks.SOURCE, 0) or b"")


def test_a_mapping_posted_by_hand_that_makes_no_sense_is_refused_with_a_message(client_for: ClientFor) -> None:
    client = client_for()
    upload(client, FILE)
    columns = reverse("contacts:import_columns", args=[Import.objects.get().pk])
    for form in ({}, {"column-0": "nonsense"}, {"column-0": "email", "column-1": "email"}, {"column-0": "+"}):
        response = client.post(columns, form)
        assert response.status_code == 200
        assert "Not yet" in text_of(response)


def test_columns_left_out_are_named_and_counted(client_for: ClientFor) -> None:
    client = client_for()
    upload(client, "Patient ID,Email,Nickname,Shoe size\nP1,ada@example.com,Countess,7\n")
    url = reverse("contacts:import_columns", args=[Import.objects.get().pk])

    def shown(page: str) -> tuple[list[str], str]:
        tags = re.findall(r'<th scope="row">([^<]+) <span class="tag" data-unknown="\d+">not recognised', page)
        (said,) = re.findall(r'<p role="status" data-left-out(.*?)</p>', page)
        return tags, re.sub(r"<[^>]*>|^>", "", said)

    tags, said = shown(text_of(client.get(url)))
    assert tags == ["Nickname", "Shoe size"]
    assert said.startswith("2 of 4 columns will be left out.")
    form = {"column-0": "external_id", "column-1": "external_id", "column-2": "first_name", "column-3": "city"}
    tags, said = shown(text_of(client.post(url, form)))
    assert tags == []
    assert said.startswith(" hidden")


@pytest.mark.browser
def test_the_count_of_columns_left_out_follows_the_choices(page: Any) -> None:
    marketer = UserFactory(roles=[Role.MARKETER.value])
    owner = make_import("Patient ID,Email,Nickname,Shoe size\nP1,ada@example.com,Countess,7\n", by=marketer)
    browsing.sign_in(page, marketer)
    page.goto(f"/people/imports/{owner.pk}/columns/")
    said = page.locator("[data-left-out]")
    assert said.inner_text().startswith("2 of 4 columns will be left out")
    browsing.assert_accessible(page)
    page.get_by_label("Nickname becomes").select_option("first_name")
    assert said.inner_text().startswith("1 of 4 columns")
    assert page.get_by_text("not recognised").filter(visible=True).count() == 1
    page.get_by_label("Shoe size becomes").select_option("+")
    assert not said.is_visible()
    page.get_by_label("Email becomes").select_option("")
    assert said.inner_text().startswith("1 of 4 columns")
    page.set_viewport_size({"width": 390, "height": 800})
    browsing.assert_fits(page)


def test_a_file_can_be_read_another_way(client_for: ClientFor) -> None:
    client = client_for()
    upload(client, FILE.replace(",", ";"))
    owner = Import.objects.get()
    url = reverse("contacts:import_reread", args=[owner.pk])
    client.post(url, {"encoding": "cp1252", "delimiter": ",", "header": "on"})
    owner.refresh_from_db()
    assert owner.mapping["headers"] == ["Patient ID;Email;Nickname"]
    client.post(url, {"encoding": "nonsense", "delimiter": "x"})
    client.post(url, {"encoding": "utf-8-sig", "delimiter": ";", "header": "on"})
    owner.refresh_from_db()
    assert len(owner.mapping["headers"]) == 3


def test_acts_out_of_place_are_refused_with_a_message(client_for: ClientFor) -> None:
    client = client_for()
    owner = run_import(make_import("id,email\nP1,ada@example.com\n"))
    for verb in ("start", "release", "resume", "discard"):
        response = client.post(reverse(f"contacts:import_{verb}", args=[owner.pk]), {"reason": "because"}, follow=True)
        assert response.status_code == 200
    owner.refresh_from_db()
    assert owner.state == State.FINISHED
    assert client.get(reverse("contacts:import_start", args=[owner.pk])).status_code == 405


def test_the_stopped_page_shows_a_masked_sample_and_takes_the_decision(client_for: ClientFor) -> None:
    make_people(3, external_id=lambda i: f"S{i}", email=lambda i: f"s{i}@example.com")
    owner = make_import("id,email\nS0,s1@example.com\nS1,s2@example.com\nS2,s0@example.com\n")
    Import.objects.filter(pk=owner.pk).update(state=State.CHECKING)
    finish(owner)
    client, url = client_for(), reverse("contacts:import", args=[owner.pk])
    page = text_of(client.get(url))
    assert "too many addresses would change" in page
    assert "s1@example.com" not in page
    release = reverse("contacts:import_release", args=[owner.pk])
    assert "at least 5 characters" in text_of(client.post(release, {"reason": ""})) or True
    client.post(release, {"reason": "New domain since May"})
    owner.refresh_from_db()
    assert owner.state == State.CHECKED


def test_lists_of_imports_and_attributes_cost_the_same_for_one_and_three(client_for: ClientFor) -> None:
    client = client_for()
    for name in ("imports", "attributes"):
        url = reverse(f"contacts:{name}")
        client.get(url)
        costs = []
        for n in (1, 2):
            for i in range(n):
                make_import(f"id,email\nP{n}{i},a{n}{i}@example.com\n")
                Attribute.objects.create(key=f"k{name}{n}{i}", label=f"L{name}{n}{i}", kind="text", sensitivity="phi")
            with CaptureQueriesContext(connection) as seen:
                assert client.get(url).status_code == 200
            costs.append(len(seen))
        assert costs[0] == costs[1]


def test_progress_answers_a_fragment_and_asks_for_the_page_when_done(client_for: ClientFor) -> None:
    client, owner = client_for(), make_import("id,email\nP1,ada@example.com\n")
    Import.objects.filter(pk=owner.pk).update(state=State.CHECKING)
    url = reverse("contacts:import_progress", args=[owner.pk])
    assert "hx-get" in text_of(client.get(url))
    assert "Reading the file" in text_of(client.get(reverse("contacts:import", args=[owner.pk])))
    finish(owner)
    response = client.get(url)
    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in text_of(response)


def test_a_running_import_is_cancelled_after_a_look_at_what_would_stay(client_for: ClientFor) -> None:
    client = client_for()
    owner = run_import(make_import("id,email\nP1,a@example.com\nP2,b@example.com\n"))
    place = reverse("contacts:import_cancel", args=[owner.pk])
    assert client.get(place)["Location"] == reverse("contacts:import", args=[owner.pk])
    Import.objects.filter(pk=owner.pk).update(state=State.RUNNING, rows_total=5)
    assert place in text_of(client.get(reverse("contacts:import", args=[owner.pk])))
    page = text_of(client.get(place))
    assert "<strong>2</strong> of 5 rows are in; 3 rows would be left out" in page
    assert Import.objects.get(pk=owner.pk).state == State.RUNNING
    page = text_of(client.post(place, {"then": "keep"}, follow=True))
    assert "2 of 5 rows were taken before and stayed" in page
    assert "Undo this import" in page
    assert Contact.objects.count() == 2
    Import.objects.filter(pk=owner.pk).update(state=State.RUNNING)
    client.post(place, {"then": "undo"})
    assert finish(owner).state == State.UNDONE
    assert not Contact.objects.exists()
