"""What came back, counted. A click that turns out to be part of a burst counts as machine, whatever it seemed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from tracking.models import Event
from tracking.sums import JUDGED, Tally, sums_of
from tracking.verdict import BURST


@dataclass(frozen=True, slots=True)
class Split:
    """Counts by verdict. `people`: each person once, by the best of their events; `total`: every event."""

    human: int = 0
    unknown: int = 0
    machine: int = 0

    @property
    def all(self) -> int:
        return self.human + self.unknown + self.machine


@dataclass(frozen=True, slots=True)
class Figures:
    people: Split = Split()
    total: Split = Split()


@dataclass(frozen=True, slots=True)
class Counts:
    """What came back to one origin. `links` by index of the destination in the template version."""

    opens: Figures = Figures()
    clicks: Figures = Figures()
    unsubscribes: int = 0
    links: dict[int, Figures] = field(default_factory=dict)


def counts_for(origin_id: UUID) -> Counts:
    """Opens, clicks and unsubscribes of one campaign (or other origin), people and machines apart."""
    return counts_in(sums_of([origin_id])[origin_id])


def counts_in(tally: Tally) -> Counts:
    """What a tally says, as figures."""
    found: dict[tuple[str, int | None], dict[str, dict[str, int]]] = {}
    for (kind, link, label), count in tally.items():
        side, _, verdict = label.partition(":")
        if side != "hour":
            found.setdefault((kind, link), {}).setdefault(side, {})[verdict] = count
    figures = {
        key: Figures(Split(**sides.get("people", {})), Split(**sides.get("total", {}))) for key, sides in found.items()
    }
    gone = figures.get((Event.Kind.UNSUBSCRIBE.value, None), Figures())
    return Counts(
        opens=figures.get((Event.Kind.OPEN.value, None), Figures()),
        clicks=figures.get((Event.Kind.CLICK.value, None), Figures()),
        unsubscribes=gone.people.all,
        links={link: f for (kind, link), f in sorted(figures.items(), key=str) if link is not None},
    )


@dataclass(frozen=True, slots=True)
class Returned:
    """How many people opened, clicked and unsubscribed; machines left out."""

    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0


def people_by_origin(origin_ids: Sequence[UUID]) -> dict[UUID, Returned]:
    """People who came back to each of many campaigns, for lists; as counts_for counts them."""
    return {origin_id: returned_in(tally) for origin_id, tally in sums_of(origin_ids).items()}


def returned_in(tally: Tally) -> Returned:
    found = counts_in(tally)
    opened, clicked = found.opens.people, found.clicks.people
    return Returned(opened.human + opened.unknown, clicked.human + clicked.unknown, found.unsubscribes)


@dataclass(frozen=True, slots=True)
class Bucket:
    """First-time opens and clicks by people (and what cannot be told) from `at` on, for one step."""

    at: datetime
    opens: int
    clicks: int
    unsubscribes: int


def over_time(origin_id: UUID, *, step: str = "hour") -> list[Bucket]:
    """When people first opened, clicked and unsubscribed; machines left out. `step`: "hour" or "day" (UTC)."""
    return over_time_in(sums_of([origin_id])[origin_id], step=step)


def over_time_in(tally: Tally, *, step: str = "hour") -> list[Bucket]:
    if step not in ("hour", "day"):
        raise ValueError("Events are counted by hour or by day.")
    found: dict[datetime, Counter[str]] = {}
    for (kind, _, label), count in tally.items():
        side, _, moment = label.partition(":")
        if side == "hour" and count:
            at = datetime.fromisoformat(moment)
            found.setdefault(at if step == "hour" else at.replace(hour=0), Counter())[kind] += count
    return [
        Bucket(at, kinds[Event.Kind.OPEN], kinds[Event.Kind.CLICK], kinds[Event.Kind.UNSUBSCRIBE])
        for at, kinds in sorted(found.items())
    ]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of one person, for a timeline."""

    id: UUID
    delivery_id: UUID
    origin_id: UUID
    kind: str
    link: int | None
    at: datetime
    verdict: str
    client: str


def events_for_contact(contact_id: UUID, *, limit: int = 200) -> list[Happened]:
    """What one person did with our mails, newest first."""
    judged = JUDGED.format(where="contact_id = %(contact)s")
    sql = f"""SELECT id, delivery_id, origin_id, kind, link, at, verdict, client FROM ({judged}) j
              ORDER BY at DESC, id DESC LIMIT %(limit)s"""  # noqa: S608 -- a constant of this module
    with connection.cursor() as cursor:
        cursor.execute(sql, {"contact": contact_id, "burst": BURST.total_seconds(), "limit": limit})
        return [Happened(*row) for row in cursor.fetchall()]
