"""Journeys as JSON, so that they can live in version control: the same commands as the pages."""

from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from workflows import commands, results
from workflows.errors import ChangedMeanwhile
from workflows.language.schema import json_schema
from workflows.models import Workflow, WorkflowVersion
from workflows.serializers import (
    DefinitionIn,
    DefinitionOut,
    MailResultOut,
    PublishIn,
    WorkflowDefinitionOut,
    WorkflowIn,
    WorkflowOut,
    WorkflowVersionOut,
    drawn,
)
from workflows.versions import publishing


def _one(workflow_id: UUID) -> Workflow:
    return get_object_or_404(Workflow.objects.prefetch_related("versions"), pk=workflow_id)


class Workflows(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW, "POST": Action.WORKFLOWS_EDIT}

    @extend_schema(responses=WorkflowOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List journeys in use, newest first."""
        rows = Workflow.objects.filter(archived_at=None).prefetch_related("versions").order_by("-created_at")
        return self.paged(rows, WorkflowOut)

    @extend_schema(request=WorkflowIn, responses={201: WorkflowOut})
    def post(self, request: ApiRequest) -> Response:
        """Add a journey, empty or of a definition."""
        workflow = commands.create(**self.checked(WorkflowIn), by=request.user)
        return Response(WorkflowOut(workflow).data, status=201)


class OneWorkflow(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW}

    @extend_schema(responses=WorkflowOut)
    def get(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """Read one journey."""
        return Response(WorkflowOut(_one(workflow_id)).data)


class WorkflowDefinition(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW, "PUT": Action.WORKFLOWS_EDIT}

    @extend_schema(responses=DefinitionOut)
    def get(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """Read the draft, with what keeps it from being published."""
        return Response(drawn(_one(workflow_id)))

    @extend_schema(request=DefinitionIn, responses=DefinitionOut)
    def put(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """Replace the draft. What can be read is kept, even if it cannot be published yet: `problems` says why."""
        given = self.checked(DefinitionIn)
        workflow = commands.save_draft(
            _one(workflow_id), given["definition"], revision=given["revision"], by=request.user
        )
        return Response(drawn(workflow))


class Publish(Endpoint):
    scopes = {"POST": Action.WORKFLOWS_RUN}

    @extend_schema(request=PublishIn, responses={201: WorkflowVersionOut})
    def post(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """Make the draft a version: live at once, or PROPOSED where a second person has to approve it on the page."""
        given = self.checked(PublishIn)
        with transaction.atomic():
            workflow = commands.locked(_one(workflow_id))
            if given["revision"] not in (None, workflow.draft_revision):
                raise ChangedMeanwhile("Somebody saved this journey since you read it. Read it again, then publish.")
            version = publishing.publish(workflow, plan=given["plan"], by=request.user)
        return Response(WorkflowVersionOut(version).data, status=201)


class WorkflowVersions(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW}

    @extend_schema(responses=WorkflowVersionOut(many=True))
    def get(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """List what was published of a journey, newest first."""
        return self.paged(_one(workflow_id).versions.defer("definition", "plan", "note"), WorkflowVersionOut)


class OneVersion(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW}

    @extend_schema(responses=WorkflowDefinitionOut)
    def get(self, request: ApiRequest, workflow_id: UUID, number: int) -> Response:
        """Read what was published, as it was."""
        version = get_object_or_404(WorkflowVersion, workflow_id=workflow_id, number=number)
        return Response(WorkflowDefinitionOut(version).data)


class Results(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_NUMBERS}

    @extend_schema(responses=MailResultOut(many=True))
    def get(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """What came of each mail, over all versions; no person is named."""
        mails = results.of_mails(_one(workflow_id))
        found = results.rows(mails, exact=request.user.may(Action.SMALL_CELLS))
        return Response([dict(zip(results.COLUMNS, row, strict=True)) for row in found])


class DefinitionSchema(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW}

    @extend_schema(responses={200: {"type": "object"}})
    def get(self, request: ApiRequest) -> Response:
        """The JSON Schema of a definition."""
        return Response(json_schema())
