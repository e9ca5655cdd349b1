"""What staff fill in. Texts say what is kept and what people will see."""

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from consent import queries
from consent.authorizations import ELEMENTS
from consent.models import Act, Export, Source, Suppression
from core import clock
from core.purposes import Purpose

DATE = forms.DateInput(attrs={"type": "date"})


def _topics(empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((str(topic.pk), topic.name) for topic in queries.topics())]


class TopicForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="For staff only; patients never see it.")
    public_name = forms.CharField(
        label="Name that patients see",
        max_length=80,
        help_text="Shown on pages that open without signing in, so it must say nothing of a person's health: "
        "“News and tips”, not “Diabetes news”.",
    )
    neutral = forms.BooleanField(
        label="Somebody who reads this name over a patient's shoulder learns nothing about their health",
        error_messages={"required": "Change the name until you can confirm this."},
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    requires_opt_in = forms.BooleanField(
        label="People must opt in before we write to them on this topic",
        required=False,
        initial=True,
        help_text="Leave it on for whatever sells or promotes. Without it, people get these mails until they opt out.",
    )

    def details(self) -> dict[str, Any]:
        return {key: value for key, value in self.cleaned_data.items() if key != "neutral"}


class LedgerFilter(forms.Form):
    topic = forms.ChoiceField(required=False)
    act = forms.ChoiceField(required=False, label="What happened", choices=[("", "Anything"), *Act.choices])
    source = forms.ChoiceField(required=False, choices=[("", "Any source"), *Source.choices])
    since = forms.DateField(required=False, label="From", widget=DATE)
    until = forms.DateField(required=False, label="To", widget=DATE)

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        choice = self.fields["topic"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = _topics("Any topic")

    def chosen(self) -> dict[str, Any]:
        """Arguments for queries.ledger; days are days where the reader is."""
        data = self.cleaned_data if self.is_valid() else getattr(self, "cleaned_data", {})
        since, until = data.get("since"), data.get("until")
        return {
            "topic_id": data.get("topic") or None,
            "act": data.get("act", ""),
            "source": data.get("source", ""),
            "since": datetime.combine(since, time(), self.zone) if since else None,
            "until": datetime.combine(until + timedelta(days=1), time(), self.zone) if until else None,
        }


class FindForm(forms.Form):
    """Sent by POST: an address in a URL would end up in logs."""

    person = forms.CharField(label="Email or external id", max_length=254)


class ExportForm(forms.Form):
    as_of = forms.DateField(
        label="As of", widget=DATE, help_text="The state at the end of that day where you are; today means now."
    )
    format = forms.ChoiceField(choices=Export.Format.choices, widget=forms.RadioSelect, initial=Export.Format.CSV)
    purpose = forms.CharField(
        label="What it is for",
        widget=forms.Textarea(attrs={"rows": 2}),
        min_length=10,
        max_length=1000,
        help_text="Kept with the export. The file holds addresses, so it must stay in safe places.",
    )

    def moment(self, zone: ZoneInfo) -> datetime:
        """The instant asked for; raises nothing, the command refuses the future."""
        day = self.cleaned_data["as_of"]
        now = clock.now()
        if day == now.astimezone(zone).date():
            return now
        return datetime.combine(day + timedelta(days=1), time(), zone) - timedelta(microseconds=1)


class SuppressForm(forms.Form):
    address = forms.CharField(label="Email address", max_length=254)
    reason = forms.ChoiceField(
        choices=[
            (value, label)
            for value, label in Suppression.Reason.choices
            if value != Suppression.Reason.UNSUBSCRIBED  # said by the person, on their page or through the panel
        ],
        initial=Suppression.Reason.STAFF,
    )
    note = forms.CharField(required=False, max_length=500, help_text="Do not write the address here.")


class CheckForm(forms.Form):
    address = forms.CharField(label="Email address", max_length=254)


class SuppressionFileForm(forms.Form):
    """A list of addresses from elsewhere: one in each line, or the first cell of each line that looks like one."""

    LARGEST = 20 * 1024 * 1024

    file = forms.FileField(
        label="File",
        help_text="Text or CSV, one address in each line, up to 20 MB. It is read once and not kept.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )
    reason = forms.ChoiceField(
        choices=[(v, label) for v, label in Suppression.Reason.choices if v != Suppression.Reason.STAFF],
        initial=Suppression.Reason.IMPORTED,
        label="Why they get nothing",
        help_text="“Opted out of everything” can only be lifted by the person themselves.",
    )

    def clean_file(self) -> list[str]:
        """The addresses, line by line; empty lines and a heading left out."""
        upload = self.cleaned_data["file"]
        if upload.size > self.LARGEST:
            raise forms.ValidationError("This file is larger than 20 MB. Split it and load the parts one by one.")
        raw = upload.read()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        found = []
        for number, line in enumerate(text.splitlines()):
            cells = [cell.strip().strip("\"'<>") for cell in re.split(r"[,;\t]", line)]
            address = next((cell for cell in cells if "@" in cell), "")
            if address or (number and any(cells)):
                found.append(address)
        if not found:
            raise forms.ValidationError("There is no address in this file. It needs one in each line.")
        return found


class ReleaseForm(forms.Form):
    note = forms.CharField(label="Why it may be written to again", max_length=500)


class RecordForm(forms.Form):
    """One act of one person, as staff learned of it."""

    WHAT = [
        ("opt_in", "Opted in to a topic"),
        ("opt_in_requested", "Wants to opt in: send a mail to confirm it"),
        ("opt_out", "Opted out of a topic"),
        ("opt_out_all", "Opted out of everything"),
        ("opt_in_everything", "Takes back an opt-out of everything"),
        ("address_confirmed", "Confirmed that the address is theirs"),
        ("special_consent", "Consented to use of special-category information"),
        ("special_consent_revoked", "Revoked that consent"),
        ("counting_refused", "Wants no opens and clicks counted"),
        ("counting_allowed", "Allows opens and clicks to be counted"),
    ]
    NEEDS_TOPIC = frozenset({"opt_in", "opt_in_requested", "opt_out"})

    what = forms.ChoiceField(label="What happened", choices=WHAT)
    topic = forms.ChoiceField(required=False, help_text="Needed for a topic's opt-in and opt-out.")
    text = forms.CharField(
        label="Text the person was shown",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Word for word, or say below where the signed form can be found.",
    )
    text_version = forms.CharField(label="Version of that text", required=False, max_length=40)
    origin = forms.CharField(
        label="Where it can be found", required=False, max_length=200, help_text="Such as “paper form, folder 12”."
    )
    given_on = forms.DateField(label="Day it was given", required=False, widget=DATE)
    note = forms.CharField(required=False, max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["topic"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = _topics("Choose a topic")

    def clean_given_on(self) -> Any:
        day = self.cleaned_data["given_on"]
        if day and day > clock.now().date() + timedelta(days=1):
            raise forms.ValidationError("This day lies in the future.")
        return day

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("what") in self.NEEDS_TOPIC and not data.get("topic"):
            self.add_error("topic", "Choose the topic.")
        return data

    def evidence(self) -> dict[str, Any]:
        keys = ("text", "text_version", "origin", "given_on", "note")
        return {key: self.cleaned_data[key] for key in keys if self.cleaned_data.get(key)}


class AuthorizationForm(forms.Form):
    """The document as it was signed, element by element (45 CFR 164.508(c))."""

    expires_on = forms.DateField(required=False, label="Last day it holds", widget=DATE)
    expires_when = forms.CharField(
        required=False, max_length=300, label="Or the event that ends it", help_text="One of the two is needed."
    )
    remuneration = forms.CharField(
        required=False,
        max_length=1000,
        label="That a third party pays for the messages (164.508(a)(3)(ii))",
        help_text="Needed for messages a third party pays for; leave it empty if the form says nothing of it.",
    )
    representative = forms.CharField(required=False, max_length=200, label="Signed by a representative")
    representative_authority = forms.CharField(
        required=False, max_length=300, label="What entitles the representative to sign"
    )
    purposes = forms.MultipleChoiceField(
        choices=Purpose.choices,
        initial=[Purpose.MARKETING],
        widget=forms.CheckboxSelectMultiple,
        label="Messages it covers",
    )
    combined = forms.BooleanField(
        required=False, label="It was combined with another permission (then it is not valid, 164.508(b)(3))"
    )
    conditioned = forms.BooleanField(
        required=False, label="Treatment or benefits were made to depend on it (then it is not valid, 164.508(b)(4))"
    )
    copy_given = forms.BooleanField(
        label="The person was given a copy of it (164.508(c)(4))",
        error_messages={"required": "Give the person a copy first, then confirm it here."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for element in ELEMENTS:
            self.fields[element.key] = (
                forms.DateField(label=element.label, widget=DATE, help_text=element.rule)
                if element.key == "signed_on"
                else forms.CharField(
                    label=element.label,
                    max_length=3000,
                    widget=forms.Textarea(attrs={"rows": 2}),
                    help_text=f"{element.rule}. Such as: {element.example}.",
                )
            )
        self.order_fields([element.key for element in ELEMENTS])

    def document(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.cleaned_data.items() if key != "purposes" and value}
        return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in kept.items()}


class RevokeForm(forms.Form):
    note = forms.CharField(
        label="How it ended", max_length=500, help_text="Such as “letter of 3 May” or “the event it named has come”."
    )
