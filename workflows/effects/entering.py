"""Have people enter another journey as well; its own rules decide who does."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.actors import By
from segments.errors import RuleError
from workflows.effects.acts import Act, Applied
from workflows.enrolling import Entry, enrol
from workflows.errors import NotComplete, NotPossibleNow
from workflows.language.definition import Enter
from workflows.models import Workflow, WorkflowVersion

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
    for wanted, own in sorted(groups.items(), key=lambda group: str(group[0])):
        code = _entered(versions.get(wanted) if wanted else None, own, now, by)
        if code:
            trouble.update({act.row.id: code for act in own})
    return Applied({}, trouble)


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
