"""The simulator and the engine on the same inputs: what the one foretells the other does, at the same moments.

What is assumed in the simulation (events, opens, clicks, calls that fail) befalls the same people at the same times in
earnest; whether a mail leaves is the gate's answer here and there.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from delivery.gate import Verdict
from delivery.models import Delivery, SendBatch
from tests.workflows import factories as make
from tests.workflows.drawn import EVENTS, START, Drawer, drawn_person
from tests.workflows.interpreter import Json
from tests.workflows.traced import all_visits
from tests.workflows.truth import Both, Setting
from tracking.models import Event as Tracked
from workflows.engine import mails
from workflows.enrolling import Entry, enrol
from workflows.language import parsing
from workflows.models import Call, Enrolment, Transition, VersionMail
from workflows.simulate import entries, gate, world
from workflows.simulate.assumptions import Assumptions, Expected, Settings, befalls, drawn, read_after
from workflows.simulate.run import simulate
from workflows.webhooks import sending

ASSUMED = Assumptions(
    opens=60.0,
    clicks=30.0,
    calls_failed=30.0,
    events={name: Expected(percent=60.0, days=6.0) for name in EVENTS},
)
DAYS = 20
Trace = dict[UUID, list[tuple[Any, ...]]]


class Slow(Drawer):
    """Without short waits: they would go round for hundreds of times."""

    def span(self) -> Json:
        return self.random.choice([{"days": 1}, {"days": 1, "hours": 2}, {"hours": 30}, {"weeks": 1}, {"days": 2}])


class Ahead:
    """One drawn journey, and people who enter it together."""

    def __init__(self, setting: Setting, random_: random.Random, people: int) -> None:
        self.both = Both(setting)
        self.setting = setting
        self.random = random_
        self.size = people
        self._then: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def foretold(self) -> Trace:
        """The journey as the simulator sees it."""
        drawer = Slow(self.random, self.setting)
        self.definition = drawer.definition(trigger={"kind": "manual", "chosen_by": "phi"}, inner=True)
        self.definition["reentry"] = {"kind": "never"}
        self.both.now = START - timedelta(hours=1)  # what people come with is no change since they entered
        self.both.begin("main", self.definition)
        cohort = f"cohort {next(_cohorts)}"
        given = [drawn_person(self.random) for _ in range(self.size)]
        self.ids = make.make_people(
            self.size,
            city=cohort,
            email=lambda i: None if i % 5 == 4 else f"{cohort.replace(' ', '')}.{i}@example.com",
            **{key: (lambda i, key=key: given[i][key]) for key in given[0]},
        )
        rule = make.rule({"attribute": "city", "op": "is", "value": cohort})
        self.settings = Settings(
            start=START, days=DAYS, segment=make.SegmentFactory(rule=rule).pk, entering="all", assumptions=ASSUMED
        )
        parsed = parsing.parse(self.definition)
        entering = entries.find(parsed, self.settings)
        numbers = sorted({entry.number for entry in entering})
        assert len(numbers) == self.size
        self.world = world.build(self.both.workflows["main"], parsed, numbers, self.settings)
        trace = simulate(parsed, self.world, entering, self.settings)
        who = self.world.people.ids
        found: Trace = {pk: [] for pk in self.ids}
        for one in all_visits(trace):
            row = (one.visit, one.step, one.arrived_at, one.at, one.way, one.note, one.left)
            found[who[one.person]].append(row)
        for there in trace.there:
            found[who[there.person]].append((there.visit, there.step, there.since, there.trouble))
        return {pk: sorted(rows) for pk, rows in found.items()}

    def lived(self) -> Trace:
        """The same in earnest: the clock goes from one moment at which something happens to the next."""
        self.both.listen_look_and_work()
        self.both.now = START
        self.rows = {pk: row for row, pk in enumerate(self.world.people.ids)}
        enrol(self.both.versions["main"][-1], [Entry(pk) for pk in self.ids], at=START, by=make.marketer())
        for pk in self.ids:
            self._foresee(pk)
        self._settle()
        while (moment := self._next()) is not None and moment < self.settings.end:
            self.both.now = moment
            while self._then and self._then[0][0] <= moment:
                heapq.heappop(self._then)[2]()
            self._settle()
        return self._trace()

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._then, (moment, next(self._order), act))

    def _next(self) -> datetime | None:
        due = Enrolment.objects.filter(workflow=self.both.workflows["main"], status="active", wake_at__gt=self.both.now)
        first = due.order_by("wake_at").values_list("wake_at", flat=True).first()
        moments = [moment for moment in (first, self._then[0][0] if self._then else None) if moment is not None]
        return min(moments, default=None)

    def _foresee(self, pk: UUID) -> None:
        """The events that are assumed, as the simulator draws them."""
        for name in EVENTS:
            if befalls(pk, ASSUMED.events[name].percent, name, 1):
                within = timedelta(days=ASSUMED.events[name].days * drawn(pk, "when", name, 1))
                self._at(START + max(within, timedelta(seconds=1)), lambda name=name: self._event(pk, name))

    def _event(self, pk: UUID, name: str) -> None:
        from core.actors import SYSTEM
        from workflows import events

        said = {"event": name, "person": {"id": str(pk)}, "at": self.both.now.isoformat()}
        assert events.take([said], by=SYSTEM)[0].status == "taken"

    def _settle(self) -> None:
        """The engine, the post and the other systems, until nothing moves at this moment."""
        for _ in range(30):
            before = self.both.state()
            self.both.listen_look_and_work()
            self._post()
            if self.both.state() == before:
                return
        raise AssertionError("The engine does not come to rest.")

    def _post(self) -> None:
        waiting = Enrolment.objects.filter(workflow=self.both.workflows["main"], status="active", awaits__isnull=False)
        for row in waiting:
            kind = self.definition["steps"][row.step]["kind"]
            if kind == "webhook":
                self._answer(row)
            elif not Delivery.objects.filter(pk=row.awaits).exists():
                self._deliver(row)

    def _answer(self, row: Enrolment) -> None:
        call = Call.objects.get(pk=row.awaits)
        if call.state == Call.State.WAITING:
            failed = befalls(row.contact_id, ASSUMED.calls_failed, row.step, row.sequence, row.visit)
            sending.settle([call], sending.Ended("refused" if failed else "", 400 if failed else 200))

    def _deliver(self, row: Enrolment) -> None:
        mail, visit = self.world.mails[row.step], f"{row.sequence}.{row.visit}"
        answer = gate.ask(mail, self.rows[row.contact_id], self.world.policy, self.both.now)
        assert answer.verdict != Verdict.DEFER
        sent = answer.verdict == Verdict.ALLOW
        origin = VersionMail.objects.get(version=row.version_id, step=row.step).pk
        assert mails.Letter(origin, row.contact_id, visit).delivery_id == row.awaits
        batch = SendBatch.objects.get(origin_id=origin, visit=visit, contact_ids__contains=[row.contact_id])
        Delivery.objects.create(
            id=row.awaits, origin_id=origin, batch=batch, contact_id=row.contact_id, visit=visit,
            outcome="sent" if sent else "refused", at=self.both.now, decision={"verdict": str(answer.verdict)},
            session=self.setting.session if sent else None, content_sha256=b"0" * 32 if sent else None,
        )  # fmt: skip
        if sent:
            self._read(row, origin)

    def _read(self, row: Enrolment, origin: UUID) -> None:
        """As the simulator foresees how a mail is read."""
        name = (row.step, row.sequence, row.visit)
        reads = drawn(row.contact_id, "reads", *name) * 100
        at = self.both.now + read_after(row.contact_id, *name)
        for kind, rate, link in (("open", ASSUMED.opens, None), ("click", ASSUMED.clicks, 0)):
            if reads < rate:
                told = {"delivery_id": row.awaits, "origin_id": origin, "contact_id": row.contact_id}
                told |= {"kind": kind, "link": link, "at": at, "verdict": "human"}
                self._at(at, lambda told=told: Tracked.objects.create(**told))

    def _trace(self) -> Trace:
        found: Trace = {pk: [] for pk in self.ids}
        for row in Enrolment.objects.filter(workflow=self.both.workflows["main"]):
            mine: list[tuple[Any, ...]] = [
                (one.visit, one.step, one.arrived_at, one.at, one.way, one.note, "")
                for one in Transition.objects.filter(enrolment=row).order_by("visit")
            ]
            if row.status == "left":
                mine[-1] = (*mine[-1][:-1], row.left_because)
            else:
                mine.append((row.visit, row.step, row.since, row.trouble if row.status == "attention" else ""))
            found[row.contact_id] = sorted(mine)
        return found


_cohorts = itertools.count()


def compared(setting: Setting, random_: random.Random, people: int = 10) -> tuple[Trace, Trace, Json]:
    """Foretold, lived, and by which journey."""
    ahead = Ahead(setting, random_, people)
    with ahead.both.held():
        try:
            return ahead.foretold(), ahead.lived(), ahead.definition
        finally:
            ahead.both.close()
