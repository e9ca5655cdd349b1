"""Who is where on older versions of a journey, and how their steps map to those of a new one."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db.models import Count, Exists, OuterRef, QuerySet

from core.sensitivity import Sensitivity, highest
from workflows.errors import NotPossibleNow
from workflows.language import graph, tiers
from workflows.language.definition import AnyStep, Definition, Mail, Webhook, from_json
from workflows.models import Enrolment, Workflow, WorkflowVersion

FINISHES = ""


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WorkflowVersion.plan. `steps`: by older version, old step → new step, null (leaves) or "" (finishes there)."""

    how: str = "finish"
    steps: dict[str, dict[str, str | None]] = {}


class Inside(NamedTuple):
    """People at one step of an older version."""

    version: WorkflowVersion
    step: str
    people: int
    #: Of them: who needs attention.
    stuck: int


def inside(workflow: Workflow) -> list[Inside]:
    """Who is where on the versions people are on now, newest version first, in the order of its steps."""
    versions = {v.pk: v for v in workflow.versions.filter(state__in=["LIVE", "CLOSED"])}
    rows = Enrolment.objects.filter(version__in=versions).exclude(status=Enrolment.Status.LEFT)
    stuck = Enrolment.objects.filter(workflow=workflow, status=Enrolment.Status.ATTENTION)
    # Apart, so that each is answered from its own index.
    counted = {(version, step): n for version, step, n in _counts(rows)}
    held = {(version, step): n for version, step, n in _counts(stuck)}
    order = {(pk, step): n for pk, v in versions.items() for n, step in enumerate(graph.order(from_json(v.definition)))}
    everywhere = [Inside(versions[at[0]], at[1], people, held.get(at, 0)) for at, people in counted.items()]
    return sorted(everywhere, key=lambda one: (-one.version.number, order.get((one.version.pk, one.step), 0)))


def _counts(rows: "QuerySet[Enrolment]") -> "QuerySet[Enrolment, tuple[UUID, str, int]]":
    return rows.values_list("version", "step").annotate(n=Count("*"))


def suggest(old: Definition, new: Definition, step: str) -> str:
    """Where people at this step of an older version best go on: the same step; "": nowhere, they finish there."""
    was = old.steps.get(step)
    if was is None:
        return FINISHES
    same = new.steps.get(step)
    if same is not None and type(same) is type(was):
        return step
    named = [key for key, now in new.steps.items() if was.name and now.name == was.name and type(now) is type(was)]
    return named[0] if len(named) == 1 else FINISHES


def complete(workflow: Workflow, plan: Any, definition: Definition) -> Mapping:
    """The plan with every step of every older version people are on: what it does not name is as suggested.

    Raises NotPossibleNow where it names what is not there.
    """
    try:
        asked = msgspec.convert(plan or {}, Mapping)
    except msgspec.ValidationError as error:
        raise NotPossibleNow(f"This plan for people on older versions cannot be read: {error}") from None
    if asked.how not in ("finish", "move"):
        raise NotPossibleNow("People on older versions either finish there or move: say which.")
    if asked.how == "finish":
        return Mapping()
    steps: dict[str, dict[str, str | None]] = {}
    for version in workflow.versions.filter(state__in=["LIVE", "CLOSED"]).order_by("number"):
        old, said = from_json(version.definition), asked.steps.get(str(version.pk), {})
        wrong = [to for to in said.values() if to and to not in definition.steps]
        if wrong or set(said) - set(old.steps):
            raise NotPossibleNow("The plan moves people from or to a step that is not there. Choose again.")
        steps[str(version.pk)] = {step: said.get(step, suggest(old, definition, step)) for step in old.steps}
    return Mapping("move", steps)


def brought(workflow: Workflow, plan: Mapping) -> Sensitivity:
    """How sensitive the versions are by now that the plan may bring people from: what sorted them there, they bring
    along."""
    going = [version for version, steps in plan.steps.items() if any(steps.values())]
    inside = Enrolment.objects.filter(version=OuterRef("pk")).exclude(status=Enrolment.Status.LEFT)
    older = list(workflow.versions.filter(Exists(inside), pk__in=going))
    now = [tiers.tier_of(from_json(version.definition)) for version in older]
    return highest(Sensitivity.PUBLIC, *(version.tier for version in older), *now)


def as_json(plan: Mapping) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(plan)
    return found


def keeps(old: AnyStep | None, new: AnyStep | None) -> bool:
    """Whether what is waited for at the old step is waited for at the new one: a mail stays a mail, a call a call."""
    return any(isinstance(old, kind) and isinstance(new, kind) for kind in (Mail, Webhook))
