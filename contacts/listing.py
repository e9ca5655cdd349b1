"""People as rows of a table: masked, with what it takes to recognise somebody one knows."""

from collections.abc import Iterable, Mapping
from typing import Any

from contacts import queries
from contacts.models import Attribute, Contact
from contacts.records import Record
from contacts.values import masked

#: What a list shows of a person, masked.
COLUMNS = ("first_name", "last_name", "email", "external_id")


def rows(contacts: Iterable[Contact], live: Mapping[str, Attribute]) -> list[dict[str, Any]]:
    """One row a person, in the given order."""
    found = []
    for contact in contacts:
        record = queries.open_one(contact)
        shown = {key: masked(live[key], record.values.get(key)) for key in COLUMNS if key in live}
        found.append({"contact": contact, "name": name(record, live), **shown})
    return found


def name(record: Record, live: Mapping[str, Attribute]) -> str:
    parts = [masked(live[key], record.values.get(key)) for key in ("first_name", "last_name") if key in live]
    return " ".join(part for part in parts if part) or "No name"
