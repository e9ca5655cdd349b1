"""Who is on a journey and how they came to be where they are, as pages tell it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from contacts import listing
from contacts import queries as contacts
from contacts.models import Contact
from delivery.models import Delivery
from delivery.reasons import words as reason_words
from workflows import troubles
from workflows.language import words
from workflows.language.definition import (
    AnyStep,
    ByDate,
    ByHand,
    Definition,
    Mail,
    Wait,
    WaitEvent,
    WaitUntil,
    WaitWeekday,
    Webhook,
    from_json,
)
from workflows.language.names import Names
from workflows.models import Call, Enrolment, Happening, Moved, Transition, Workflow, WorkflowVersion
from workflows.step import Left
from workflows.watched import topic_of
from workflows.webhooks import sending

Status = Enrolment.Status


def on(workflow: Workflow, *, status: str = "", version: UUID | None = None, step: str = "") -> "QuerySet[Enrolment]":
    """Who is or was on it, the latest to enter first."""
    found = Enrolment.objects.filter(workflow=workflow)
    if version is not None:
        found = found.filter(version=version)
    if step:
        found = found.filter(step=step)
    if status == "inside":
        found = found.exclude(status=Status.LEFT)
    elif status in Status.values:
        found = found.filter(status=status)
    return found.order_by("-pk")


def masked(contact_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Masked names; of who was deleted there is none."""
    live = contacts.attributes()
    rows = listing.rows(Contact.objects.filter(pk__in=list(contact_ids)), live)
    return {row["contact"].pk: row["name"] for row in rows}


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody in a list."""

    enrolment: Enrolment
    name: str
    step: str
    why: str


def lines(workflow: Workflow, rows: Sequence[Enrolment]) -> list[Line]:
    """Where they are and why, in words. A fixed number of statements."""
    names = masked(row.contact_id for row in rows)
    versions = WorkflowVersion.objects.in_bulk({row.version_id for row in rows})
    titles = {pk: words.titles(from_json(version.definition)) for pk, version in versions.items()}
    causes = _causes(rows)
    found = []
    for row in rows:
        title = titles[row.version_id].get(row.step, row.step)
        trouble = troubles.said(row.trouble, causes.get(row.pk, ""))
        why = trouble if row.trouble else words.left_label(row.left_because)
        found.append(Line(row, names.get(row.contact_id, "Deleted contact"), title, why))
    return found


def _causes(rows: Iterable[Enrolment]) -> dict[int, str]:
    """Why the call of each failed who needs attention for it, as the endpoint's page says."""
    at = {row.pk: row.visit for row in rows if row.trouble == "call_failed"}
    failed = Call.objects.filter(enrolment_id__in=at, state=Call.State.FAILED) if at else Call.objects.none()
    found = failed.values_list("enrolment_id", "visit", "trouble")
    return {pk: sending.words(trouble) for pk, visit, trouble in found if at[pk] == visit}


# -- the path of one ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit of a step. `at` None: they are there now."""

    icon: str
    title: str
    kind: str
    arrived_at: datetime
    at: datetime | None
    way: str
    note: str
    #: For a branch the clause that held; it says something of the person's health.
    clause: str
    version: int
    delivery_id: UUID | None = None
    reasons: tuple[str, ...] = ()
    moved: str = ""


class _Told:
    """Definitions and names of the versions somebody was on."""

    def __init__(self, versions: Iterable[WorkflowVersion]) -> None:
        self.versions = {version.pk: version for version in versions}
        self.definitions: dict[UUID, Definition] = {
            pk: from_json(version.definition) for pk, version in self.versions.items()
        }
        self._titles = {pk: words.titles(definition) for pk, definition in self.definitions.items()}
        self._names: dict[UUID, Names] = {}

    def names(self, version_id: UUID) -> Names:
        if version_id not in self._names:
            self._names[version_id] = Names.load(self.definitions[version_id])
        return self._names[version_id]

    def title(self, version_id: UUID, step: str) -> str:
        return self._titles.get(version_id, {}).get(step, step)

    def step(self, version_id: UUID, step: str) -> AnyStep | None:
        definition = self.definitions.get(version_id)
        return definition.steps.get(step) if definition else None


def path(enrolment: Enrolment) -> list[Stay]:
    """Every step they were at, oldest first, and where they are."""
    passed = list(Transition.objects.filter(enrolment=enrolment).order_by("visit"))
    moved = {row.visit: row for row in Moved.objects.filter(enrolment=enrolment).order_by("pk")}
    ids = {enrolment.version_id, *(row.version_id for row in passed), *(row.from_version for row in moved.values())}
    told = _Told(WorkflowVersion.objects.filter(pk__in=ids))
    made = [row.made for row in passed if row.made] + ([enrolment.awaits] if enrolment.awaits else [])
    sent = {row.pk: row for row in Delivery.objects.filter(pk__in=made).only("pk", "outcome", "reasons")}
    stays = [_stay(row, told, sent, moved.get(row.visit)) for row in passed]
    if enrolment.status != Status.LEFT:
        stays.append(_here(enrolment, told, sent, moved.get(enrolment.visit)))
    return stays


def let_in(enrolment: Enrolment) -> str:
    """What let them in, in words: what the version says that they entered, or that they were put on it."""
    moved = Moved.objects.filter(enrolment=enrolment).order_by("pk").values_list("from_version", flat=True).first()
    definition = from_json(WorkflowVersion.objects.get(pk=moved or enrolment.version_id).definition)
    trigger = definition.trigger
    if isinstance(trigger, ByDate):
        by_itself = enrolment.key_index is not None and enrolment.happening_id is None
    else:
        kept = enrolment.happening_id
        by_itself = kept is not None and _lets_in(definition, enrolment.contact_id, kept)
    if isinstance(trigger, ByHand) or not by_itself:
        return "Put on by staff, a list, the API or another journey"
    return f"{words.trigger_title(trigger)}: {words.trigger_summary(trigger, Names.load(definition))}"


def _lets_in(definition: Definition, contact_id: UUID, happening: int) -> bool:
    """Whether what is kept with them is what lets people in: whom another journey has enter, it brings its own."""
    rows = Happening.objects.filter(pk=happening, contact_id=contact_id)
    kept, topic = rows.values_list("kind", "about").first(), topic_of(definition)
    return kept is None or topic is None or (kept[0] == topic[0] and topic[1] in (None, kept[1]))


def _stay(row: Transition, told: _Told, sent: dict[UUID, Delivery], moved: Moved | None) -> Stay:
    step = told.step(row.version_id, row.step)
    mail = sent.get(row.made) if row.made else None
    clause = ""
    if step is not None and step.__struct_config__.tag == "branch" and row.way:
        clause = words.way_reason(step, row.way, told.names(row.version_id))
    return Stay(
        icon=_icon(step),
        title=told.title(row.version_id, row.step),
        kind=words.kind_title(step) if step is not None else "",
        arrived_at=row.arrived_at,
        at=row.at,
        way=words.way_label(step, row.way) if step is not None and row.way else "",
        note=words.note_label(row.note),
        clause=clause,
        version=told.versions[row.version_id].number if row.version_id in told.versions else 0,
        delivery_id=mail.pk if mail else None,
        reasons=tuple(reason_words(code).sentence for code in mail.reasons) if mail else (),
        moved=_moved(moved, told),
    )


def _here(row: Enrolment, told: _Told, sent: dict[UUID, Delivery], moved: Moved | None) -> Stay:
    step = told.step(row.version_id, row.step)
    mail = sent.get(row.awaits) if row.awaits else None
    return Stay(
        icon=_icon(step),
        title=told.title(row.version_id, row.step),
        kind=words.kind_title(step) if step is not None else "",
        arrived_at=row.since,
        at=None,
        way="",
        note=troubles.said(row.trouble, _causes([row]).get(row.pk, "")) if row.trouble else waits_for(row, step, told),
        clause="",
        version=told.versions[row.version_id].number,
        delivery_id=mail.pk if mail else None,
        moved=_moved(moved, told),
    )


def waits_for(row: Enrolment, step: AnyStep | None, told: _Told) -> str:
    """What somebody who is on the way waits for, in words; the moment itself stands beside it."""
    match step:
        case Mail():
            return "Waits until the mail has left" if row.awaits else "The mail is next"
        case Webhook():
            return "Waits for the other system's answer" if row.awaits else "The call is next"
        case WaitEvent():
            names = told.names(row.version_id)
            return f"Waits: {words.step_summary(step, names)}"
        case Wait() | WaitUntil() | WaitWeekday():
            return f"Waits: {words.step_summary(step, told.names(row.version_id))}"
    return "Goes on in a moment"


def _moved(moved: Moved | None, told: _Told) -> str:
    if moved is None or moved.from_version not in told.versions:
        return ""
    number = told.versions[moved.from_version].number
    return f"Moved here from “{told.title(moved.from_version, moved.from_step)}” of version {number}"


def _icon(step: AnyStep | None) -> str:
    tag = str(step.__struct_config__.tag) if step is not None else ""
    return {
        "mail": "mailbox",
        "wait": "clock",
        "wait_until": "calendar",
        "wait_weekday": "calendar",
        "wait_event": "clock",
        "set_attribute": "draft",
        "list": "people",
        "end": "stop",
    }.get(tag, "workflow" if tag in ("branch", "branch_mail", "split", "enter", "goal") else "info")


def of_contact(contact_id: UUID) -> list[dict[str, Any]]:
    """The journeys of a person, the latest first."""
    rows = list(Enrolment.objects.filter(contact_id=contact_id).select_related("workflow").order_by("-pk")[:50])
    versions = WorkflowVersion.objects.in_bulk({row.version_id for row in rows})
    found = []
    for row in rows:
        step = from_json(versions[row.version_id].definition).steps.get(row.step)
        left = words.left_label(row.left_because) if row.left_because in list(Left) else ""
        found.append({"enrolment": row, "step": words.step_title(step) if step else row.step, "left": left})
    return found
