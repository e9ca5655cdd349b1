"""`among` answers what `in` answers, with one parameter however many values there are."""

import pytest

from contacts.models import Contact
from tests.contacts.factories import make_people

pytestmark = pytest.mark.django_db


def test_among_finds_what_in_finds_and_is_as_long_for_many_as_for_few() -> None:
    ids = make_people(5)
    indexes = list(Contact.objects.filter(pk__in=ids[:3]).values_list("email_index", flat=True))
    assert set(Contact.objects.filter(pk__among=ids[:3])) == set(Contact.objects.filter(pk__in=ids[:3]))
    assert set(Contact.objects.filter(email_index__among=iter(indexes)).values_list("pk", flat=True)) == set(ids[:3])
    assert Contact.objects.exclude(pk__among={ids[0]}).count() == 4
    assert not Contact.objects.filter(pk__among=[]).exists()
    assert Contact.objects.exclude(pk__among=[ids[0], None]).count() == 4
    statement, params = Contact.objects.filter(pk__among=ids).query.sql_with_params()
    assert (statement.count("%s"), len(params)) == (1, 1)
