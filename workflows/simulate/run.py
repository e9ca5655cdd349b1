"""Real people through the real step function on a virtual clock. Pure: every fact is given, nothing is sent or written.

Whoever is due is looked at in order of time, as the engine would: facts as they are then, `step.decide`, `step.moved`,
the step's own act on what is remembered of the person here, and on until they wait or have left. Mails are answered by
the gate at once, or when it says.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from delivery.gate import Verdict
from workflows import fits
from workflows.definition import (
    Branch,
    BranchMail,
    ChangeList,
    Definition,
    EventExit,
    Goal,
    Mail,
    SegmentLeft,
    SetAttribute,
    Unsubscribed,
    WaitEvent,
    WaitUntil,
    Webhook,
)
from workflows.entry import Before, Refusal, may_enter
from workflows.simulate import gate
from workflows.simulate.assumptions import Settings, befalls, drawn, read_after
from workflows.simulate.entries import Entering, midnights
from workflows.simulate.history import Occurred, awaited
from workflows.simulate.rules import Asked, Changed
from workflows.simulate.trace import Mailing, There, Trace, Visit
from workflows.simulate.walkers import Letter, Walker
from workflows.simulate.world import World
from workflows.step import Effect, Facts, Passed, Place, decide, moved

#: Whoever passes so many steps at one moment goes round in a circle.
ROUNDS = 100


class Run:
    def __init__(self, definition: Definition, world: World, settings: Settings) -> None:
        self.definition, self.world, self.settings = definition, world, settings
        self.assumptions = settings.assumptions
        self.steps = definition.steps
        self.trace = Trace()
        self.queue: list[tuple[datetime, int, Callable[..., None], Any]] = []
        self.ticket = 0
        self.walkers: defaultdict[int, list[Walker]] = defaultdict(list)
        self.times: dict[int, list[Before]] = {}
        self.changed: dict[int, Changed] = {}
        self.recent: defaultdict[int, list[datetime]] = defaultdict(list)
        self.awaited = awaited(definition)
        self._prepare()

    def _prepare(self) -> None:
        """Which answers of rules the journey itself can change."""
        steps = self.steps.values()
        keys = {step.attribute for step in steps if isinstance(step, SetAttribute)}
        lists = {step.segment for step in steps if isinstance(step, ChangeList) and step.segment}
        about = {"mailed": bool(self.world.mails), "unsubscribed": self.assumptions.unsubscribes > 0}
        world = self.world
        rules = [*(r for some in world.cases.values() for r in some), *(r for r in world.exits if r)]
        rules += [world.only] if world.only else []
        self.moving = {rule for rule in rules if rule.moves(keys, lists, **about)}
        self.leaving = [rule for rule in world.exits if rule is not None]
        #: Opens and clicks make somebody leave at once.
        self.listens = any(rule in self.moving for rule in self.leaving)

    # -- time -----------------------------------------------------------------------------------------------------

    def at(self, moment: datetime, act: Callable[..., None], about: Any = None) -> None:
        if moment < self.settings.end:
            self.ticket += 1
            heapq.heappush(self.queue, (moment, self.ticket, act, about))

    def all(self, entering: Iterable[tuple[int, Entering]], tick: Callable[[int], None]) -> Trace:
        """`entering`: rows and what lets them in; `tick` hears of each virtual day that begins."""
        for row, entry in entering:
            self.at(entry.at, self._enter, (row, entry))
        for row, some in self.world.history.occurred.items():
            for one in some:
                self.at(one.at, self._news, row)
        for day in range(self.settings.days):
            self.at(self.settings.start + timedelta(days=day), lambda _, day: tick(day), day)
        zones = self.world.people.everywhere if any(r.by_zone for r in self.leaving) else [self.world.people.zone]
        if any(rule.by_day for rule in self.leaving):
            for moment in {at for zone in zones for at in midnights(self.settings, zone)}:
                self.at(moment, self._new_day)
        while self.queue:
            now, _, act, about = heapq.heappop(self.queue)
            act(now, about)
        for some_walkers in self.walkers.values():
            for w in some_walkers:
                if w.place.step is not None:
                    place = w.place
                    there = There(w.row, w.sequence, place.visit, str(place.step), place.since, w.due, w.trouble)
                    self.trace.there.append(there)
        return self.trace

    def _enter(self, now: datetime, about: tuple[int, Entering]) -> None:
        row, entry = about
        before = self._before(row)
        refusal = may_enter(self.definition.reentry, before, entry.key, now)
        if refusal is None and self.world.only is not None and not self._holds(self.world.only, row, now):
            refusal = Refusal.NOT_AMONG
        if refusal is not None:
            self.trace.refused[refusal] = self.trace.refused.get(refusal, 0) + 1
            return
        place = Place(self.world.people.ids[row], self.definition.start, 0, now, now, now)
        w = Walker(row, len(before) + 1, entry, place)
        self.walkers[row].append(w)
        self.trace.entered.append(row, now.timestamp())
        self._foresee(w, now)
        self._look(w, now)

    def _before(self, row: int) -> list[Before]:
        own = [Before(w.place.step is not None, w.place.entered_at, w.key) for w in self.walkers.get(row, ())]
        return [*self.world.before.get(row, ()), *own]

    def _foresee(self, w: Walker, now: datetime) -> None:
        """Draw what befalls them while they are on the journey, where it is not history."""
        if self.assumptions.replay:
            return
        for what in self.awaited:
            expected = self.assumptions.events.get(what)
            if expected and befalls(w.place.contact, expected.percent, what, w.sequence):
                within = timedelta(days=expected.days * drawn(w.place.contact, "when", what, w.sequence))
                at = now + max(within, timedelta(seconds=1))
                w.occurs.append(Occurred(what, at, w.key))
                self.at(at, self._news, w.row)

    def _wake(self, now: datetime, w: Walker) -> None:
        if w.due == now and w.place.step is not None:
            self._look(w, now)

    def _news(self, now: datetime, row: int) -> None:
        for w in self.walkers.get(row, ()):
            if w.place.step is not None:
                self._look(w, now)

    def _new_day(self, now: datetime, _: Any) -> None:
        """Whoever the new day takes out."""
        hit = np.zeros(len(self.world.people), dtype=np.bool_)
        for way, rule in zip(self.definition.exits, self.world.exits, strict=True):
            if rule is not None and rule.by_day:
                hit |= self.world.rules.of_all(rule, now) ^ isinstance(way, SegmentLeft)
                if rule in self.moving:
                    hit[list(self.changed)] = True
        flags = hit.tobytes()
        for row in [row for row in self.walkers if flags[row]]:
            self._news(now, row)

    def _later(self, w: Walker, at: datetime | None) -> None:
        if at is not None and at != w.due:
            self.at(at, self._wake, w)
        w.due = at

    # -- one person -----------------------------------------------------------------------------------------------

    def _look(self, w: Walker, now: datetime) -> None:
        """Have them go as far as they go now."""
        if w.trouble:
            return
        for _ in range(ROUNDS):
            place = w.place
            facts = self._facts(w, place, now)
            effect = decide(self.definition, place, facts, now)
            if effect.trouble:
                w.trouble, w.due = effect.trouble, None
                return
            there, passed = moved(self.definition, place, effect, now)
            if effect.act:
                self._act(w, effect, now)
            w.place = there
            if passed is not None:
                left = "" if there.step is not None else str(there.left or "")
                self.trace.visit(_visit(w, passed, left))
                if there.step is None:
                    w.due = None
                    return
            elif not effect.act:
                self._later(w, effect.until or self._again(w))
                return
        w.trouble, w.due = "circle", None

    def _again(self, w: Walker) -> datetime | None:
        letter = w.letters.get(str(w.place.step))
        return letter.again if letter is not None and not letter.outcome else None

    def _facts(self, w: Walker, place: Place, now: datetime) -> Facts:
        step = str(place.step)
        node, exits = self.steps[step], self._exits(w, now)
        zone = self.world.people.zones[w.row]
        match node:
            case Mail():
                letter = w.letters.get(step)
                if letter is None or letter.visit != place.visit:
                    return Facts(zone, exits=exits)
                self._ask(w, step, letter, now)
                return Facts(zone, exits=exits, mail=letter.fate(now))
            case Branch() | Goal():
                return Facts(zone, exits=exits, cases=tuple(self._holds(r, w.row, now) for r in self.world.cases[step]))
            case BranchMail():
                about = w.letters.get(node.mail)
                return Facts(zone, exits=exits, mail=about.fate(now) if about else None)
            case WaitUntil():
                key = node.moment.attribute
                values = {key: self._value(w.row, key)} if key else {}
                return Facts(zone, exits=exits, values=values, properties=w.properties)
            case WaitEvent():
                since = place.entered_at if node.since == "entered" else place.since
                what = node.event or f"attribute:{node.attribute}"
                happened = self._happened(w, what, since, now, node.same_key, node)
                return Facts(zone, exits=exits, happened=happened)
            case SetAttribute():
                return Facts(zone, exits=exits, properties=w.properties)
            case Webhook():
                return Facts(zone, exits=exits, call=w.call)
        return Facts(zone, exits=exits)

    def _exits(self, w: Walker, now: datetime) -> tuple[bool, ...]:
        found = []
        for way, rule in zip(self.definition.exits, self.world.exits, strict=True):
            match way:
                case Unsubscribed():
                    changed = self.changed.get(w.row)
                    out = changed is not None and any(at <= now for at in changed.out.values())
                    found.append(out or self.world.unsubscribed[w.row])
                case EventExit():
                    found.append(self._happened(w, way.event, w.place.entered_at, now, way.same_key))
                case _:
                    assert rule is not None
                    found.append(self._holds(rule, w.row, now) != isinstance(way, SegmentLeft))
        return tuple(found)

    def _holds(self, rule: Asked, row: int, now: datetime) -> bool:
        return self.world.rules.holds(rule, row, now, self.changed.get(row) if rule in self.moving else None)

    def _value(self, row: int, key: str) -> Any:
        changed = self.changed.get(row)
        return changed.values[key] if changed is not None and key in changed.values else self.world.values[key][row]

    def _happened(
        self, w: Walker, what: str, since: datetime, now: datetime, same_key: bool, node: WaitEvent | None = None
    ) -> bool:
        for one in (*w.occurs, *self.world.history.occurred.get(w.row, ())):
            if one.what != what or not since <= one.at <= now or (one.id and one.id == w.entered_by):
                continue
            if same_key and w.key is not None and one.key != w.key and not what.startswith("attribute:"):
                continue
            if node is None or not one.said or fits.change(node.was, node.becomes, one.said):
                return True
        return False

    # -- acts -----------------------------------------------------------------------------------------------------

    def _act(self, w: Walker, effect: Effect, now: datetime) -> None:
        """The step's own act; the step is the one they are at, or were until now."""
        step = str(w.place.step)
        match node := self.steps[step]:
            case Mail():
                w.letters[step] = Letter(w.place.visit, now)
            case Webhook():
                failed = befalls(w.place.contact, self.assumptions.calls_failed, step, w.sequence, w.place.visit)
                w.call = "failed" if failed else "done"
            case SetAttribute():
                self._set(w, node.attribute, effect.value, now)
            case ChangeList() if node.segment is not None:
                self._of(w.row).lists[node.segment] = node.change == "add"
                self._tell_others(w, now)

    def _of(self, row: int) -> Changed:
        return self.changed.setdefault(row, Changed())

    def _set(self, w: Walker, key: str, value: Any, now: datetime) -> None:
        was = self._value(w.row, key)
        if was == value:
            return
        self._of(w.row).values[key] = value
        said = {"was": was, "is": value}
        for other in self.walkers[w.row]:
            other.occurs.append(Occurred(f"attribute:{key}", now, None, said))
        self._tell_others(w, now)

    def _tell_others(self, w: Walker, now: datetime) -> None:
        """The same person may be on the journey for something else, too."""
        if len(self.walkers[w.row]) > 1:
            self.at(now, self._news, w.row)

    def _ask(self, w: Walker, step: str, letter: Letter, now: datetime) -> None:
        """Have the gate answer, if it has not and it is time."""
        if letter.outcome or now < letter.again:
            return
        mail, world = self.world.mails[step], self.world
        changed = self.changed.get(w.row)
        out = changed is not None and mail.topic in changed.out and changed.out[mail.topic] <= now
        answer = gate.ask(mail, w.row, world.policy, now, recent=self.recent.get(w.row, ()), out=out)
        reason = str(answer.reasons[0]) if answer.reasons else ""
        if answer.verdict == Verdict.DEFER and answer.until is not None:
            if not letter.put_off:
                letter.put_off = reason
                self.trace.put_off[reason] = self.trace.put_off.get(reason, 0) + 1
            letter.again = answer.until
            return
        letter.outcome = "sent" if answer.verdict == Verdict.ALLOW else "refused"
        self.trace.mail(Mailing(w.row, step, now, letter.outcome, reason or letter.put_off))
        if letter.outcome == "sent":
            self._sent(w, mail, step, letter, now)

    def _sent(self, w: Walker, mail: gate.Mailed, step: str, letter: Letter, now: datetime) -> None:
        """Foresee how it is read."""
        if mail.commercial:
            self.recent[w.row].append(now)
        if self.moving:
            self._of(w.row).received.append(now)
        who, name = w.place.contact, (step, w.sequence, w.place.visit)
        said = mail.recipients[w.row].consent
        counted = not (said is not None and said.counting_refused)
        opens, clicks = self.world.history.read.get(w.row, (self.assumptions.opens, self.assumptions.clicks))
        at = now + read_after(who, *name)
        # One number for both: whoever clicks has opened.
        reads = drawn(who, "reads", *name) * 100
        if mail.opens and counted and reads < opens:
            letter.opened_at = at
        if mail.clicks and counted and reads < clicks:
            letter.clicked_at = at
        if self.moving:
            changed = self._of(w.row)
            changed.opened += [letter.opened_at] if letter.opened_at else []
            changed.clicked += [letter.clicked_at] if letter.clicked_at else []
        if self.listens and (letter.opened_at or letter.clicked_at):
            self.at(at, self._news, w.row)
        if mail.topic and befalls(who, self.assumptions.unsubscribes, "unsubscribes", *name):
            self._of(w.row).out.setdefault(mail.topic, at)
            self.at(at, self._news, w.row)


def _visit(w: Walker, passed: Passed, left: str) -> Visit:
    return Visit(
        w.row,
        w.sequence,
        passed.visit,
        passed.step,
        passed.arrived_at,
        passed.at,
        passed.way,
        str(passed.note),
        left,
    )


def simulate(
    definition: Definition,
    world: World,
    entering: Sequence[Entering],
    settings: Settings,
    *,
    tick: Callable[[int], None] = lambda day: None,
) -> Trace:
    """The whole span. `entering` as workflows.simulate.entries finds them; who is not in the world does not enter."""
    rows = {number: row for row, number in enumerate(world.people.numbers.tolist())}
    known = ((rows[entry.number], entry) for entry in entering if entry.number in rows)
    return Run(definition, world, settings).all(known, tick)
