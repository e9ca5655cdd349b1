import pytest
from django.db import IntegrityError, connection, transaction

from audit.commands import record
from audit.models import Entry
from core.actors import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry CASCADE"],
)
def test_the_database_refuses_to_change_the_trail(statement: str) -> None:
    record("test.happened", by=SYSTEM)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Entry.objects.get().action == "test.happened"


@pytest.mark.django_db(transaction=True)
def test_the_suite_itself_can_flush() -> None:
    record("test.happened", by=SYSTEM)
