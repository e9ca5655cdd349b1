"""People on a journey while workers are killed: what must become of each, by the pure step alone, and what did.

For a small test and the large bench (bench/workflows_kill.py).
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

import consent.commands
from consent.models import Source, Topic
from contacts.models import Kind
from core import clock
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from marketing.celery import app
from tests.workflows import factories as make
from workflows import enrolling, happenings, step
from workflows.language.definition import Mail, SetAttribute, from_json
from workflows.models import Enrolment, EventType, Happening, WorkflowVersion
from workflows.step import Facts, Mailing, Place

#: What beat would do: [seconds between, task].
BEAT = ((0.5, "workflows.listen"), (0.5, "workflows.sweep"), (1.0, "delivery.sweep"))
#: Which lot people are of decides what becomes of them.
LOTS = 12
#: Their wait of a minute runs out.
LATE = (3, 7)


class Fate(NamedTuple):
    """What becomes of somebody: (step, way, note) of each visit, why they left, and how many mails went to them."""

    visits: tuple[tuple[str, str, str], ...]
    left: str
    mails: int


def definition() -> dict[str, Any]:
    # Nothing here says anything of health, so that the gate asks for no confirmed address.
    make.AttributeFactory(key="flag", kind=Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    for name in ("confirmed", "cancelled"):
        index = happenings.name_index(name)
        EventType.objects.create(name=name, name_index=index, sensitivity=Sensitivity.IDENTITY)
    yes = make.rule({"attribute": "flag", "op": "is", "value": "yes"})
    wait = {"kind": "wait_event", "event": "confirmed", "same_key": False, "timeout": {"minutes": 1}}
    steps: dict[str, Any] = {
        "halves": {"kind": "split", "shares": [{"percent": 50}, {"percent": 50}], "exits": {"1": "flag", "2": "which"}},
        "flag": {"kind": "set_attribute", "attribute": "flag", "value": "yes", "exits": {"next": "which"}},
        "which": {**make.branch(yes), "exits": {"1": "mail", "else": "tell"}},
        "tell": {"kind": "tell", "role": "marketer", "text": "Call them.", "exits": {"next": "mail"}},
        "mail": {**make.mail(), "exits": {"next": "asked", "refused": "end"}},
        "asked": {**wait, "exits": {"happened": "outcome", "timeout": "end"}},
        "outcome": {
            "kind": "branch_mail",
            "mail": "mail",
            "cases": ["sent"],
            "exits": {"sent": "again", "else": "end"},
        },
        "again": {**make.mail(), "exits": {"next": "end", "refused": "end"}},
        "end": make.end(),
    }
    exits = [{"kind": "event", "event": "cancelled", "same_key": False}]
    return make.graph("halves", steps, exits=exits)


def foretold(raw: Any, contact: UUID, lot: int) -> Fate:
    """By the pure step alone. Lot 0 is cancelled at once, the gate refuses 1, LATE never confirm, the others do."""
    graph, now = from_json(raw), datetime(2026, 1, 1, tzinfo=UTC)
    assert graph.start is not None
    place = Place(contact=contact, step=graph.start, visit=0, entered_at=now, since=now)
    visits: list[tuple[str, str, str]] = []
    flag, mails = None, 0
    outcome = "refused" if lot == 1 else "sent"
    while place.step is not None:
        node = graph.steps[place.step]
        asked = place.awaits if isinstance(node, Mail) else mails > 0
        facts = Facts(
            UTC,
            exits=(lot == 0,),
            cases=(flag == "yes",),
            happened=lot not in LATE,
            mail=Mailing(outcome) if asked else None,
        )
        effect = step.decide(graph, place, facts, now)
        if isinstance(node, SetAttribute):
            flag = effect.value
        if isinstance(node, Mail) and effect.act and outcome == "sent":
            mails += 1
        now = effect.until or now
        place, passed = step.moved(graph, place, effect, now)
        if passed is not None:
            visits.append((passed.step, passed.way, str(passed.note)))
    return Fate(tuple(visits), str(place.left), mails)


class Ride:
    """A journey, its people, and what must become of them."""

    def __init__(self, count: int, *, late: bool = True) -> None:
        """`late` False: nobody's wait runs out, which would take a minute."""
        self.workflow = make.make_workflow(definition())
        self.version: WorkflowVersion = make.live(self.workflow)
        self.people: list[UUID] = []
        self.address: dict[UUID, str] = {}
        for first in range(0, count, 5_000):
            these = range(first, min(first + 5_000, count))
            made = make.make_people(len(these), email=lambda i, first=first: f"rider{first + i}@example.com")
            self.address |= {who: f"rider{n}@example.com" for who, n in zip(made, these, strict=True)}
            self.people += made
        lots = [lot for lot in range(LOTS) if late or lot not in LATE]
        self.lot = {who: lots[n % len(lots)] for n, who in enumerate(self.people)}
        self.entered = 0
        topic = Topic.objects.get().pk
        out = consent.commands.NewAct
        acts = [out(w, "opt_out", Source.STAFF, topic, {}) for w in self.people if self.lot[w] == 1]
        consent.commands.record_many(acts, by=SYSTEM)
        self.events = {row.name: row.pk for row in EventType.objects.all()}

    @transaction.atomic
    def enter(self, count: int) -> None:
        """So many more enter, and what happens to them happens."""
        people = self.people[self.entered : self.entered + count]
        self.entered += len(people)
        if not people:
            return
        now = clock.now()
        found = enrolling.enrol(self.version, [enrolling.Entry(who) for who in people], at=now, by=SYSTEM)
        assert found.entered == len(people)
        after = clock.now()
        news = []
        for who in people:
            what = "cancelled" if self.lot[who] == 0 else "" if self.lot[who] in LATE else "confirmed"
            if what:
                news.append(happenings.New(Happening.Kind.EVENT, self.events[what], who, after))
        happenings.write(news)

    def finished(self) -> bool:
        """Everybody has left."""
        inside = Enrolment.objects.filter(workflow=self.workflow).exclude(status=Enrolment.Status.LEFT)
        return self.entered == len(self.people) and not inside.exists()

    def wrong(self, seen: dict[str, int]) -> dict[str, int]:
        """How many are not as they must be, and how often somebody got a mail again; `seen`: mails by address."""
        fates = {who: foretold(self.version.definition, who, lot) for who, lot in self.lot.items()}
        left = dict(Enrolment.objects.filter(workflow=self.workflow).values_list("contact_id", "left_because"))
        visits: dict[UUID, list[tuple[str, str, str]]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT e.contact_id, t.step, t.way, t.note FROM workflows_transition t"
                " JOIN workflows_enrolment e ON e.id = t.enrolment_id WHERE e.workflow_id = %s ORDER BY e.id, t.visit",
                [self.workflow.pk],
            )
            for who, *visit in cursor.fetchall():
                visits[who].append(tuple(visit))  # type: ignore[arg-type]
        states = [who for who, fate in fates.items() if (tuple(visits[who]), left.get(who)) != fate[:2]]
        mails = {who: seen.get(self.address[who], 0) - fate.mails for who, fate in fates.items()}
        return {
            "people": len(fates),
            "mails": sum(fate.mails for fate in fates.values()),
            "other_state": len(states),
            "missing_mails": sum(-more for more in mails.values() if more < 0),
            "repeated_mails": sum(more for who, more in mails.items() if more > 0 and fates[who].mails),
            "unwanted_mails": sum(more for who, more in mails.items() if more > 0 and not fates[who].mails),
        }


@contextmanager
def beating() -> Iterator[None]:
    """Beat, in a thread, for as long as this lasts; what cannot be sent is sent the next time."""
    stop = threading.Event()

    def beat() -> None:
        due = dict.fromkeys((name for _, name in BEAT), 0.0)
        while not stop.wait(0.1):
            for every, name in BEAT:
                if time.monotonic() >= due[name]:
                    due[name] = time.monotonic() + every
                    try:
                        app.send_task(name, expires=5)
                    except Exception:
                        continue

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def shares(total: int, parts: int) -> Sequence[int]:
    """A number in nearly equal parts."""
    return [total * (n + 1) // parts - total * n // parts for n in range(parts)]
