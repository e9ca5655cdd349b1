from typing import Any

from django import forms

from content.models import Template
from content.starters import STARTERS


class NewTemplateForm(forms.Form):
    """A name and something to start from."""

    name = forms.CharField(max_length=120, label="Name", help_text="Only your team sees it.")
    starter = forms.ChoiceField(
        label="Start from",
        choices=[("", "A blank page"), *((key, fields["name"]) for key, fields in STARTERS.items())],
        required=False,
    )


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What an author edits. `revision` is the one the page was opened with."""

    name = forms.CharField(max_length=120, label="Name", help_text="Only your team sees it.")
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Template
        fields = ("subject", "preheader", "html", "text", "purpose", "message_class", "remunerated")
        labels = {
            "preheader": "Preview line",
            "html": "Mail (HTML)",
            "text": "Text part",
            "purpose": "Purpose under HIPAA",
            "message_class": "Class under CAN-SPAM",
            "remunerated": "A third party pays us for this mail",
        }
        help_texts = {
            "subject": "One line, no health information: it is readable on a locked phone.",
            "preheader": "Shown beside the subject in most mailboxes.",
            "text": "Leave empty to have it made from the HTML.",
            "purpose": "Why the law lets you write: decides whether an authorization is needed.",
            "message_class": "Commercial mail needs an opt-in, a way out and your postal address.",
        }
        widgets = {
            "html": forms.Textarea(attrs={"rows": 26, "spellcheck": "false", "class": "mono"}),
            "text": forms.Textarea(attrs={"rows": 10, "class": "mono"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = self.instance.name if self.instance.pk else ""
        self.fields["revision"].initial = self.instance.revision
        self.order_fields(
            ["name", "subject", "preheader", "purpose", "message_class", "remunerated", "html", "text", "revision"]
        )
        self.fields["subject"].required = False

    def clean_subject(self) -> str:
        return " ".join(str(self.cleaned_data["subject"]).split())

    def clean_preheader(self) -> str:
        return " ".join(str(self.cleaned_data["preheader"]).split())
