"""What is wrapped or encrypted under which key."""

from collections import Counter
from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from django.db.models import Count, Model

from core.declarations import Declaration
from phi.fields import EncryptedTextField, encrypted_fields


def _own_models() -> Iterator[type[Model]]:
    for model in apps.get_models():
        if isinstance(getattr(model, "DATA", None), Declaration) and model._meta.managed and not model._meta.proxy:
            yield model


def wrapping_models() -> list[tuple[type[Model], str]]:
    """Every model that stores a wrapped data key, and the field; beside it stands `kek_id`."""
    return [(model, field) for model in _own_models() for field in model.DATA.wrapped]  # type: ignore[attr-defined]


def kek_usage() -> Counter[str]:
    """How many data keys each key-encryption key wraps."""
    usage: Counter[str] = Counter()
    for model, field in wrapping_models():
        rows = model._default_manager.filter(**{f"{field}__isnull": False}).order_by()
        for row in rows.values("kek_id").annotate(count=Count("pk")):
            usage[row["kek_id"]] += row["count"]
    return usage


def rewritable_fields() -> list[tuple[type[Model], EncryptedTextField]]:
    """Every encrypted field in a table whose rows may change; append-only rows keep the key they were written under."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%\\_append\\_only'")
        frozen = {table for (table,) in cursor.fetchall()}
    models = [model for model in _own_models() if model._meta.db_table not in frozen]
    return [(model, field) for model in models for field in encrypted_fields(model)]
