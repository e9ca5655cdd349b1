"""Random days in the life of a mailing list, and a slow reading of its tables to compare with."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import numpy as np

from consent.models import Act, LedgerEntry, Source, Topic
from consent.queries import facts_for
from contacts import commands as contacts
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from delivery.models import Delivery, Origin, SendBatch, SmtpSession
from segments import calendar
from segments.columns import Numbers
from segments.context import Context
from segments.facts import files, writing
from segments.tree import Clause, Engaged, Span, Times, TopicIs
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.delivery.factories import RelayFactory, make_origin
from tracking.commands import purge
from tracking.models import Event
from tracking.verdict import in_burst

KINDS = {"opened": "open", "clicked": "click"}


@dataclass
class World:
    """Some people, campaigns and topics, to whom things happen at random."""

    random: Random
    now: datetime = field(default_factory=lambda: clock.now().replace(microsecond=0) - timedelta(minutes=5))

    def __post_init__(self) -> None:
        self.people = make_people(12)
        self.topics: list[Topic] = [TopicFactory(), TopicFactory()]
        self.origins = [make_origin(topic=topic) for topic in (*self.topics, self.topics[0])]
        self.origins.append(make_origin(kind=Origin.Kind.CALL))
        self.session = SmtpSession.objects.create(
            relay=RelayFactory(),
            host="h",
            address="a",
            tls_version="TLSv1.3",
            cipher="c",
            certificate_sha256="0" * 64,
            basis="webpki",
            started_at=self.now,
        )
        self.batches = [
            SendBatch.objects.create(origin=o, stream=o.stream, contact_ids=[], due_at=self.now) for o in self.origins
        ]

    def moment(self) -> datetime:
        """Lately, often within the seconds in which clicks count as one burst."""
        ago = self.random.choice([self.random.randrange(6), self.random.randrange(6), self.random.randrange(300_000)])
        return self.now - timedelta(seconds=ago, milliseconds=self.random.choice([0, 0, 500]))

    def delivery(self) -> Delivery:
        at = self.random.randrange(len(self.origins))
        return Delivery(
            id=uuid7(),
            origin=self.origins[at],
            batch=self.batches[at],
            contact_id=self.random.choice(self.people),
            visit=uuid7().hex,
            outcome=self.random.choice(["sent", "sent", "failed"]),
            at=self.moment(),
            decision={"verdict": "allow"},
            session=self.session,
            content_sha256=b"0" * 32,
        )

    def event(self) -> Event:
        origin, who = self.random.choice([*self.origins, *self.origins[:1] * 3]), self.random.choice(self.people)
        kind = self.random.choice(["open", "click", "click", "click"])
        # Few messages, so that their clicks meet.
        message = UUID(int=origin.pk.int ^ who.int ^ self.random.randrange(2))
        return Event(
            delivery_id=message,
            origin_id=origin.pk,
            contact_id=who,
            kind=kind,
            at=self.moment(),
            verdict=self.random.choice(["human", "human", "unknown", "machine"]),
            link=self.random.randrange(3) if kind == "click" else None,
        )

    def act(self) -> LedgerEntry:
        act = self.random.choice([Act.OPT_IN, Act.OPT_IN, Act.OPT_OUT, Act.OPT_IN_VOIDED, Act.OPT_OUT_ALL])
        everything = act == Act.OPT_OUT_ALL or (act == Act.OPT_IN and self.random.random() < 0.2)
        return LedgerEntry(
            contact_id=self.random.choice(self.people),
            topic=None if everything else self.random.choice(self.topics),
            act=act,
            at=self.moment(),
            source=Source.STAFF,
            evidence={},
            recorded_by_kind="system",
        )

    def happen(self, using: str = "default") -> None:
        """A few rows of each table, in the caller's transaction."""
        Delivery.objects.using(using).bulk_create([self.delivery() for _ in range(self.random.randrange(4))])
        Event.objects.using(using).bulk_create([self.event() for _ in range(self.random.randrange(8))])
        LedgerEntry.objects.using(using).bulk_create([self.act() for _ in range(self.random.randrange(3))])

    def lose(self) -> None:
        """Somebody is deleted; their deliveries, events and acts stay."""
        contacts.delete(Contact.objects.get(pk=self.people.pop()), by=SYSTEM)

    def forget(self) -> None:
        purge(self.now - timedelta(seconds=self.random.choice([1, 3, 200_000])))

    def write(self) -> None:
        """Some files are written anew, whether it is due or not."""
        generations = {(h.kind, h.subject): h.generation for h in files.heads(writing.KINDS).values()}
        for subject in writing.subjects():
            if self.random.random() < 0.4:
                writing.write(subject, generations.get(subject, 0))

    def clauses(self) -> list[Clause]:
        days = [None, Span(0), Span(2)]
        mailings: list[dict[str, Any]] = [
            {},
            {"last": True},
            {"topic": self.topics[0].pk},
            {"topic": self.topics[1].pk, "last": True},
            *({"mailing": origin.pk} for origin in self.origins[:3]),
        ]
        found: list[Clause] = [
            Engaged(event, True, times=Times("at_least", times), span=span, **mailing)
            for event in ("received", "opened", "clicked")
            for mailing in mailings
            for span in days
            for times in (1, 2)
        ]
        found += [Engaged("clicked", True, mailing=self.origins[0].pk, link=link) for link in range(3)]
        today = self.now.date()
        found.append(Engaged("clicked", True, first=today - timedelta(days=3), second=today - timedelta(days=1)))
        return found + [TopicIs(t.pk, state) for t in self.topics for state in ("opted_in", "opted_out", "no_choice")]


@dataclass
class Tables:
    """All that the tables say, read once. Answers row by row."""

    context: Context
    at: datetime | None

    def __post_init__(self) -> None:
        self.numbers = dict(Contact.objects.values_list("id", "number"))
        self.sent = list(
            Delivery.objects.filter(outcome="sent", at__lte=self.context.now).values_list(
                "contact_id", "origin_id", "at"
            )
        )
        self.events = list(Event.objects.filter(at__lte=self.context.now))
        self.machine = {event.pk for event in self.events if event.verdict == "machine"}
        for message in {event.delivery_id for event in self.events}:
            clicks = [e for e in self.events if e.delivery_id == message and e.kind == "click"]
            bursts = in_burst((e.at, e.link) for e in clicks)
            self.machine |= {e.pk for e, burst in zip(clicks, bursts, strict=True) if burst}
        self.campaigns = list(Origin.objects.filter(kind="campaign").order_by("-created_at", "-pk"))
        living = sorted(self.numbers.values())
        self.living = np.array(living)

    def expected(self, clause: Clause) -> set[int]:
        """Contact numbers of the living that a clause holds for."""
        if isinstance(clause, TopicIs):
            said = facts_for(self.numbers, clause.topic, self.at)
            out = {i for i, facts in said.items() if facts.opted_out or facts.opted_out_all}
            inside = {i for i, facts in said.items() if facts.opted_in} - out
            states = {"opted_in": inside, "opted_out": out, "no_choice": said.keys() - inside - out}
            return {self.numbers[i] for i in states[clause.state]}
        assert isinstance(clause, Engaged)
        counts = Counter(who for who in self._who(clause) if who in self.numbers)
        return {self.numbers[who] for who, count in counts.items() if count >= clause.times.least}

    def held(self, numbers: Numbers) -> set[int]:
        """The numbers in a set that somebody living has."""
        return set(self.living[numbers.among(self.living)].tolist())

    def _who(self, clause: Engaged) -> Iterator[UUID]:
        chosen = self._chosen(clause)
        rows = self.sent
        if clause.event != "received":
            rows = [
                (e.contact_id, e.origin_id, e.at)
                for e in self.events
                if e.kind == KINDS[clause.event] and e.pk not in self.machine and clause.link in (None, e.link)
            ]
        since = calendar.moved(self.context.today, clause.span, -1) if clause.span else clause.first
        for who, origin, at in rows:
            day = at.astimezone(self.context.zone).date()
            early = since is not None and day < self.context.day(since)
            late = clause.second is not None and day > self.context.day(clause.second)
            if not early and not late and (chosen is None or origin in chosen):
                yield who

    def _chosen(self, clause: Engaged) -> list[UUID] | None:
        if clause.mailing:
            return [clause.mailing]
        if not clause.topic and not clause.last:
            return None
        got = {origin for _, origin, _ in self.sent}
        campaigns = [o.pk for o in self.campaigns if clause.topic in (None, o.topic_id)]
        return [i for i in campaigns if i in got][:1] if clause.last else campaigns
