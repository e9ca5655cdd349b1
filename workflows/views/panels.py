"""The panels beside the canvas: the form of one step, of what lets people in, and of the journey's rules.

A change is kept as it is made. Only what the form is about is written, over whatever else was drawn meanwhile; where
just that was changed by somebody else, nothing is written until the author has chosen.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from django_htmx.http import reswap, retarget, trigger_client_event

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from content.preview import all_personas
from core.errors import DomainError
from workflows import commands, reading
from workflows.errors import ChangedMeanwhile, Problem
from workflows.forms import acts as forms_acts
from workflows.forms import rules as forms_rules
from workflows.forms import times as forms_times
from workflows.forms import trigger as forms_trigger
from workflows.forms import ways as forms_ways
from workflows.forms.steps import StepForm, change
from workflows.language import checks, words
from workflows.language import definition as d
from workflows.language.parsing import parse
from workflows.models import Workflow
from workflows.offers import Offers

FORMS: dict[type[d.AnyStep], type[StepForm]] = {
    d.Mail: forms_acts.MailForm,
    d.Wait: forms_times.WaitForm,
    d.WaitUntil: forms_times.WaitUntilForm,
    d.WaitWeekday: forms_times.WaitWeekdayForm,
    d.WaitEvent: forms_times.WaitEventForm,
    d.Branch: forms_ways.BranchForm,
    d.BranchMail: forms_ways.BranchMailForm,
    d.Split: forms_ways.SplitForm,
    d.SetAttribute: forms_acts.SetAttributeForm,
    d.ChangeList: forms_acts.ChangeListForm,
    d.Webhook: forms_acts.WebhookForm,
    d.Tell: forms_acts.TellForm,
    d.Enter: forms_acts.EnterForm,
    d.Goal: forms_acts.GoalForm,
    d.End: forms_acts.EndForm,
}
#: So often a save is tried anew where somebody saved something else of the journey in between.
TRIES = 4


@dataclass
class Panel:
    """What one panel is about: how it is read off a definition, and what of it somebody else may have changed."""

    request: StaffRequest
    workflow: Workflow
    definition: d.Definition
    part: Callable[[d.Definition], Any] = d.to_json
    address: str = ""
    saved: bool = False

    @classmethod
    def of(cls, request: StaffRequest, workflow_id: UUID) -> Self:
        workflow = get_object_or_404(Workflow, pk=workflow_id)
        return cls(request, workflow, parse(workflow.draft))

    @property
    def base(self) -> str:
        """Says what the form was drawn from, and nothing else."""
        raw = msgspec.to_builtins(self.part(self.definition))
        return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:24]

    def keep(self, made: Callable[[d.Definition], d.Definition]) -> None:
        """Write the change over the draft as it stands. Raises ChangedMeanwhile where the same part was changed."""
        given = self.request.POST.get("base", "")
        for n in range(TRIES):
            if given and given != self.base and "force" not in self.request.POST:
                raise ChangedMeanwhile("Somebody else changed just this meanwhile. What you typed is still here.")
            definition, revision = made(self.definition), self.workflow.draft_revision
            try:
                self.workflow = commands.save_draft(
                    self.workflow, d.to_json(definition), revision=revision, by=self.request.user
                )
            except ChangedMeanwhile:
                if n == TRIES - 1:
                    raise
                self.workflow.refresh_from_db()
                self.definition = parse(self.workflow.draft)
                continue
            self.definition = parse(self.workflow.draft)
            self.saved = self.saved or self.workflow.draft_revision != revision
            return

    def offers(self) -> Offers:
        return Offers(self.definition, self.workflow.pk)

    def problems(self, step: str) -> list[Problem]:
        return [found for found in checks.check(self.definition, workflow=self.workflow) if found.step == step]

    def answer(self, template: str, **context: Any) -> HttpResponse:
        more = {"workflow": self.workflow, "base": self.base, "address": self.address, "saved": self.saved}
        answer = render(self.request, f"workflows/panels/{template}.html", {**more, **context})
        if self.saved:
            trigger_client_event(answer, "draft-saved", {"revision": self.workflow.draft_revision})
        return answer

    def refused(self, refusal: DomainError) -> HttpResponse:
        """What was typed stays as it is; the refusal goes above it."""
        context = {"refusal": refusal, "address": self.address, "other": isinstance(refusal, ChangedMeanwhile)}
        answer = render(self.request, "workflows/panels/_refused.html", context, status=409)
        return reswap(retarget(answer, "#panel-refused"), "innerHTML")


def gone(request: StaffRequest, text: str) -> HttpResponse:
    return render(request, "workflows/panels/gone.html", {"text": text})


# One step


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def step_panel(request: StaffRequest, workflow_id: UUID, step: str) -> HttpResponse:
    """The form of one step; a POST keeps what stands in it, and does what a button says."""
    panel = step_of(Panel.of(request, workflow_id), step)
    node = panel.definition.steps.get(step)
    if node is None:
        return gone(request, "This step is no longer on the journey.")
    if request.method != "POST":
        return show_step(panel, step)
    form = FORMS[type(node)](request.POST, step=node, offers=panel.offers())
    if not form.is_valid() or form.waits:
        return show_step(panel, step, form)
    try:
        _keep_step(panel, step, form)
    except DomainError as refusal:
        return panel.refused(refusal)
    return show_step(panel, step)


def step_of(panel: Panel, step: str) -> Panel:
    """The panel of a step, on the same draft."""
    panel.part = lambda definition: _of(definition, step)
    panel.address = reverse("workflows:step_panel", args=[panel.workflow.pk, step])
    return panel


def show_step(panel: Panel, step: str, typed: StepForm | None = None) -> HttpResponse:
    """The form as it was typed, or as the step has it."""
    node = panel.definition.steps[step]
    form = typed or FORMS[type(node)](None, step=node, offers=panel.offers())
    form.blame(panel.problems(step))
    names = words.Names.load(panel.definition)
    context = {
        "step": step,
        "kind": str(node.__struct_config__.tag),
        "form": form,
        "title": words.step_title(node),
        "reads": reading.step_sentence(node, names),
        **_more(panel, step, form, names),
    }
    return panel.answer("step", **context)


def _of(definition: d.Definition, step: str) -> Any:
    """The step without its ways out: those are drawn on the canvas."""
    node = definition.steps.get(step)
    return None if node is None else change(node, exits={})


def _keep_step(panel: Panel, step: str, form: StepForm) -> None:
    do = panel.request.POST.get("do", "")

    def made(definition: d.Definition) -> d.Definition:
        form.step = definition.steps.get(step, form.step)
        node = form.made()
        if do and isinstance(form, forms_ways.BranchForm | forms_ways.SplitForm):
            node = form.after(node, do)
        return change(definition, steps={**definition.steps, step: node})

    panel.keep(made)


def _more(panel: Panel, step: str, form: StepForm, names: words.Names) -> dict[str, Any]:
    """What the panels of some kinds show besides."""
    node = panel.definition.steps[step]
    if isinstance(node, d.Mail):
        return _picker(panel.request, form)
    if isinstance(form, forms_ways.BranchForm):
        return {"rows": [(row, rule_words(names, row.rule)) for row in form.listed()]}
    if isinstance(node, d.Goal):
        url = reverse("workflows:step_rule", args=[panel.workflow.pk, step, 1])
        return {"rule": rule_words(names, node.rule), "rule_url": url}
    return {}


def _picker(request: StaffRequest, form: StepForm) -> dict[str, Any]:
    """The templates to choose from, and the chosen one as somebody who does not exist would read it."""
    chosen = str(form.now("template") or "")
    picked = next((o for o in form.offers.templates if str(o.template.pk) == chosen), None)
    picked = picked or form.offers.template(form.step.template)
    people = all_personas()
    persona = request.POST.get("persona", "")
    if persona not in {person.key for person in people}:
        persona = people[0].key
    missing = "" if picked else chosen
    return {"templates": form.offers.templates, "picked": picked, "missing": missing} | {
        "personas": people,
        "persona": persona,
    }


def rule_words(names: words.Names, rule: Any) -> str:
    """A rule as a sentence; "" where there is none yet."""
    return names.sentence(rule) if rule else ""


# What lets people in


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def trigger_panel(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """What lets people in: its kind, and the fields of that kind."""
    panel = Panel.of(request, workflow_id)
    panel.part = lambda definition: definition.trigger
    panel.address = reverse("workflows:trigger_panel", args=[workflow_id])
    form = None
    if request.method == "POST":
        form = forms_trigger.TriggerForm(request.POST, trigger=panel.definition.trigger, offers=panel.offers())
        if form.is_valid() and not form.waits:
            trigger, form = form.made(), None
            try:
                panel.keep(lambda definition: forms_trigger.with_trigger(definition, trigger))
            except DomainError as refusal:
                return panel.refused(refusal)
    form = form or forms_trigger.TriggerForm(None, trigger=panel.definition.trigger, offers=panel.offers())
    form.blame([found for found in panel.problems("") if found.field.startswith("trigger")])
    reads = reading.trigger_sentence(panel.definition.trigger, words.Names.load(panel.definition))
    return panel.answer("trigger", form=form, title="What lets people in", reads=reads)


# Who may enter, how often, and what takes them out


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def rules_panel(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Re-entry, exits, and who may enter at all."""
    panel = rules_of(Panel.of(request, workflow_id))
    if request.method != "POST":
        return show_rules(panel)
    do = request.POST.get("do", "")
    pending = do.removeprefix("add:") if do.startswith("add:") else request.POST.get("pending", "")
    form = _rules(panel, request.POST, pending)
    if not form.is_valid():
        return show_rules(panel, form)
    try:
        panel.keep(lambda definition: forms_rules.after(form.over(definition), do))
    except DomainError as refusal:
        return panel.refused(refusal)
    if not form.waits or do.startswith("remove:"):
        return show_rules(panel)
    form = _rules(panel, request.POST, pending)
    form.is_valid()
    return show_rules(panel, form)


def rules_of(panel: Panel) -> Panel:
    """The panel of the rules, on the same draft."""
    panel.part = lambda definition: (definition.reentry, [_but_rule(way) for way in definition.exits])
    panel.address = reverse("workflows:rules_panel", args=[panel.workflow.pk])
    return panel


def _but_rule(way: d.AnyExit) -> d.AnyExit:
    """The exit without what has a panel of its own."""
    return change(way, rule=None) if isinstance(way, d.GoalExit) else way


def show_rules(panel: Panel, typed: forms_rules.RulesForm | None = None) -> HttpResponse:
    """The form as it was typed, or as the journey has it."""
    form = typed or _rules(panel, None, "")
    form.blame([found for found in panel.problems("") if found.field.startswith(("reentry", "exits", "only"))])
    names = words.Names.load(panel.definition)
    return panel.answer(
        "rules",
        form=form,
        title="Who may enter, and what ends it",
        reads=reading.rules_sentence(panel.definition, names),
        rows=[(row, rule_words(names, row.rule)) for row in form.listed()],
        only=rule_words(names, panel.definition.only),
        kinds=forms_rules.EXITS,
    )


def _rules(panel: Panel, data: Any, pending: str) -> forms_rules.RulesForm:
    return forms_rules.RulesForm(data, definition=panel.definition, offers=panel.offers(), pending=pending)
