"""Where rules find people: the column store, and beside it whoever changed since it was written.

This is the one module that knows where the columns come from.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.db.models import Max

from contacts import opening
from contacts.models import Attribute, Contact, Kind
from segments.columns import Frame, of_people
from segments.store import codes as counting
from segments.store import reading
from segments.store.memory import memory
from segments.store.part import SIZE
from segments.store.tables import Code

__all__ = ["SIZE", "Code", "codes", "forget", "frames_of", "one", "partitions"]


def frames_of(kinds: Mapping[str, str], *, ids: bool = False, only: range | None = None) -> Iterator[Frame]:
    """Everybody, or whose numbers lie in the partitions `only`: a column per key of `kinds`, and "id" where asked for.

    A frame a partition, then one of those who changed since. Raises KeyUnavailable.
    """
    return reading.frames(kinds, ids=ids, only=only)


def partitions() -> range:
    """The partitions that contact numbers lie in, for whoever evaluates some of them at a time."""
    last = Contact.objects.aggregate(last=Max("number"))["last"]
    return range(0 if last is None else last // SIZE + 1)


def one(contact_id: UUID, kinds: Mapping[str, str]) -> Frame | None:
    """That one person, from the record; None if there is nobody."""
    number = Contact.objects.values_list("number", flat=True).filter(pk=contact_id).first()
    people = opening.numbered([number]) if number is not None else []
    return of_people(people, kinds, ids=True) if people else None


def codes() -> dict[str, list[Code]]:
    """Of every coded list the codes in use, most frequent first."""
    lists = Attribute.objects.filter(kind=Kind.CODED, removed_at=None)
    return counting.codes(lists.values_list("key", flat=True))


def forget() -> None:
    """Drop everything opened that this process keeps."""
    memory.forget()
