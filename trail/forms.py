"""Filters of the trail, as people give them."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from audit import signing
from audit.errors import TrailBroken
from audit.signing import Head
from trail.queries import Filter, actions, moment_text, sentence, staff


def _day(label: str) -> forms.DateField:
    limits = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))]
    widget = forms.DateInput(attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, validators=limits)


class FilterForm(forms.Form):
    """Everything optional; days are those of the reader's zone, both included."""

    since = _day("From")
    until = _day("Until")
    action = forms.ChoiceField(label="What", required=False)
    actor = forms.ChoiceField(label="Who", required=False)
    about = forms.CharField(
        label="About",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "Id of a contact, campaign …", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, zone: str = "UTC", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(zone or "UTC")
        self._choose("action", "Anything", [(action, sentence(action)) for action in actions()])
        self._choose("actor", "Anybody", staff())

    def _choose(self, name: str, anything: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", anything), *choices]

    def clean_about(self) -> str:
        about = str(self.cleaned_data["about"]).strip()
        try:
            return str(UUID(about))
        except ValueError:
            return about

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", "The last day is before the first.")
        return data

    def _midnight(self, day: date | None, days: int = 0) -> str:
        if day is None:
            return ""
        return moment_text(datetime.combine(day + timedelta(days=days), time(), self.zone))

    def wanted(self) -> Filter:
        """The filter; one that lets everything through where the form is not valid."""
        if not self.is_valid():
            return Filter()
        data = self.cleaned_data
        return Filter(
            since=self._midnight(data["since"]),
            until=self._midnight(data["until"], days=1),
            action=data["action"],
            actor=data["actor"],
            about=data["about"],
        )


class ExportForm(FilterForm):
    earlier = forms.CharField(
        label="A checkpoint you kept",
        required=False,
        strip=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="Its text. The export then proves that nothing recorded before it was changed or removed.",
    )

    def clean_earlier(self) -> Head | None:
        text = str(self.cleaned_data["earlier"]).replace("\r\n", "\n")
        if not text.strip():
            return None
        try:
            return signing.read(text.strip() + "\n")
        except TrailBroken:
            raise forms.ValidationError("This is no checkpoint of this trail. Paste the whole file.") from None
