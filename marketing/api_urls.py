"""The API router: each room brings its own endpoints."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
