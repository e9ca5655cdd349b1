"""Tell why one person is in an audience or not. That reveals what is known of them: with a reason, and in the trail."""

from typing import Any

from django.db import transaction

from audit import commands as audit
from contacts import reveals
from contacts.models import Attribute, Contact
from contacts.queries import attributes
from contacts.records import Coded, Record
from contacts.values import display
from core.actors import By
from segments import catalog as catalogs
from segments import codes, columns, frames, queries
from segments.dates import TIME_ZONE
from segments.explain import Why, explain
from segments.facts.lookup import context_for
from segments.models import Segment
from segments.rules import parse
from segments.sentence import Teller
from segments.tree import About, Clause, DateIs, Empty, HasCode

NOTHING = "nothing is known"


@transaction.atomic
def why(segment: Segment, contact: Contact, *, reason: str, by: By) -> Why:
    """Which clause let this person into the segment or kept them out. Raises RuleError, NoReason."""
    catalog = catalogs.load()
    rule = parse(queries.rule_of(segment), catalog)
    record = reveals.reveal(contact, reason=reason, by=by)
    frame = columns.of_people([(contact.number, contact.pk, record)], frames.kinds_of(rule, catalog))
    known = _Known(record, attributes())
    found = explain(rule, frame, context_for(rule), Teller(catalog, queries.code_names(rule)), known.of)
    audit.record("segment.explained", by=by, target=segment, subject=contact.pk, fields=queries.fields_of(rule))
    return found


class _Known:
    def __init__(self, record: Record, definitions: dict[str, Attribute]) -> None:
        self.record = record
        self.definitions = definitions

    def of(self, clause: Clause) -> str:
        """What is known of what a clause asks about; nothing to say of what happened elsewhere than in the record."""
        if not isinstance(clause, About):
            return ""
        if isinstance(clause, HasCode) or (isinstance(clause, Empty) and clause.coded):
            asked = clause.codes if isinstance(clause, HasCode) else ()
            return _entries(self.record.coded.get(clause.attribute, []), asked)
        value: Any = self.record.values.get(clause.attribute)
        there = display(self.definitions[clause.attribute], value) or NOTHING
        zone = str(self.record.values.get(TIME_ZONE) or "") if isinstance(clause, DateIs) and clause.contact else ""
        return f"{there} ({zone})" if zone else there


def _entries(entries: list[Coded], asked: tuple[str, ...]) -> str:
    """The entries of these codes, or of all; for example: E11.9 from 2020-03-01."""
    known = tuple(sorted({entry.code.upper() for entry in entries}))
    among = {code for first, last in codes.runs(known, asked) for code in known[first:last]} if asked else set(known)
    told = [
        entry.code + (f" from {entry.start}" if entry.start else "") + (f" until {entry.stop}" if entry.stop else "")
        for entry in entries
        if entry.code.upper() in among
    ]
    return ", ".join(told) or ("no such entry" if asked else "no entry")
