"""Events in."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from workflows import events
from workflows.event_items import MOST


class PersonSaid(serializers.Serializer[Any]):
    """Who is meant: one of these."""

    id = serializers.UUIDField(required=False)
    external_id = serializers.CharField(required=False)
    email = serializers.CharField(required=False)


class EventIn(serializers.Serializer[Any]):
    """For the document alone: each event is read by itself, so that one bad one holds up no other."""

    event = serializers.CharField(help_text="The name of a declared event.")
    person = PersonSaid()
    key = serializers.CharField(required=False, help_text="Which appointment, which order.")
    at = serializers.DateTimeField(required=False, help_text="When it happened; left out: now.")
    properties = serializers.DictField(required=False)
    id = serializers.CharField(required=False, help_text="What you call this event: the same one twice is one.")


class EventsAsked(serializers.Serializer[Any]):
    events = EventIn(many=True)


class EventsIn(serializers.Serializer[Any]):
    events = serializers.ListField(child=serializers.JSONField(allow_null=True), allow_empty=False, max_length=MOST)


class ResultOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["taken", "known", "refused"])
    message = serializers.CharField(allow_blank=True)


class EventsOut(serializers.Serializer[Any]):
    """One result an event, in their order."""

    taken = serializers.IntegerField()
    known = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = ResultOut(many=True)


class Events(Endpoint):
    scopes = {"POST": Action.EVENTS_SEND}

    @extend_schema(request=EventsAsked, responses=EventsOut)
    def post(self, request: ApiRequest) -> Response:
        """Say what happened, up to 1,000 events at a time; an event with an id is taken once."""
        results = events.take(self.checked(EventsIn)["events"], by=request.user)
        found = [{"status": result.status, "message": result.message} for result in results]
        counts = {status: sum(r.status == status for r in results) for status in ("taken", "known", "refused")}
        return Response({**counts, "results": found})
