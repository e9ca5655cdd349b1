"""Forms of endpoints and events."""

from django import forms

from core.sensitivity import Sensitivity
from delivery.forms import AgreementForm
from workflows.errors import BadAddress
from workflows.event_types import MAX_PROPERTIES, TYPES
from workflows.models import Endpoint
from workflows.webhooks import address

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class EndpointForm(AgreementForm):
    url = forms.CharField(
        label="Address",
        max_length=address.MAX_URL,
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.com/carillon"}),
        help_text="HTTPS, by name, on the usual port. Addresses inside a network are never called.",
    )

    class Meta:
        model = Endpoint
        fields = ("name", "url", "baa_party", "baa_signed_on", "baa_expires_on")
        labels = {
            "baa_party": "Business associate",
            "baa_signed_on": "Agreement signed on",
            "baa_expires_on": "Agreement ends on",
        }
        help_texts = {
            "name": "What staff know it by, for example “Scheduling system”.",
            "baa_party": "Whose server it is. Without an agreement in force only opaque ids go there, no values. "
            "It ends where the address comes to lead to another server.",
            "baa_expires_on": "Empty: it holds until it is ended.",
        }
        widgets = {"baa_signed_on": DAY, "baa_expires_on": DAY}

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            address.parse(url)
        except BadAddress as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return url


class EventForm(forms.Form):
    name = forms.SlugField(
        max_length=50,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "class": "mono"}),
        help_text="What other systems call it: a-z, 0-9 and _, for example appointment_booked. It cannot be changed.",
    )
    label = forms.CharField(label="In words", max_length=120, help_text="For example “Appointment booked”.")
    sensitivity = forms.ChoiceField(
        choices=Sensitivity.choices,
        initial=Sensitivity.PHI,
        help_text="What knowing of it may say about somebody. A journey that it starts is at least as sensitive.",
    )


class EventEditForm(EventForm):
    """Change an event; its name stays."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Reason for lowering the sensitivity",
        help_text="Needed only if you lower it. The second person who decides reads it, and it is kept.",
    )


class PropertyForm(forms.Form):
    name = forms.SlugField(max_length=50, required=False, widget=forms.TextInput(attrs={"class": "mono"}))
    kind = forms.ChoiceField(label="Is", choices=list(TYPES.items()), required=False)


class BaseProperties(forms.BaseFormSet):  # type: ignore[type-arg]  # not generic at run time
    """What comes with an event, a line each."""

    def clean(self) -> None:
        names = [form.cleaned_data["name"].lower() for form in self.forms if form.cleaned_data.get("name")]
        if len(set(names)) < len(names):
            raise forms.ValidationError("Two properties have the same name. Rename one of them.")


Properties = forms.formset_factory(PropertyForm, formset=BaseProperties, extra=3, max_num=MAX_PROPERTIES)


def properties_of(rows: "forms.BaseFormSet[PropertyForm]") -> dict[str, str]:
    """What was filled in, by name."""
    given = [form.cleaned_data for form in rows.forms if form.cleaned_data.get("name")]
    return {row["name"].lower(): row["kind"] or "text" for row in given}
