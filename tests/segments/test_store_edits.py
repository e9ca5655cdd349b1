"""Whatever is edited, written and forgotten in whatever order: the store says what the records say."""

import pytest

from audit.models import Entry
from segments.store.memory import memory
from tests.segments.store_edits import Edits

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", [1, 2])
def test_random_edits_between_counts_never_disagree_with_the_records(seed: int) -> None:
    memory.forget()
    edits = Edits(seed)
    for n in range(150):
        edits.edit()
        edits.count()
        if n % 10 == 0:
            edits.agree()
    edits.agree()
    assert not Entry.objects.filter(action="segments.store_rebuilt").exists()
