"""Take events that other systems send: each once, whatever is sent again, and one bad one holds up no other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.db import connection, transaction

from audit import commands as audit
from core import clock
from core.actors import By
from phi import seal
from workflows import event_items, happenings, people_named
from workflows.event_items import Item, Refused
from workflows.happenings import New
from workflows.models import EventType, Happening
from workflows.people_named import Named, Someone

#: Whoever writes several events with ids waits here for another: they would wait for each other in the index.
LOCK = 0x0B0C


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item. "known": it was taken before."""

    status: Literal["taken", "known", "refused"]
    message: str = ""


@transaction.atomic
def take(raw: Sequence[object], *, by: By) -> list[Result]:
    """Keep these events, in their order; answers what became of each. A fixed number of statements."""
    items = [_read(one) for one in raw]
    well = [item for item in items if isinstance(item, Item)]
    types = happenings.types_named({item.event for item in well})
    people = people_named.find(item.person for item in well)
    news: dict[int, New] = {}
    results: list[Result | None] = []
    for place, item in enumerate(items):
        try:
            if isinstance(item, Refused):
                raise item
            news[place] = _new(item, types, people)
            results.append(None)
        except Refused as refusal:
            results.append(Result("refused", str(refusal)))
    taken = _write(news)
    answer = [result or Result("taken" if place in taken else "known") for place, result in enumerate(results)]
    if answer:
        statuses = Counter(result.status for result in answer)
        audit.record("events.received", by=by, taken=statuses["taken"], refused=statuses["refused"])
    return answer


def _read(raw: object) -> Item | Refused:
    try:
        return event_items.read(raw)
    except Refused as refusal:
        return refusal


def _new(item: Item, types: dict[str, EventType], people: dict[Named, Someone | str]) -> New:
    kind, someone = types.get(item.event), people[item.person]
    if kind is None:
        raise Refused("No event of this name is declared. Declare it under Workflows, Events.")
    if isinstance(someone, str):
        raise Refused(someone)
    said = event_items.properties(item.properties, kind.properties)
    at = event_items.moment(item.at, clock.now(), keep=timedelta(days=settings.WORKFLOWS_HAPPENING_DAYS))
    sealed = None
    if said:
        key = seal.unwrap(seal.WrappedKey(someone.kek_id, someone.data_key))
        sealed = happenings.sealed(someone.id, said, key=key)
    return New(
        Happening.Kind.EVENT,
        kind.pk,
        someone.id,
        at,
        None if item.key is None else happenings.key_index(someone.id, item.key),
        None if item.id is None else happenings.idempotency(item.event, item.id),
        sealed,
    )


def _write(news: dict[int, New]) -> set[int]:
    """The places of those that are new."""
    named = [place for place, new in news.items() if new.idempotency is not None]
    if len(named) > 1:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    written = {idempotency for _, idempotency in happenings.write(list(news.values()))}
    taken = set(news) - set(named)
    for place in named:
        if news[place].idempotency in written:
            taken.add(place)
            written.discard(news[place].idempotency)
    return taken
