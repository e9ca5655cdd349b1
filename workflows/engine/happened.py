"""What happened to people since, as waits and exits ask it: from rows, in one statement for all of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from workflows import happenings
from workflows.engine.known import Person
from workflows.engine.plans import Plan
from workflows.language import fits
from workflows.language.definition import WaitEvent
from workflows.models import Happening

Kind = Happening.Kind

# What came after the event that let somebody in counts, even where its sender dates it a moment before they were in;
# changes are dated by us, and may be read later than an event that came after them. "Here" is later than the arrival:
# what happened at that moment brought them here, and in a loop it would do so for ever.
_SINCE = """
FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[]) p(id, since)
JOIN workflows_enrolment e ON e.id = p.id
{join} (SELECT h.id FROM workflows_happening h
    WHERE h.contact_id = e.contact_id AND h.kind = %(kind)s AND h.about = %(about)s
    AND (h.at > p.since OR (NOT %(here)s AND h.at = p.since) OR (%(by_id)s AND h.id > e.happening_id))
    AND (e.happening_id IS NULL OR h.id <> e.happening_id)
    AND (NOT %(same_key)s OR e.key_index IS NULL OR h.key_index = e.key_index))
"""
_ANY = "SELECT p.id " + _SINCE.format(join="WHERE EXISTS")
_EACH = "SELECT p.id, h.id " + _SINCE.format(join="CROSS JOIN LATERAL") + " h"


def to(
    people: Sequence[Person], kind: str, about: UUID | None, *, same_key: bool = False, here: bool = False
) -> set[int]:
    """The enrolments of those to whom this happened since they entered, or since they came here (`here`)."""
    if about is None or not people:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_ANY, _params(people, kind, about, same_key=same_key, here=here))
        return {row[0] for row in cursor.fetchall()}


def awaited(plan: Plan, node: WaitEvent, people: Sequence[Person]) -> set[int]:
    """The enrolments of those to whom it happened what a step waits for."""
    here = node.since == "here"
    if node.event:
        return to(people, Kind.EVENT, plan.event_id(node.event), same_key=node.same_key and plan.keyed, here=here)
    about = plan.attribute_id(node.attribute)
    if about is None or not (node.was or node.becomes):
        return to(people, Kind.ATTRIBUTE, about, here=here)
    with connection.cursor() as cursor:
        cursor.execute(_EACH, _params(people, Kind.ATTRIBUTE, about, same_key=False, here=here))
        rows = cursor.fetchall()
    said = happenings.opened(happening for _, happening in rows)
    return {pk for pk, happening in rows if fits.change(node.was, node.becomes, said.get(happening, {}))}


def _params(people: Sequence[Person], kind: str, about: UUID, *, same_key: bool, here: bool) -> dict[str, Any]:
    return {
        "ids": [person.id for person in people],
        "since": [person.since if here else person.entered_at for person in people],
        "kind": str(kind),
        "about": about,
        "here": here,
        "by_id": not here and kind == Kind.EVENT,
        "same_key": same_key,
    }
