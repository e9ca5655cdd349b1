"""Other journeys that people would enter from this one: whom they would take. What happens there is not simulated."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from workflows.engine.plans import Plan, plan_of
from workflows.entry import Before
from workflows.language.definition import Definition, Enter, Reentry, from_json
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.simulate.rules import Asked

OPEN = (Workflow.State.ACTIVE, Workflow.State.PAUSED)


@dataclass
class Other:
    """One other journey. `before`: by row, the times people were on it, real ones and then simulated ones. `says`: the
    rank of what it says that lets people in."""

    reentry: Reentry
    only: Asked | None
    says: int
    before: dict[int, list[Before]] = field(default_factory=dict)


@dataclass
class Others:
    """`open`: those that take people now. `more`: (course, step)
    from which nobody enters, for what sorts them there is more sensitive than what the other journey says."""

    open: dict[UUID, Other] = field(default_factory=dict)
    more: set[tuple[str, str]] = field(default_factory=set)


def versions(definitions: Iterable[Definition]) -> dict[UUID, WorkflowVersion]:
    """The live versions of the journeys that these have people enter, by journey."""
    wanted = {step.workflow for one in definitions for step in one.steps.values() if isinstance(step, Enter)}
    live = WorkflowVersion.objects.filter(
        workflow__in=[pk for pk in wanted if pk], state=WorkflowVersion.State.LIVE, workflow__state__in=OPEN
    )
    return {version.workflow_id: version for version in live}


def only_of(live: Mapping[UUID, WorkflowVersion]) -> dict[UUID, Any]:
    """Of those that have one the rule who may enter."""
    read = {pk: from_json(version.definition).only for pk, version in live.items()}
    return {pk: rule for pk, rule in read.items() if rule is not None}


def others(
    live: Mapping[UUID, WorkflowVersion],
    rules: Mapping[UUID, Asked],
    numbers: Sequence[int],
    coming: Iterable[tuple[str, Definition]],
) -> Others:
    """`rules`: those of only_of that could be read; `numbers`: contact numbers by row; `coming`: what people come from,
    by the name of its course."""
    rows = {number: row for row, number in enumerate(numbers)}
    found = Others()
    plans = {pk: plan_of(version) for pk, version in live.items()}
    for pk, plan in plans.items():
        found.open[pk] = Other(plan.definition.reentry, rules.get(pk), plan.says.rank, _before(pk, rows))
    for name, definition in coming:
        for step, target in _entering(definition):
            # As engine and checks have it: nobody enters by more than the other journey says lets people in.
            if target in plans and Plan(None, None, definition).sorted_by(step).rank > plans[target].says.rank:
                found.more.add((name, step))
    return found


def _entering(definition: Definition) -> Iterator[tuple[str, UUID]]:
    for key, step in definition.steps.items():
        if isinstance(step, Enter) and step.workflow:
            yield key, step.workflow


def _before(workflow: UUID, rows: Mapping[int, int]) -> dict[int, list[Before]]:
    found: defaultdict[int, list[Before]] = defaultdict(list)
    earlier = Enrolment.objects.filter(workflow=workflow).order_by("entered_at")
    fields = ("contact_number", "status", "entered_at", "key_index")
    for number, status, entered_at, key in earlier.values_list(*fields).iterator(chunk_size=10_000):
        if number in rows:
            inside = status != Enrolment.Status.LEFT
            found[rows[number]].append(Before(inside, entered_at, bytes(key) if key is not None else None))
    return dict(found)
