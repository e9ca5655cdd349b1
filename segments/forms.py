"""What people fill in to let a segment out, and to decide on it."""

from typing import Any

from django import forms

from contacts import queries as contacts
from core.purposes import Purpose
from core.sensitivity import Sensitivity
from segments.exports import MAX_TEXT, Wanted
from segments.models import Export

DATE = forms.DateInput(attrs={"type": "date"})
WORDS = forms.Textarea(attrs={"rows": 3})


def _columns() -> list[tuple[str, list[tuple[str, str]]]]:
    """The attributes by how sensitive they are, least first; none is chosen by itself (PRV-13)."""
    found: dict[Sensitivity, list[tuple[str, str]]] = {tier: [] for tier in Sensitivity}
    for attribute in contacts.attributes().values():
        found[Sensitivity(attribute.sensitivity)].append((attribute.key, attribute.label))
    return [(str(tier.label), attributes) for tier, attributes in found.items() if attributes]


class ExportForm(forms.Form):
    attributes = forms.MultipleChoiceField(
        label="Columns",
        widget=forms.CheckboxSelectMultiple,
        help_text="Only what the purpose needs. Nothing else leaves.",
        error_messages={"required": "Choose at least one column."},
    )
    purpose = forms.ChoiceField(label="Purpose", choices=[("", "Choose a purpose"), *Purpose.choices])
    reason = forms.CharField(
        label="What the file is needed for",
        widget=WORDS,
        min_length=5,
        max_length=MAX_TEXT,
        help_text="Whoever approves it decides by this.",
    )
    recipient = forms.ChoiceField(
        label="Who gets it", widget=forms.RadioSelect, choices=Export.Recipient.choices, initial=Export.Recipient.OWN
    )
    party = forms.CharField(
        label="Business associate",
        required=False,
        max_length=120,
        help_text="With an agreement in force.",
    )
    agreed_on = forms.DateField(label="Signed on", required=False, widget=DATE, help_text="The agreement with them.")
    agreed_until = forms.DateField(label="Ends on", required=False, widget=DATE, help_text="Empty: until it is ended.")
    paid = forms.BooleanField(label="We are given something in return for this file", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = self.fields["attributes"]
        assert isinstance(columns, forms.MultipleChoiceField)
        columns.choices = _columns()

    def wanted(self) -> Wanted:
        return Wanted(**self.cleaned_data)


class ExportDecisionForm(forms.Form):
    note = forms.CharField(
        required=False, max_length=MAX_TEXT, widget=WORDS, help_text="Needed when you refuse: say what should change."
    )
