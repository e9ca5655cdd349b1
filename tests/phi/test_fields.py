"""The hardened encrypted fields: every weakness listed in docs/adr/0002 stays closed."""

import base64

import pytest
from django.core.exceptions import FieldError
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Upper

from consent.models import Topic
from phi.errors import KeyUnavailable, SealBroken
from phi.fields import EncryptedJSONField, EncryptedTextField
from segments.models import Segment

pytestmark = pytest.mark.django_db


def topic(number: int = 1, name: str = "Diabetes care") -> Topic:
    return Topic.objects.create(number=number, name=name, public_name="News")


def stored(pk: object, column: str = "name") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM consent_topic WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


def store(pk: object, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE consent_topic SET name = %s WHERE id = %s", [value, pk])


def test_the_database_never_sees_the_text() -> None:
    row = topic()
    assert "Diabetes" not in stored(row.pk)
    assert stored(row.pk).startswith("s1.f1.")
    assert Topic.objects.get(pk=row.pk).name == "Diabetes care"


def test_equal_texts_have_unequal_ciphertexts_of_equal_length() -> None:
    first, second, longer = topic(1, "x"), topic(2, "x"), topic(3, "x" * 50)
    assert stored(first.pk) != stored(second.pk)
    assert len(stored(first.pk)) == len(stored(longer.pk))


def test_values_and_values_list_decrypt() -> None:
    topic()
    assert list(Topic.objects.values("name")) == [{"name": "Diabetes care"}]
    assert list(Topic.objects.values_list("name", flat=True)) == ["Diabetes care"]


@pytest.mark.parametrize("value", ["Diabetes care", "", "s1.f1.", "s1.f2.QUJD", "gAAAAABm", "s0.f1.QUJD", "s1.f1.Q!"])
def test_a_foreign_value_in_the_column_is_refused(value: str) -> None:
    row = topic()
    store(row.pk, value)
    with pytest.raises((SealBroken, KeyUnavailable)):
        Topic.objects.get(pk=row.pk)


def test_any_flipped_byte_is_refused() -> None:
    row = topic()
    prefix, _, body = stored(row.pk).rpartition(".")
    raw = base64.b64decode(body)
    for place in range(len(raw)):
        store(row.pk, f"{prefix}.{base64.b64encode(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]).decode()}")
        with pytest.raises(SealBroken):
            Topic.objects.get(pk=row.pk)


def test_a_value_moved_from_another_column_is_refused() -> None:
    row = topic()
    store(row.pk, stored(row.pk, "description"))
    with pytest.raises(SealBroken):
        Topic.objects.get(pk=row.pk)


def test_a_ciphertext_pasted_into_a_form_is_kept_and_shown_as_that_text() -> None:
    pasted = stored(topic(1).pk)
    row = topic(2, pasted)
    row.clean_fields(exclude=["removed_at"])
    row.save()
    assert Topic.objects.get(pk=row.pk).name == pasted


@pytest.mark.parametrize(
    "expression",
    [
        F("public_name"),
        F("description"),
        Upper("public_name"),
        Value("in the clear"),
        Case(When(number=1, then=Value("in the clear"))),
        Case(When(number=1, then=F("description"))),
    ],
)
def test_an_update_by_expression_is_refused(expression: object) -> None:
    row = topic()
    with pytest.raises(FieldError), transaction.atomic():
        Topic.objects.update(name=expression)
    row.name = expression  # type: ignore[assignment]
    with pytest.raises(FieldError), transaction.atomic():
        row.save()
    with pytest.raises(FieldError), transaction.atomic():
        Topic.objects.create(number=9, public_name="x", name=expression)
    assert Topic.objects.get(pk=row.pk).name == "Diabetes care"


@pytest.mark.parametrize(
    "lookup", ["name", "name__exact", "name__in", "name__contains", "name__gt", "name__regex", "name__length"]
)
def test_lookups_are_refused(lookup: str) -> None:
    with pytest.raises(FieldError):
        list(Topic.objects.filter(**{lookup: ["Diabetes care"] if lookup.endswith("in") else "Diabetes care"}))


def test_null_can_be_asked_for() -> None:
    topic()
    assert Topic.objects.filter(name__isnull=False).count() == 1


def test_a_function_over_the_ciphertext_opens_to_nothing() -> None:
    topic()
    with pytest.raises(SealBroken):
        list(Topic.objects.annotate(loud=Upper("name")).values_list("loud"))


def test_bulk_create_bulk_update_and_update_encrypt() -> None:
    rows = Topic.objects.bulk_create([Topic(number=n, name=f"Topic {n}", public_name="x") for n in (1, 2, 3)])
    for row in rows:
        row.name = f"Renamed {row.number}"
    Topic.objects.bulk_update(rows, ["name"])
    assert sorted(Topic.objects.values_list("name", flat=True)) == ["Renamed 1", "Renamed 2", "Renamed 3"]
    assert Topic.objects.filter(number=1).update(name="Set-wise") == 1
    assert Topic.objects.get(number=1).name == "Set-wise"
    assert "Renamed" not in stored(rows[1].pk)


def test_json_keeps_its_types_and_none_stays_null() -> None:
    rule = {"version": 1, "root": {"all": [{"field": "a1c", "gt": 6.5, "tags": ["é", None, True]}]}}
    segment = Segment.objects.create(name="x", rule=rule)
    assert Segment.objects.get(pk=segment.pk).rule == rule
    field = EncryptedJSONField(null=True)
    assert field.get_db_prep_save(None, connection) is None
    assert field.from_db_value(None) is None


@pytest.mark.parametrize("option", ["unique", "db_index", "primary_key"])
def test_an_encrypted_field_cannot_be_indexed(option: str) -> None:
    with pytest.raises(FieldError):
        EncryptedTextField(**{option: True})
