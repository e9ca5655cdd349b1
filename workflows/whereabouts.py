"""Where one person is on a journey, and the way they came: for machines."""

from typing import Any
from uuid import UUID

from audit import commands as audit
from core.actors import By
from delivery.models import Delivery
from workflows.language import words
from workflows.language.definition import Definition, from_json
from workflows.models import Enrolment, Transition, Workflow


def of(workflow: Workflow, contact_id: UUID, *, by: By) -> list[dict[str, Any]]:
    """Each time somebody was on it, the latest first. Four statements; the trail keeps that it was asked."""
    rows = list(
        Enrolment.objects.filter(workflow=workflow, contact_id=contact_id)
        .select_related("version")
        .order_by("-sequence")
    )
    passed = list(Transition.objects.filter(enrolment__in=rows).select_related("version").order_by("visit"))
    made = [row.made for row in passed if row.made]
    outcomes = {row.pk: row for row in Delivery.objects.filter(pk__in=made).only("pk", "outcome", "reasons")}
    versions = {row.version for row in rows} | {row.version for row in passed}
    definitions = {version.pk: from_json(version.definition) for version in versions}
    audit.record("workflow.person_asked", by=by, target=workflow, subject=contact_id)
    return [
        {
            **{name: getattr(row, name) for name in _FIELDS},
            "version": row.version.number,
            "path": [
                *(_passed(t, definitions[t.version_id], outcomes) for t in passed if t.enrolment_id == row.pk),
                *([_there(row, definitions[row.version_id])] if row.status != Enrolment.Status.LEFT else []),
            ],
        }
        for row in rows
    ]


_FIELDS = (
    "sequence",
    "status",
    "entered_at",
    "step",
    "since",
    "wake_at",
    "trouble",
    "left_because",
    "left_at",
)


def _title(definition: Definition, step: str) -> str:
    return words.step_title(definition.steps[step]) if step in definition.steps else ""


def _passed(row: Transition, definition: Definition, outcomes: dict[UUID, Delivery]) -> dict[str, Any]:
    mail = outcomes.get(row.made) if row.made else None
    return {
        "step": row.step,
        "title": _title(definition, row.step),
        "arrived_at": row.arrived_at,
        "left_at": row.at,
        "way": row.way,
        "note": row.note,
        "outcome": mail.outcome if mail else "",
        "reasons": mail.reasons if mail else [],
    }


def _there(row: Enrolment, definition: Definition) -> dict[str, Any]:
    gone: dict[str, Any] = {"left_at": None, "way": None, "note": "", "outcome": "", "reasons": []}
    return {"step": row.step, "title": _title(definition, row.step), "arrived_at": row.since, **gone}
