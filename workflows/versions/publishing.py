"""From draft to what runs: freeze, have a second person approve it, go live."""

from typing import Any

import msgspec
from django.db import connection, transaction

import content.commands
import delivery.commands
from accounts.queries import person_of
from audit.commands import record
from content.models import Template, TemplateVersion
from core import clock
from core.actors import By
from core.sensitivity import Sensitivity, highest
from delivery.models import Origin, Sender
from workflows.commands import locked
from workflows.errors import ApprovalOutdated, BadDefinition, NotComplete, NotPossibleNow, SelfApproval
from workflows.language import checks, tiers, words
from workflows.language.definition import Definition, Mail
from workflows.language.parsing import parse
from workflows.models import Enrolment, Move, VersionMail, Workflow, WorkflowVersion
from workflows.versions import approval, claims, mapping, moving

State = WorkflowVersion.State


@transaction.atomic
def publish(workflow: Workflow, *, by: By, plan: Any = None, move: Move | None = None) -> WorkflowVersion:
    """Make the draft a version. It is live at once, or waits for a second person where it is about health (SND-08).

    `plan`: what becomes of people on older versions (WorkflowVersion.plan); None: they finish there. `move`: where that
    was foretold. Raises BadDefinition, NotComplete, TemplateHasErrors, NotPossibleNow.
    """
    workflow = locked(workflow)
    if workflow.archived_at:
        raise NotPossibleNow("This journey is archived. Duplicate it to publish it again.")
    if workflow.state == Workflow.State.STOPPED and _has_people(workflow):
        raise NotPossibleNow("People are still leaving this journey since it was stopped. Publish when all have left.")
    if workflow.versions.filter(state=State.PROPOSED).exists():
        raise NotPossibleNow("A version waits for approval already. Withdraw it first, or have it decided on.")
    if workflow.moves.filter(state=Move.State.MOVING).exists():
        raise NotPossibleNow("People are being moved to the version before. Publish when that has ended.")
    definition = parse(workflow.draft)
    _checked(workflow, definition)
    mails = _frozen(definition, by)
    whole = mapping.complete(workflow, plan, definition)
    steps, brought = mapping.as_json(whole), mapping.brought(workflow, whole)
    tier = highest(tiers.tier_of(definition), brought, *(mail.tier for mail in mails.values()))
    last = workflow.versions.first()
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=last.number + 1 if last else 1,
        definition=workflow.draft,
        digest=approval.digest(workflow.draft, steps, mails, approval.within(definition)),
        tier=tier,
        plan=steps,
        proposed_by=person_of(by),
        proposed_at=clock.now(),
        written_by=workflow.editors,
    )
    VersionMail.objects.bulk_create(
        VersionMail(version=version, step=step, template_version=mail) for step, mail in mails.items()
    )
    moving.attach(version, move, by=by)
    record("workflow.proposed", by=by, target=workflow, version=version.number, tier=str(tier))
    if not approval.needs_second(tier):
        _go_live(workflow, version, definition, by)
    return version


def _has_people(workflow: Workflow) -> bool:
    inside = Enrolment.objects.exclude(status=Enrolment.Status.LEFT)
    return inside.filter(version__in=workflow.versions.values("pk")).exists()


#: Journeys that lead to each other are checked one after the other.
LOCK = 0x0B0D


def _checked(workflow: Workflow, definition: Definition) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    wrong = checks.errors(definition, workflow=workflow)
    if wrong:
        first = wrong[0]
        step = definition.steps.get(first.step)
        where = f"“{words.titles(definition)[first.step]}”: " if step is not None else ""
        more = f" And {len(wrong) - 1} more." if len(wrong) > 1 else ""
        raise BadDefinition(f"This cannot be published yet. {where}{first.text}{more}", wrong)


def _frozen(definition: Definition, by: By) -> dict[str, TemplateVersion]:
    """The mail of every mail step, frozen as it stands."""
    steps = {key: step for key, step in definition.steps.items() if isinstance(step, Mail)}
    found = Template.objects.in_bulk({step.template for step in steps.values() if step.template})
    frozen: dict[Any, TemplateVersion] = {}
    for key, step in steps.items():
        template = found.get(step.template) if step.template else None
        if template is None or step.sender is None:
            raise NotComplete(f"The mail “{step.name or key}” still needs a template and a sender.")
        if template.pk not in frozen:
            frozen[template.pk] = content.commands.freeze(template, by=by)
    return {key: frozen[step.template] for key, step in steps.items()}


@transaction.atomic
def approve(version: WorkflowVersion, *, by: By, seen: bytes, note: str = "") -> WorkflowVersion:
    """Approve exactly what stands, and let it go live. `seen`: the digest of what the approver read."""
    workflow = locked(version.workflow)
    version = WorkflowVersion.objects.get(pk=version.pk)
    _proposed(version)
    definition = parse(version.definition)
    person = person_of(by)
    if person is None or person in approval.hands(version, definition):
        raise SelfApproval(
            "A second person has to approve this: you drew, changed or proposed it, one of its mails or its segments."
        )
    if seen != bytes(version.digest) or seen != approval.digest_now(version, definition):
        raise ApprovalOutdated("A segment inside it changed since it was proposed. Send it back, to be proposed anew.")
    if approval.trouble(version):
        raise ApprovalOutdated(
            "What it uses counts as more sensitive than when it was proposed. Send it back, to be proposed as such."
        )
    if mapping.brought(workflow, msgspec.convert(version.plan, mapping.Mapping)).rank > Sensitivity(version.tier).rank:
        raise ApprovalOutdated(
            "People would move here whom something more sensitive sorted than was known when it was proposed. Send it "
            "back, to be proposed as such."
        )
    _checked(workflow, definition)  # what it names may be gone since, and journeys it leads to may lead back by now
    version.decided_by, version.decided_at, version.note = person, clock.now(), note.strip()
    version.save(update_fields=["decided_by", "decided_at", "note"])
    record("workflow.approved", by=by, target=workflow, version=version.number, digest=seen.hex())
    _go_live(workflow, version, definition, by)
    return version


def _proposed(version: WorkflowVersion) -> None:
    if version.state != State.PROPOSED:
        raise NotPossibleNow("This version does not wait for approval any more.")


@transaction.atomic
def send_back(version: WorkflowVersion, *, by: By, note: str) -> WorkflowVersion:
    """Return a proposal to its author, with what should change."""
    if not note.strip():
        raise NotComplete("Say what should change, so that the author can act on it.")
    return _put_away(version, State.RETURNED, by=by, note=note.strip())


@transaction.atomic
def withdraw(version: WorkflowVersion, *, by: By) -> WorkflowVersion:
    """Take a proposal back."""
    return _put_away(version, State.WITHDRAWN, by=by)


def _put_away(version: WorkflowVersion, state: str, *, by: By, note: str = "") -> WorkflowVersion:
    workflow = locked(version.workflow)
    version = WorkflowVersion.objects.get(pk=version.pk)
    _proposed(version)
    version.state, version.note = state, note
    version.decided_by, version.decided_at = person_of(by), clock.now()
    version.save(update_fields=["state", "note", "decided_by", "decided_at"])
    Move.objects.filter(version=version).delete()
    record(f"workflow.{state.lower()}", by=by, target=workflow, version=version.number)
    return version


def _go_live(workflow: Workflow, version: WorkflowVersion, definition: Definition, by: By) -> None:
    """New people enter this one from now on; those on older versions do as the plan says."""
    workflow.versions.filter(state=State.LIVE).update(state=State.CLOSED)
    version.state, version.live_at = State.LIVE, clock.now()
    version.save(update_fields=["state", "live_at"])
    _open_origins(version, definition, held=workflow.state == Workflow.State.PAUSED, by=by)
    if workflow.state != Workflow.State.PAUSED:
        workflow.state = Workflow.State.ACTIVE
    if version.decided_by:  # else they still have a hand in it, should it once need a second person
        workflow.editors = []
    workflow.save(update_fields=["state", "editors", "updated_at"])
    claims.settle(workflow)
    moving.begin(version)
    record("workflow.published", by=by, target=workflow, version=version.number, how=version.plan["how"])


def _open_origins(version: WorkflowVersion, definition: Definition, *, held: bool, by: By) -> None:
    mails = list(version.mails.select_related("template_version"))
    steps = {mail.step: definition.steps[mail.step] for mail in mails}
    senders = Sender.objects.in_bulk({step.sender for step in steps.values() if isinstance(step, Mail)})
    special = version.tier == Sensitivity.SPECIAL  # TRK-02: never counted
    for mail in mails:
        step, frozen = steps[mail.step], mail.template_version
        assert isinstance(step, Mail)
        sender = senders.get(step.sender)
        if sender is None:
            raise NotComplete(f"The sender of the mail “{step.name or mail.step}” is gone. Choose another one.")
        delivery.commands.open_origin(
            mail.pk,
            kind=Origin.Kind.WORKFLOW,
            stream=step.stream,
            purpose=frozen.purpose,
            message_class=frozen.message_class,
            topic_id=step.topic,
            template_version=frozen,
            sender=sender,
            tier=version.tier,
            track_opens=step.track_opens and not special,
            track_clicks=step.track_clicks and not special,
            approved_digest=bytes(frozen.digest),
            by=by,
        )
        if held:
            delivery.commands.hold(mail.pk, by=by)
