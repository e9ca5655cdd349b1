"""A slow and obvious interpreter of journeys, to hold the engine and the simulator against.

Written from docs/workflows.md and the shape of definitions alone. It knows nothing of rows, wake-ups or batches: it
looks at every person, every time, one after the other, in plain Python and with a calendar of its own (wall.py).
Nothing of workflows.step, moments, entry or the engine is used here.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.workflows.wall import (
    DAY,
    SECOND,
    Json,
    after_span,
    around,
    day_of,
    in_year,
    midnight,
    moment_of,
    next_weekday,
    wall,
)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
#: Somebody who passed so many steps at one moment goes round in a circle.
MANY = 1_000


# -- people and what happens to them -----------------------------------------------------------------------------------


@dataclass
class Happened:
    """An event (`name`, `key`, `properties`), a change of the attribute `name` (`was`, `becomes`), or a `word` on a
    topic, a `look` at a segment, a `mailing` sent or read (`name`): those only let people in."""

    number: int
    kind: str
    name: str
    at: datetime
    key: str | None = None
    properties: Json = field(default_factory=dict)
    was: Any = None
    becomes: Any = None


@dataclass
class Read:
    """Something opened a mailing, or clicked its link of this number. `by`: human, machine, unknown."""

    mailing: str
    link: int | None
    at: datetime
    by: str


@dataclass
class Coming:
    """That somebody's date comes: for which key, the moment around it, and when the date begins and is over."""

    key: str
    moment: datetime
    begins: datetime
    over: datetime

    def too_late(self, now: datetime) -> bool:
        """What is to come before a date is of no use once that is over."""
        return self.moment < self.begins and self.over <= now


@dataclass
class Person:
    id: UUID
    zone: str
    values: Json = field(default_factory=dict)
    exists: bool = True
    happened: list[Happened] = field(default_factory=list)
    #: What they said: of a topic (None: of everything) that they want it, or not.
    words: list[tuple[str | None, bool]] = field(default_factory=list)
    #: What they did with mailings.
    reads: list[Read] = field(default_factory=list)
    #: Lists they are on.
    lists: set[str] = field(default_factory=set)

    def wants(self, topic: str | None) -> bool:
        """By their last word on it; a later yes to the topic outdoes the no to everything."""
        own = [n for n, (about, _) in enumerate(self.words) if about == topic]
        all_ = [n for n, (about, _) in enumerate(self.words) if about is None]
        if own and not self.words[own[-1]][1]:
            return False
        out = bool(all_) and not self.words[all_[-1]][1]
        return not out or (bool(own) and own[-1] > all_[-1])


@dataclass
class Passed:
    version: int
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
    #: Who opened (or clicked in) which mailing, as far as it was told.
    readers: set[tuple[UUID, str]] = field(default_factory=set)

    @property
    def live(self) -> Json:
        return self.versions[-1]


#: A mail or call: journey, person, sequence, visit.
Made = tuple[str, UUID, int, int]


class World:
    """Everything there is, and the rules by which people move through it."""

    def __init__(self, home: str, segments: dict[str, Json] | None = None) -> None:
        self.home = home
        #: Segments that find their people by a rule, and who was in one at the last look.
        self.segments = segments or {}
        self.looked_at: dict[str, set[UUID]] = {}
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
        #: How often what came to pass: not asked by anything here.
        self.seen: Counter[str] = Counter()

    # -- what is told --

    def happens(self, person: Person, kind: str, name: str, at: datetime, **more: Any) -> Happened:
        self.numbers += 1
        person.happened.append(Happened(self.numbers, kind, name, at, **more))
        return person.happened[-1]

    def told(self, person: Person, kind: str, name: str, at: datetime, asked: Json) -> None:
        """Something that lets people in, and is nothing to anybody who is in already."""
        happened = self.happens(person, kind, name, at)
        for journey in self.journeys.values():
            trigger = journey.live["trigger"]
            if at >= journey.began and all(trigger.get(part) == wanted for part, wanted in asked.items()):
                self.enter(journey, person, at, None, happened)

    def word(self, person: Person, topic: str | None, yes: bool, at: datetime, topics: list[str]) -> None:
        """They said that they want a topic (None: everything), or not. A no that stands is not said again."""
        if topic is None:
            last = [wants for about, wants in person.words if wants or about is None][-1:]
        else:
            last = [wants for about, wants in person.words if about == topic][-1:]
        if not yes and last == [False]:
            return
        person.words.append((topic, yes))
        if yes and topic is None:
            return  # that is a word on no topic
        for about in topics if topic is None else [topic]:
            change = "given" if yes else "withdrawn"
            self.told(person, "word", about, at, {"kind": "consent", "topic": about, "change": change})

    def sent(self, person: Person, mailing: str, at: datetime) -> None:
        self.told(person, "mailing", mailing, at, {"kind": "sent", "mailing": mailing})

    def look_at(self, segment: str, now: datetime) -> None:
        """Somebody looks who is in a segment; the first look tells nothing."""
        inside = {pk for pk, person in self.people.items() if person.exists and self.inside(segment, person)}
        before = self.looked_at.get(segment)
        self.looked_at[segment] = inside
        for pk, person in self.people.items():
            if before is not None and (pk in inside) != (pk in before):
                change = "enters" if pk in inside else "leaves"
                self.told(person, "look", segment, now, {"kind": "segment", "segment": segment, "change": change})

    def readers(self, journey: Journey, now: datetime) -> None:
        """Whoever first opened (or clicked in) a mailing, some seconds ago by now, enters as of then."""
        trigger = journey.live["trigger"]
        if trigger["kind"] != "engaged":
            return
        for person in self.people.values():
            for mailing in sorted({read.mailing for read in person.reads}):
                if trigger.get("mailing") not in (None, mailing) or (person.id, mailing) in journey.readers:
                    continue
                asked = [read for read in person.reads if read.mailing == mailing and self.by_hand(person, read)]
                if trigger["event"] == "clicked":
                    asked = [read for read in asked if read.link is not None]
                times = [read.at for read in asked if read.at <= now - 3 * SECOND]
                if times:
                    journey.readers.add((person.id, mailing))
                    happened = self.happens(person, "mailing", mailing, min(times))
                    if min(times) >= journey.began:
                        self.enter(journey, person, min(times), None, happened)

    def by_hand(self, person: Person, read: Read) -> bool:
        """A person did it: nobody visits two links within two seconds."""
        near = [
            other
            for other in person.reads
            if other.mailing == read.mailing and None not in (other.link, read.link) and other.link != read.link
            if abs(other.at - read.at) <= 2 * SECOND
        ]
        return read.by == "human" and not near

    def event(self, person: Person, name: str, at: datetime, key: str | None, properties: Json) -> None:
        happened = self.happens(person, "event", name, at, key=key, properties=properties)
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
        happened = self.happens(person, "change", attribute, at, was=was, becomes=value)
        for journey in self.journeys.values():
            trigger = journey.live["trigger"]
            if at < journey.began:
                continue
            if trigger["kind"] == "attribute" and trigger["attribute"] == attribute and _fits(trigger, happened):
                self.enter(journey, person, at, None, happened)
            late = trigger["kind"] == "date" and trigger.get("late") == "enter"
            if late and trigger["moment"]["attribute"] == attribute:
                for coming in self.comings(trigger, person, at):
                    if coming.moment <= at < coming.over:
                        self.enter(journey, person, at, coming.key, None)
                        break

    # -- dates that let people in --

    def comings(self, trigger: Json, person: Person, now: datetime) -> list[Coming]:
        """When somebody's date comes: once; or every year, from its first on (the years around now will do)."""
        attribute = trigger["moment"]["attribute"]
        value = person.values.get(attribute)
        if not isinstance(value, str):
            return []
        first = day_of(value, person.zone)
        days = {f"{attribute}={value}": value}
        if trigger.get("yearly"):
            years = range(max(first.year, now.year - 1), now.year + 2)
            days = {f"{attribute}={value} in {year}": self.in_year(value, year, person.zone) for year in years}
        found = []
        for key, day in days.items():
            wanted = around(day, trigger["moment"], person.zone)
            assert wanted is not None
            begins = over = datetime.fromisoformat(day)
            if len(day) == 10:
                begins = moment_of(midnight(date.fromisoformat(day)), person.zone)
                over = moment_of(midnight(date.fromisoformat(day) + DAY), person.zone)
            found.append(Coming(key, wanted, begins, over))
        return found

    def in_year(self, value: str, year: int, zone: str) -> str:
        """A date in that year; of a date with a time, that time of that day there."""
        day = in_year(day_of(value, zone), year)
        if len(value) == 10:
            return day.isoformat()
        shown = wall(datetime.fromisoformat(value), zone)
        return moment_of(datetime.combine(day, shown.time()), zone).isoformat()

    def moved_zone(self, person: Person, zone: str, now: datetime) -> None:
        """Whose moment was still to come, and has passed where they are now, enters."""
        dated = [one for one in self.journeys.values() if one.live["trigger"]["kind"] == "date"]
        before = {journey.name: self.comings(journey.live["trigger"], person, now) for journey in dated}
        person.zone = zone
        for journey in dated:
            was = {coming.key: coming.moment for coming in before[journey.name]}
            for coming in self.comings(journey.live["trigger"], person, now):
                if coming.moment <= now < was.get(coming.key, now) and not coming.too_late(now):
                    self.enter_by_date(journey, person, now, coming.key)

    def move_home(self, zone: str, now: datetime) -> None:
        """The organization moves; so does whoever is not known to be elsewhere."""
        self.home = zone
        for person in self.people.values():
            if person.exists and not person.values.get("time_zone"):
                self.moved_zone(person, zone, now)

    def dates(self, journey: Journey, now: datetime) -> None:
        """Whose moment came since the last look enters as of that moment."""
        trigger = journey.live["trigger"]
        if trigger["kind"] != "date" or journey.looked >= now:
            return
        for person in self.people.values():
            for coming in self.comings(trigger, person, now) if person.exists else ():
                if journey.looked < coming.moment <= now and not coming.too_late(now):
                    self.enter_by_date(journey, person, coming.moment, coming.key)
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
        by = "hand" if cause is None and key is None else definition["trigger"]["kind"]
        if definition.get("only") is not None and not self.holds(definition["only"], person):
            self.seen["kept out: only"] += 1
            return False
        before = [stay for stay in journey.stays if stay.person is person]
        rule = definition.get("reentry", {"kind": "never"})
        if before:
            may = self.again(rule, before, at, key)
            self.seen[f"{'again' if may else 'not again'}: {rule['kind']}"] += 1
            if not may:
                return False
        self.seen[f"in by: {by}"] += 1
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
            self.readers(journey, now)
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
        self.seen[f"{definition['steps'][stay.step]['kind']}: {way or 'left'}, {note}"] += 1
        if left:
            self.leave(stay, left, now)
            return True
        stay.passed.append(Passed(stay.version, stay.visit, stay.step, stay.since, now, way, note))
        stay.waiting = False
        self.go_on(stay, way, now)
        return True

    def go_on(self, stay: Stay, way: str, now: datetime) -> None:
        exits = self.definition(stay)["steps"][stay.step].get("exits", {})
        if way in ("refused", "past") and way not in exits:
            way = "next"
        target = exits.get(way)
        if target is None:
            stay.left = "end"
        else:
            stay.step, stay.visit, stay.since = target, stay.visit + 1, now

    def leave(self, stay: Stay, why: str, now: datetime) -> None:
        """They leave where they are, and so does no mail of theirs that is still here."""
        self.take_back(stay)
        stay.passed.append(Passed(stay.version, stay.visit, stay.step, stay.since, now, "", why))
        stay.left, stay.attention, stay.waiting = why, "", False

    def take_back(self, stay: Stay) -> None:
        kind = self.definition(stay)["steps"][stay.step]["kind"]
        if stay.waiting and kind == "mail" and self.made(stay) not in self.outcomes:
            self.outcomes[self.made(stay)] = "cancelled"

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
                return "unsubscribed" if not all(stay.person.wants(topic) for topic in topics) else ""
            case "event":
                since = self.since_entered(stay, "event", rule["event"], rule.get("same_key", True))
                return "event" if since else ""
            case "goal":
                return "goal" if self.holds(rule["rule"], stay.person) else ""
            case "segment_left":
                return "" if self.inside(rule["segment"], stay.person) else "segment_left"
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

    def inside(self, segment: str, person: Person) -> bool:
        """By its rule, or because they are on the list."""
        rule = self.segments.get(segment)
        return self.holds(rule, person) if rule is not None else segment in person.lists

    def holds(self, rule: Json, person: Person) -> bool:
        return self._clause(rule["root"], person)

    def _clause(self, clause: Json, person: Person) -> bool:
        for match_, all_of in (("all", all), ("any", any), ("none", lambda found: not any(found))):
            if match_ in clause:
                return all_of([self._clause(one, person) for one in clause[match_]])
        if "segment" in clause:
            return self.inside(clause["segment"], person) == (clause["op"] == "in")
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
            self.take_back(stay)
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
                self.leave(stay, "moved", now)
                continue
            new = definition["steps"][to]["kind"]
            if old != new:
                self.take_back(stay)
            stay.waiting = stay.waiting and old == new and new in ("mail", "webhook")
            stay.version, stay.step, stay.attention = len(journey.versions) - 1, to, ""

    def remove(self, journey: Journey, person: Person, now: datetime) -> None:
        for stay in journey.stays:
            if stay.person is person and not stay.left:
                self.leave(stay, "removed", now)

    def stop(self, journey: Journey, now: datetime) -> None:
        """Nobody enters any more, and whoever is inside leaves."""
        journey.stopped = True
        for stay in journey.stays:
            if not stay.left:
                self.leave(stay, "stopped", now)

    def retry(self, journey: Journey) -> None:
        """Whoever needs attention is tried again, and so is their call."""
        for stay in journey.stays:
            if stay.attention:
                stay.attention = ""
                self.calls.pop(self.made(stay), None)

    def pass_over(self, journey: Journey, now: datetime) -> None:
        """Whoever needs attention goes on as if the step had come to nothing."""
        for stay in journey.stays:
            if stay.attention:
                stay.passed.append(Passed(stay.version, stay.visit, stay.step, stay.since, now, "next", "skipped"))
                stay.attention, stay.waiting = "", False
                self.go_on(stay, "next", now)


def _fits(asked: Json, one: Happened) -> bool:
    """From one of these values to one of those; none named: whatever."""
    was, becomes = asked.get("was", []), asked.get("becomes", [])
    return (not was or one.was in was) and (not becomes or one.becomes in becomes)
