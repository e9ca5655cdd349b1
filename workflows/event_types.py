"""Declare the events that other systems send: one verb each. Names and properties may say a diagnosis: encrypted."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count

from accounts.queries import person_of
from audit.commands import record
from contacts import lowering
from core import clock
from core.actors import By
from core.sensitivity import Sensitivity
from workflows import uses
from workflows.errors import EventInUse, EventTaken, NotComplete
from workflows.happenings import name_index
from workflows.models import EventType, Happening, Workflow

MAX_PROPERTIES = 50
#: What a property may be; the words staff read.
TYPES = {"text": "Text", "number": "Number", "yes_no": "Yes or no", "date": "Date", "datetime": "Date and time"}
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
#: "Lately", in counts.
LATELY = timedelta(days=30)


def _slug(text: str, what: str) -> str:
    text = text.strip().lower()
    if not _SLUG.match(text):
        raise NotComplete(f"{what} has to be a word of a-z, 0-9 and _, beginning with a letter: appointment_booked.")
    return text


def _properties(given: Mapping[str, str]) -> dict[str, str]:
    cleaned = {_slug(name, "The name of a property"): kind for name, kind in given.items()}
    if len(cleaned) < len(given):
        raise NotComplete("Two properties have the same name. Rename one of them.")
    if len(cleaned) > MAX_PROPERTIES:
        raise NotComplete(f"An event has at most {MAX_PROPERTIES} properties. Leave out what no journey asks for.")
    for name, kind in cleaned.items():
        if kind not in TYPES:
            raise NotComplete(f"Say what “{name}” is: one of {', '.join(TYPES)}.")
    return cleaned


@transaction.atomic
def declare(
    *,
    name: str,
    label: str = "",
    properties: Mapping[str, str] | None = None,
    sensitivity: str = Sensitivity.PHI,
    by: By,
) -> EventType:
    """Make an event known, so that it is taken when it comes. Raises NotComplete, EventTaken.

    The name of one that is archived may be declared again: it is the same event, and what came before still counts; so
    it is declared as what it was, or as more.
    """
    name, cleaned = _slug(name, "The name"), _properties(properties or {})
    kept = EventType.objects.select_for_update().filter(name_index=name_index(name)).first()
    if kept is not None and kept.archived_at is None:
        raise EventTaken("An event of this name is declared already. Change that one, or take another name.")
    if kept is not None and Sensitivity(sensitivity).rank < Sensitivity(kept.sensitivity).rank:
        was = Sensitivity(kept.sensitivity).label.lower()
        raise EventTaken(f"An event of this name was {was} before. Declare it as that; then ask for less on its page.")
    event = kept or EventType(name=name, name_index=name_index(name), created_by=person_of(by))
    event.label, event.properties, event.archived_at = " ".join(label.split())[:120], cleaned, None
    event.sensitivity = Sensitivity(sensitivity)
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError:
        raise EventTaken("Somebody declared an event of this name just now. Change that one.") from None
    record("event.declared", by=by, target=event, sensitivity=str(event.sensitivity), properties=len(cleaned))
    return event


@transaction.atomic
def change(
    event: EventType, *, label: str, properties: Mapping[str, str], sensitivity: str | None = None, reason: str = "",
    by: By,
) -> EventType:  # fmt: skip
    """Change all but the name. That it counts as less is only asked for, with a reason: a second person decides, and
    what was asked before ends where less is not asked for any more. `sensitivity` None: that stays, and what is asked.

    Raises NotComplete, NeedsReason, and EventInUse where a running journey needs a property as it is.
    """
    event = EventType.objects.select_for_update().get(pk=event.pk)
    cleaned = _properties(properties)
    needed = {name for _, definition in uses.running() for name in uses.properties_in(definition, str(event.name))}
    lost = sorted(name for name in needed if event.properties.get(name) != cleaned.get(name))
    if lost:
        raise EventInUse(f"A journey that runs uses “{lost[0]}” as it is. Publish it without, then change the event.")
    was = Sensitivity(event.sensitivity)
    wanted = was if sensitivity is None else Sensitivity(sensitivity)
    event.label, event.properties = " ".join(label.split())[:120], cleaned
    event.sensitivity = max(was, wanted, key=lambda tier: tier.rank)
    event.save()
    record("event.changed", by=by, target=event, was=str(was), now=str(event.sensitivity), properties=len(cleaned))
    if wanted.rank < was.rank:
        known = lowering.of(event.pk)
        asked = lowering.ask(event.pk, "event.lowered", to=wanted, reason=reason, by=by)
        if asked != known:  # else it was asked for by somebody else, and this changed other things
            record("event.lowering_asked", by=by, target=event, to=str(wanted), reason_id=str(asked.reason_id))
    elif sensitivity is not None:
        lowering.drop(event.pk)
    return event


@transaction.atomic
def lower(event: EventType, *, seen: UUID, by: By) -> EventType:
    """As the second person, have it count as less, as asked for. Raises NotTheSecondPerson, NotAllowed."""
    event = EventType.objects.select_for_update().get(pk=event.pk)
    asked, was = lowering.decide(event.pk, seen=seen, by=by), event.sensitivity
    event.sensitivity = asked.to
    event.save(update_fields=["sensitivity"])
    note, asker = str(asked.reason_id), str(asked.asked_by)
    record("event.lowered", by=by, target=event, was=was, now=asked.to, asked_by=asker, reason_id=note)
    return event


@transaction.atomic
def keep(event: EventType, *, seen: UUID, by: By) -> EventType:
    """As the second person, have it count as it does. Raises NotTheSecondPerson, NotAllowed."""
    asked = lowering.decide(event.pk, seen=seen, by=by)
    record("event.lowering_refused", by=by, target=event, to=asked.to, asked_by=str(asked.asked_by))
    return event


@transaction.atomic
def archive(event: EventType, *, by: By) -> EventType:
    """Take it no more. Raises EventInUse where a running journey listens to it."""
    event = EventType.objects.select_for_update().get(pk=event.pk)
    if any(event.name in uses.events_in(definition) for _, definition in uses.running()):
        raise EventInUse("A journey that runs listens to this event. Publish it without, or stop it, then archive it.")
    if event.archived_at is None:
        event.archived_at = clock.now()
        event.save(update_fields=["archived_at"])
        lowering.drop(event.pk)
        record("event.archived", by=by, target=event)
    return event


def came_lately(events: Iterable[EventType]) -> dict[UUID, int]:
    """How many of each came in the last 30 days."""
    since: datetime = clock.now() - LATELY
    rows = Happening.objects.filter(kind=Happening.Kind.EVENT, at__gt=since, about__in=[e.pk for e in events])
    return dict(rows.order_by().values("about").annotate(n=Count("pk")).values_list("about", "n"))


def listeners(event_name: str) -> list[Workflow]:
    """The journeys that listen to it, running or drawn, each once."""
    return list({w.pk: w for w, definition in uses.drawn() if event_name in uses.events_in(definition)}.values())
