"""Whether what was published may still run: looked at each minute, so that pages and Home can say why it is held.

The engine asks for itself (engine.plans); this only tells people.
"""

from audit.commands import record
from core.actors import SYSTEM
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.versions import approval

_RUNNING = (Workflow.State.ACTIVE, Workflow.State.PAUSED)


def look() -> None:
    """Note on each running journey what holds it, and that nothing does any more. Some ten statements a version."""
    versions = WorkflowVersion.objects.filter(workflow__state__in=_RUNNING, state__in=("LIVE", "CLOSED"))
    held: dict[Workflow, str] = {}
    for version in versions.select_related("workflow").order_by("number"):
        known = held.setdefault(version.workflow, "")
        if version.state == "LIVE" or _has_people(version):
            held[version.workflow] = approval.trouble(version) or known
    for workflow, trouble in held.items():
        if workflow.trouble != trouble:
            Workflow.objects.filter(pk=workflow.pk).update(trouble=trouble)
            record(
                "workflow.held" if trouble else "workflow.released", by=SYSTEM, target=workflow, code=trouble or "none"
            )


def _has_people(version: WorkflowVersion) -> bool:
    return Enrolment.objects.filter(version=version).exclude(status=Enrolment.Status.LEFT).exists()
