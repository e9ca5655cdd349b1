"""Pages of lists that may be of millions."""

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    Base = Paginator[Any]
else:
    Base = Paginator


class Bounded(Base):
    """Counts and shows the first 10,000; beyond that it says "more than", and whoever looks narrows the list down.

    Counting two million rows to say so would take longer than reading any of them. `object_list` is a QuerySet.
    """

    LIMIT = 10_000

    @cached_property
    def found(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows.order_by()[: self.LIMIT + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self.found, self.LIMIT)

    @property
    def more(self) -> bool:
        return self.found > self.LIMIT
