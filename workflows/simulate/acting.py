"""What steps do to simulated people: remembered here, seen by later rules; mails are asked of the gate and read."""

import heapq
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from contacts.models import Kind
from delivery.gate import Verdict
from workflows.entry import Before, Refusal, may_enter
from workflows.errors import NotPossibleNow
from workflows.language.definition import (
    ByAttribute,
    ByConsent,
    ChangeList,
    Definition,
    Enter,
    Mail,
    SetAttribute,
    Tell,
    Webhook,
)
from workflows.simulate import gate
from workflows.simulate.assumptions import MAX_VISITS, Settings, befalls, drawn, read_after
from workflows.simulate.entries import Entering
from workflows.simulate.history import Occurred
from workflows.simulate.knowing import Knowing
from workflows.simulate.rules import Changed
from workflows.simulate.trace import Mailing, Trace
from workflows.simulate.walkers import Letter, Walker
from workflows.simulate.world import World
from workflows.step import Effect

#: So many looks at somebody between two signs of life.
BEAT = 5_000


class Acting(Knowing):
    def __init__(self, definition: Definition, world: World, settings: Settings) -> None:
        super().__init__(definition, world, settings)
        self.assumptions = settings.assumptions
        self.trace = Trace()
        self.recent: defaultdict[int, list[datetime]] = defaultdict(list)
        #: Opens and clicks can make somebody leave at once.
        self.listens = any(rule in self.moving for course in world.courses for _, rule in course.exits)
        self._queue: list[tuple[datetime, int, Callable[..., None], Any]] = []
        self._ticket = 0

    def at(self, moment: datetime, act: Callable[..., None], about: Any = None) -> None:
        """Have it done then, after what was asked for before; nothing beyond the span."""
        if moment < self.settings.end:
            self._ticket += 1
            heapq.heappush(self._queue, (moment, self._ticket, act, about))

    def run_out(self, beat: Callable[[], None]) -> None:
        """All of it, in order of time; `beat` is called now and then. Raises NotPossibleNow where it is too much."""
        while self._queue:
            for _ in range(min(len(self._queue), BEAT)):
                now, _, act, about = heapq.heappop(self._queue)
                act(now, about)
            beat()
            if len(self.trace.visits) > MAX_VISITS:
                raise NotPossibleNow(
                    f"People would take more than {MAX_VISITS:,} steps, and so many are not simulated together. "
                    "Choose fewer days, or a smaller segment."
                )

    def news(self, now: datetime, row: int) -> None:
        """Something happened to a person: whoever they are on the journey, they are looked at."""
        raise NotImplementedError

    def act(self, w: Walker, effect: Effect, now: datetime) -> str:
        """The act of the step they are at; why it cannot be carried out, a code of troubles."""
        step = str(w.place.step)
        match node := w.course.steps[step]:
            case Mail():
                w.letters[step] = Letter(w.place.visit, now)
            case Webhook():
                self.call(w)
                self.trace.act(w.course.prefix + step, now, w.call)
            case SetAttribute():
                self._set(w, node.attribute, effect.value, now)
            case ChangeList() if node.segment is not None:
                self._of(w.row).lists[node.segment] = node.change == "add"
                self._tell_others(w, now)
            case Tell():
                self.trace.act(w.course.prefix + step, now, "told")
            case Enter():
                return self._enter_other(w, step, node.workflow, now)
        return ""

    def _enter_other(self, w: Walker, step: str, workflow: UUID | None, now: datetime) -> str:
        """Count whom the other journey would take; whom it does not take goes on all the same."""
        other = self.world.others.open.get(workflow) if workflow else None
        if other is None:
            return "journey_closed"
        if (w.course.name, step) in self.world.others.more or w.brought > other.says:
            return "chosen_by_more"
        before = other.before.setdefault(w.row, [])
        if other.only is not None and not self.holds(other.only, w.row, now):
            refusal: str | None = Refusal.NOT_AMONG
        else:
            refusal = may_enter(other.reentry, before, w.key, now)
        if refusal is None:
            before.append(Before(True, now, w.key))
        self.trace.act(w.course.prefix + step, now, refusal or "entered")
        return ""

    def call(self, w: Walker) -> None:
        """What becomes of the call they wait for."""
        failed = befalls(w.place.contact, self.assumptions.calls_failed, w.place.step, w.sequence, w.place.visit)
        w.call = "failed" if failed else "done"

    def implied(self, row: int, entry: Entering, now: datetime) -> None:
        """What lets somebody in says something of them: an opt-in, an opt-out, or what a value has become."""
        match trigger := self.definition.trigger:
            case _ if self.settings.entering == "all":
                return
            case ByConsent():
                said = self._of(row)
                (said.into if trigger.change == "given" else said.out)[trigger.topic] = now
            case ByAttribute() if self.world.people.kinds.get(trigger.attribute, Kind.CODED) == Kind.CODED:
                return
            case ByAttribute() if "is" in entry.properties or len(trigger.becomes) == 1:
                self._of(row).values[trigger.attribute] = entry.properties.get("is", *trigger.becomes[:1])

    def _of(self, row: int) -> Changed:
        return self.changed.setdefault(row, Changed())

    def _set(self, w: Walker, key: str, value: Any, now: datetime) -> None:
        was = self.value(w.row, key)
        if was == value:
            return
        self._of(w.row).values[key] = value
        for other in self.walkers[w.row]:
            other.occurs.append(Occurred(f"attribute:{key}", now, None, {"was": was, "is": value}))
        self._tell_others(w, now)

    def _tell_others(self, w: Walker, now: datetime) -> None:
        """The same person may be on the journey for something else, too."""
        if len(self.walkers[w.row]) > 1:
            self.at(now, self.news, w.row)

    # -- mails ----------------------------------------------------------------------------------------------------

    def letter(self, w: Walker, now: datetime) -> Letter | None:
        """The mail of this visit, once it was handed over; the gate is asked when it is time."""
        letter = w.letters.get(str(w.place.step))
        if letter is None or letter.visit != w.place.visit:
            return None
        if not letter.outcome and now >= letter.again:
            self._ask(w, str(w.place.step), letter, now)
        return letter

    def _ask(self, w: Walker, step: str, letter: Letter, now: datetime) -> None:
        mail, changed = w.course.mails[step], self.changed.get(w.row)
        word = changed.said(mail.topic, now) if changed is not None else ""
        answer = gate.ask(mail, w.row, self.world.policy, now, recent=self.recent.get(w.row, ()), word=word)
        reason = str(answer.reasons[0]) if answer.reasons else ""
        if answer.verdict == Verdict.DEFER and answer.until is not None:
            if not letter.put_off:
                letter.put_off = reason
                self.trace.put_off[reason] = self.trace.put_off.get(reason, 0) + 1
            letter.again = answer.until
            return
        letter.outcome = "sent" if answer.verdict == Verdict.ALLOW else "refused"
        self.trace.mail(Mailing(w.row, w.course.prefix + step, now, letter.outcome, reason or letter.put_off))
        if letter.outcome == "sent":
            self._sent(w, step, letter, now)

    def _sent(self, w: Walker, step: str, letter: Letter, now: datetime) -> None:
        mail = w.course.mails[step]
        if mail.commercial:
            self.recent[w.row].append(now)
        if self.moving:
            self._of(w.row).received.append(now)
        self.read(w, step, letter, now, now)

    def read(self, w: Walker, step: str, letter: Letter, sent_at: datetime, now: datetime) -> None:
        """Foresee how a mail is read that was sent then, from now on."""
        mail, who = w.course.mails[step], w.place.contact
        name = (step, w.sequence, letter.visit)
        at = sent_at + read_after(who, *name)
        if at < now:
            return
        said = mail.recipients[w.row].consent
        if said is None or not said.counting_refused:
            opens, clicks = self.world.history.read.get(w.row, (self.assumptions.opens, self.assumptions.clicks))
            # One number for both: whoever clicks has opened.
            reads = drawn(who, "reads", *name) * 100
            opened, clicked = mail.opens and reads < opens, mail.clicks and reads < clicks
            letter.opened_at = letter.opened_at or (at if opened else None)
            letter.clicked_at = letter.clicked_at or (at if clicked else None)
            if self.moving:
                changed = self._of(w.row)
                changed.opened += [at] if opened else []
                changed.clicked += [at] if clicked else []
            if self.listens and (opened or clicked):
                self.at(at, self.news, w.row)
        if mail.topic and befalls(who, self.assumptions.unsubscribes, "unsubscribes", *name):
            self._of(w.row).out[mail.topic] = at
            self.at(at, self.news, w.row)
