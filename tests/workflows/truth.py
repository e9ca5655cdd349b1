"""The engine and the interpreter side by side: the same journeys, people, events, clocks, crashes and staff.

After each thing that is done the traces are the same: test_truth.py does a little, bench/workflows_truth.py a lot.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from celery.app.task import Task
from django.db import connection, connections

import consent.commands
import contacts.commands
from consent.models import Source, Topic
from contacts.models import Contact, Kind
from core import clock
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from delivery.models import Delivery, SendBatch, SmtpSession
from segments.models import Segment
from tests.content.factories import organization
from tests.delivery.factories import RelayFactory
from tests.workflows import factories as make
from tests.workflows.drawn import EVENTS, HOME, START
from tests.workflows.interpreter import Journey, Json, Passed, Person, Stay, World
from tracking.models import Event as Tracked
from workflows import events, happenings, steering, tasks_intake
from workflows.engine import mails
from workflows.engine import run as engine
from workflows.enrolling import Entry, enrol
from workflows.models import Call, Endpoint, Enrolment, EventType, Transition, VersionMail, Workflow, WorkflowVersion
from workflows.webhooks import sending


class Killed(BaseException):
    """The worker is gone, in the middle of something."""


def chance(*parts: object, of: int = 100) -> int:
    """The same number for the same parts, always."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") % of


class Setting:
    """What journeys name, made once; and one journey that others have people enter, which also has changes of all
    attributes listened to from the beginning."""

    def __init__(self) -> None:
        organization(time_zone=HOME)
        RelayFactory()
        for key, kind in (("plan", Kind.TEXT), ("mark", Kind.TEXT), ("day", Kind.DATE), ("moment", Kind.DATETIME)):
            make.AttributeFactory(key=key, kind=kind, sensitivity=Sensitivity.IDENTITY)
        for name in EVENTS:
            EventType.objects.create(
                name=name,
                name_index=happenings.name_index(name),
                sensitivity=Sensitivity.IDENTITY,
                properties={"place": "text", "when": "date"},
            )
        self.topics: list[Topic] = [make.TopicFactory(requires_opt_in=False) for _ in range(2)]
        self.template = make.TemplateFactory(html="<p>Hello</p><p>{{ organization.postal_address }}</p>" + UNSUBSCRIBE)
        self.sender = make.SenderFactory()
        self.endpoint_id = str(Endpoint.objects.create(name="EHR", url="https://ehr.example.org", secret="s" * 40).pk)
        self.list_id = str(make.SegmentFactory(kind=Segment.Kind.SNAPSHOT, tier=Sensitivity.IDENTITY).pk)
        self.session = SmtpSession.objects.create(
            relay_id=make.RelayFactory().pk, host="mx.example.org", address="192.0.2.1", tls_version="TLSv1.3",
            cipher="x", certificate_sha256="0" * 64, basis="webpki", started_at=START,
        )  # fmt: skip
        #: The journey that others have people enter.
        self.inner_id = ""

    def mail(self, topic: int) -> Json:
        chosen = {"template": self.template, "sender": self.sender, "topic": self.topics[topic]}
        return make.mail(**chosen, track_opens=True, track_clicks=True)


UNSUBSCRIBE = "<a href='{{ unsubscribe_url }}'>Stop</a>"


# -- both side by side -------------------------------------------------------------------------------------------------


class Both:
    """Whatever is done is done to both; `agree` says where they differ."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now = START
        self.world = World(HOME)
        self.jobs: list[tuple[str, list[Any]]] = []
        self.workflows: dict[str, Workflow] = {}
        self.versions: dict[str, list[WorkflowVersion]] = {}
        self.people: list[Person] = []
        self.sent = 0

    # -- the ground --

    @contextmanager
    def held(self) -> Iterator[None]:
        """The clock stands where the test sets it, and jobs wait until the test carries them out."""
        real, send = clock.now, Task.apply_async
        clock.now = lambda: self.now

        def keep(task: Task, args: Any = (), *_: Any, **__: Any) -> None:
            self.jobs.append((task.name, list(args)))

        Task.apply_async = keep  # type: ignore[method-assign]
        try:
            yield
        finally:
            clock.now, Task.apply_async = real, send  # type: ignore[method-assign]

    def publish(self, name: str, definition: Json, plan: Json | None = None) -> WorkflowVersion:
        if name not in self.workflows:
            self.workflows[name] = make.make_draft(definition)
            self.versions[name] = []
        version = make.publish(self.workflows[name], definition, plan=plan)
        assert version.state == WorkflowVersion.State.LIVE, version.state
        self.versions[name].append(version)
        return version

    def begin(self, name: str, definition: Json) -> None:
        self.publish(name, definition)
        journey = Journey(name, [definition], began=self.now, looked=self.now)
        self.world.journeys[name] = self.world.by_id[str(self.workflows[name].pk)] = journey

    def add_people(self, given: list[Json]) -> None:
        ids = make.make_people(
            len(given),
            **{key: (lambda i, key=key: given[i].get(key)) for key in ("time_zone", "plan", "day", "moment")},
        )
        for pk, values in zip(ids, given, strict=True):
            person = self.world.people[pk] = Person(pk, values["time_zone"] or HOME)
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

    def delete(self, who: int) -> None:
        person = self.people[who]
        if person.exists:
            contacts.commands.delete(Contact.objects.get(pk=person.id), by=SYSTEM)
            person.exists = False

    def consent(self, who: int, topic: int | None, yes: bool) -> None:
        person = self.people[who]
        if not person.exists:
            return
        about = None if topic is None else self.setting.topics[topic]
        told: Json = {"source": Source.PREFERENCES, "evidence": {"text": "said so"}, "by": SYSTEM}
        if yes and about is not None:
            consent.commands.opt_in(person.id, about, **told)
            person.out.discard(str(about.pk))
            person.back_in.add(str(about.pk))
        elif about is not None:
            consent.commands.opt_out(person.id, about, **told)
            person.out.add(str(about.pk))
            person.back_in.discard(str(about.pk))
        else:
            consent.commands.opt_out(person.id, None, **told)
            person.out_of_all = True
            person.back_in.clear()

    def deliver(self) -> None:
        """The post goes: every mail that is on its way has an outcome, and some are read."""
        for stay in self.waiting("mail"):
            made = self.world.made(stay)
            outcome = ("sent", "sent", "sent", "sent", "refused", "failed", "unknown")[chance(made, of=7)]
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
            self.sent += 1
            self.world.outcomes[made] = outcome
            if outcome != "sent":
                continue
            for kind, rate, known in (("open", 50, self.world.opened), ("click", 30, self.world.clicked)):
                if chance(made, kind) < rate:
                    link = 0 if kind == "click" else None
                    Tracked.objects.create(
                        delivery_id=mail.id, origin_id=mail.origin, contact_id=stay.person.id, kind=kind, link=link,
                        at=self.now, verdict="human",
                    )  # fmt: skip
                    known.add(made)

    def answer(self) -> None:
        """The other systems answer."""
        for stay in self.waiting("webhook"):
            made = self.world.made(stay)
            call = Call.objects.get(enrolment=self.row(stay), visit=stay.visit)
            done = chance(made, "call") < 60
            sending.settle([call], sending.Ended("" if done else "refused", 200 if done else 400))
            call.refresh_from_db()
            assert call.state in ("done", "failed")
            self.world.calls[made] = str(call.state)

    def pause(self, name: str) -> None:
        if not self.world.journeys[name].paused:
            steering.pause(self.workflows[name], by=SYSTEM)
            self.world.journeys[name].paused = True

    def resume(self, name: str, how: str) -> None:
        if self.world.journeys[name].paused:
            steering.resume(self.workflows[name], how=how, by=SYSTEM)
            self.drain()
            self.world.resume(self.world.journeys[name], how, self.now)

    def move(self, name: str, definition: Json, plan: dict[int, dict[str, str | None]]) -> None:
        """`plan`: by place of the older version, each of its steps to a step, to leaving (None) or to staying ("")."""
        versions = self.versions[name]
        said = {str(versions[place].pk): steps for place, steps in plan.items()}
        self.publish(name, definition, {"how": "move", "steps": said})
        self.drain()
        kept = {place: {step: to for step, to in steps.items() if to != ""} for place, steps in plan.items()}
        self.world.move(self.world.journeys[name], definition, kept, self.now)

    # -- the engine at work --

    def settle(self, *, crash: int | None = None, workers: int = 1) -> None:
        """Have the engine do all there is to do at this moment, whatever befalls it, and the interpreter, too."""
        if crash is not None:
            for work in (tasks_intake.listen, tasks_intake.look, self.work):
                self.killed(work, crash)
        for _ in range(30):
            before = self.state()
            self.listen_look_and_work(workers)
            if self.state() == before:
                break
        else:
            raise AssertionError("The engine does not come to rest.")
        self.world.tick(self.now)

    def listen_look_and_work(self, workers: int = 1) -> None:
        tasks_intake.listen()
        tasks_intake.look()
        if workers > 1:
            self.together(workers)
        else:
            self.work()
        self.drain()

    def work(self) -> None:
        engine.run(seconds=60, now=self.now)

    def killed(self, work: Callable[[], Any], after: int) -> None:
        """The worker is killed at its so-many-th statement; whatever it had begun is gone."""
        left = after

        def count(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(count):
                work()
        except Killed:
            connection.close()

    def together(self, workers: int) -> None:
        """Several workers at once, each with a connection of its own."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self.work()
            except BaseException as failure:
                failures.append(failure)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

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
        said = {key: _told(stay) for key, stay in self._stays().items()}
        names = {workflow.pk: name for name, workflow in self.workflows.items()}
        places = {version.pk: n for versions in self.versions.values() for n, version in enumerate(versions)}
        passed: dict[int, list[Passed]] = {}
        for one in Transition.objects.filter(enrolment__workflow__in=self.workflows.values()).order_by("visit"):
            trace = Passed(one.visit, one.step, one.arrived_at, one.at, one.way, one.note)
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

    def _stays(self) -> dict[tuple[str, UUID, int], Stay]:
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
