"""Journeys: list, canvas, panels, publishing, people, simulator, events, endpoints."""

from django.urls import path

from workflows.views import building, panels, panels_rules

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
]
