"""The product's addresses and one page that shows every component, for looking and for tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

from accounts.models import User
from accounts.policy import Role

#: Every component once, as docs/pages.md tells builders to write it.
STYLE = (Path(__file__).parent / "components.html").read_text()
WORDS = [("a", "First of them"), ("b", "Second of them")]


class Everything(forms.Form):
    name = forms.CharField(help_text="Shown to staff only.")
    notes = forms.CharField(widget=forms.Textarea, required=False)
    kind = forms.ChoiceField(choices=WORDS)
    which = forms.ChoiceField(choices=WORDS, widget=forms.RadioSelect)
    many = forms.MultipleChoiceField(choices=WORDS, widget=forms.CheckboxSelectMultiple, required=False)
    agree = forms.BooleanField(help_text="You may change this later.")
    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))


def style(request: HttpRequest) -> HttpResponse:
    roles = request.GET.getlist("role") or [role.value for role in Role]
    request.user = User(name="Friederike Hohenstein-Wallmüller", email="marketer@example.com", roles=roles)
    request._messages = messages.storage.default_storage(request)  # type: ignore[attr-defined]
    messages.success(request, "Saved. The campaign is waiting for approval.")
    messages.error(request, "The relay did not answer. Nothing was sent; try again in a minute.")
    now = datetime(2026, 11, 22, 9, tzinfo=UTC)
    moments = [now + timedelta(hours=n) for n in range(24)]
    data = {
        "x": moments,
        "series": [
            {"label": "Probably people", "values": [400 - 15 * n if n < 24 else 0 for n in range(24)]},
            {"label": "Probably machines", "values": [max(0, 120 - 11 * n) for n in range(24)]},
        ],
    }
    bars = {"x": ["example.com", "example.org", "example.net"], "series": [{"label": "Sent", "values": [812, 320, 44]}]}
    form = Everything(request.GET if "sent" in request.GET else None)
    context = {
        "form": form,
        "user": request.user,
        "now": now,
        "data": data,
        "bars": bars,
        "page": Paginator(range(12_408), 50).page(2),
        "values": [3, 8, 21, 34, 30, 18, 12, 9, 4, 2],
        "states": [
            "DRAFT",
            "IN_REVIEW",
            "APPROVED",
            "SCHEDULED",
            "SENDING",
            "PAUSED",
            "FINISHED",
            "CANCELLED",
            "FAILED",
        ],
    }
    return HttpResponse(engines["django"].from_string(STYLE).render(context, request))


style.access = "public"  # type: ignore[attr-defined]

urlpatterns = [path("style/", style), path("", include("marketing.urls"))]
