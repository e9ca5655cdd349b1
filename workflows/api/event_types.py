"""Event types for machines: the same commands as the pages."""

from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from contacts.models import Lowering
from core.sensitivity import Sensitivity
from workflows import event_types
from workflows.event_types import TYPES
from workflows.models import EventType


class EventTypeIn(serializers.Serializer[EventType]):
    """An event that other systems may send. `properties`: name to type."""

    name = serializers.RegexField(r"^[a-z][a-z0-9_]{0,49}\Z")
    label = serializers.CharField(max_length=120, allow_blank=True, required=False)  # type: ignore[assignment]
    properties = serializers.DictField(child=serializers.ChoiceField(choices=list(TYPES)), required=False)
    sensitivity = serializers.ChoiceField(choices=Sensitivity.choices, required=False)


class EventTypeOut(serializers.Serializer[EventType]):
    """A declared event."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    properties = serializers.DictField(child=serializers.CharField())
    sensitivity = serializers.CharField()
    asked_sensitivity = serializers.CharField(allow_null=True, help_text="Less, once a second person approves it.")
    created_at = serializers.DateTimeField()


class EventTypeChange(serializers.Serializer[EventType]):
    """All of it but the name; what is absent stays. Less sensitive: with a `reason`, and once somebody approves it."""

    label = serializers.CharField(max_length=120, allow_blank=True, required=False)  # type: ignore[assignment]
    properties = serializers.DictField(child=serializers.ChoiceField(choices=list(TYPES)), required=False)
    sensitivity = serializers.ChoiceField(choices=Sensitivity.choices, required=False)
    reason = serializers.CharField(max_length=500, required=False)


def _declared() -> QuerySet[EventType]:
    asked = Lowering.objects.filter(target_id=OuterRef("pk")).values("to")
    return EventType.objects.filter(archived_at=None).annotate(asked_sensitivity=Subquery(asked))


class EventTypes(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW, "POST": Action.WORKFLOWS_EDIT}

    @extend_schema(responses=EventTypeOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List the declared events, newest first."""
        return self.paged(_declared(), EventTypeOut)

    @extend_schema(request=EventTypeIn, responses={201: EventTypeOut})
    def post(self, request: ApiRequest) -> Response:
        """Declare an event, so that it is taken when it comes."""
        event = event_types.declare(**self.checked(EventTypeIn), by=request.user)
        return Response(EventTypeOut(_declared().get(pk=event.pk)).data, status=201)


class OneEventType(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW, "PATCH": Action.WORKFLOWS_EDIT, "DELETE": Action.WORKFLOWS_EDIT}

    def _found(self, event_type_id: UUID) -> EventType:
        return get_object_or_404(_declared(), pk=event_type_id)

    @extend_schema(responses=EventTypeOut)
    def get(self, request: ApiRequest, event_type_id: UUID) -> Response:
        """Read one event type."""
        return Response(EventTypeOut(self._found(event_type_id)).data)

    @extend_schema(request=EventTypeChange, responses=EventTypeOut)
    def patch(self, request: ApiRequest, event_type_id: UUID) -> Response:
        """Change all but the name."""
        event = self._found(event_type_id)
        kept = {"label": event.label, "properties": event.properties}
        event_types.change(event, **{**kept, **self.checked(EventTypeChange)}, by=request.user)
        return Response(EventTypeOut(self._found(event_type_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, event_type_id: UUID) -> Response:
        """Archive it: it is not taken any more."""
        event_types.archive(self._found(event_type_id), by=request.user)
        return Response(status=204)
