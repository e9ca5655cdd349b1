"""People on journeys: put them on, take them off, say where somebody is and how they came there."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from core import clock
from workflows import enrolling, people_named, whereabouts
from workflows.api.events import PersonSaid
from workflows.enrolling import Entry
from workflows.entry import REFUSALS
from workflows.errors import NotPossibleNow
from workflows.event_items import MOST, Refused, person
from workflows.happenings import key_index
from workflows.models import Workflow, WorkflowVersion


class WorkflowPersonIn(PersonSaid):
    key = serializers.CharField(required=False, max_length=200, help_text="Where people enter once for each key.")


class WorkflowPeopleIn(serializers.Serializer[Any]):
    people = serializers.ListField(child=WorkflowPersonIn(), allow_empty=False, max_length=MOST)


class PutOnOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["entered", "refused"])
    message = serializers.CharField(allow_blank=True)


class WorkflowPeopleOut(serializers.Serializer[Any]):
    """One result a person, in their order."""

    entered = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = PutOnOut(many=True)


class PathOut(serializers.Serializer[Any]):
    """One step of somebody's way. `way` null: they are there; "": they left the journey there."""

    step = serializers.CharField()
    title = serializers.CharField()
    arrived_at = serializers.DateTimeField()
    left_at = serializers.DateTimeField(allow_null=True)
    way = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    outcome = serializers.CharField(allow_blank=True, help_text="Of the mail that was made there.")
    reasons = serializers.ListField(child=serializers.CharField())


class WhereOut(serializers.Serializer[Any]):
    """One time that somebody was on the journey."""

    sequence = serializers.IntegerField()
    version = serializers.IntegerField()
    status = serializers.CharField()
    entered_at = serializers.DateTimeField()
    step = serializers.CharField()
    since = serializers.DateTimeField()
    wake_at = serializers.DateTimeField(allow_null=True)
    trouble = serializers.CharField(allow_blank=True)
    left_because = serializers.CharField(allow_blank=True)
    left_at = serializers.DateTimeField(allow_null=True)
    path = PathOut(many=True)


class WheresOut(serializers.Serializer[Any]):
    enrolments = WhereOut(many=True)


class PeopleOfWorkflow(Endpoint):
    scopes = {"POST": Action.WORKFLOWS_ENROL}

    @extend_schema(request=WorkflowPeopleIn, responses=WorkflowPeopleOut)
    def post(self, request: ApiRequest, workflow_id: UUID) -> Response:
        """Put people on a journey, up to 1,000 at a time; its rules say who may enter, and who may again."""
        workflow = get_object_or_404(Workflow, pk=workflow_id)
        version = workflow.versions.filter(state=WorkflowVersion.State.LIVE).first()
        if version is None:
            raise NotPossibleNow("Nobody can enter this journey: it does not run. Publish it first.")
        asked = [_asked(one) for one in self.checked(WorkflowPeopleIn)["people"]]
        found = people_named.find(who for who, _ in asked if not isinstance(who, Refused))
        entries: list[Entry | str] = []
        for who, key in asked:
            someone = str(who) if isinstance(who, Refused) else found[who]
            if isinstance(someone, str):
                entries.append(someone)
            else:
                entries.append(Entry(someone.id, key_index(someone.id, key) if key else None))
        people = [entry for entry in entries if isinstance(entry, Entry)]
        done = enrolling.enrol(version, people, at=clock.now(), by=request.user)
        entered = [contact_id for _, contact_id in done.who]
        results = []
        for entry in entries:
            if isinstance(entry, str):
                results.append({"status": "refused", "message": entry})
            elif entry.contact_id in entered:
                entered.remove(entry.contact_id)
                results.append({"status": "entered", "message": ""})
            else:
                results.append({"status": "refused", "message": f"This person {REFUSALS[done.why[entry.contact_id]]}."})
        return Response({"entered": done.entered, "refused": len(results) - done.entered, "results": results})


def _asked(given: dict[str, Any]) -> tuple[tuple[str, str] | Refused, str | None]:
    named = {name: str(value) for name, value in given.items() if name != "key"}
    try:
        return person(named), given.get("key")
    except Refused as refusal:
        return refusal, None


class PersonOfWorkflow(Endpoint):
    scopes = {"GET": Action.WORKFLOWS_VIEW, "DELETE": Action.WORKFLOWS_ENROL}

    @extend_schema(responses=WheresOut)
    def get(self, request: ApiRequest, workflow_id: UUID, contact_id: UUID) -> Response:
        """Say where somebody is on a journey, and by which way they came, each time they were on it."""
        workflow = get_object_or_404(Workflow, pk=workflow_id)
        return Response(WheresOut({"enrolments": whereabouts.of(workflow, contact_id, by=request.user)}).data)

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, workflow_id: UUID, contact_id: UUID) -> Response:
        """Take somebody off a journey; mail that has not left does not leave any more."""
        workflow = get_object_or_404(Workflow, pk=workflow_id)
        enrolling.remove(workflow, [contact_id], by=request.user)
        return Response(status=204)
