"""What an administrator may say about the organization."""

from typing import Any
from zoneinfo import available_timezones

from django import forms

from core.models import Organization

HOURS = [("", "None"), *[(hour, f"{hour:02}:00") for hour in range(24)]]


def _zones() -> list[tuple[str, str]]:
    named = (
        zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/", "posix"))
    )
    return [("UTC", "UTC"), *[(zone, zone.replace("_", " ")) for zone in sorted(named)]]


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    time_zone = forms.ChoiceField(choices=_zones, help_text="Quiet hours, anniversaries and “today” follow this zone.")
    quiet_from_hour = forms.TypedChoiceField(
        label="Quiet from", choices=HOURS, coerce=int, empty_value=None, required=False
    )
    quiet_until_hour = forms.TypedChoiceField(
        label="Quiet until", choices=HOURS, coerce=int, empty_value=None, required=False
    )
    cap_messages = forms.IntegerField(
        label="At most this many mails", min_value=1, max_value=100, required=False, help_text="Empty: no limit."
    )
    cap_days = forms.IntegerField(label="in this many days", min_value=1, max_value=365)

    class Meta:
        model = Organization
        fields = [
            "name",
            "postal_address",
            "contact_email",
            "contact_phone",
            "time_zone",
            "quiet_from_hour",
            "quiet_until_hour",
            "cap_messages",
            "cap_days",
        ]
        labels = {"name": "Name of the organization", "contact_email": "Email", "contact_phone": "Phone"}
        help_texts = {
            "name": "As patients know it; shown on the pages they open from a mail.",
            "postal_address": "Shown in every commercial mail: a street address, or a registered PO box. "
            "Without it no commercial mail can be approved.",
            "contact_email": "Where patients can ask questions.",
        }
        widgets = {"postal_address": forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"})}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        begin, end = data.get("quiet_from_hour"), data.get("quiet_until_hour")
        if (begin is None) != (end is None):
            self.add_error("quiet_until_hour", "Give both hours of the quiet time, or neither.")
        elif begin is not None and begin == end:
            self.add_error("quiet_until_hour", "Quiet time has to end at another hour than it begins.")
        return data
