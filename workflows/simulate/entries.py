"""Who would enter, and when: by dates, by segments as days pass, by what is assumed or happened before, or all at once.

Answers contact numbers: what else is asked of people is then read for these alone. Whom the re-entry rule lets in,
and the rule who may enter, is decided when the moment comes.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from contacts.models import Contact, Kind
from segments import catalog as catalogs
from segments import people, sampling
from segments.catalog import Catalog
from segments.columns import NO_DAY, Frame, Mask, Numbers
from segments.dates import TIME_ZONE
from segments.rules import parse
from segments.tree import Rule
from workflows import happenings, moments
from workflows.errors import NotComplete, NotPossibleNow
from workflows.intake import dates
from workflows.language import fits
from workflows.language.definition import (
    ByAttribute,
    ByDate,
    ByEvent,
    ByHand,
    BySegment,
    Definition,
    WaitUntil,
)
from workflows.simulate.assumptions import MAX_PEOPLE, Settings, drawn
from workflows.simulate.courses import segment_rule
from workflows.simulate.history import let_in, shift
from workflows.simulate.people import frames_for, matching, series, stored, zones_of
from workflows.simulate.rules import asked
from workflows.simulate.world import zone

#: More moments of entering than this are not simulated.
MAX_ENTRIES = 5 * MAX_PEOPLE
#: The lots by which it is drawn whom an event befalls on a day: beyond any that staff number.
_LOT = 2_000_000_000


class Entering(NamedTuple):
    """One person who would enter. `happening`: what lets them in, where it is history."""

    number: int
    at: datetime
    key: bytes | None = None
    properties: dict[str, Any] = {}
    happening: int = 0


def find(definition: Definition, settings: Settings) -> list[Entering]:
    """Everybody who would enter, in order of time. Raises NotComplete, NotPossibleNow, RuleError."""
    catalog = catalogs.load()
    among = chosen(settings)
    found: list[Entering] = []
    whom: set[int] = set()
    for entry in _by_trigger(definition, settings, catalog, among):
        found.append(entry)
        whom.add(entry.number)
        if len(whom) > MAX_PEOPLE or len(found) > MAX_ENTRIES:
            raise NotPossibleNow(
                f"More than {MAX_PEOPLE:,} people would enter, and so many are not simulated together. "
                "Choose a segment, for instance a sample of them, or fewer days."
            )
    return sorted(found, key=lambda entry: (entry.at, entry.number))


def chosen(settings: Settings) -> Numbers | None:
    """The people of the segment that was chosen, at the start; None: everybody."""
    if settings.segment is None:
        return None
    catalog = catalogs.load()
    rule = parse(segment_rule(settings.segment), catalog)
    frames = frames_for(rule, catalog)
    masks = matching(rule, frames, settings.start, zone())
    found = [frame.numbers[mask] for frame, mask in zip(frames, masks, strict=True)]
    return Numbers.of(np.concatenate(found) if found else [])


def _by_trigger(
    definition: Definition, settings: Settings, catalog: Catalog, among: Numbers | None
) -> Iterator[Entering]:
    trigger = definition.trigger
    if settings.entering == "all" or isinstance(trigger, ByHand):
        if among is None and settings.inside:  # only who is inside goes on
            return
        if among is None:
            raise NotComplete("Choose the segment whose people are to enter.")
        for frame in people.frames_of({}):
            for number in frame.numbers[frame.present & among.among(frame.numbers)].tolist():
                yield Entering(number, settings.start, properties=_assumed(definition, settings, settings.start))
    elif isinstance(trigger, ByDate):
        yield from _by_date(trigger, settings, catalog, among, keyed=definition.reentry.kind == "per_key")
    elif isinstance(trigger, BySegment):
        yield from _by_segment(trigger, settings, catalog, among)
    elif settings.assumptions.replay:
        yield from _replayed(definition, settings, among)
    else:
        yield from _by_share(definition, settings, among)


# -- dates ------------------------------------------------------------------------------------------------------------


def _by_date(
    trigger: ByDate, settings: Settings, catalog: Catalog, among: Numbers | None, *, keyed: bool
) -> Iterator[Entering]:
    key = trigger.moment.attribute
    if key not in catalog.fields:
        raise NotComplete("The date that lets people in was removed. Choose another one.")
    kind = catalog.fields[key].kind
    for frame in people.frames_of({key: kind, TIME_ZONE: Kind.TEXT.value}, ids=True):
        rows = np.flatnonzero(_may_come(frame, key, kind, trigger, settings) & _kept(frame, among))
        if not len(rows):
            continue
        there, ids = zones_of(frame, zone()), series(frame.columns["id"]).gather(rows).to_list()
        values = stored(series(frame.columns[key]).gather(rows), kind)
        for row, raw, text in zip(rows.tolist(), ids, values, strict=True):
            value = moments.parsed(text)
            for day, at in _moments(trigger, value, there[row], settings) if value else ():
                assert value is not None
                # The key costs as much as all the rest.
                index = dates.entry(trigger, UUID(bytes=raw), value, day, at).key_index if keyed else None
                yield Entering(int(frame.numbers[row]), at, index)


def _kept(frame: Frame, among: Numbers | None) -> Mask:
    return frame.present if among is None else frame.present & among.among(frame.numbers)


def _may_come(frame: Frame, key: str, kind: str, trigger: ByDate, settings: Settings) -> Mask:
    """Whose date lies near enough to be looked at one by one."""
    column = series(frame.columns[key])
    if trigger.yearly:
        there: Mask = column.is_not_null().to_numpy()
        return there
    moment = trigger.moment
    low, high = (
        at - timedelta(days=moment.days + more, minutes=moment.minutes)
        for at, more in ((settings.start, 3), (settings.end, -3))
    )
    if kind == Kind.DATE:
        plain = column.to_physical().fill_null(NO_DAY).to_numpy()
        day = date(1970, 1, 1)
        found: Mask = (plain >= (low.date() - day).days) & (plain <= (high.date() - day).days)
        return found
    plain = column.to_physical().fill_null(-(2**63)).to_numpy()
    later: Mask = plain >= int(low.timestamp() * 1e6)
    return later & (plain <= int(high.timestamp() * 1e6))


def _moments(
    trigger: ByDate, value: date | datetime, there: ZoneInfo, settings: Settings
) -> list[tuple[date, datetime]]:
    """The moments of the span, each with the day it is around."""
    nears = (settings.start, settings.end) if trigger.yearly else (settings.start,)
    found = {day: at for near in nears for day, at in dates.occurrences(trigger, value, there, near)}
    return [(day, at) for day, at in found.items() if settings.start < at <= settings.end]


# -- segments ---------------------------------------------------------------------------------------------------------


def _by_segment(trigger: BySegment, settings: Settings, catalog: Catalog, among: Numbers | None) -> Iterator[Entering]:
    """Whom the days bring in (or take out), when they do; who is in it at the start does not enter, as in earnest."""
    rule = parse(segment_rule(trigger.segment), catalog)
    frames = frames_for(rule, catalog)
    leaves = trigger.change == "leaves"
    before = matching(rule, frames, settings.start, zone())
    for at in _midnights(rule, frames, settings):
        masks = matching(rule, frames, at, zone())
        for frame, was, mask in zip(frames, before, masks, strict=True):
            found = was & ~mask if leaves else mask & ~was
            for number in frame.numbers[found & _kept(frame, among)].tolist():
                yield Entering(number, at)
        before = masks


def _midnights(rule: Rule, frames: Sequence[Frame], settings: Settings) -> list[datetime]:
    """When the day changes anywhere that matters to the rule, within the span."""
    about = asked(rule)
    if not about.by_day:
        return []
    zones = {zone()}
    if about.by_zone:
        for frame in frames:
            zones |= set(zones_of(frame, zone()))
    return sorted({at for there in zones for at in midnights(settings, there)})


def midnights(settings: Settings, there: ZoneInfo) -> Iterator[datetime]:
    """When days begin there, within the span."""
    first = settings.start.astimezone(there).date()
    for ahead in range(settings.days + 2):
        at = moments.local(first + timedelta(days=ahead), time(), there)
        if settings.start < at < settings.end:
            yield at


# -- events -----------------------------------------------------------------------------------------------------------


def _by_share(definition: Definition, settings: Settings, among: Numbers | None) -> Iterator[Entering]:
    """So many of a hundred people a day, at a moment of that day that chance decides."""
    for frame in people.frames_of({}, ids=True):
        ids, kept = series(frame.columns["id"]), _kept(frame, among)
        for day in range(settings.days):
            whom = kept & sampling.drawn(frame.numbers, settings.assumptions.entering, _LOT + day)
            for row in np.flatnonzero(whom).tolist():
                who = UUID(bytes=ids[row])
                at = settings.start + timedelta(minutes=int((day + drawn(who, "moment", day)) * 1_440))
                key = happenings.key_index(who, f"simulated {day}")
                yield Entering(int(frame.numbers[row]), at, key, _assumed(definition, settings, at))


def _assumed(definition: Definition, settings: Settings, at: datetime) -> dict[str, Any]:
    """The moments that the journey waits for, as the event that lets people in is assumed to carry them."""
    ahead = at + timedelta(days=settings.assumptions.ahead_days)
    steps = definition.steps.values()
    names = {step.moment.property for step in steps if isinstance(step, WaitUntil) and step.moment.property}
    return dict.fromkeys(names, ahead.astimezone(UTC).isoformat())


def _replayed(definition: Definition, settings: Settings, among: Numbers | None) -> Iterator[Entering]:
    """What let people in within an earlier span, again."""
    trigger, later = definition.trigger, shift(settings)
    found = let_in(trigger, settings.start - later, settings.end - later, MAX_ENTRIES + 1)
    said = happenings.readable([one.id for one in found if one.id])
    numbers = _numbers({one.contact_id for one in found})
    for pk, contact_id, at, key in found:
        number, what = numbers.get(contact_id), said.get(pk, {})
        if number is None or (among is not None and not among.among(np.array([number]))[0]):
            continue
        if isinstance(trigger, ByEvent) and not fits.event(trigger.where, what):
            continue
        if isinstance(trigger, ByAttribute) and not (what and fits.change(trigger.was, trigger.becomes, what)):
            continue
        # Of a coded list only codes are told, which are no value of it.
        told = isinstance(trigger, ByEvent) or not isinstance(what.get("is"), list)
        properties = what if told else {}
        yield Entering(number, at + later, key, properties, pk)


def _numbers(ids: set[UUID]) -> dict[UUID, int]:
    return dict(Contact.objects.filter(pk__in=ids).values_list("pk", "number"))
