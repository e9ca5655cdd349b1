"""What a version comes to: its definition, rules, mails and the ids of what it names. Read once, kept in memory."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from contacts.models import Attribute
from core.sensitivity import Sensitivity
from segments import catalog as catalogs
from segments.catalog import Catalog
from segments.errors import RuleError
from segments.frames import kinds_of
from segments.rules import parse
from segments.tree import Rule
from workflows import happenings
from workflows.language import choosing, tiers
from workflows.language.definition import Branch, ByDate, Definition, Goal, GoalExit, SegmentLeft, from_json
from workflows.language.names import Names
from workflows.models import EventType, VersionMail, WorkflowVersion
from workflows.versions import approval

#: Plans a thread keeps in memory.
KEPT = 256


class Asked(NamedTuple):
    """A rule as parsed, and the columns it is answered from."""

    rule: Rule
    kinds: Mapping[str, str]


@dataclass(slots=True)
class Plan:
    """A definition to be carried out. `version_id` None: one that was never published."""

    workflow_id: UUID | None
    version_id: UUID | None
    definition: Definition
    #: Mail step → the origin its mails are sent by.
    origins: Mapping[str, UUID] = field(default_factory=dict)
    _ids: dict[tuple[str, str], UUID] = field(default_factory=dict)
    _rules: dict[str, tuple[Asked, ...] | RuleError] = field(default_factory=dict)
    #: Why nobody may be taken further, a code of workflows.troubles; as of the last refresh.
    trouble: str = ""
    _sorted_by: dict[str, Sensitivity] = field(default_factory=dict)
    _says: Sensitivity | None = None
    _stamp: object = None
    _catalog: Catalog | None = None

    def refresh(self) -> None:
        """Forget rules that may mean something else since: an attribute, a topic or a segment changed; and see whether
        what was approved still stands. One statement where nothing changed.

        To be called once a claim, before any rule is asked for.
        """
        stamp = _stamp()
        if stamp != self._stamp:
            self._rules.clear()
            self._sorted_by.clear()
            self._says = None
            version = WorkflowVersion.objects.filter(pk=self.version_id).first() if self.version_id else None
            self.trouble = approval.trouble(version) if version else ""
        self._stamp, self._catalog = stamp, None

    def sorted_by(self, step_id: str) -> Sensitivity:
        """How sensitive what sorts whom this step has enter another journey is, as of the last refresh."""
        if step_id not in self._sorted_by:
            self._sorted_by[step_id] = choosing.sorted_by(self.definition, Names.load(self.definition), step_id)
        return self._sorted_by[step_id]

    @property
    def says(self) -> Sensitivity:
        """How sensitive the journey says that being on it is, as of the last refresh."""
        if self._says is None:
            self._says = tiers.let_in(self.definition, Names.load(self.definition))
        return self._says

    @property
    def keyed(self) -> bool:
        """Whether what let people in has a key that an event could have, too: a date has none."""
        return not isinstance(self.definition.trigger, ByDate)

    def exit_rule(self, place: int) -> Asked:
        """The rule of an exit that has one: the goal, or being in the segment. Raises RuleError."""
        given = self.definition.exits[place]
        raw: Any = None
        if isinstance(given, GoalExit):
            raw = given.rule
        elif isinstance(given, SegmentLeft):
            raw = {"version": 2, "root": {"all": [{"segment": str(given.segment), "op": "in"}]}}
        return self._parsed(f"exit {place}", [raw])[0]

    def cases(self, step_id: str) -> tuple[Asked, ...]:
        """The rules of a branch or goal, in their order. Raises RuleError."""
        node = self.definition.steps[step_id]
        raw = [case.rule for case in node.cases] if isinstance(node, Branch) else []
        return self._parsed(f"step {step_id}", [node.rule] if isinstance(node, Goal) else raw)

    def _parsed(self, key: str, raw: list[Any]) -> tuple[Asked, ...]:
        if key not in self._rules:
            catalog = self._catalog = self._catalog or catalogs.load()
            try:
                rules = [parse(one, catalog) for one in raw]
                self._rules[key] = tuple(Asked(rule, kinds_of(rule, catalog)) for rule in rules)
            except RuleError as broken:
                self._rules[key] = broken
        found = self._rules[key]
        if isinstance(found, RuleError):
            raise RuleError(found.problems)
        return found

    def event_id(self, name: str) -> UUID | None:
        """The event type of this name, archived or not; None: nobody declared it."""
        return self._id("event", name)

    def attribute_id(self, key: str) -> UUID | None:
        return self._id("attribute", key)

    def _id(self, kind: str, name: str) -> UUID | None:
        """Names keep their ids, so an id once found is kept."""
        if (kind, name) not in self._ids:
            found: EventType | Attribute | None
            if kind == "event":
                found = EventType.objects.filter(name_index=happenings.name_index(name)).only("pk").first()
            else:
                found = Attribute.objects.filter(key=name).only("pk").first()
            if found is None:
                return None
            self._ids[kind, name] = found.pk
        return self._ids[kind, name]


# Whatever a rule may name and somebody may take away or change.
_STAMP = """
SELECT (SELECT count(removed_at) FROM contacts_attribute), (SELECT max(removed_at) FROM contacts_attribute),
    (SELECT count(*) FROM contacts_attribute), (SELECT count(removed_at) FROM consent_topic),
    (SELECT max(removed_at) FROM consent_topic), (SELECT count(*) FROM segments_segment),
    (SELECT sum(revision) FROM segments_segment), (SELECT count(archived_at) FROM segments_segment),
    (SELECT string_agg(sensitivity, ',' ORDER BY id) FROM contacts_attribute),
    (SELECT string_agg(sensitivity, ',' ORDER BY id) FROM workflows_eventtype)
"""


def _stamp() -> object:
    with connection.cursor() as cursor:
        cursor.execute(_STAMP)
        return cursor.fetchone()


class _Memory(threading.local):
    """Of one thread: a plan holds rules as they are while one claim lasts."""

    def __init__(self) -> None:
        self.plans: OrderedDict[UUID, Plan] = OrderedDict()


_memory = _Memory()


def plan_of(version: WorkflowVersion) -> Plan:
    """What a version comes to, whatever its state. Two statements."""
    origins = dict(VersionMail.objects.filter(version=version.pk).values_list("step", "pk"))
    return Plan(version.workflow_id, version.pk, from_json(version.definition), origins)


def running(version_id: UUID) -> Plan:
    """The plan of a version that runs, and so never changes: from memory, if it is there."""
    plans = _memory.plans
    if version_id not in plans:
        plans[version_id] = plan_of(WorkflowVersion.objects.get(pk=version_id))
        while len(plans) > KEPT:
            plans.popitem(last=False)
    plans.move_to_end(version_id)
    return plans[version_id]
