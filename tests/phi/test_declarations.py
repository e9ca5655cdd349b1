"""Every table says what it holds, and holds it in the form it says."""

import json
from fnmatch import fnmatch
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models

from core.declarations import Declaration
from phi.datamap import datamap
from phi.declarations import THIRD_PARTY, UNMODELLED, declaration_of
from phi.fields import EncryptedTextField

MODELS = apps.get_models(include_auto_created=True)
OURS = [model for model in MODELS if hasattr(model, "DATA")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_field_of_every_table_is_declared_once(model: type[models.Model]) -> None:
    declaration = declaration_of(model)
    assert declaration, f"{model._meta.label} has no DATA = Declaration(…)"
    declaration.classes([field.name for field in model._meta.concrete_fields])


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_fields_are_what_their_declaration_says(model: type[models.Model]) -> None:
    fields = {field.name: field for field in model._meta.concrete_fields}
    holds = declaration_of(model).classes(list(fields))  # type: ignore[union-attr]
    for name in holds.get("encrypted", []):
        assert isinstance(fields[name], EncryptedTextField), name
    for kind in ("sealed", "wrapped", "blind"):
        for name in holds.get(kind, []):
            assert isinstance(fields[name], models.BinaryField), name
    if holds.get("wrapped"):
        assert "kek_id" in fields
    for name in holds.get("safe", []) + holds.get("staff", []):
        assert not isinstance(fields[name], EncryptedTextField), f"{name} is encrypted and does not say so"


def test_every_model_in_the_code_base_declares_itself() -> None:
    undeclared = [m._meta.label for m in MODELS if not hasattr(m, "DATA") and m._meta.label not in THIRD_PARTY]
    assert not undeclared
    assert not set(THIRD_PARTY) - {model._meta.label for model in MODELS}


@pytest.mark.django_db
def test_every_table_of_the_database_is_accounted_for() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = {row[0] for row in cursor.fetchall()}
    known = {f"public.{model._meta.db_table}" for model in MODELS}
    left = {table for table in tables - known if not any(fnmatch(table, pattern) for pattern in UNMODELLED)}
    assert not left


def test_blind_indexes_stand_on_unique_identifiers_only() -> None:
    """IDX-01: the allow-list of exactly those columns."""
    found = {f"{model._meta.label}.{name}" for model in OURS for name in model.DATA.blind}
    assert found == {
        "contacts.Contact.email_index",
        "contacts.Contact.external_index",
        "contacts.ImportKey.digest",  # of the external id or address, while a file is read
        "contacts.SavedMapping.headers_hash",  # of a file's column names, not of people
        "consent.LedgerEntry.address_index",  # which address was confirmed
        "consent.Suppression.address_hash",
        "workflows.EventType.name_index",  # of a name that staff declared
        "workflows.Happening.key_index",  # of one person's event key: the person is part of it
        "workflows.Happening.idempotency",  # of the sender's name for one event
        "workflows.Enrolment.key_index",  # as Happening's
    }


@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        (Declaration(safe=("a",)), "not declared: b"),
        (Declaration(sealed=("c",), safe=("*",)), "no such field: c"),
        (Declaration(sealed=("a",), staff=("a",), safe=("*",)), "twice: a"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(declaration: Declaration, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        declaration.classes(["a", "b"])


@pytest.mark.django_db
def test_the_data_map_names_every_place() -> None:
    found = datamap()
    assert {table["table"] for table in found["tables"]} == {model._meta.db_table for model in MODELS}
    assert all(found[part] for part in ("jobs", "keys", "caches", "logs", "files", "outbound"))
    text, machine = StringIO(), StringIO()
    call_command("datamap", stdout=text)
    call_command("datamap", "--json", stdout=machine)
    assert "contacts_contact.sealed" in text.getvalue()
    assert "audit.seal()" in text.getvalue()
    assert json.loads(machine.getvalue()) == json.loads(json.dumps(found))


def test_tasks_take_ids_and_nothing_else() -> None:
    """A task's argument is an id, a position or a stream: never a value of a person (IDX-10)."""
    from phi.datamap import jobs

    permitted = ("id", "stream", "position", "index", "shard", "epoch", "kind", "start", "size", "limit")
    for name, arguments in jobs()["tasks"].items():
        for argument in arguments:
            assert argument.endswith(permitted), f"{name}({argument})"


def test_a_silent_table_stops_the_data_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(THIRD_PARTY, "sessions.Session")
    with pytest.raises(CommandError, match=r"sessions\.Session does not say"):
        call_command("datamap", stdout=StringIO())
