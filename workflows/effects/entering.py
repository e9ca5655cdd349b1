"""Have people enter another journey as well; its own rules decide who does.

Nobody does where more sorts them here than the other journey says that lets people in: its mails would rest on it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.actors import By
from segments.errors import RuleError
from workflows.effects.acts import Act, Applied
from workflows.engine import plans
from workflows.enrolling import Entry, enrol
from workflows.errors import NotComplete, NotPossibleNow
from workflows.language.definition import Enter
from workflows.models import Moved, Workflow, WorkflowVersion

OPEN = (Workflow.State.ACTIVE, Workflow.State.PAUSED)


def enter(acts: Sequence[Act], now: datetime, by: By) -> Applied:
    """With the event that let them in here; whom the other journey does not take goes on all the same."""
    groups: dict[UUID | None, list[Act]] = {}
    for act in acts:
        assert isinstance(act.step, Enter)
        groups.setdefault(act.step.workflow, []).append(act)
    live = WorkflowVersion.objects.filter(
        workflow__in=[pk for pk in groups if pk], state=WorkflowVersion.State.LIVE, workflow__state__in=OPEN
    )
    versions = {version.workflow_id: version for version in live}
    trouble: dict[int, str] = {}
    for wanted, asked in sorted(groups.items(), key=lambda group: str(group[0])):
        version = versions.get(wanted) if wanted else None
        too_much = _sorted_by_more(version, asked) if version else set()
        trouble.update(dict.fromkeys(too_much, "chosen_by_more"))
        own = [act for act in asked if act.row.id not in too_much]
        code = _entered(version, own, now, by) if own else ""
        if code:
            trouble.update({act.row.id: code for act in own})
    return Applied({}, trouble)


def _sorted_by_more(version: WorkflowVersion, acts: Sequence[Act]) -> set[int]:
    """Those whom something sorts that is more sensitive than what the version says: on their way here, also on versions
    they were moved from. Two statements, as long as nothing changed and nobody moved: the plan they come from is as of
    their claim."""
    there = plans.running(version.pk)
    there.refresh()
    came = [(act.row.id, act.row.version_id, act.step_id) for act in acts]
    moves = Moved.objects.filter(enrolment__pk__among=[act.row.id for act in acts])
    moved = list(moves.values_list("enrolment", "from_version", "from_step"))
    for pk in {pk for _, pk, _ in moved}:
        plans.running(pk).refresh()
    places = {(pk, step) for _, pk, step in (*came, *moved)}
    more = {(pk, step) for pk, step in places if plans.running(pk).sorted_by(step).rank > there.says.rank}
    return {who for who, pk, step in (*came, *moved) if (pk, step) in more}


def _entered(version: WorkflowVersion | None, acts: Sequence[Act], now: datetime, by: By) -> str:
    """Why nobody could enter; "" where the other journey took whom it takes."""
    if version is None:
        return "journey_closed"
    people = [Entry(act.row.contact_id, act.row.key_index, act.row.happening_id) for act in acts]
    try:
        enrol(version, people, at=now, by=by)
    except (NotPossibleNow, NotComplete):
        return "journey_closed"
    except RuleError:
        return "rule_broken"
    return ""
