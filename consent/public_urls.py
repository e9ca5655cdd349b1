"""The patients' own addresses: short, without a word about anything."""

from django.urls import URLPattern

app_name = "preferences"
urlpatterns: list[URLPattern] = []
