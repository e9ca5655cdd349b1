"""Templates for machines: the same commands as the pages."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from content import commands, queries
from content.models import Template, TemplateVersion
from content.serializers import FindingOut, TemplateChange, TemplateIn, TemplateOut, VersionOut


class Templates(Endpoint):
    scopes = {"GET": Action.TEMPLATES_VIEW, "POST": Action.TEMPLATES_EDIT}

    @extend_schema(responses=TemplateOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List templates, newest first."""
        return self.paged(Template.objects.filter(archived_at=None), TemplateOut)

    @extend_schema(request=TemplateIn, responses={201: TemplateOut})
    def post(self, request: ApiRequest) -> Response:
        """Add a template."""
        template = commands.create_template(**self.checked(TemplateIn), by=request.user)
        return Response(TemplateOut(template).data, status=201)


class OneTemplate(Endpoint):
    scopes = {"GET": Action.TEMPLATES_VIEW, "PATCH": Action.TEMPLATES_EDIT}

    @extend_schema(responses=TemplateOut)
    def get(self, request: ApiRequest, template_id: UUID) -> Response:
        """Read one draft."""
        return Response(TemplateOut(get_object_or_404(Template, pk=template_id)).data)

    @extend_schema(request=TemplateChange, responses=TemplateOut)
    def patch(self, request: ApiRequest, template_id: UUID) -> Response:
        """Change a draft. Name the `revision` you read and nobody's work is overwritten."""
        template = get_object_or_404(Template, pk=template_id)
        template = commands.save_template(template, **self.checked(TemplateChange), by=request.user)
        return Response(TemplateOut(template).data)


class Findings(Endpoint):
    scopes = {"GET": Action.TEMPLATES_VIEW}

    @extend_schema(responses=FindingOut(many=True))
    def get(self, request: ApiRequest, template_id: UUID) -> Response:
        """What the lint says of a draft, errors first; an error keeps it from being frozen."""
        template = get_object_or_404(Template, pk=template_id)
        return Response(FindingOut(queries.findings_for(template), many=True).data)


class Versions(Endpoint):
    scopes = {"GET": Action.TEMPLATES_VIEW, "POST": Action.TEMPLATES_EDIT}

    @extend_schema(responses=VersionOut(many=True))
    def get(self, request: ApiRequest, template_id: UUID) -> Response:
        """List the frozen versions of a template, newest first."""
        return self.paged(TemplateVersion.objects.filter(template_id=template_id), VersionOut)

    @extend_schema(request=None, responses={201: VersionOut})
    def post(self, request: ApiRequest, template_id: UUID) -> Response:
        """Freeze the draft as it stands; the last version again if nothing changed."""
        template = get_object_or_404(Template, pk=template_id)
        return Response(VersionOut(commands.freeze(template, by=request.user)).data, status=201)
