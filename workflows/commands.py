"""Write the draft of a journey: one verb each. What runs is the matter of publishing and steering."""

from typing import Any

from django.db import transaction

from accounts.queries import person_of
from audit.commands import record
from core import clock
from core.actors import By
from workflows.errors import ChangedMeanwhile, NotComplete, NotPossibleNow
from workflows.language.definition import Definition, to_json
from workflows.language.parsing import parse
from workflows.models import Workflow, WorkflowVersion

State = Workflow.State


def locked(workflow: Workflow) -> Workflow:
    """The row, held until the transaction ends; outcome rows that refer to it do not wait."""
    return Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)


def _named(name: str) -> str:
    name = " ".join(name.split())[:120]
    if not name:
        raise NotComplete("Give the journey a name.")
    return name


@transaction.atomic
def create(*, name: str, by: By, description: str = "", definition: Any = None) -> Workflow:
    """A new draft, empty or of this definition (JSON). Raises BadDefinition."""
    draft = to_json(Definition() if definition is None else parse(definition))
    person = person_of(by)
    workflow = Workflow.objects.create(
        name=_named(name),
        description=description.strip(),
        draft=draft,
        created_by=person,
        editors=[person] if person else [],
    )
    record("workflow.created", by=by, target=workflow)
    return workflow


@transaction.atomic
def rename(workflow: Workflow, *, name: str, by: By, description: str = "") -> Workflow:
    """Change what people on staff know it by; what runs is not touched."""
    workflow = locked(workflow)
    named, described = _named(name), description.strip()
    if (named, described) == (workflow.name, workflow.description):
        return workflow
    workflow.name, workflow.description = named, described
    workflow.save(update_fields=["name", "description", "updated_at"])
    record("workflow.renamed", by=by, target=workflow)
    return workflow


@transaction.atomic
def save_draft(workflow: Workflow, definition: Any, *, revision: int | None, by: By) -> Workflow:
    """Keep what was drawn (JSON); people inside notice nothing.

    `revision`: the one the author started from (None: whatever stands). Raises BadDefinition, ChangedMeanwhile.
    """
    draft = to_json(parse(definition))
    workflow = locked(workflow)
    if workflow.archived_at:
        raise NotPossibleNow("This journey is archived. Duplicate it to go on drawing.")
    if revision is not None and revision != workflow.draft_revision:
        raise ChangedMeanwhile("Somebody else saved this journey meanwhile. Load it again, then make your change.")
    if draft == workflow.draft:
        return workflow
    workflow.draft = draft
    workflow.draft_revision += 1
    person = person_of(by)
    if person and person not in workflow.editors:
        workflow.editors.append(person)
    workflow.save(update_fields=["draft", "draft_revision", "editors", "updated_at"])
    record("workflow.saved", by=by, target=workflow, revision=workflow.draft_revision)
    return workflow


@transaction.atomic
def duplicate(workflow: Workflow, *, name: str, by: By) -> Workflow:
    """A new draft as this one is drawn; versions and people stay where they are."""
    copy = create(name=name, by=by, description=workflow.description, definition=workflow.draft)
    copy.editors = sorted({*copy.editors, *workflow.editors})  # who drew it still has a hand in it
    copy.save(update_fields=["editors"])
    return copy


@transaction.atomic
def archive(workflow: Workflow, *, by: By) -> Workflow:
    """Take it out of the lists. One that runs has to be stopped first."""
    workflow = locked(workflow)
    if workflow.state not in (State.DRAFT, State.STOPPED):
        raise NotPossibleNow("People are on this journey or may enter it. Stop it first, then archive it.")
    if workflow.versions.filter(state=WorkflowVersion.State.PROPOSED).exists():
        raise NotPossibleNow("A version waits for approval. Withdraw it first, then archive the journey.")
    workflow.archived_at = clock.now()
    workflow.save(update_fields=["archived_at", "updated_at"])
    record("workflow.archived", by=by, target=workflow)
    return workflow
