"""A slow and obvious interpreter of journeys, to hold the engine and the simulator against.

Written from docs/workflows.md and the shape of definitions alone. It knows nothing of rows, wake-ups or batches: it
looks at every person, every time, one after the other, in plain Python and with a calendar of its own. Nothing of
workflows.step, moments, entry or the engine is used here.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

Json = dict[str, Any]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: Somebody who passed so many steps at one moment goes round in a circle.
MANY = 1_000


# -- a calendar of its own -------------------------------------------------------------------------------------------
# Wall clocks are naive datetimes; offsets are asked of the zone, and everything else is adding and comparing.


def offset(moment: datetime, zone: str) -> timedelta:
    found = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


def wall(moment: datetime, zone: str) -> datetime:
    """What the clock on the wall there shows."""
    return moment.replace(tzinfo=None) + offset(moment, zone)


def moment_of(shown: datetime, zone: str) -> datetime:
    """When the clock there shows this: the first time, where it does so twice. Where the clocks leave it out: when it
    would have been, had they not been changed."""
    near = shown.replace(tzinfo=UTC)
    offsets = {offset(near + n * timedelta(hours=6), zone) for n in range(-8, 9)}
    times = sorted(near - one for one in offsets if wall(near - one, zone) == shown)
    if times:
        return times[0]
    before = offset(near - 2 * DAY, zone)
    return near - before


def plus_days(moment: datetime, days: int, zone: str) -> datetime:
    """The same time on the wall so many days later."""
    return moment_of(wall(moment, zone) + days * DAY, zone) if days else moment


def after_span(moment: datetime, span: Json, zone: str) -> datetime:
    days = span.get("weeks", 0) * 7 + span.get("days", 0)
    return plus_days(moment, days, zone) + (span.get("hours", 0) * 60 + span.get("minutes", 0)) * MINUTE


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def at_time(day: date, text: str) -> datetime:
    return midnight(day) + int(text[:2]) * 60 * MINUTE + int(text[3:]) * MINUTE


def around(value: object, moment: Json, zone: str) -> datetime | None:
    """The moment that is asked for around a stored date ("2026-03-08") or moment ("2026-03-08T14:00:00Z")."""
    if not isinstance(value, str):
        return None
    if len(value) == 10:
        own, day = None, date.fromisoformat(value)
    else:
        own = datetime.fromisoformat(value)
        day = wall(own, zone).date()
    days, minutes = moment.get("days", 0), moment.get("minutes", 0)
    if moment.get("at"):
        return moment_of(at_time(day + days * DAY, moment["at"]), zone)
    start = own if own is not None else moment_of(midnight(day), zone)
    return plus_days(start, days, zone) + minutes * MINUTE


def next_weekday(moment: datetime, weekdays: list[int], text: str, zone: str) -> datetime:
    """The first such weekday and time there that is later."""
    day = wall(moment, zone).date()
    while True:
        found = moment_of(at_time(day, text), zone)
        if found > moment and (not weekdays or day.weekday() in weekdays):
            return found
        day += DAY


# -- people and what happens to them -----------------------------------------------------------------------------------


@dataclass
class Happened:
    """An event (`name`, `key`, `properties`), or a change of the attribute `name` (`was`, `becomes`)."""

    number: int
    kind: str
    name: str
    at: datetime
    key: str | None = None
    properties: Json = field(default_factory=dict)
    was: Any = None
    becomes: Any = None


@dataclass
class Person:
    id: UUID
    zone: str
    values: Json = field(default_factory=dict)
    exists: bool = True
    happened: list[Happened] = field(default_factory=list)
    #: Topics they are out of by their own word, and whether they are out of everything.
    out: set[str] = field(default_factory=set)
    out_of_all: bool = False
    #: Topics they asked for again since they left everything.
    back_in: set[str] = field(default_factory=set)
    #: Lists they are on.
    lists: set[str] = field(default_factory=set)


@dataclass
class Passed:
    visit: int
    step: str
    arrived_at: datetime
    at: datetime
    way: str
    note: str


@dataclass
class Stay:
    """One person once on one journey."""

    person: Person
    journey: "Journey"
    version: int
    sequence: int
    step: str
    since: datetime
    entered_at: datetime
    key: str | None = None
    #: What let them in.
    cause: Happened | None = None
    visit: int = 0
    #: Their mail, or call, of this visit is on its way.
    waiting: bool = False
    overdue: bool = False
    left: str = ""
    attention: str = ""
    passed: list[Passed] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return not self.left and not self.attention


@dataclass
class Journey:
    name: str
    versions: list[Json] = field(default_factory=list)
    paused: bool = False
    stopped: bool = False
    #: When its first version went live: what is dated before lets nobody in.
    began: datetime = LONG_AGO
    #: Up to when moments around people's dates have been looked for.
    looked: datetime = LONG_AGO
    stays: list[Stay] = field(default_factory=list)

    @property
    def live(self) -> Json:
        return self.versions[-1]


#: A mail or call: journey, person, sequence, visit.
Made = tuple[str, UUID, int, int]


class World:
    """Everything there is, and the rules by which people move through it."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.people: dict[UUID, Person] = {}
        self.journeys: dict[str, Journey] = {}
        #: The same, as definitions name them.
        self.by_id: dict[str, Journey] = {}
        #: What became of mails, and which were opened or clicked by their readers.
        self.outcomes: dict[Made, str] = {}
        self.opened: set[Made] = set()
        self.clicked: set[Made] = set()
        self.calls: dict[Made, str] = {}
        self.numbers = 0

    # -- what is told --

    def event(self, person: Person, name: str, at: datetime, key: str | None, properties: Json) -> None:
        self.numbers += 1
        happened = Happened(self.numbers, "event", name, at, key, properties)
        person.happened.append(happened)
        for journey in self.journeys.values():
            trigger = journey.live["trigger"]
            if trigger["kind"] != "event" or trigger["event"] != name or at < journey.began:
                continue
            asked = trigger.get("where", [])
            if all(properties.get(one["property"]) in one["values"] for one in asked):
                self.enter(journey, person, at, key, happened)

    def change(self, person: Person, attribute: str, value: Any, at: datetime) -> None:
        was = person.values.get(attribute)
        if was == value:
            return
        person.values[attribute] = value
        if attribute == "time_zone":
            self.moved_zone(person, value or self.home, at)
        self.numbers += 1
        happened = Happened(self.numbers, "change", attribute, at, was=was, becomes=value)
        person.happened.append(happened)
        for journey in self.journeys.values():
            trigger = journey.live["trigger"]
            if trigger["kind"] == "attribute" and trigger["attribute"] == attribute and _fits(trigger, happened):
                self.enter(journey, person, at, None, happened)
            late = trigger["kind"] == "date" and trigger.get("late") == "enter"
            if late and trigger["moment"]["attribute"] == attribute and self.passed(trigger, person, at):
                self.enter(journey, person, at, f"{attribute}={value}", None)

    # -- dates that let people in --

    def moment(self, trigger: Json, person: Person) -> tuple[str, datetime, datetime] | None:
        """The key of somebody's date, the moment around it, and when the date is over."""
        attribute = trigger["moment"]["attribute"]
        value = person.values.get(attribute)
        wanted = around(value, trigger["moment"], person.zone)
        if wanted is None:
            return None
        if len(value) == 10:
            over = moment_of(midnight(date.fromisoformat(value) + DAY), person.zone)
        else:
            over = datetime.fromisoformat(value)
        return f"{attribute}={value}", wanted, over

    def passed(self, trigger: Json, person: Person, now: datetime) -> bool:
        """Whether the moment has passed and the date has not."""
        found = self.moment(trigger, person)
        return found is not None and found[1] <= now < found[2]

    def moved_zone(self, person: Person, zone: str, now: datetime) -> None:
        """Whose moment was still to come, and has passed where they are now, enters."""
        dated = [one for one in self.journeys.values() if one.live["trigger"]["kind"] == "date"]
        before = {journey.name: self.moment(journey.live["trigger"], person) for journey in dated}
        person.zone = zone
        for journey in dated:
            was, is_ = before[journey.name], self.moment(journey.live["trigger"], person)
            if was and is_ and is_[1] <= now < was[1] and not is_[1] < is_[2] <= now:
                self.enter_by_date(journey, person, now, is_[0])

    def dates(self, journey: Journey, now: datetime) -> None:
        """Whose moment came since the last look enters as of that moment; what is to come before a date is of no use
        once that is over."""
        trigger = journey.live["trigger"]
        if trigger["kind"] != "date" or journey.looked >= now:
            return
        for person in self.people.values():
            found = self.moment(trigger, person) if person.exists else None
            if found and journey.looked < found[1] <= now and not found[1] < found[2] <= now:
                self.enter_by_date(journey, person, found[1], found[0])
        journey.looked = now

    def enter_by_date(self, journey: Journey, person: Person, at: datetime, key: str) -> None:
        """Where clocks are behind the same moment comes once more, up to 26 hours later; for nobody twice."""
        soon = [stay for stay in journey.stays if stay.person is person and stay.key == key]
        if not any(stay.entered_at > at - timedelta(hours=26) for stay in soon):
            self.enter(journey, person, at, key, None)

    # -- who comes in --

    def enter(self, journey: Journey, person: Person, at: datetime, key: str | None, cause: Happened | None) -> bool:
        if journey.stopped or not person.exists:
            return False
        definition = journey.live
        if definition.get("only") is not None and not self.holds(definition["only"], person):
            return False
        before = [stay for stay in journey.stays if stay.person is person]
        if before and not self.again(definition.get("reentry", {"kind": "never"}), before, at, key):
            return False
        place = len(journey.versions) - 1
        stay = Stay(person, journey, place, len(before) + 1, definition["start"], at, at, key, cause)
        journey.stays.append(stay)
        return True

    def again(self, rule: Json, before: list[Stay], at: datetime, key: str | None) -> bool:
        """Whether somebody may enter who was here before."""
        out = all(stay.left for stay in before)
        match rule["kind"]:
            case "after_leaving":
                return out
            case "after_days":
                return out and at >= max(stay.entered_at for stay in before) + rule["days"] * DAY
            case "per_key":
                return all(stay.key != key for stay in before)
        return False

    # -- what becomes of them --

    def tick(self, now: datetime) -> None:
        """Look at everybody until nobody moves any more."""
        for journey in self.journeys.values():
            self.dates(journey, now)
        moved = True
        while moved:
            moved = False
            for journey in list(self.journeys.values()):
                for stay in list(journey.stays):
                    if not journey.paused and not stay.left:
                        moved = self.walk(stay, now) or moved

    def walk(self, stay: Stay, now: datetime) -> bool:
        """As far as somebody comes now; whether they did."""
        for n in range(MANY):
            if stay.left or not self.look(stay, now):
                return n > 0
        round_ = [(one.step, one.way) for one in stay.passed[-6:]]
        raise AssertionError(f"Somebody goes round in a circle at one moment: {round_} in {self.definition(stay)}")

    def look(self, stay: Stay, now: datetime) -> bool:
        """One look at one person at one step; whether they moved."""
        decided = self.decided(stay, now)
        if decided is None:
            return False
        way, note, left = decided
        definition = self.definition(stay)
        stay.passed.append(Passed(stay.visit, stay.step, stay.since, now, way, note))
        stay.waiting = False
        if left:
            stay.left, stay.attention = left, ""
            return True
        exits = definition["steps"][stay.step].get("exits", {})
        if way in ("refused", "past") and way not in exits:
            way = "next"
        target = exits.get(way)
        if target is None:
            stay.left = "end"
        else:
            stay.step, stay.visit, stay.since = target, stay.visit + 1, now
        return True

    def definition(self, stay: Stay) -> Json:
        return stay.journey.versions[stay.version]

    def decided(self, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        """(way, note, why they left) of somebody who moves now; None: they stay."""
        if not stay.person.exists:
            return "", "deleted", "deleted"
        for rule in self.definition(stay).get("exits", [{"kind": "unsubscribed"}]):
            if why := self.exits(rule, stay):
                return "", why, why
        if stay.attention:
            return None
        node = self.definition(stay)["steps"][stay.step]
        return getattr(self, f"at_{node['kind']}")(node, stay, now)

    def exits(self, rule: Json, stay: Stay) -> str:
        match rule["kind"]:
            case "unsubscribed":
                steps = self.definition(stay)["steps"].values()
                topics = {node.get("topic") for node in steps if node["kind"] == "mail"} or {None}
                who = stay.person
                out = any(topic in who.out or (who.out_of_all and topic not in who.back_in) for topic in topics)
                return "unsubscribed" if out else ""
            case "event":
                since = self.since_entered(stay, "event", rule["event"], rule.get("same_key", True))
                return "event" if since else ""
            case "goal":
                return "goal" if self.holds(rule["rule"], stay.person) else ""
            case "segment_left":
                raise NotImplementedError
        raise AssertionError(rule)

    def since_entered(self, stay: Stay, kind: str, name: str, same_key: bool) -> list[Happened]:
        """What happened to them since they entered, and for what they are here; never what let them in. Of what came
        after the event that let them in it does not matter how its sender dates it."""
        return [
            one
            for one in stay.person.happened
            if one.kind == kind and one.name == name and one is not stay.cause
            if one.at >= stay.entered_at or (kind == "event" and stay.cause and one.number > stay.cause.number)
            if not same_key or stay.key is None or one.key == stay.key
        ]

    def made(self, stay: Stay, visit: int | None = None) -> Made:
        return stay.journey.name, stay.person.id, stay.sequence, stay.visit if visit is None else visit

    def at_mail(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        if not stay.waiting:
            if stay.overdue:
                return "next", "skipped", ""
            stay.waiting = True
        outcome = self.outcomes.get(self.made(stay))
        if outcome is None:
            return None
        return ("next" if outcome in ("sent", "unknown") else "refused"), outcome, ""

    def at_wait(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        return self.until(stay, after_span(stay.since, node.get("span", {}), stay.person.zone), now)

    def until(self, stay: Stay, moment: datetime, now: datetime) -> tuple[str, str, str] | None:
        if moment <= now:
            return "next", "waited", ""
        stay.overdue = False
        return None

    def at_wait_until(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        moment = node["moment"]
        if moment.get("property"):
            value = stay.cause.properties.get(moment["property"]) if stay.cause else None
        else:
            value = stay.person.values.get(moment["attribute"])
        wanted = around(value, moment, stay.person.zone)
        if wanted is None:
            return "past", "no_date", ""
        if wanted <= stay.since:
            return "past", "past", ""
        return self.until(stay, wanted, now)

    def at_wait_weekday(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        at = node.get("at", "10:00")
        return self.until(stay, next_weekday(stay.since, node.get("weekdays", []), at, stay.person.zone), now)

    def at_wait_event(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        kind, name = ("change", node["attribute"]) if node.get("attribute") else ("event", node["event"])
        found = self.since_entered(stay, kind, name, kind == "event" and node.get("same_key", True))
        if node.get("since") == "here":
            same_key = kind == "event" and node.get("same_key", True)
            found = [
                one
                for one in stay.person.happened
                if one.kind == kind and one.name == name and one is not stay.cause and one.at > stay.since
                if not same_key or stay.key is None or one.key == stay.key
            ]
        if any(_fits(node, one) for one in found):
            return "happened", "happened", ""
        if after_span(stay.since, node.get("timeout", {"days": 1}), stay.person.zone) <= now:
            return "timeout", "timeout", ""
        stay.overdue = False
        return None

    def at_branch(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        for place, case in enumerate(node["cases"], 1):
            if self.holds(case["rule"], stay.person):
                return str(place), "chosen", ""
        return "else", "chosen", ""

    def at_branch_mail(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        visits = [passed.visit for passed in stay.passed if passed.step == node["mail"]]
        mail = self.made(stay, visits[-1]) if visits else None
        outcome = self.outcomes.get(mail) if mail else None
        was = {outcome} | ({"sent"} if outcome == "unknown" else set())
        if outcome is not None and mail in self.clicked:
            was |= {"clicked", "opened"}
        if outcome is not None and mail in self.opened:
            was.add("opened")
        return next((case for case in node.get("cases", ["clicked"]) if case in was), "else"), "chosen", ""

    def at_split(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        """The first eight bytes of BLAKE2b over the person's id, the step and the lot, as a share of a hundred."""
        said = stay.person.id.bytes + f"{stay.step}:{node.get('seed', 0)}".encode()
        drawn = 100 * int(hashlib.blake2b(said, digest_size=8).hexdigest(), 16) / 2**64
        reached, place = 0.0, 0
        while place < len(node["shares"]) and drawn >= reached:
            reached += node["shares"][place]["percent"]
            place += 1
        return str(place), "chosen", ""

    def at_set_attribute(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        value = node.get("value")
        if node.get("property"):
            value = stay.cause.properties.get(node["property"]) if stay.cause else None
        self.change(stay.person, node["attribute"], value, now)
        return "next", "done", ""

    def at_list(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        if node.get("change", "add") == "add":
            stay.person.lists.add(node["segment"])
        else:
            stay.person.lists.discard(node["segment"])
        return "next", "done", ""

    def at_tell(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        return "next", "done", ""

    def at_enter(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        self.enter(self.by_id[node["workflow"]], stay.person, now, stay.key, stay.cause)
        return "next", "done", ""

    def at_webhook(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str] | None:
        stay.waiting = True
        match self.calls.get(self.made(stay)):
            case "done":
                return "next", "done", ""
            case "failed":
                if node.get("exits", {}).get("failed"):
                    return "failed", "failed", ""
                stay.attention = "call_failed"
        return None

    def at_goal(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        return ("", "goal", "goal") if self.holds(node["rule"], stay.person) else ("next", "chosen", "")

    def at_end(self, node: Json, stay: Stay, now: datetime) -> tuple[str, str, str]:
        return "", "end", "end"

    # -- rules --

    def holds(self, rule: Json, person: Person) -> bool:
        return self._clause(rule["root"], person)

    def _clause(self, clause: Json, person: Person) -> bool:
        for match_, all_of in (("all", all), ("any", any), ("none", lambda found: not any(found))):
            if match_ in clause:
                return all_of([self._clause(one, person) for one in clause[match_]])
        if "segment" in clause:
            return (clause["segment"] in person.lists) == (clause["op"] == "in")
        value = person.values.get(clause["attribute"])
        match clause["op"]:
            case "is":
                return value == clause["value"]
            case "is_empty":
                return value is None
            case "is_not_empty":
                return value is not None
        raise AssertionError(clause)

    # -- what staff do --

    def resume(self, journey: Journey, how: str, now: datetime) -> None:
        """Skip: whoever would go on at once, or waits for the end of a mail or call, is overdue; unsent mail is taken
        back."""
        journey.paused = False
        if how != "skip":
            return
        for stay in journey.stays:
            if not stay.active:
                continue
            kind = self.definition(stay)["steps"][stay.step]["kind"]
            if stay.waiting and kind == "mail" and self.made(stay) not in self.outcomes:
                self.outcomes[self.made(stay)] = "cancelled"
            # Whoever stays at a wait is told so at the next look.
            stay.overdue = True

    def move(self, journey: Journey, definition: Json, plan: dict[int, dict[str, str | None]], now: datetime) -> None:
        """A new version. By older version and step where people are moved to; None: they leave; absent: they stay."""
        journey.versions.append(definition)
        for stay in journey.stays:
            steps = plan.get(stay.version, {})
            if stay.left or stay.step not in steps:
                continue
            to, old = steps[stay.step], self.definition(stay)["steps"][stay.step]["kind"]
            if to is None:
                stay.passed.append(Passed(stay.visit, stay.step, stay.since, now, "", "moved"))
                stay.left, stay.attention = "moved", ""
                continue
            new = definition["steps"][to]["kind"]
            stay.waiting = stay.waiting and old == new and new in ("mail", "webhook")
            stay.version, stay.step, stay.attention = len(journey.versions) - 1, to, ""


def _fits(asked: Json, one: Happened) -> bool:
    """From one of these values to one of those; none named: whatever."""
    was, becomes = asked.get("was", []), asked.get("becomes", [])
    return (not was or one.was in was) and (not becomes or one.becomes in becomes)
