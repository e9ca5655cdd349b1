"""Which of a journey's exits hold for whom: a fixed number of statements for all of them."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from consent import queries as consents
from workflows.engine import happened
from workflows.engine.known import Known, Person
from workflows.engine.plans import Plan
from workflows.language.definition import Definition, EventExit, GoalExit, Mail, SegmentLeft, Unsubscribed
from workflows.models import Happening


def holding(plan: Plan, people: Sequence[Person], known: Known) -> dict[int, tuple[bool, ...]]:
    """For each enrolment whether each exit holds; their records are open. Raises RuleError."""
    exits = plan.definition.exits
    ruled = [place for place, way in enumerate(exits) if isinstance(way, GoalExit | SegmentLeft)]
    matched = known.matching([plan.exit_rule(place) for place in ruled], people) if ruled else []
    by_rule = dict(zip(ruled, matched, strict=True))
    columns: list[list[bool]] = []
    for place, way in enumerate(exits):
        match way:
            case Unsubscribed():
                out = unsubscribed(plan.definition, [person.contact_id for person in people])
                columns.append([person.contact_id in out for person in people])
            case SegmentLeft():
                columns.append([person.contact_number not in by_rule[place] for person in people])
            case GoalExit():
                columns.append([person.contact_number in by_rule[place] for person in people])
            case EventExit():
                about = plan.event_id(way.event)
                whom = happened.to(people, Happening.Kind.EVENT, about, same_key=way.same_key and plan.keyed)
                columns.append([person.id in whom for person in people])
    rows = zip(*columns, strict=True) if columns else [()] * len(people)
    return {person.id: tuple(row) for person, row in zip(people, rows, strict=True)}


# Few ever opted out of anything: only their words are looked at closely.
_EVER_OUT = """
SELECT DISTINCT contact_id FROM consent_ledgerentry
WHERE contact_id = ANY(%s) AND act IN ('opt_out', 'opt_out_all')
"""


def unsubscribed(definition: Definition, contact_ids: Sequence[UUID]) -> set[UUID]:
    """Who by their own word is out of everything, or of a topic of one of the journey's mails."""
    with connection.cursor() as cursor:
        cursor.execute(_EVER_OUT, [list(contact_ids)])
        some = [row[0] for row in cursor.fetchall()]
    if not some:
        return set()
    mails = [node for node in definition.steps.values() if isinstance(node, Mail)]
    topics: set[UUID | None] = {mail.topic for mail in mails} or {None}
    out: set[UUID] = set()
    for topic in sorted(topics, key=str):
        said = consents.facts_for(some, topic)
        out |= {who for who, facts in said.items() if facts.opted_out_all or facts.opted_out}
    return out
