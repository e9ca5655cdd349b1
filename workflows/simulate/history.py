"""What happened to people in an earlier span, to happen again whole weeks later; and how they read their mail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.models import Attribute
from core import clock
from workflows import happenings
from workflows.definition import Definition, EventExit, WaitEvent
from workflows.models import Happening
from workflows.simulate.assumptions import Settings

_WEEK = timedelta(weeks=1)
#: How people read their mail is taken from so long before now.
READ_IN = timedelta(days=365)


class Occurred(NamedTuple):
    """Something awaited that befalls one person: `what` as in Assumptions.events. `said`: of a change, was and is."""

    what: str
    at: datetime
    key: bytes | None = None
    said: Mapping[str, Any] = {}
    id: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """`occurred`: by row, in order. `read`: opened and clicked of 100 mails, by row; who had no mail is absent."""

    occurred: Mapping[int, Sequence[Occurred]] = field(default_factory=dict)
    read: Mapping[int, tuple[float, float]] = field(default_factory=dict)


def shift(settings: Settings) -> timedelta:
    """How much later what happened happens again: the fewest whole weeks that need nothing from the future."""
    return max(-(-(settings.end - clock.now()) // _WEEK), 0) * _WEEK


def awaited(definition: Definition) -> list[str]:
    """What steps and exits of the journey wait for, each once."""
    found: dict[str, None] = {}
    for step in definition.steps.values():
        if isinstance(step, WaitEvent) and (step.event or step.attribute):
            found[step.event or f"attribute:{step.attribute}"] = None
    for way in definition.exits:
        if isinstance(way, EventExit):
            found[way.event] = None
    return list(found)


def ids_of(names: Iterable[str]) -> dict[UUID, str]:
    """The event types and attributes behind what is awaited."""
    names = list(names)
    events = happenings.types_named(name for name in names if not name.startswith("attribute:"))
    keys = [name.removeprefix("attribute:") for name in names if name.startswith("attribute:")]
    found = {kind.pk: name for name, kind in events.items()}
    return found | {i: f"attribute:{key}" for i, key in Attribute.objects.filter(key__in=keys).values_list("id", "key")}


def read(definition: Definition, settings: Settings, ids: Sequence[UUID]) -> History:
    """The history of these people, by their place in `ids`."""
    rows = {pk: row for row, pk in enumerate(ids)}
    return History(_occurred(definition, settings, rows), _read(rows))


def _occurred(definition: Definition, settings: Settings, rows: Mapping[UUID, int]) -> dict[int, list[Occurred]]:
    names, later = ids_of(awaited(definition)), shift(settings)
    if not names:
        return {}
    happened = Happening.objects.filter(
        kind__in=[Happening.Kind.EVENT, Happening.Kind.ATTRIBUTE],
        about__in=list(names),
        at__gte=settings.start - later,
        at__lt=settings.end - later,
    ).order_by("at", "id")
    fields = ("id", "kind", "about", "contact_id", "at", "key_index")
    found = [row for row in happened.values_list(*fields).iterator(chunk_size=10_000) if row[3] in rows]
    said = happenings.opened(row[0] for row in found if row[1] == Happening.Kind.ATTRIBUTE)
    occurred: dict[int, list[Occurred]] = {}
    for pk, _, about, contact_id, at, key in found:
        one = Occurred(names[about], at + later, bytes(key) if key is not None else None, said.get(pk, {}), pk)
        occurred.setdefault(rows[contact_id], []).append(one)
    return occurred


_READ = """
WITH mailed AS (SELECT contact_id, count(*) AS mails FROM delivery_delivery
    WHERE contact_id = ANY(%(ids)s) AND outcome = 'sent' AND at >= %(since)s GROUP BY contact_id),
came AS (SELECT contact_id, count(DISTINCT delivery_id) AS opened,
        count(DISTINCT delivery_id) FILTER (WHERE kind = 'click') AS clicked
    FROM tracking_event WHERE contact_id = ANY(%(ids)s) AND verdict = 'human' AND kind IN ('open', 'click')
        AND at >= %(since)s GROUP BY contact_id)
SELECT contact_id, mails, coalesce(opened, 0), coalesce(clicked, 0) FROM mailed LEFT JOIN came USING (contact_id)
"""


def _read(rows: Mapping[UUID, int]) -> dict[int, tuple[float, float]]:
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"ids": list(rows), "since": clock.now() - READ_IN})
        return {
            rows[contact_id]: (min(100.0, 100 * opened / mails), min(100.0, 100 * clicked / mails))
            for contact_id, mails, opened, clicked in cursor.fetchall()
        }
