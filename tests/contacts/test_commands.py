from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from contacts import commands, errors, queries, signals, upsert
from contacts.models import Contact
from contacts.persons import Marks, Person
from contacts.records import Coded
from core.actors import SYSTEM
from phi.errors import SealBroken
from tests.contacts.factories import AttributeFactory, make_people, make_person

pytestmark = pytest.mark.django_db


def test_a_person_is_kept_sealed_and_opens_again() -> None:
    contact = commands.create(
        values={"email": "Ada.Lovelace@Example.com", "external_id": "MRN-1", "birth_date": date(1961, 4, 30)}, by=SYSTEM
    )
    record = queries.open_many([contact.pk])[contact.pk]
    assert record.values == {"email": "Ada.Lovelace@example.com", "external_id": "MRN-1", "birth_date": "1961-04-30"}
    assert b"Lovelace" not in bytes(contact.sealed)
    assert queries.by_email("ada.lovelace@EXAMPLE.com") == [contact.pk]
    assert queries.by_external_id("MRN-1") == contact.pk


def test_a_ciphertext_moved_to_another_row_does_not_open() -> None:
    one, other = make_people(2)
    moved = Contact.objects.get(pk=one)
    Contact.objects.filter(pk=other).update(sealed=moved.sealed, data_key=moved.data_key)
    with pytest.raises(SealBroken):
        queries.open_many([other])


def test_updating_clears_none_and_leaves_what_is_absent() -> None:
    contact = make_person(city="Visalia", state="California")
    commands.update(contact, values={"city": None, "zip": "93291"}, by=SYSTEM)
    values = queries.open_many([contact.pk])[contact.pk].values
    assert "city" not in values
    assert values["state"] == "California"
    assert values["zip"] == "93291"


def test_an_address_that_changes_is_found_under_the_new_one_only() -> None:
    contact = make_person(email="old@example.com")
    commands.update(contact, values={"email": "new@example.com"}, by=SYSTEM)
    assert queries.by_email("old@example.com") == []
    assert queries.by_email("new@example.com") == [contact.pk]


def test_the_trail_names_keys_and_never_values() -> None:
    contact = commands.create(values={"email": "canary-7731@example.com"}, by=SYSTEM)
    entry = Entry.objects.get(action="contact.created")
    assert entry.subject_id == contact.pk
    assert entry.details == {"keys": ["email"]}


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"first_name": "Ada"}, errors.NeedsIdentity),
        ({"email": "ada@example.com\nBcc: all@example.com"}, errors.BadValue),
        ({"email": "ada"}, errors.BadValue),
        ({"email": "ada@example.com", "shoe_size": 4}, errors.UnknownAttribute),
        ({"email": "ada@example.com", "conditions": "x"}, errors.BadValue),
        ({"email": "ada@example.com", "birth_date": "31.02.1990"}, errors.BadValue),
    ],
)
def test_what_cannot_be_kept_is_refused(values: dict[str, object], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        commands.create(values=values, by=SYSTEM)
    assert not Contact.objects.exists()


def test_two_people_cannot_share_an_external_id_but_may_share_an_address() -> None:
    make_person(external_id="MRN-1", email="family@example.com")
    with pytest.raises(errors.ExternalIdTaken):
        commands.create(values={"external_id": "MRN-1"}, by=SYSTEM)
    commands.create(values={"external_id": "MRN-2", "email": "family@example.com"}, by=SYSTEM)
    assert len(queries.by_email("family@example.com")) == 2


def test_deleting_destroys_the_key_and_says_so(django_capture_on_commit_callbacks) -> None:  # type: ignore[no-untyped-def]
    contact = make_person()
    heard: list[object] = []

    def hear(ids: list[object], **kwargs: object) -> None:
        heard.extend(ids)

    signals.contacts_deleted.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            commands.delete(contact, by=SYSTEM)
    finally:
        signals.contacts_deleted.disconnect(hear)
    assert heard == [contact.pk]
    assert queries.open_many([contact.pk]) == {}
    assert Entry.objects.get(action="contact.deleted").subject_id == contact.pk


def test_upserting_the_same_people_twice_changes_nothing() -> None:
    people = [
        Person(
            {"external_id": f"E{i}", "email": f"e{i}@example.com"},
            {"conditions": [Coded("44054006", "Diabetes", "2019-01-01")]},
        )
        for i in range(5)
    ]
    assert len(commands.upsert_many(people, by=SYSTEM).created) == 5
    again = commands.upsert_many(people, by=SYSTEM)
    assert (len(again.unchanged), again.created, again.changed) == (5, [], [])


def test_upserting_tells_apart_created_changed_unchanged_and_refused() -> None:
    AttributeFactory(key="points", kind="number")
    make_people(2, external_id=lambda i: f"K{i}", email=lambda i: f"k{i}@example.com", first_name="A", last_name="B")
    result = commands.upsert_many(
        [
            Person({"external_id": "K0", "email": "k0@example.com"}),
            Person({"external_id": "K1", "points": 12}),
            Person({"external_id": "K2", "email": "k2@example.com"}),
            Person({"external_id": "K2", "email": "k3@example.com"}),
            Person({"first_name": "Nobody"}),
            Person({"external_id": "K9", "points": "many"}),
        ],
        by=SYSTEM,
    )
    assert len(result.created) == len(result.changed) == len(result.unchanged) == 1
    assert sorted(result.refused) == [3, 4, 5]
    assert "Points" in result.refused[5]


def test_without_external_id_the_address_decides_unless_it_is_shared() -> None:
    one = make_person(email="one@example.com")
    make_people(2, email="family@example.com")
    result = commands.upsert_many(
        [
            Person({"email": "ONE@example.com", "city": "Tulare"}),
            Person({"email": "family@example.com", "city": "Tulare"}),
        ],
        by=SYSTEM,
    )
    assert result.changed == [one.pk]
    assert "several people" in result.refused[1]


def test_folding_adds_entries_and_replaces_those_with_the_same_code_and_start() -> None:
    first = Coded("1", "One", "2020-01-01")
    make_person(external_id="F1", coded={"conditions": [first]})
    folded = [Coded("2", "Two", "2021-01-01"), Coded("1", "One", "2020-01-01", "2020-06-01")]
    commands.upsert_many([Person({"external_id": "F1"}, {"conditions": folded})], by=SYSTEM, fold=True)
    contact_id = queries.by_external_id("F1")
    assert contact_id
    assert queries.open_many([contact_id])[contact_id].coded["conditions"] == [
        Coded("1", "One", "2020-01-01", "2020-06-01"),
        Coded("2", "Two", "2021-01-01"),
    ]


def test_upserting_costs_the_same_number_of_queries_for_one_and_for_many() -> None:
    def cost(n: int, start: int) -> int:
        people = [Person({"external_id": f"Q{start + i}"}) for i in range(n)]
        with CaptureQueriesContext(
            connection,
        ) as seen:
            commands.upsert_many(people, by=SYSTEM)
        return len(seen)

    assert cost(1, 0) == cost(50, 100)


def test_a_person_somebody_else_creates_meanwhile_is_changed_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    real, meanwhile = upsert.plan, []

    def slow(people: list[Person], marks: Marks, **kwargs: bool) -> upsert.Plan:
        planned = real(people, marks, **kwargs)
        if not meanwhile:
            meanwhile.append(True)
            make_person(external_id="R1", email="r1@example.com")
        return planned

    monkeypatch.setattr(upsert, "plan", slow)
    people = [Person({"external_id": "R1", "city": "Tulare"}), Person({"external_id": "R2"})]
    result = commands.upsert_many(people, by=SYSTEM)
    assert (len(result.created), len(result.changed), result.refused) == (1, 1, {})
    contact_id = queries.by_external_id("R1")
    assert contact_id
    values = queries.open_many([contact_id])[contact_id].values
    assert (values["city"], values["email"]) == ("Tulare", "r1@example.com")


def test_an_address_somebody_else_changed_meanwhile_is_not_overwritten_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever did not take the person's lock, because the address seemed to stay, may not change it after all."""
    person = make_person(external_id="R1", email="old@example.com")
    real_hold, real_rows = upsert.hold, Contact.objects.select_for_update

    def meanwhile() -> None:
        monkeypatch.undo()
        commands.update(person, values={"email": "new@example.com"}, by=SYSTEM)

    def held(people: list[Person], marks: Marks, **kwargs: bool) -> upsert.Held:
        found = real_hold(people, marks, **kwargs)
        meanwhile()
        return found

    monkeypatch.setattr(upsert, "hold", held)
    result = commands.upsert_many([Person({"external_id": "R1", "email": "old@example.com"})], by=SYSTEM)
    assert (result.changed, result.refused) == ([], {0: commands.BUSY})

    def locked() -> object:
        meanwhile()
        return real_rows()

    commands.update(person, values={"email": "old@example.com"}, by=SYSTEM)
    monkeypatch.setattr(Contact.objects, "select_for_update", locked)
    with pytest.raises(errors.ChangedMeanwhile):
        commands.update(person, values={"email": "old@example.com"}, by=SYSTEM)


def test_everybody_can_be_read_in_slices_of_constant_size() -> None:
    ids = make_people(7)
    slices = list(queries.iter_open(size=3))
    assert [len(part) for part in slices] == [3, 3, 1]
    assert {contact_id for part in slices for contact_id, _ in part} == set(ids)
