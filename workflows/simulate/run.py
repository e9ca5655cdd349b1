"""Real people through the real step function on a virtual clock. Pure: every fact is given, nothing is sent or written.

Whoever is due is looked at in order of time, as the engine would: facts as they are then, `step.decide`, `step.moved`,
the step's own act on what is remembered of the person here, and on until they wait or have left. Mails are answered by
the gate at once, or when it says.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from workflows.entry import Before, Refusal, may_enter
from workflows.language.definition import Definition, SegmentLeft, Webhook
from workflows.simulate.acting import Acting
from workflows.simulate.assumptions import Settings, befalls, drawn
from workflows.simulate.entries import Entering, midnights
from workflows.simulate.history import Occurred, awaited
from workflows.simulate.inside import Going
from workflows.simulate.trace import There, Trace
from workflows.simulate.walkers import Walker
from workflows.simulate.world import World
from workflows.step import Left, Place, decide, moved

#: Whoever passes so many steps at one moment goes round in a circle.
ROUNDS = 100


class Run(Acting):
    def all(self, entering: Iterable[tuple[int, Entering]], going: Going, tick: Callable[[int | None], None]) -> Trace:
        """`entering`: rows and what lets them in; `going`: who is inside at the start; `tick` hears of each virtual day
        that begins, and of None between."""
        self.awaited = {course.name: awaited(course.definition) for course in self.world.courses}
        self._go_on(going)
        for row, entry in entering:
            self.at(entry.at, self._enter, (row, entry))
        for row, some in self.world.history.occurred.items():
            for one in some:
                self.at(one.at, self.news, row)
        for day in range(self.settings.days):
            self.at(self.settings.start + timedelta(days=day), lambda _, day: tick(day), day)
        for moment in self._new_days():
            self.at(moment, self._new_day)
        self.run_out(lambda: tick(None))
        self.trace.given = {row: changed.values for row, changed in self.changed.items() if changed.values}
        self.trace.there = [
            There(w.row, w.sequence, w.place.visit, w.course.prefix + w.place.step, w.place.since, w.due, w.trouble)
            for some_walkers in self.walkers.values()
            for w in some_walkers
            if w.place.step is not None
        ]
        return self.trace

    def _go_on(self, going: Going) -> None:
        """People who are inside, where they are. What they have not read or done by now, they may yet."""
        start = self.settings.start
        for w, passed in going.gone:
            self.walkers[w.row].append(w)
            self.trace.visit(w.row, w.sequence, passed, Left.MOVED)
        for w in going.walkers:
            self.walkers[w.row].append(w)
            self._foresee(w, w.place.entered_at)
            for step, letter in w.letters.items():
                if letter.outcome in ("sent", "unknown"):
                    self.read(w, step, letter, letter.again, start)
            if w.place.awaits and not w.call and isinstance(w.course.steps[str(w.place.step)], Webhook):
                self.call(w)
            if w.due is not None:
                self.at(w.due, self._wake, w)

    def _new_days(self) -> set[datetime]:
        """When days begin that can take people out."""
        exits = [rule for course in self.world.courses for _, rule in course.exits]
        ruled = [rule for rule in exits if rule is not None and rule.by_day]
        people = self.world.people
        zones = people.everywhere if any(rule.by_zone for rule in ruled) else [people.zone]
        return {at for zone in zones for at in midnights(self.settings, zone)} if ruled else set()

    def _new_day(self, now: datetime, _: Any) -> None:
        """Have those looked at whom the new day takes out."""
        out = np.zeros(len(self.world.people), dtype=np.bool_)
        for way, rule in (pair for course in self.world.courses for pair in course.exits):
            if rule is not None and rule.by_day:
                out |= self.world.rules.of_all(rule, now) ^ isinstance(way, SegmentLeft)
                if rule in self.moving:
                    out[list(self.changed)] = True
        flags = out.tobytes()
        for row in [row for row in self.walkers if flags[row]]:
            self.news(now, row)

    # -- entering -------------------------------------------------------------------------------------------------

    def _enter(self, now: datetime, about: tuple[int, Entering]) -> None:
        (row, entry), main = about, self.world.main
        before = self._before(row)
        self.implied(row, entry, now)
        refusal = may_enter(self.definition.reentry, before, entry.key, now)
        if refusal is None and main.only is not None and not self.holds(main.only, row, now):
            refusal = Refusal.NOT_AMONG
        if refusal is not None:
            self.trace.refused[refusal] = self.trace.refused.get(refusal, 0) + 1
            return
        place = Place(self.world.people.ids[row], self.definition.start, 0, now, now, now)
        w = Walker(main, row, len(before) + 1, entry, place)
        self.walkers[row].append(w)
        self.trace.entered.append(row, now.timestamp())
        self._foresee(w, now)
        self.look(w, now)

    def _before(self, row: int) -> list[Before]:
        own = [Before(w.place.step is not None, w.place.entered_at, w.key) for w in self.walkers.get(row, ())]
        return [*self.world.before.get(row, ()), *own]

    def _foresee(self, w: Walker, now: datetime) -> None:
        """Draw what befalls them while they are on the journey, where it is not history."""
        known = {one.what for one in w.occurs}
        for what in () if self.assumptions.replay else self.awaited[w.course.name]:
            expected = None if what in known else self.assumptions.events.get(what)
            if expected and befalls(w.place.contact, expected.percent, what, w.sequence):
                within = timedelta(days=expected.days * drawn(w.place.contact, "when", what, w.sequence))
                at = now + max(within, timedelta(seconds=1))
                if at >= self.settings.start:  # of who was inside before: it did not happen by now
                    w.occurs.append(Occurred(what, at, w.key))
                    self.at(at, self.news, w.row)

    # -- one person -----------------------------------------------------------------------------------------------

    def news(self, now: datetime, row: int) -> None:
        for w in self.walkers.get(row, ()):
            if w.place.step is not None:
                self.look(w, now)

    def _wake(self, now: datetime, w: Walker) -> None:
        if w.due == now and w.place.step is not None:
            self.look(w, now)

    def _wait(self, w: Walker, until: datetime | None) -> None:
        if until is not None and until != w.due:
            self.at(until, self._wake, w)
        w.due = until

    def look(self, w: Walker, now: datetime) -> None:
        """Have them go as far as they go now."""
        exits: tuple[bool, ...] | None = None
        if w.trouble and not any(self.leaves(w, now)):
            return
        for _ in range(ROUNDS):
            letter = self.letter(w, now) if w.place.step in w.course.mails else None
            exits = self.leaves(w, now) if exits is None or letter is not None else exits
            more = {"mail": letter.fate(now)} if letter else self.facts(w, now)
            effect = decide(w.course.definition, w.place, self.told(w, exits, **more), now)
            if effect.trouble:
                w.trouble, w.due = effect.trouble, None
                return
            if effect.act:
                if trouble := self.act(w, effect, now):
                    w.trouble, w.due = trouble, None
                    return
                exits = None
            there, passed = moved(w.course.definition, w.place, effect, now)
            w.place = there
            if passed is not None:
                self.trace.visit(w.row, w.sequence, passed, there.left or "", w.course.prefix)
                if there.step is None:
                    w.due = None
                    return
            elif not effect.act:
                self._wait(w, effect.until or (letter.again if letter else None))
                return
        w.trouble, w.due = "circle", None


def simulate(
    definition: Definition,
    world: World,
    entering: Sequence[Entering],
    settings: Settings,
    *,
    going: Going | None = None,
    tick: Callable[[int | None], None] = lambda day: None,
) -> Trace:
    """The whole span. `entering` as workflows.simulate.entries finds them; who is not in the world does not enter."""
    rows = {number: row for row, number in enumerate(world.people.numbers.tolist())}
    known = ((rows[entry.number], entry) for entry in entering if entry.number in rows)
    return Run(definition, world, settings).all(known, going or Going(), tick)
