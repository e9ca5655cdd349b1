"""The API router: each room that has `api_urls` brings its own endpoints."""

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csrf import csrf_exempt

from accounts.requests import public
from core.api.errors import no_such_address

ROOMS = (
    "accounts",
    "contacts",
    "consent",
    "segments",
    "content",
    "campaigns",
    "workflows",
    "delivery",
    "tracking",
    "audit",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((import_module(f"{room}.api_urls").urlpatterns, room), namespace=f"api-{room}"))
    for room in ROOMS
    if find_spec(f"{room}.api_urls")
]
urlpatterns.append(path("<path:rest>", csrf_exempt(public(no_such_address))))
