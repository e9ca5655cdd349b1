"""How many are where, and came by: exact, from sums and indexes; who may see aggregates only is told them coarsely."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, Sum

from core.cells import coarse
from workflows.models import Enrolment, Tally, Workflow, WorkflowVersion

Status = Enrolment.Status
#: Everybody who looks at a journey at the same time is told the same numbers.
SECONDS = 2
#: Rows of sums above which they are summed up.
MANY = 5_000
_SUMS = 0x0F10_0001


def by_step(version_id: UUID) -> dict[str, dict[str, int]]:
    """Of each step: waiting, attention (now), and arrived, passed, left, goal, refused, failed (ever). Three
    statements."""
    key = f"workflows:numbers:{version_id}"
    known: dict[str, dict[str, int]] | None = cache.get(key)
    if known is not None:
        return known
    found: dict[str, dict[str, int]] = {}
    inside = Enrolment.objects.filter(version=version_id).exclude(status=Status.LEFT)
    for step, people in inside.values_list("step").annotate(n=Count("*")):
        found.setdefault(step, {})["waiting"] = people
    stuck = Enrolment.objects.filter(version=version_id, status=Status.ATTENTION)
    for step, people in stuck.values_list("step").annotate(n=Count("*")):
        found[step]["attention"] = people
        found[step]["waiting"] = found[step].get("waiting", people) - people
    for step, what, total in (
        Tally.objects.filter(version=version_id).values_list("step", "what").annotate(n=Sum("count"))
    ):
        if what != "attention":
            found.setdefault(step, {})[what] = total
    cache.set(key, found, SECONDS)
    return found


def totals(workflows: Iterable[Workflow]) -> dict[UUID, dict[str, int]]:
    """Of each journey: inside, attention, entered, goal, over all its versions. Four statements."""
    ids = [workflow.pk for workflow in workflows]
    found: dict[UUID, dict[str, int]] = {pk: {} for pk in ids}
    of = dict(WorkflowVersion.objects.filter(workflow__in=ids).values_list("pk", "workflow"))
    inside = Enrolment.objects.filter(version__in=of).exclude(status=Status.LEFT)
    for version, people in inside.values_list("version").annotate(n=Count("*")):
        sums = found[of[version]]
        sums["inside"] = sums.get("inside", 0) + people
    stuck = Enrolment.objects.filter(workflow__in=ids, status=Status.ATTENTION)
    for workflow, people in stuck.values_list("workflow").annotate(n=Count("*")):
        found[workflow]["attention"] = people
    counted = Tally.objects.filter(version__in=of, what__in=["entered", "goal"])
    for version, what, total in counted.values_list("version", "what").annotate(n=Sum("count")):
        sums = found[of[version]]
        sums[what] = sums.get(what, 0) + total
    return found


def told(version: WorkflowVersion, *, exact: bool) -> dict[str, Any]:
    """What the canvas and the page show; without `exact` no count from 1 to 10 (PRV-14)."""
    say = (lambda n: n) if exact else coarse
    steps = {step: {what: say(n) for what, n in counts.items() if n} for step, counts in by_step(version.pk).items()}
    sums = totals([version.workflow])[version.workflow_id]
    entered, goal = sums.get("entered", 0), sums.get("goal", 0)
    return {
        "version": version.number,
        "steps": steps,
        "inside": say(sums.get("inside", 0)),
        "attention": say(sums.get("attention", 0)),
        "entered": say(entered),
        "goal": say(goal),
        "conversion": f"{100 * goal / entered:.1f} %" if entered and exact else "",
    }


# Rows of transactions that have committed only are seen, and so taken away.
_SUM_UP = """
WITH gone AS (DELETE FROM workflows_tally RETURNING version_id, step, what, count)
INSERT INTO workflows_tally (version_id, step, what, count)
SELECT version_id, step, what, sum(count) FROM gone GROUP BY version_id, step, what
"""


@transaction.atomic
def sum_up() -> None:
    """One row for each step and number, once there are many; their sums stay what they were."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SUMS])
        if cursor.fetchone()[0] and Tally.objects.all()[: MANY + 1].count() > MANY:
            cursor.execute(_SUM_UP)
