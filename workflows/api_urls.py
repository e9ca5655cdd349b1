from django.urls import path

from workflows.api import definitions as definitions_api
from workflows.api import event_types as event_types_api
from workflows.api import events as event_api
from workflows.api import people as people_api

ONE = "workflows/<uuid:workflow_id>"
urlpatterns = [
    path("events", event_api.Events.as_view(), name="events"),
    path(f"{ONE}/people", people_api.PeopleOfWorkflow.as_view(), name="people"),
    path(f"{ONE}/people/<uuid:contact_id>", people_api.PersonOfWorkflow.as_view(), name="person"),
    path("workflows", definitions_api.Workflows.as_view(), name="workflows"),
    path("workflows/schema", definitions_api.DefinitionSchema.as_view(), name="schema"),
    path(ONE, definitions_api.OneWorkflow.as_view(), name="workflow"),
    path(f"{ONE}/definition", definitions_api.WorkflowDefinition.as_view(), name="definition"),
    path(f"{ONE}/publish", definitions_api.Publish.as_view(), name="publish"),
    path(f"{ONE}/versions", definitions_api.WorkflowVersions.as_view(), name="versions"),
    path(f"{ONE}/results", definitions_api.Results.as_view(), name="results"),
    path(f"{ONE}/versions/<int:number>", definitions_api.OneVersion.as_view(), name="version"),
    path("event-types", event_types_api.EventTypes.as_view(), name="event_types"),
    path("event-types/<uuid:event_type_id>", event_types_api.OneEventType.as_view(), name="event_type"),
]
