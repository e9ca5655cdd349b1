"""What people fill in on the pages of a journey: names, plans for people, decisions, who is put on by hand."""

from collections.abc import Iterable
from typing import Any

from django import forms

from segments.models import Segment
from workflows.language.definition import Definition
from workflows.language.words import titles
from workflows.steering import LONGEST_SPREAD_HOURS
from workflows.versions.mapping import FINISHES, Inside, suggest

WORDS = forms.Textarea(attrs={"rows": 3})


class NameForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Only your team sees it.")
    description = forms.CharField(label="What it is for", required=False, max_length=500, widget=WORDS)


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


LEAVES = "-"


class PlanForm(forms.Form):
    """What becomes of people on older versions: one choice for each step somebody is at."""

    how = forms.ChoiceField(
        label="People on older versions",
        choices=[("finish", "Finish on the version they are on"), ("move", "Move to the new version")],
        widget=forms.RadioSelect,
        initial="finish",
    )

    def __init__(
        self, *args: Any, inside: Iterable[Inside], olds: dict[Any, Definition], new: Definition, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.groups = list(inside)
        steps = [(key, f"to “{title}”") for key, title in titles(new).items()]
        for group in self.groups:
            self.fields[_field(group)] = forms.ChoiceField(
                choices=[("", "Finish on their version"), *steps, (LEAVES, "Leave the journey")],
                required=False,
                initial=suggest(olds[group.version.pk], new, group.step),
                label="Go on",
            )

    def rows(self) -> list[tuple[Inside, Any]]:
        """Each group of people with its choice."""
        return [(group, self[_field(group)]) for group in self.groups]

    def plan(self) -> dict[str, Any]:
        """WorkflowVersion.plan; of steps nobody is at nothing is said."""
        if self.cleaned_data["how"] == "finish":
            return {"how": "finish"}
        steps: dict[str, dict[str, str | None]] = {}
        for group in self.groups:
            chosen = self.cleaned_data[_field(group)]
            to = None if chosen == LEAVES else chosen or FINISHES
            steps.setdefault(str(group.version.pk), {})[group.step] = to
        return {"how": "move", "steps": steps}


def _field(group: Inside) -> str:
    return f"to-{group.version.number}-{group.step}"


class ResumeForm(forms.Form):
    how = forms.ChoiceField(
        label="What is overdue",
        choices=[
            ("catch_up", "Catch up now"),
            ("spread", "Catch up, spread over some hours"),
            ("skip", "Skip mails that are overdue"),
        ],
        widget=forms.RadioSelect,
        initial="catch_up",
    )
    hours = forms.IntegerField(
        label="Hours", required=False, min_value=1, max_value=LONGEST_SPREAD_HOURS, initial=24, help_text="Up to 336."
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("how") == "spread" and not found.get("hours") and "hours" not in self.errors:
            self.add_error("hours", "Say over how many hours.")
        return found


class ByName(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class PutOnForm(forms.Form):
    """Whom to put on by hand: some named ones, or everybody of a segment."""

    names = forms.CharField(
        label="People",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Email addresses or external ids, one a line.",
    )
    segment = ByName(
        Segment.objects.filter(archived_at=None),
        label="Or everybody in",
        required=False,
        empty_label="No segment",
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if bool(found.get("names", "").strip()) == bool(found.get("segment")):
            raise forms.ValidationError("Name people, or choose a segment: one of the two.")
        return found
