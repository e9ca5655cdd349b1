"""Steps that do something: a mail, a value, a list, a call, a word to staff, another journey, a goal, the end."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from contacts.errors import BadValue
from core.purposes import Stream
from workflows.forms import values
from workflows.forms.steps import Layout, StepForm, pick, uuid_or_none
from workflows.forms.times import with_way
from workflows.language.checks_steps import may_be_transactional
from workflows.language.definition import ChangeList, Enter, Mail, SetAttribute, Tell, Value, Webhook
from workflows.offers import choices


class MailForm(StepForm):
    about = "Sent to each person who comes here. Quiet hours, consent and how often are seen to when it leaves."
    layout: ClassVar[Layout] = ("sender", "topic", "stream", "track_clicks", "track_opens", "refused", "name")
    apart = frozenset({"template"})

    def given(self, step: Mail) -> dict[str, Any]:
        return {
            "template": str(step.template or ""),
            "sender": str(step.sender or ""),
            "topic": str(step.topic or ""),
            "stream": step.stream,
            "track_opens": step.track_opens,
            "track_clicks": step.track_clicks,
            "refused": "refused" in step.exits,
        }

    def build(self) -> None:
        offers = self.offers
        rows = [(str(o.template.pk), str(o.template.name)) for o in offers.templates]
        self.fields["template"] = pick("Template", choices(rows, "No template yet", self.now("template"), "Archived"))
        self.fields["sender"] = pick("From", choices(offers.senders, "Choose a sender…", self.now("sender")))
        self.fields["topic"] = pick(
            "Topic", choices(offers.topics, "No topic", self.now("topic")), help="What people opt in to and out of."
        )
        self.fields["stream"] = pick(
            "Stream",
            [
                (Stream.MARKETING, "Marketing: all but what is transactional"),
                (Stream.TRANSACTIONAL, "Transactional: receipts and the like; never waits behind marketing"),
            ],
            required=True,
        )
        self.fields["track_clicks"] = forms.BooleanField(
            label="Count clicks", required=False, help_text="By our own host only; off for special categories."
        )
        self.fields["track_opens"] = forms.BooleanField(label="Count opens", required=False)
        self.fields["refused"] = forms.BooleanField(
            label="Another way for those to whom it was not sent", required=False
        )

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        found = {name: uuid_or_none(typed[name]) for name in ("template", "sender", "topic")}
        found |= {name: typed[name] for name in ("stream", "track_opens", "track_clicks")}
        offered = self.offers.template(found["template"])
        if offered is not None and found["template"] != self.step.template:
            self._usual(found, offered.template)
        return {**found, "exits": with_way(self.step.exits, "refused", typed["refused"])}

    def _usual(self, found: dict[str, Any], template: Any) -> None:
        """What follows from the template, where nobody has said otherwise."""
        answers = may_be_transactional(template.message_class, template.purpose, self.offers.definition.trigger)
        found["stream"] = (Stream.TRANSACTIONAL if answers else Stream.MARKETING).value
        found["sender"] = found["sender"] or self.offers.usual_sender()
        found["topic"] = found["topic"] or self.offers.usual_topic(template)


class SetAttributeForm(StepForm):
    about = "Writes a value into the person's record, as an edit by hand does."
    layout: ClassVar[Layout] = ("attribute", "how", "value", "property", "name")
    drawn_for: ClassVar[Mapping[str, tuple[str, ...]]] = {"attribute": ("value",)}

    def given(self, step: SetAttribute) -> dict[str, Any]:
        known = self.offers.attributes.get(step.attribute)
        how = "property" if step.property else "clear" if step.value is None and step.attribute else "value"
        shown = values.shown_single(known.kind if known else "text", step.value)
        return {"attribute": step.attribute, "how": how, "property": step.property, "value": shown}

    def build(self) -> None:
        chosen = str(self.now("attribute") or "")
        offered = [("", "Choose…"), *self.offers.settable()]
        if chosen and chosen not in dict(offered):
            there = self.offers.attributes.get(chosen)
            offered.append((chosen, f"{there.label} (no journey sets it)" if there else f"{chosen} (removed)"))
        self.fields["attribute"] = pick("Which value", offered)
        known = self.offers.attributes.get(chosen)
        if known is None:
            return
        held = self.offers.properties()
        ways = [("value", "to this value"), ("clear", "to nothing: remove what is there")]
        if held or self.now("how") == "property":
            ways.insert(1, ("property", "to what the event says that let them in"))
        self.fields["how"] = pick("Set it", ways, required=True)
        if self.now("how") == "property":
            rows = [(name, name.replace("_", " ").capitalize()) for name in held]
            self.fields["property"] = pick("What of the event", choices(rows, "Choose…", self.now("property")))
        elif self.now("how") != "clear":
            field = values.single("Value", known.kind, known, self._held())
            if field is not None:
                self.fields["value"] = field

    def _held(self) -> Value:
        """The value as it is, of the attribute that is chosen."""
        return self.step.value if self.now("attribute") == self.step.attribute else None

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        typed, known = (
            self.cleaned_data.get("value"),
            self.offers.attributes.get(self.cleaned_data.get("attribute", "")),
        )
        self.cleaned_data["stored"] = None
        if typed not in (None, "") and known is not None:
            try:
                self.cleaned_data["stored"] = values.read_single(known.kind, known, typed, self._held())
            except BadValue as problem:
                self.refuse("value", problem)
        elif "value" in self.fields:
            self.waits = "Not kept yet: enter the value."
        return self.cleaned_data

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        attribute = typed["attribute"]
        return {"attribute": attribute, "value": typed["stored"], "property": typed.get("property", "")}


class ChangeListForm(StepForm):
    about = "A list is a segment whose people were put into it by name, or by a journey."
    layout: ClassVar[Layout] = ("change", "segment", "name")

    def given(self, step: ChangeList) -> dict[str, Any]:
        return {"change": step.change, "segment": str(step.segment or "")}

    def build(self) -> None:
        self.fields["change"] = pick(
            "What", [("add", "Put into the list"), ("remove", "Take out of the list")], required=True
        )
        lists = self.offers.lists
        self.fields["segment"] = pick(
            "Which list",
            choices(lists, "Choose a list…", self.now("segment")),
            help="" if lists else "There is no list yet. A snapshot of a segment is one.",
        )

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"change": typed["change"], "segment": uuid_or_none(typed["segment"])}


class WebhookForm(StepForm):
    about = "Tells another system, signed and again until it has answered. The person waits until then."
    layout: ClassVar[Layout] = ("endpoint", "attributes", "failed", "name")

    def given(self, step: Webhook) -> dict[str, Any]:
        found = {"endpoint": str(step.endpoint or ""), "attributes": list(step.attributes)}
        return {**found, "failed": "failed" in step.exits}

    def build(self) -> None:
        endpoints = self.offers.endpoints
        self.fields["endpoint"] = pick(
            "Where to",
            choices(endpoints, "Choose an endpoint…", self.now("endpoint")),
            help="" if endpoints else "An administrator defines endpoints first.",
        )
        self.fields["attributes"] = forms.MultipleChoiceField(
            label="Values that go along",
            required=False,
            choices=self._attributes(),
            widget=forms.CheckboxSelectMultiple,
            help_text="Only while an agreement with the receiver is in force. Without any, ids alone are told.",
        )
        self.fields["failed"] = forms.BooleanField(
            label="Another way for those whose call failed for good",
            required=False,
            help_text="Otherwise they need attention.",
        )

    def _attributes(self) -> list[tuple[str, str]]:
        found = self.offers.attributes_of()
        return found + [(key, f"{key} (removed)") for key in self.step.attributes if key not in dict(found)]

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        exits = with_way(self.step.exits, "failed", typed["failed"])
        return {"endpoint": uuid_or_none(typed["endpoint"]), "attributes": tuple(typed["attributes"]), "exits": exits}


class TellForm(StepForm):
    about = "They find it on their Home until somebody has seen to it."
    layout: ClassVar[Layout] = ("whom", "text", "name")
    named: ClassVar[Mapping[str, str]] = {"user": "whom", "role": "whom"}

    def given(self, step: Tell) -> dict[str, Any]:
        whom = f"user:{step.user}" if step.user else f"role:{step.role}" if step.role else ""
        return {"whom": whom, "text": step.text}

    def build(self) -> None:
        rows = self.offers.staff
        found = [("", "Choose…"), *rows]
        chosen = str(self.now("whom") or "")
        if chosen and chosen not in dict(found):
            found.append((chosen, "Somebody who is no longer there"))
        self.fields["whom"] = pick("Whom", found)
        self.fields["text"] = forms.CharField(
            label="What to do", required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3})
        )

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        kind, _, who = typed["whom"].partition(":")
        user = uuid_or_none(who) if kind == "user" else None
        return {"user": user, "role": who if kind == "role" else "", "text": typed["text"].strip()}


class EnterForm(StepForm):
    about = "They enter that journey as well, as far as its own rules let them, and go on here."
    layout: ClassVar[Layout] = ("workflow", "name")

    def given(self, step: Enter) -> dict[str, Any]:
        return {"workflow": str(step.workflow or "")}

    def build(self) -> None:
        rows = self.offers.journeys
        self.fields["workflow"] = pick("Which journey", choices(rows, "Choose a journey…", self.now("workflow")))

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"workflow": uuid_or_none(typed["workflow"])}


class GoalForm(StepForm):
    about = "Whoever fulfils the rule when they come here has reached the goal and leaves; all others go on."
    layout: ClassVar[Layout] = ("name",)
    apart = frozenset({"rule"})


class EndForm(StepForm):
    about = "Whoever comes here leaves the journey."
    layout: ClassVar[Layout] = ("name",)
