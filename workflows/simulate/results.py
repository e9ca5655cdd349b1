"""A simulation in numbers: ids, codes and counts, no person. Pure."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from workflows.simulate.assumptions import Settings
from workflows.simulate.entries import midnights
from workflows.simulate.gate import Mailed
from workflows.simulate.inside import Going
from workflows.simulate.trace import Array, Trace
from workflows.simulate.world import World

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
#: Whoever waits for something so much later than the end waits for nothing.
FAR = 366 * DAY


def of(trace: Trace, world: World, going: Going, settings: Settings) -> Any:
    """The result as JSON; `words` are what the paths refer to. Days and hours are those where the organization is."""
    person, step, at, outcome, reason = trace.mails.columns()
    words, zone = trace.words, world.people.zone
    mails = {course.prefix + key: mail for course in world.courses for key, mail in course.mails.items()}
    sent, refused = outcome == words.place("sent"), outcome == words.place("refused")
    entered_by, entered_at = trace.entered.columns()
    return {
        "people": len(np.unique(entered_by)),
        "entered": len(entered_by),
        "inside": len(going.walkers) + len(going.gone),
        "finishing": going.finishing,
        "left_out": going.left_out,
        "refused_entry": trace.refused,
        "put_off": trace.put_off,
        "sent": int(sent.sum()),
        "refused": int(refused.sum()),
        "days": _days(settings, zone, entered_at, at[sent], at[refused]),
        "busiest": _busiest(at[sent]),
        "hours": _hours(at[sent], zone),
        "steps": _steps(trace, world, words.texts),
        "acts": _acts(trace, settings, zone),
        "purposes": _purposes(mails, step, sent, refused, words.texts),
        "reasons": _counted(reason[refused], words.texts),
        "in_a_week": _in_a_week(person[sent], at[sent]),
        "ends": _ends(trace),
        "there": dict(Counter(one.step for one in trace.there)),
        "stuck": _stuck(trace, settings),
        "words": words.texts,
    }


def _counted(places: Array, texts: list[str]) -> dict[str, int]:
    found, counts = np.unique(places, return_counts=True)
    pairs = sorted(zip(counts.tolist(), found.tolist(), strict=True), reverse=True)
    return {texts[place]: count for count, place in pairs}


def _days(settings: Settings, zone: ZoneInfo, *moments: Array) -> list[list[Any]]:
    """[day, how many entered, mails sent, mails refused] of each day of the span."""
    starts = [settings.start, *midnights(settings, zone)]
    bounds = np.array([*(start.timestamp() for start in starts), settings.end.timestamp() + 1])
    counts = [np.histogram(some, bounds)[0].tolist() if len(some) else [0] * len(starts) for some in moments]
    days = [start.astimezone(zone).date().isoformat() for start in starts]
    return [list(row) for row in zip(days, *counts, strict=True)]


def _busiest(sent: Array) -> list[int] | None:
    """The hour (its first second since 1970) in which most mails leave, and how many."""
    if not len(sent):
        return None
    hours, counts = np.unique((sent // HOUR).astype(np.int64), return_counts=True)
    most = int(np.argmax(counts))
    return [int(hours[most]) * HOUR, int(counts[most])]


def _hours(sent: Array, zone: ZoneInfo) -> list[int]:
    """Mails by hour of the day."""
    hours, counts = np.unique((sent // HOUR).astype(np.int64), return_counts=True)
    found = [0] * 24
    for hour, count in zip(hours.tolist(), counts.tolist(), strict=True):
        found[datetime.fromtimestamp(hour * HOUR, UTC).astimezone(zone).hour] += count
    return found


def _steps(trace: Trace, world: World, texts: list[str]) -> dict[str, Any]:
    _, _, _, step, _, _, way, note, left = trace.visits.columns()
    _, mailed, _, outcome, _ = trace.mails.columns()
    there = Counter(one.step for one in trace.there)
    found: dict[str, Any] = {}
    for key in (course.prefix + key for course in world.courses for key in course.steps):
        place = trace.words.place(key)
        here = step == place
        ways = _counted(way[here], texts)
        passed = int(here.sum())
        gone = ways.pop("", 0)
        found[key] = {
            "arrived": passed + there[key],
            "passed": passed - gone,
            "there": there[key],
            "ways": ways,
            "notes": _counted(note[here], texts),
            "left": {reason: n for reason, n in _counted(left[here], texts).items() if reason},
            "mails": _counted(outcome[mailed == place], texts),
        }
    return found


def _acts(trace: Trace, settings: Settings, zone: ZoneInfo) -> dict[str, Any]:
    """Of each step that tells staff, calls, or has people enter another journey: how many came to what, and by day."""
    step, at, outcome = trace.acts.columns()
    texts = trace.words.texts
    return {
        texts[place]: {
            "outcomes": _counted(outcome[step == place], texts),
            "days": [row[1] for row in _days(settings, zone, at[step == place])],
        }
        for place in np.unique(step).tolist()
    }


def _purposes(mails: dict[str, Mailed], step: Array, sent: Array, refused: Array, texts: list[str]) -> list[list[Any]]:
    """[purpose, class, stream, sent, refused]."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for key, mail in mails.items():
        kind = (str(mail.message.purpose), str(mail.message.message_class), mail.stream)
        here = step == (texts.index(key) if key in texts else -1)
        counts = found.setdefault(kind, [0, 0])
        counts[0] += int((here & sent).sum())
        counts[1] += int((here & refused).sum())
    return [[*kind, *counts] for kind, counts in sorted(found.items())]


def _in_a_week(person: Array, at: Array) -> list[int]:
    """How many people get at most 0, 1, 2 … mails in any seven days: place n counts those whose most is n."""
    if not len(person):
        return []
    # Far enough between two people that no week reaches from one to the next.
    key = np.sort(person.astype(np.int64) * 10_000_000_000 + at.astype(np.int64))
    within = np.searchsorted(key, key + WEEK, "left") - np.arange(len(key))
    who = key // 10_000_000_000
    first = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1]]))
    found: list[int] = np.bincount(np.maximum.reduceat(within, first)).tolist()
    return found


def _ends(trace: Trace) -> dict[str, int]:
    """Why people left the journey, as often as they were on it."""
    left = trace.visits.columns()[-1]
    return {reason: count for reason, count in _counted(left, trace.words.texts).items() if reason}


def _stuck(trace: Trace, settings: Settings) -> list[list[Any]]:
    """[step, why, how many]: who waits for what does not come, by itself or at all."""
    late = settings.end.timestamp() + FAR
    found: Counter[tuple[str, str]] = Counter()
    for one in trace.there:
        if one.trouble:
            found[one.step, one.trouble] += 1
        elif one.due is None:
            found[one.step, "nothing"] += 1
        elif one.due.timestamp() > late:
            found[one.step, "far"] += 1
    return [[step, why, count] for (step, why), count in found.most_common()]
