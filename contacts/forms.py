"""Forms of this room. What a value may be is decided by contacts.values; these only carry it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms

from contacts import csvfile, values
from contacts.errors import BadValue
from contacts.models import Attribute, Import, Kind, Lowering
from core.sensitivity import Sensitivity

TIERS = [
    (Sensitivity.PUBLIC.value, "Public: says nothing about a person"),
    (Sensitivity.IDENTITY.value, "Identity: who somebody is"),
    (Sensitivity.PHI.value, "Health information"),
    (Sensitivity.SPECIAL.value, "Special category: substance use, psychotherapy, reproductive, genetic, HIV"),
]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        min_length=5,
        help_text="Kept with the record of this act, for the compliance officer.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AttributeForm(forms.Form):
    """Define an attribute."""

    label = forms.CharField(
        max_length=80, label="Name", help_text="What staff call it, for example Preferred pharmacy."
    )
    kind = forms.ChoiceField(choices=Kind.choices, help_text="Fixed once people have values.")
    sensitivity = forms.ChoiceField(
        choices=TIERS, initial=Sensitivity.PHI.value, help_text="Decides how a mail that uses it must travel."
    )
    choices = forms.CharField(
        label="Choices", required=False, widget=forms.Textarea(attrs={"rows": 5}), help_text="For a choice: one a line."
    )

    def clean_choices(self) -> list[str]:
        return [line for line in self.cleaned_data["choices"].splitlines() if line.strip()]


class AttributeEditForm(AttributeForm):
    """Change an attribute; its kind stays."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Reason for lowering the sensitivity",
        help_text="Needed only if you lower it. The second person who decides reads it, and it is kept.",
    )

    def __init__(self, *args: Any, attribute: Attribute, asked: Lowering | None = None, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "label": attribute.label,
            "sensitivity": asked.to if asked else attribute.sensitivity,
            "choices": "\n".join(attribute.choices),
        }
        super().__init__(*args, **kwargs)
        del self.fields["kind"]
        if attribute.kind != Kind.CHOICE:
            del self.fields["choices"]


class LoweringForm(forms.Form):
    """A second person's word. `seen`: what the page showed."""

    seen = forms.UUIDField(widget=forms.HiddenInput)


class SearchForm(forms.Form):
    text = forms.CharField(
        label="Part of a name, or a whole email or external id",
        max_length=300,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "spellcheck": "false"}),
    )


class PersonForm(forms.Form):
    """One field an attribute, built from the definitions. Shows no value: what is left empty stays as it is."""

    def __init__(
        self, *args: Any, live: Mapping[str, Attribute], known: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.live = {key: item for key, item in live.items() if item.kind != Kind.CODED}
        for key, attribute in self.live.items():
            now = (known or {}).get(key)
            field = self.fields[key] = _field(attribute)
            if now is not None:
                now_is = f"Now {values.masked(attribute, now)}. Leave it empty to keep it."
                field.help_text = f"{field.help_text} {now_is}".strip()
                self.fields[f"clear-{key}"] = forms.BooleanField(required=False, label=f"Remove {attribute.label}")

    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField | None]]:
        """Each field beside the box that removes its value, where there is one."""
        return [(self[key], self[f"clear-{key}"] if f"clear-{key}" in self.fields else None) for key in self.live]

    def clean(self) -> dict[str, Any]:
        """`values`: what was typed, in stored form; None where a value is to be removed."""
        cleaned = super().clean() or {}
        found: dict[str, Any] = {}
        for key, attribute in self.live.items():
            typed = cleaned.get(key)
            if cleaned.get(f"clear-{key}"):
                found[key] = None
                if typed not in (None, ""):
                    self.add_error(key, "Either type a new value or remove the old one.")
            elif typed not in (None, ""):
                try:
                    found[key] = values.accept(attribute, typed)
                except BadValue as problem:
                    text = str(problem)
                    self.add_error(key, f"{text[:1].upper()}{text[1:]}")
        cleaned["values"] = found
        return cleaned


def _field(attribute: Attribute) -> forms.Field:
    options: dict[str, Any] = {"label": attribute.label, "required": False}
    plain = {"autocomplete": "off", "spellcheck": "false"}
    if attribute.kind == Kind.CHOICE:
        return forms.ChoiceField(choices=[("", "—"), *((c, c.capitalize()) for c in attribute.choices)], **options)
    if attribute.kind == Kind.BOOLEAN:
        return forms.ChoiceField(choices=[("", "—"), ("yes", "Yes"), ("no", "No")], **options)
    if attribute.kind == Kind.DATETIME:
        options["help_text"] = "In UTC."
    kind = {Kind.DATE.value: "date", Kind.DATETIME.value: "datetime-local"}.get(attribute.kind, "text")
    if attribute.key == "email":
        kind = "email"
    if attribute.kind == Kind.NUMBER:
        plain["inputmode"] = "decimal"
    return forms.CharField(strip=False, widget=forms.TextInput(attrs={"type": kind, **plain}), **options)


class UploadForm(forms.Form):
    """Beside the file itself, which is sealed on its way in and never reaches a form."""

    shape = forms.ChoiceField(choices=Import.Shape.choices, initial=Import.Shape.PEOPLE, widget=forms.RadioSelect)


class ReadingForm(forms.Form):
    """How the bytes of a file are read."""

    encoding = forms.ChoiceField(choices=list(csvfile.ENCODINGS.items()))
    delimiter = forms.ChoiceField(choices=list(csvfile.DELIMITER_NAMES.items()))
    header = forms.BooleanField(required=False, label="The first row names the columns")


class ConsentForm(forms.Form):
    """What these people consented to, and how one knows. Nothing is ticked beforehand, nothing is assumed."""

    stated = forms.ChoiceField(
        label="Consent",
        choices=[
            ("no", "This file says nothing about consent"),
            ("yes", "Everybody in this file has opted in, and I can say how"),
        ],
        widget=forms.RadioSelect,
        help_text="Without consent people are imported, but commercial mail does not reach them.",
    )
    topics = forms.MultipleChoiceField(
        label="They opted in to", required=False, choices=[], widget=forms.CheckboxSelectMultiple
    )
    source = forms.CharField(
        label="Where the consent was given",
        required=False,
        max_length=200,
        help_text="For example: registration form, front desk, Visalia.",
    )
    text = forms.CharField(
        label="The words they agreed to", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 4})
    )
    given_on = forms.DateField(label="When", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    address_confirmed = forms.BooleanField(
        label="Each of them has confirmed the address (double opt-in)", required=False
    )

    def __init__(self, *args: Any, topics: list[tuple[str, str]], today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        field = self.fields["topics"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = topics
        if not topics:
            field.help_text = "No topics yet. Define what people can opt in to first, under Compliance, Topics."

    def clean(self) -> dict[str, Any]:
        """`consent`: the statement as the import keeps it; empty if none is made."""
        cleaned = super().clean() or {}
        cleaned["consent"] = {}
        if cleaned.get("stated") != "yes":
            return cleaned
        for name, what in (
            ("topics", "Choose at least one topic."),
            ("source", "Say where the consent was given."),
            ("text", "Give the words they agreed to; they are the evidence."),
            ("given_on", "Say when; if it was over a time, give the last day."),
        ):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, what)
        given_on = cleaned.get("given_on")
        if given_on and given_on > self.today:
            self.add_error("given_on", "This day is still to come.")
        if not self.errors:
            cleaned["consent"] = {
                "topics": cleaned["topics"],
                "source": cleaned["source"].strip(),
                "text": cleaned["text"].strip(),
                "given_on": cleaned["given_on"].isoformat(),
                "address_confirmed": cleaned["address_confirmed"],
            }
        return cleaned
