"""People as rows of a table: masked, with what it takes to recognise somebody one knows."""

from collections.abc import Iterable, Mapping
from typing import Any

from contacts import damaged, queries
from contacts.models import Attribute, Contact
from contacts.records import Record
from contacts.values import masked
from phi.errors import SealBroken

#: What a list shows of a person, masked.
COLUMNS = ("first_name", "last_name", "email", "external_id")
#: In the place of a name, where the record does not open.
UNREADABLE = "Cannot be read"


def rows(contacts: Iterable[Contact], live: Mapping[str, Attribute]) -> list[dict[str, Any]]:
    """One row a person, in the given order; who cannot be read is there without values."""
    found, broken = [], []
    for contact in contacts:
        try:
            record = queries.open_one(contact)
        except SealBroken:
            broken.append(contact.pk)
            found.append({"contact": contact, "name": UNREADABLE})
            continue
        shown = {key: masked(live[key], record.values.get(key)) for key in COLUMNS if key in live}
        found.append({"contact": contact, "name": name(record, live), **shown})
    if broken:
        damaged.found(broken)
    return found


def name(record: Record, live: Mapping[str, Attribute]) -> str:
    parts = [masked(live[key], record.values.get(key)) for key in ("first_name", "last_name") if key in live]
    return " ".join(part for part in parts if part) or "No name"
