from typing import Any

from rest_framework import serializers

from workflows.language import checks
from workflows.language.parsing import parse
from workflows.models import Workflow, WorkflowVersion

_DEFINITION = "A journey as /api/v1/workflows/schema describes it."


class WorkflowIn(serializers.Serializer[Workflow]):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    definition = serializers.JSONField(required=False, allow_null=True, default=None, help_text=_DEFINITION)


class WorkflowOut(serializers.Serializer[Workflow]):
    """A journey. `live`: the number of the version that people enter; null: none was published yet."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    state = serializers.CharField()
    draft_revision = serializers.IntegerField()
    live = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    def get_live(self, workflow: Workflow) -> int | None:
        live = WorkflowVersion.State.LIVE
        return next((version.number for version in workflow.versions.all() if version.state == live), None)


class DefinitionIn(serializers.Serializer[object]):
    """`revision`: the draft's as you read it; if somebody saved since, nothing is overwritten (409). Left out: whatever
    stands is replaced."""

    revision = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    definition = serializers.JSONField(help_text=_DEFINITION)


class ProblemOut(serializers.Serializer[object]):
    """`step` "": the journey as a whole. An error keeps it from being published, a warning does not."""

    step = serializers.CharField()
    field = serializers.CharField()
    text = serializers.CharField()
    level = serializers.CharField()


class DefinitionOut(serializers.Serializer[object]):
    revision = serializers.IntegerField()
    definition = serializers.JSONField()
    problems = ProblemOut(many=True)


def drawn(workflow: Workflow) -> dict[str, Any]:
    """The draft with what is wrong with it."""
    problems = checks.check(parse(workflow.draft), workflow=workflow)
    found = {"revision": workflow.draft_revision, "definition": workflow.draft, "problems": problems}
    return dict(DefinitionOut(found).data)


class PublishIn(serializers.Serializer[object]):
    """`revision`: the draft's as you read it; another one is not published (409). `plan`: what becomes of people on
    older versions: {"how": "finish"}, or {"how": "move", "steps": {version id: {old step: new step}}}, where null has
    whoever is there leave and "" has them finish on the old version."""

    revision = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    plan = serializers.JSONField(required=False, allow_null=True, default=None)


class WorkflowVersionOut(serializers.Serializer[WorkflowVersion]):
    """A version. `state` PROPOSED: it is about health, and a second person has to approve it (SND-08)."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    tier = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    live_at = serializers.DateTimeField(allow_null=True)


class WorkflowDefinitionOut(WorkflowVersionOut):
    definition = serializers.JSONField()


class MailResultOut(serializers.Serializer[object]):
    """What came of one mail step. `versions`: their numbers; `what`: "mails sent", "people who opened", …"""

    step = serializers.CharField()
    mail = serializers.CharField()
    versions = serializers.CharField()
    what = serializers.CharField()
    count = serializers.CharField(
        help_text="A number; for roles that see aggregates only “fewer than 11” or “about 90”."
    )
