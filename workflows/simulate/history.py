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
from workflows.language.definition import (
    AnyTrigger,
    ByAttribute,
    ByConsent,
    ByEngagement,
    ByEvent,
    BySent,
    Definition,
    EventExit,
    WaitEvent,
)
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


class LetIn(NamedTuple):
    """What let somebody in, or would have: `id` of the happening, 0 where another room tells of it."""

    id: int
    contact_id: UUID
    at: datetime
    key: bytes | None = None


_CONSENTS = """
SELECT 0, contact_id, at FROM consent_ledgerentry
WHERE at >= %(since)s AND at < %(until)s AND (topic_id = %(about)s AND act = %(act)s
    OR act = 'opt_out_all' AND %(act)s = 'opt_out') ORDER BY number
"""
_SENT = """
SELECT 0, contact_id, at FROM delivery_delivery
WHERE origin_id = %(about)s AND outcome = 'sent' AND at >= %(since)s AND at < %(until)s ORDER BY at, contact_id
"""
# As journeys are told: of one person and campaign the first, by people only; whoever clicked has opened.
_READERS = """
SELECT 0, contact_id, at FROM (
    SELECT e.contact_id, e.origin_id, min(e.at) AS at FROM tracking_event e
    JOIN delivery_origin o ON o.id = e.origin_id AND o.kind = 'campaign'
    WHERE e.verdict = 'human' AND (e.kind = 'click' OR e.kind = 'open' AND %(act)s = 'opened')
      AND (%(about)s::uuid IS NULL OR e.origin_id = %(about)s) GROUP BY 1, 2) n
WHERE at >= %(since)s AND at < %(until)s ORDER BY at, contact_id
"""


def let_in(trigger: AnyTrigger, since: datetime, until: datetime, most: int) -> list[LetIn]:
    """What of this kind befell people from `since` on and before `until`, in order: at most so many."""
    params: dict[str, Any] = {"since": since, "until": until}
    about: UUID | None
    match trigger:
        case ByEvent():
            about = happenings.type_named(trigger.event).pk
        case ByAttribute():
            about = Attribute.objects.filter(key=trigger.attribute).values_list("id", flat=True).first()
        case ByConsent():
            act = "opt_in" if trigger.change == "given" else "opt_out"
            return _asked(_CONSENTS, {**params, "about": trigger.topic, "act": act}, most)
        case BySent():
            return _asked(_SENT, {**params, "about": trigger.mailing}, most)
        case ByEngagement():
            return _asked(_READERS, {**params, "about": trigger.mailing, "act": trigger.event}, most)
        case _:
            raise AssertionError(trigger)
    if about is None:  # the attribute is gone
        return []
    kind = Happening.Kind.EVENT if isinstance(trigger, ByEvent) else Happening.Kind.ATTRIBUTE
    rows = Happening.objects.filter(kind=kind, about=about, at__gte=since, at__lt=until).order_by("at", "id")
    found = rows.values_list("id", "contact_id", "at", "key_index")[:most]
    return [LetIn(pk, who, at, None if key is None else bytes(key)) for pk, who, at, key in found]


def _asked(statement: str, params: dict[str, Any], most: int) -> list[LetIn]:
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {most:d}", params)
        return [LetIn(*row) for row in cursor.fetchall()]


def read(definition: Definition, settings: Settings, ids: Sequence[UUID], older: Iterable[Definition] = ()) -> History:
    """The history of these people, by their place in `ids`: what the journey, or an older version, waits for."""
    rows = {pk: row for row, pk in enumerate(ids)}
    names = dict.fromkeys(name for one in (definition, *older) for name in awaited(one))
    return History(_occurred(names, settings, rows), _read(rows))


def _occurred(names: Iterable[str], settings: Settings, rows: Mapping[UUID, int]) -> dict[int, list[Occurred]]:
    about, later = ids_of(names), shift(settings)
    if not about:
        return {}
    happened = Happening.objects.filter(
        kind__in=[Happening.Kind.EVENT, Happening.Kind.ATTRIBUTE],
        about__in=list(about),
        at__gte=settings.start - later,
        at__lt=settings.end - later,
    ).order_by("at", "id")
    fields = ("id", "kind", "about", "contact_id", "at", "key_index")
    found = [row for row in happened.values_list(*fields).iterator(chunk_size=10_000) if row[3] in rows]
    said = happenings.readable([row[0] for row in found if row[1] == Happening.Kind.ATTRIBUTE])
    occurred: dict[int, list[Occurred]] = {}
    for pk, _, what, contact_id, at, key in found:
        one = Occurred(about[what], at + later, bytes(key) if key is not None else None, said.get(pk, {}), pk)
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
