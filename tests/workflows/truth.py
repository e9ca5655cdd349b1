"""The engine and the interpreter side by side: the same journeys, people, events, clocks, crashes and staff.

After each thing that is done the traces are the same: test_truth.py does a little, bench/workflows_truth.py a lot.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
from celery.app.task import Task

import consent.commands
import contacts.commands
from consent.models import Source
from contacts import upsert
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from delivery.ids import delivery_id
from delivery.models import Delivery, SendBatch
from segments import membership
from tests.content.factories import organization
from tests.workflows import factories as make
from tests.workflows.breaking import Break, complaints
from tests.workflows.drawn import HOME, START
from tests.workflows.interpreter import Journey, Json, Passed, Person, Read, Stay, World
from tests.workflows.setting import Setting
from tracking.models import Event as Tracked
from workflows import enrolling, events, steering, tasks_intake
from workflows.engine import mails
from workflows.engine import run as engine
from workflows.enrolling import Entry, enrol
from workflows.models import (
    Call,
    Enrolment,
    Transition,
    VersionMail,
    Workflow,
    WorkflowVersion,
)
from workflows.versions import standing
from workflows.webhooks import sending


def chance(*parts: object, of: int = 100) -> int:
    """The same number for the same parts, always."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") % of


# -- both side by side -------------------------------------------------------------------------------------------------


class Both:
    """Whatever is done is done to both; `agree` says where they differ."""

    def __init__(self, setting: Setting, *, start: datetime = START, home: str = HOME) -> None:
        self.setting = setting
        self.now = start
        organization(time_zone=home)
        gold = {"version": 2, "root": {"all": [{"attribute": "plan", "op": "is", "value": "gold"}]}}
        self.segment = make.SegmentFactory(rule=gold, tier=Sensitivity.IDENTITY)
        setting.segment_id, setting.inner_listens = str(self.segment.pk), False
        self.world = World(home, {setting.segment_id: gold})
        self.jobs: list[tuple[str, list[Any]]] = []
        self.workflows: dict[str, Workflow] = {}
        self.versions: dict[str, list[WorkflowVersion]] = {}
        self.people: list[Person] = []
        self.looked_at = start - timedelta(days=1)
        self.tried: Counter[object] = Counter()

    # -- the ground --

    @contextmanager
    def held(self) -> Iterator[None]:
        """The clock stands where the test sets it, and jobs wait until the test carries them out."""
        real, send, stand = clock.now, Task.apply_async, standing.look
        clock.now = lambda: self.now

        def keep(task: Task, args: Any = (), *_: Any, **__: Any) -> None:
            self.jobs.append((task.name, list(args)))

        Task.apply_async = keep  # type: ignore[method-assign]
        standing.look = lambda: None  # what was approved stands in these worlds
        try:
            yield
        finally:
            standing.look = stand
            clock.now, Task.apply_async = real, send  # type: ignore[method-assign]

    def publish(self, name: str, definition: Json, plan: Json | None = None) -> WorkflowVersion:
        if name not in self.workflows:
            self.workflows[name] = make.make_draft(definition)
            self.versions[name] = []
        version = make.publish(self.workflows[name], definition, plan=plan)
        assert version.state == WorkflowVersion.State.LIVE, version.state
        self.versions[name].append(version)
        return version

    def look_at_segment(self) -> None:
        """Looks follow one upon the other, also where a clock was set back."""
        if self.now > self.looked_at:
            membership.refresh(self.segment)
            self.world.look_at(str(self.segment.pk), self.now)
            self.looked_at = self.now

    def begin(self, name: str, definition: Json) -> None:
        self.publish(name, definition)
        journey = Journey(name, [definition], began=self.now, looked=self.now)
        self.world.journeys[name] = self.world.by_id[str(self.workflows[name].pk)] = journey
        self.look_at_segment()

    def add_people(self, given: list[Json], seed: str) -> None:
        """With ids that follow from the seed, for splits go by them."""
        numbers = (UUID(bytes=hashlib.sha256(f"{seed}:{n}".encode()).digest()[:16], version=4) for n in count())
        own, upsert.uuid7 = upsert.uuid7, lambda: next(numbers)
        try:
            values = {key: (lambda i, key=key: given[i].get(key)) for key in ("time_zone", "plan", "day", "moment")}
            ids = make.make_people(len(given), **values)
        finally:
            upsert.uuid7 = own
        for pk, values in zip(ids, given, strict=True):
            person = self.world.people[pk] = Person(pk, values["time_zone"] or self.world.home)
            self.people.append(person)
            for key, value in values.items():  # new is changed from nothing
                self.world.change(person, key, value, self.now)

    # -- what is done --

    def enter(self, name: str, who: int) -> None:
        person = self.people[who]
        journey = self.world.journeys[name]
        found = enrol(self.versions[name][-1], [Entry(person.id)], at=self.now, by=SYSTEM)
        assert bool(found.entered) == self.world.enter(journey, person, self.now, None, None)

    def event(self, who: int, event: str, key: str | None, properties: Json, ago: int = 0) -> None:
        person, at = self.people[who], self.now - timedelta(minutes=ago)
        said: Json = {"event": event, "person": {"id": str(person.id)}, "properties": properties, "at": at.isoformat()}
        (result,) = events.take([said | ({"key": key} if key else {})], by=SYSTEM)
        assert result.status == ("taken" if person.exists else "refused"), result
        if person.exists:
            self.world.event(person, event, at, key, properties)

    def change(self, who: int, attribute: str, value: Any) -> None:
        person = self.people[who]
        if person.exists:
            contacts.commands.set_values({person.id: {attribute: value}}, by=SYSTEM)
            self.world.change(person, attribute, value, self.now)

    def delete(self, who: int) -> bool:
        person = self.people[who]
        if not person.exists:
            return False
        contacts.commands.delete(Contact.objects.get(pk=person.id), by=SYSTEM)
        person.exists = False
        return True

    def consent(self, who: int, topic: int | None, yes: bool) -> None:
        person = self.people[who]
        if not person.exists:
            return
        about = None if topic is None else self.setting.topics[topic]
        say = consent.commands.opt_in if yes else consent.commands.opt_out
        about = None if topic is None else self.setting.topics[topic]
        say(person.id, about, source=Source.PREFERENCES, evidence={"text": "said so"}, by=SYSTEM)
        self.world.word(person, None if about is None else str(about.pk), yes, self.now, self.setting.topic_ids)

    def send(self, who: int, mailing: int) -> None:
        """A campaign is sent to them, once."""
        person, sent = self.people[who], self.setting.mailings[mailing]
        pk = delivery_id(sent.origin.pk, person.id)
        if person.exists and not Delivery.objects.filter(pk=pk).exists():
            Delivery.objects.create(
                id=pk, origin=sent.origin, batch=sent.batch, contact_id=person.id, outcome="sent", at=self.now,
                decision={"verdict": "allow"}, session=self.setting.session, content_sha256=b"0" * 32,
            )  # fmt: skip
            self.world.sent(person, str(sent.origin.pk), self.now)

    def read(self, who: int, mailing: int, links: Sequence[int | None], by: str) -> None:
        """Somebody, or something, opens a campaign's mail, or visits links of it one right after the other."""
        person, sent = self.people[who], self.setting.mailings[mailing]
        for n, link in enumerate(links):
            at = self.now - timedelta(seconds=n)
            Tracked.objects.create(
                delivery_id=delivery_id(sent.origin.pk, person.id), origin_id=sent.origin.pk, contact_id=person.id,
                kind="open" if link is None else "click", link=link, at=at, verdict=by,
            )  # fmt: skip
            person.reads.append(Read(str(sent.origin.pk), link, at, by))

    def move_home(self, zone: str) -> None:
        organization(time_zone=zone)
        self.world.move_home(zone, self.now)

    # -- other systems --

    def dice(self, stay: Stay) -> object:
        """The same in each run: the ids of people follow from the seed."""
        return stay.journey.name, stay.person.id, stay.sequence, stay.visit

    def deliver(self) -> int:
        """The post goes: every mail that is on its way has an outcome, and some are read. How many."""
        waiting = self.waiting("mail")
        for stay in waiting:
            made, dice = self.world.made(stay), self.dice(stay)
            outcome = ("sent", "sent", "sent", "sent", "refused", "failed", "unknown")[chance(dice, of=7)]
            mail = self.mail_of(stay)
            assert mail is not None, "A mail that should be on its way is not."
            batch = SendBatch.objects.get(
                origin_id=mail.origin, visit=mail.visit, contact_ids__contains=[stay.person.id]
            )
            Delivery.objects.create(
                id=mail.id, origin_id=mail.origin, batch=batch, contact_id=stay.person.id, visit=mail.visit,
                outcome=outcome, at=self.now, decision={"verdict": "allow"}, session=self.setting.session,
                content_sha256=b"0" * 32,
            )  # fmt: skip
            self.world.outcomes[made] = outcome
            if outcome != "sent":
                continue
            for kind, rate, known in (("open", 60, self.world.opened), ("click", 60, self.world.clicked)):
                if chance(dice, kind) < rate:
                    link = 0 if kind == "click" else None
                    Tracked.objects.create(
                        delivery_id=mail.id, origin_id=mail.origin, contact_id=stay.person.id, kind=kind, link=link,
                        at=self.now, verdict="human",
                    )  # fmt: skip
                    known.add(made)
        return len(waiting)

    def answer(self) -> int:
        """The other systems answer; how often."""
        waiting = self.waiting("webhook")
        for stay in waiting:
            made = self.world.made(stay)
            call = Call.objects.get(enrolment=self.row(stay), visit=stay.visit)
            self.tried[made] += 1
            done = chance(self.dice(stay), self.tried[made]) < 50
            sending.settle([call], sending.Ended("" if done else "refused", 200 if done else 400))
            call.refresh_from_db()
            assert call.state in ("done", "failed")
            self.world.calls[made] = str(call.state)
        return len(waiting)

    def pause(self, name: str) -> bool:
        if self.world.journeys[name].paused:
            return False
        steering.pause(self.workflows[name], by=SYSTEM)
        self.world.journeys[name].paused = True
        return True

    def resume(self, name: str, how: str) -> bool:
        if not self.world.journeys[name].paused:
            return False
        steering.resume(self.workflows[name], how=how, by=SYSTEM)
        self.drain()
        self.world.resume(self.world.journeys[name], how, self.now)
        return True

    def remove(self, name: str, who: int) -> None:
        enrolling.remove(self.workflows[name], [self.people[who].id], by=SYSTEM)
        self.world.remove(self.world.journeys[name], self.people[who], self.now)

    def stop(self, name: str) -> None:
        steering.stop(self.workflows[name], by=SYSTEM)
        self.drain()
        self.world.stop(self.world.journeys[name], self.now)

    def see_to(self, name: str, how: str) -> None:
        """Staff see to those who need attention: they try again, or pass the step over."""
        if how == "retry":
            steering.retry(self.workflows[name], None, by=SYSTEM)
            self.world.retry(self.world.journeys[name])
        else:
            steering.skip(self.workflows[name], None, by=SYSTEM)
            self.world.pass_over(self.world.journeys[name], self.now)

    def move(self, name: str, definition: Json, plan: dict[int, dict[str, str | None]]) -> None:
        """`plan`: by place of the older version, each of its steps to a step, to leaving (None) or to staying ("")."""
        versions = self.versions[name]
        said = {str(versions[place].pk): steps for place, steps in plan.items()}
        self.publish(name, definition, {"how": "move", "steps": said})
        self.drain()
        kept = {place: {step: to for step, to in steps.items() if to != ""} for place, steps in plan.items()}
        self.world.move(self.world.journeys[name], definition, kept, self.now)

    # -- the engine at work --

    def settle(self, breaks: Break | None = None) -> None:
        """Have the engine do all there is to do at this moment, whatever befalls it, and the interpreter, too."""
        works = {"listen": tasks_intake.listen, "look": tasks_intake.look, "work": self.work}
        with complaints() as said:
            for name, work in works.items() if breaks else ():
                assert breaks is not None
                if name != breaks.work:
                    work()
                    continue
                if breaks.befall(work, self.work):
                    self.world.seen[f"{breaks.how}: {breaks.work}"] += 1
                break
            for _ in range(30):
                before = self.state()
                self.listen_look_and_work()
                if self.state() == before:
                    break
            else:
                raise AssertionError("The engine does not come to rest.")
        assert not said, said
        self.world.tick(self.now)

    def listen_look_and_work(self) -> None:
        tasks_intake.listen()
        tasks_intake.look()
        self.work()
        self.drain()

    def work(self) -> None:
        engine.run(seconds=60, now=self.now)

    def drain(self) -> None:
        """Carry out the jobs that wait, but for those of others: nobody really sends, calls or writes columns."""
        from celery import current_app

        while self.jobs:
            name, args = self.jobs.pop(0)
            if name.startswith("workflows.") and name not in (
                "workflows.call",
                "workflows.run",
                "workflows.sweep_calls",
            ):
                current_app.tasks[name].run(*args)

    # -- what it came to --

    def rows(self) -> list[Enrolment]:
        return list(Enrolment.objects.filter(workflow__in=self.workflows.values()).order_by("pk"))

    def row(self, stay: Stay) -> Enrolment:
        workflow = self.workflows[stay.journey.name]
        return Enrolment.objects.get(workflow=workflow, contact_id=stay.person.id, sequence=stay.sequence)

    def state(self) -> object:
        return [
            (row.pk, row.version_id, row.step, row.visit, row.status, row.awaits, row.wake_at, row.overdue)
            for row in self.rows()
        ]

    def waiting(self, kind: str) -> list[Stay]:
        known = self.world.outcomes if kind == "mail" else self.world.calls
        return [
            stay
            for journey in self.world.journeys.values()
            for stay in journey.stays
            if stay.active and stay.waiting and self.world.made(stay) not in known
            if self.world.definition(stay)["steps"][stay.step]["kind"] == kind
        ]

    def mail_of(self, stay: Stay) -> "Mail | None":
        row = self.row(stay)
        visit = f"{stay.sequence}.{stay.visit}"
        for mail in VersionMail.objects.filter(version__workflow=row.workflow_id):
            made = mails.Letter(mail.pk, stay.person.id, visit).delivery_id
            if made == row.awaits:
                return Mail(made, mail.pk, visit)
        return None

    def agree(self) -> None:
        """The same people on the same journeys, who passed the same steps at the same times for the same reasons."""
        said = {key: _told(stay) for key, stay in self.stays_by_name().items()}
        names = {workflow.pk: name for name, workflow in self.workflows.items()}
        places = {version.pk: n for versions in self.versions.values() for n, version in enumerate(versions)}
        passed: dict[int, list[Passed]] = {}
        for one in Transition.objects.filter(enrolment__workflow__in=self.workflows.values()).order_by("visit"):
            trace = Passed(places[one.version_id], one.visit, one.step, one.arrived_at, one.at, one.way, one.note)
            passed.setdefault(one.enrolment_id, []).append(trace)
        done = {
            (names[row.workflow_id], row.contact_id, row.sequence): {
                "version": places[row.version_id],
                "step": row.step,
                "visit": row.visit,
                "since": row.since,
                "entered": row.entered_at,
                "left": row.left_because,
                "attention": row.trouble if row.status == "attention" else "",
                "passed": passed.get(row.pk, []),
            }
            for row in self.rows()
        }
        for key in sorted({*said, *done}, key=str):
            assert done.get(key) == said.get(key), self._difference(key, done.get(key), said.get(key))
        self._mails_agree()

    def _difference(self, key: tuple[str, UUID, int], done: Json | None, said: Json | None) -> str:
        which = [name for name in done or {} if said and done and done[name] != said[name]]
        lines = [
            f"{key}, now {self.now}, in {self.world.journeys[key[0]].versions}",
            f"person: {self.world.people[key[1]]}",
        ]
        for who, found in (("engine", done), ("interpreter", said)):
            lines.append(f"{who}: {({name: found[name] for name in which} or found) if found else 'nothing'}")
        return "\n".join(lines)

    def stays(self) -> list[Stay]:
        return [stay for journey in self.world.journeys.values() for stay in journey.stays]

    def stays_by_name(self) -> dict[tuple[str, UUID, int], Stay]:
        return {
            (name, stay.person.id, stay.sequence): stay
            for name, journey in self.world.journeys.items()
            for stay in journey.stays
        }

    def _mails_agree(self) -> None:
        """Nobody is written to twice at one visit, and whoever waits for a mail has one on its way."""
        mails = VersionMail.objects.filter(version__workflow__in=self.workflows.values()).values("pk")
        batches = SendBatch.objects.filter(origin__in=mails)
        handed = [(who, batch.visit, batch.origin_id) for batch in batches for who in batch.contact_ids]
        assert len(handed) == len(set(handed)), "A mail was handed over twice."
        for stay in self.waiting("mail"):
            mail = self.mail_of(stay)
            assert mail is not None and (stay.person.id, mail.visit, mail.origin) in handed, "A mail is missing."  # noqa: PT018

    def close(self) -> None:
        for name, workflow in self.workflows.items():
            workflow.refresh_from_db()
            if workflow.state in ("ACTIVE", "PAUSED"):
                steering.stop(workflow, by=SYSTEM)
            self.world.journeys[name].stopped = True
        contacts.commands.delete_many([person.id for person in self.people if person.exists], by=SYSTEM)
        self.drain()
        tasks_intake.look()  # nobody listens any more: what came since is passed over


class Mail(msgspec.Struct):
    id: UUID
    origin: UUID
    visit: str


def _told(stay: Stay) -> Json:
    return {
        "version": stay.version,
        "step": stay.step,
        "visit": stay.visit,
        "since": stay.since,
        "entered": stay.entered_at,
        "left": stay.left,
        "attention": stay.attention,
        "passed": stay.passed,
    }
