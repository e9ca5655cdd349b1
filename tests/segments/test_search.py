"""Part of a name finds people, best match first, and nothing of what was typed is left anywhere."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.policy import Role
from audit.models import Entry
from contacts import commands
from contacts.models import Contact
from contacts.records import Record
from core.actors import SYSTEM
from segments import search
from segments.columns import Frame, of_people
from tests import browser
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people, make_person

ClientFor = Callable[..., Client]


@pytest.fixture
def client_for() -> ClientFor:
    def make(*roles: Role) -> Client:
        client = Client()
        sign_in(client, UserFactory(roles=[role.value for role in roles or (Role.MARKETER,)]))
        return client

    return make


def frame(*names: tuple[str, str], first: int = 0) -> Frame:
    people = [
        (first + n, uuid4(), Record({k: v for k, v in (("first_name", given), ("last_name", family)) if v}))
        for n, (given, family) in enumerate(names)
    ]
    return of_people(people, {"first_name": "text", "last_name": "text"})


@pytest.mark.parametrize(
    ("term", "numbers"),
    [
        ("ann", [0, 5, 4, 1, 3]),  # the name itself, then what begins with it, then what contains it; newest first
        ("ANN", [0, 5, 4, 1, 3]),
        ("lee ann", [0, 4]),
        ("Lee, Ann", [0, 4]),
        ("an le", [4, 0]),
        ("mary ann", [4]),
        ("jones", [5]),
        ("ones", [5]),
        ("o'n", [2]),
        ("ｏ'ｎｅ", [2]),
        ("nobody", []),
        ("lee lee lee", [4, 0]),
    ],
)
def test_who_is_found_and_in_which_order(term: str, numbers: list[int]) -> None:
    people = frame(
        ("Ann", "Lee"),
        ("Annette", ""),
        ("Sean", "O'Neil"),
        ("", "Hermann"),
        ("Mary Ann", "Lee"),
        ("Ann-Kate", "Smith-Jones"),
    )
    assert search.by_name(term, [people]) == search.Found(len(numbers), numbers)


def test_only_the_best_are_given_but_all_are_counted() -> None:
    lots = [frame(*[("Jo", "Bloggs")] * 60, first=0), frame(*[("Jo", "Blog")] * 60, first=100)]
    found = search.by_name("jo blog", lots)
    assert found.total == 120
    assert found.numbers == list(range(159, 109, -1))  # exactly so, newest first


def test_rows_nobody_lives_in_are_not_found() -> None:
    people = frame(("Ann", "Lee"), ("Ann", "Lee"))
    people.present[0] = False
    assert search.by_name("ann", [people]).numbers == [1]


NAME = st.text("abAB -é", max_size=6)


@given(st.lists(st.tuples(NAME, NAME), max_size=8), st.text("abAB é", min_size=1, max_size=4).filter(str.strip))
def test_it_finds_whom_a_plain_loop_finds(names: list[tuple[str, str]], term: str) -> None:
    wanted = {
        n
        for n, (first, last) in enumerate(names)
        if all(part in first.lower() or part in last.lower() for part in term.lower().split())
    }
    found = search.by_name(term, [frame(*names)])
    assert (set(found.numbers), found.total) == (wanted, len(wanted))


@pytest.mark.parametrize(("term", "short"), [("", True), (" a ", True), ("ab", False), ("a b", False), ("李", False)])
def test_one_letter_is_too_little(term: str, short: bool) -> None:
    assert search.too_short(term) is short


def answer(client: Client, text: str) -> Any:
    return client.post(reverse("segments:find_people"), {"text": text}, headers={"HX-Request": "true"})


@pytest.mark.django_db
def test_the_box_answers_with_masked_people_and_the_trail_says_who_looked(client_for: ClientFor) -> None:
    client = client_for(Role.APPROVER)
    make_person(first_name="Ada", last_name="Lovelace", email="ada@example.com", external_id="MRN-1")
    make_people(2, first_name="Adam", last_name=lambda i: f"Smith{i}")
    page = answer(client, "love ad").content.decode()
    assert "<strong>1 person</strong> has this in their name." in page
    assert "A••• L•••" in page
    assert "Lovelace" not in page
    assert "<strong>3 people</strong>" in answer(client, "ADA").content.decode()
    entry = Entry.objects.filter(action="contacts.searched").latest("at")
    assert (entry.actor_kind, entry.details) == ("staff", {"found": 3})
    assert client.get(reverse("segments:find_people")).status_code == 405


@pytest.mark.django_db
def test_the_whole_email_or_external_id_leads_to_the_person(client_for: ClientFor) -> None:
    client = client_for()
    contact = make_person(email="ada@example.com", external_id="MRN-1")
    for text in ("ADA@example.com", " MRN-1 "):
        assert answer(client, text)["HX-Redirect"] == reverse("contacts:detail", args=[contact.pk])


@pytest.mark.django_db
def test_too_little_and_nobody_say_so(client_for: ClientFor) -> None:
    client = client_for()
    make_people(1)
    assert "at least two letters" in answer(client, "x").content.decode()
    assert not Entry.objects.filter(action="contacts.searched").exists()
    assert "Nobody found" in answer(client, "zebra").content.decode()


@pytest.mark.django_db
def test_who_was_renamed_or_deleted_just_now_is_found_as_they_are_now(client_for: ClientFor) -> None:
    client = client_for()
    ada, gone = make_person(first_name="Ada"), make_person(first_name="Adele")
    assert "2 people" in answer(client, "ad").content.decode()
    commands.update(ada, values={"first_name": "Grace"}, by=SYSTEM)
    commands.delete(Contact.objects.get(pk=gone.pk), by=SYSTEM)
    assert "Nobody found" in answer(client, "ad").content.decode()
    assert "1 person" in answer(client, "grace").content.decode()


@pytest.mark.django_db
def test_an_analyst_may_not_look_people_up(client_for: ClientFor) -> None:
    assert answer(client_for(Role.ANALYST), "ada").status_code == 403


@pytest.mark.django_db
def test_machines_search_too(client: Client) -> None:
    make_people(60, first_name="Ada", last_name="Lovelace")
    _, headers = api_token(["contacts.view"])

    def ask(name: str) -> Any:
        body = {"data": {"name": name}, "content_type": "application/json"}
        return client.post("/api/v1/contacts/search", headers=headers, **body)

    found = ask("lov").json()
    assert (found["found"], len(found["contacts"])) == (60, search.SHOWN)
    assert found["contacts"][0]["values"]["first_name"] == "A•••"
    assert ask("l").status_code == 400
    assert Entry.objects.get(action="contacts.searched").actor_kind == "token"


@pytest.mark.django_db
def test_what_was_typed_reaches_no_statement_and_more_people_cost_no_more_of_them(client_for: ClientFor) -> None:
    client = client_for()

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            assert "Nobody found" not in answer(client, "lovel").content.decode()
        return [query["sql"] for query in seen]

    make_people(1, first_name="Ada", last_name="Lovelace")
    statements()
    one = statements()
    assert not any("lovel" in sql.lower() for sql in one)
    make_people(30, first_name="Ada", last_name="Lovelace")
    statements()
    assert len(statements()) == len(one)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_box_by_keyboard_alone_on_a_wide_and_a_narrow_screen(page: Any) -> None:
    contact = make_person(first_name="Ada", last_name="Lovelace", email="ada@example.com")
    make_people(3, first_name="Adam", last_name="Smith")
    browser.sign_in(page, UserFactory(roles=[Role.MARKETER.value]))
    page.goto("/people/")
    box = page.get_by_label("Part of a name, or a whole email or external id")
    box.fill("love ad")
    box.press("Enter")
    page.get_by_text("1 person has this in their name.").wait_for()
    assert page.url.endswith("/people/")  # nothing of it in the address
    browser.assert_accessible(page)
    box.fill("a")
    box.press("Enter")
    page.get_by_text("Type a little more").wait_for()
    page.set_viewport_size({"width": 390, "height": 800})
    box.fill("ADAM")
    box.press("Enter")
    page.get_by_text("3 people have this in their name.").wait_for()
    browser.assert_fits(page)
    box.fill("Ada@Example.com")
    box.press("Enter")
    page.wait_for_url(f"**/people/{contact.pk}/")
