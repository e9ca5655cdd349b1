"""Journeys: list, canvas, panels, publishing, people, simulator, events, endpoints."""

from django.urls import path

from workflows.views import building, endpoints, events, notices, panels, panels_rules

app_name = "workflows"
urlpatterns = [
    path("<uuid:workflow_id>/edit", building.edit, name="edit"),
    path("<uuid:workflow_id>/draft.json", building.draft, name="draft"),
    path("versions/<uuid:version_id>/map.json", building.version_map, name="version_map"),
    path("<uuid:workflow_id>/steps/<str:step>/panel", panels.step_panel, name="step_panel"),
    path("<uuid:workflow_id>/steps/<str:step>/rules/<int:number>", panels_rules.step_rule, name="step_rule"),
    path("<uuid:workflow_id>/trigger/panel", panels.trigger_panel, name="trigger_panel"),
    path("<uuid:workflow_id>/rules/panel", panels.rules_panel, name="rules_panel"),
    path("<uuid:workflow_id>/rules/only", panels_rules.only_rule, name="only_rule"),
    path("<uuid:workflow_id>/rules/exits/<int:number>", panels_rules.exit_rule, name="exit_rule"),
    path("events", events.event_list, name="events"),
    path("events/new", events.event_new, name="event_new"),
    path("events/<uuid:event_id>", events.event_detail, name="event"),
    path("events/<uuid:event_id>/archive", events.event_archive, name="event_archive"),
    path("endpoints", endpoints.endpoint_list, name="endpoints"),
    path("endpoints/new", endpoints.endpoint_new, name="endpoint_new"),
    path("endpoints/<uuid:endpoint_id>", endpoints.endpoint_edit, name="endpoint"),
    path("endpoints/<uuid:endpoint_id>/check", endpoints.endpoint_check, name="endpoint_check"),
    path("endpoints/<uuid:endpoint_id>/secret", endpoints.endpoint_secret, name="endpoint_secret"),
    path("endpoints/<uuid:endpoint_id>/remove", endpoints.endpoint_remove, name="endpoint_remove"),
    path("notices", notices.notice_list, name="notices"),
    path("notices/<uuid:notice_id>/done", notices.notice_done, name="notice_done"),
    path("notices/<uuid:notice_id>/reopen", notices.notice_reopen, name="notice_reopen"),
]
