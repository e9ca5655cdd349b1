"""What becomes of people who are moved to another version, by group: foretold (versions.foretelling), and read from
what the engine wrote. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from workflows.language.definition import ChangeList, Definition, Enter, Mail, SetAttribute, Tell, Webhook

#: An end that is not a step: "left:goal".
LEFT = "left:"
#: An end that is not a step: this person's step fails and they need attention.
TROUBLE = "trouble"
#: Steps that do something when somebody goes by them.
_ACTS = (SetAttribute, ChangeList, Tell, Enter)


class Group(NamedTuple):
    """Who is moved alike. `to` "": leaves."""

    version: UUID
    step: str
    to: str


class Fate(msgspec.Struct):
    """What becomes of one group at once: where each of them stops, which mails leave for it, and which other steps do
    something on the way."""

    version: UUID
    step: str
    to: str
    people: int = 0
    ends: dict[str, int] = {}
    mails: dict[str, int] = {}
    acts: dict[str, int] = {}


class Stop(NamedTuple):
    end: str
    #: The mail step that writes to them, where they stop for that.
    mail: str = ""
    #: The other steps that did something for them, up to there.
    acts: tuple[str, ...] = ()


def fold(groups: Iterable[tuple[Group, Stop]]) -> list[Fate]:
    """Counts by group, in a fixed order."""
    fates: dict[Group, Fate] = {}
    for group, stop in groups:
        fate = fates.setdefault(group, Fate(*group))
        fate.people += 1
        fate.ends[stop.end] = fate.ends.get(stop.end, 0) + 1
        if stop.mail:
            fate.mails[stop.mail] = fate.mails.get(stop.mail, 0) + 1
        for act in stop.acts:
            fate.acts[act] = fate.acts.get(act, 0) + 1
    return [fates[group] for group in sorted(fates, key=str)]


def merge(some: Iterable[Fate], more: Iterable[Fate]) -> list[Fate]:
    """The sums of two countings of different people."""
    found: dict[Group, Fate] = {}
    for fate in [*some, *more]:
        group = Group(fate.version, fate.step, fate.to)
        sum_ = found.setdefault(group, Fate(*group))
        sum_.people += fate.people
        sum_.ends = dict(Counter(sum_.ends) + Counter(fate.ends))
        sum_.mails = dict(Counter(sum_.mails) + Counter(fate.mails))
        sum_.acts = dict(Counter(sum_.acts) + Counter(fate.acts))
    return [found[group] for group in sorted(found, key=str)]


class Track(NamedTuple):
    """A moved person as the rows tell. `passed`: of each visit since: step, moment, made thing, way."""

    passed: Sequence[tuple[str, datetime, UUID | None, str]]
    awaited: bool
    step: str
    status: str
    left_because: str
    awaits: UUID | None
    trouble: str


def followed(definition: Definition, track: Track) -> Stop:
    """Where the engine's first look at somebody after the move ended. What a mail's outcome brought later is not it."""
    first: datetime | None = None
    awaited = track.awaited
    did: list[str] = []
    for step, at, made, way in track.passed:
        if first is not None and at != first:  # went on from here later, so the first look stopped here
            return stopped(definition, step, made is not None and not awaited, did)
        if made is not None and not awaited and isinstance(definition.steps.get(step), Mail | Webhook):
            return stopped(definition, step, True, did)
        did += acted(definition, [(step, way)])
        first, awaited = at, False
    if track.status == "left":
        return Stop(f"{LEFT}{track.left_because}", "", tuple(did))
    if track.trouble:
        return Stop(TROUBLE, "", tuple(did))
    return stopped(definition, track.step, track.awaits is not None and not awaited, did)


def acted(definition: Definition, passed: Iterable[tuple[str, str]]) -> list[str]:
    """Of these steps and the ways they were left by those that did something."""
    return [step for step, way in passed if way and isinstance(definition.steps.get(step), _ACTS)]


def stopped(definition: Definition, step: str, begins: bool, did: Iterable[str]) -> Stop:
    """Somebody stops here; `begins`: the step has just begun what they wait for."""
    kind = definition.steps.get(step)
    calls = (step,) if begins and isinstance(kind, Webhook) else ()
    return Stop(step, step if begins and isinstance(kind, Mail) else "", (*did, *calls))


def to_json(fates: Iterable[Fate]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.to_builtins(list(fates))
    return found


def from_json(raw: Any) -> list[Fate]:
    return msgspec.convert(raw, list[Fate])
