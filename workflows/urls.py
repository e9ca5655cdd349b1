"""Journeys: list, canvas, panels, publishing, people, simulator, events, endpoints."""

from django.urls import URLPattern

app_name = "workflows"
urlpatterns: list[URLPattern] = []
