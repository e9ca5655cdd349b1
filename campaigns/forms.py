"""What authors, approvers and senders may say of a campaign."""

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.forms.models import ModelChoiceIterator
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.queries import State
from consent.models import Topic
from content.models import Template
from content.preview import all_personas
from core import clock
from delivery.models import Sender
from segments.models import Segment


class ByName(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    """A choice among few rows whose names are encrypted: sorted here, for the database cannot."""

    class Sorted(ModelChoiceIterator):  # type: ignore[type-arg]  # not generic at run time
        def __iter__(self) -> Any:
            first, *rest = list(super().__iter__()) or [("", "")]
            yield first
            yield from sorted(rest, key=lambda choice: str(choice[1]).casefold())

    iterator = Sorted

    def label_from_instance(self, obj: Any) -> str:
        return str(obj) if isinstance(obj, Sender) else str(obj.name)


class CampaignForm(forms.Form):
    """Everything about a campaign that its author decides. Only the name is needed to keep a draft."""

    name = forms.CharField(max_length=120, help_text="Only your team sees it.")
    segment = ByName(
        Segment.objects.filter(archived_at=None),
        label="Audience",
        required=False,
        empty_label="Choose a segment",
        help_text="Who matches when the sending starts.",
    )
    template = ByName(
        Template.objects.filter(archived_at=None),
        required=False,
        empty_label="Choose a template",
        help_text="Its content is frozen when you submit for review.",
    )
    topic = ByName(
        Topic.objects.filter(removed_at=None),
        required=False,
        empty_label="No topic",
        help_text="What people opt in to and out of.",
    )
    sender = ByName(
        Sender.objects.filter(removed_at=None, domain__verified_at__isnull=False).select_related("domain"),
        label="From",
        required=False,
        empty_label="Choose a sender",
        help_text="Senders of verified domains only.",
    )
    track_opens = forms.BooleanField(label="Count opens", required=False)
    track_clicks = forms.BooleanField(
        label="Count clicks",
        required=False,
        help_text="By our own host only. Leave both off for mail about health; for special categories they are off.",
    )

    def __init__(self, *args: Any, campaign: Campaign | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if campaign is not None:
            for name, field in self.fields.items():
                field.initial = getattr(campaign, name)
            # What was chosen before and is archived by now stays a choice until something else is chosen.
            for name in ("segment", "template", "topic", "sender"):
                chosen = getattr(campaign, f"{name}_id")
                field = self.fields[name]
                assert isinstance(field, forms.ModelChoiceField)
                assert field.queryset is not None
                if chosen:
                    field.queryset = field.queryset | field.queryset.model._default_manager.filter(pk=chosen)

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())


class ScheduleForm(forms.Form):
    """A moment in the reader's own zone, kept in UTC."""

    at = forms.DateTimeField(
        label="Send at",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        self.zone = ZoneInfo(zone)
        tomorrow = (clock.now().astimezone(self.zone) + timedelta(days=1)).replace(hour=9, minute=0, second=0)
        super().__init__(*args, **kwargs)
        self.initial = {"at": tomorrow.replace(tzinfo=None)}
        self.fields["at"].help_text = f"Your time, {zone.replace('_', ' ')}."

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()


class DecisionForm(forms.Form):
    """An approver's word. `seen` is the digest of what the page showed."""

    note = forms.CharField(
        required=False,
        max_length=2000,
        label="Note",
        help_text="Needed when you send it back: say what should change.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    seen = forms.RegexField(r"\A[0-9a-f]{64}\Z", widget=forms.HiddenInput)


def _personas() -> list[tuple[str, str]]:
    return [(persona.key, persona.label) for persona in all_personas()]


class TestForm(forms.Form):
    """As which synthetic person one reads the test; nobody real is ever offered (SND-07)."""

    persona = forms.ChoiceField(choices=_personas, widget=forms.RadioSelect, initial="typical", label="As")


class FilterForm(forms.Form):
    state = forms.ChoiceField(choices=[("", "Any state"), *State.choices], required=False)


def chosen_template(raw: str | None) -> Template | None:
    """The template another page named in the address, if there is one."""
    try:
        return Template.objects.filter(pk=UUID(raw or ""), archived_at=None).first()
    except ValueError:
        return None


def chosen_segment(raw: str | None) -> Segment | None:
    try:
        return Segment.objects.filter(pk=UUID(raw or ""), archived_at=None).first()
    except ValueError:
        return None
