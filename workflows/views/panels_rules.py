"""The segment builder inside a panel: for the ways of a branch, for goals, and for who may enter at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError
from segments import catalog as catalogs
from segments import draft
from segments.builder import Builder
from segments.errors import RuleError
from segments.rules import parse as parse_rule
from segments.views.building import code_names
from segments.views.shared import live
from workflows.forms.rules import exit_at
from workflows.forms.steps import change
from workflows.language import definition as d
from workflows.language import words
from workflows.views.panels import Panel, gone, rules_of, show_rules, show_step, step_of


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a definition a rule stands: how it is read (raises LookupError where it is gone), written and called."""

    read: Callable[[d.Definition], Any]
    write: Callable[[d.Definition, Any], d.Definition]
    title: str
    #: The panel to go back to, and what that is called.
    back: Callable[[Panel], HttpResponse]
    back_label: str
    #: Nobody has to give one: it can be taken away.
    optional: bool = False


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def step_rule(request: StaffRequest, workflow_id: UUID, step: str, number: int) -> HttpResponse:
    """The rule of one way of a branch, or of a goal step."""
    address = reverse("workflows:step_rule", args=[workflow_id, step, number])

    def read(definition: d.Definition) -> Any:
        match definition.steps[step]:
            case d.Branch(cases=cases) if 0 < number <= len(cases):
                return cases[number - 1].rule
            case d.Goal(rule=rule) if number == 1:
                return rule
        raise LookupError

    def write(definition: d.Definition, rule: Any) -> d.Definition:
        node = definition.steps[step]
        match node:
            case d.Branch(cases=cases):
                cases = tuple(change(c, rule=rule) if n == number else c for n, c in enumerate(cases, 1))
                node = change(node, cases=cases)
            case d.Goal():
                node = change(node, rule=rule)
        return change(definition, steps={**definition.steps, step: node})

    def title(definition: d.Definition) -> str:
        node = definition.steps.get(step)
        if not isinstance(node, d.Branch):
            return "Who has reached the goal"
        named = node.cases[number - 1].name if 0 < number <= len(node.cases) else ""
        return f"Who goes this way: {named or words.way_label(node, str(number))}"

    def back(panel: Panel) -> HttpResponse:
        return show_step(step_of(panel, step), step)

    panel = Panel.of(request, workflow_id)
    return _rule(panel, address, Spot(read, write, title(panel.definition), back, "Back to the step"))


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def exit_rule(request: StaffRequest, workflow_id: UUID, number: int) -> HttpResponse:
    """The rule of a goal that ends the journey wherever somebody is."""
    address = reverse("workflows:exit_rule", args=[workflow_id, number])

    def read(definition: d.Definition) -> Any:
        found = exit_at(definition, number)
        if not isinstance(found, d.GoalExit):
            raise LookupError
        return found.rule

    def write(definition: d.Definition, rule: Any) -> d.Definition:
        old = exit_at(definition, number)
        exits = tuple(change(e, rule=rule) if e is old and isinstance(e, d.GoalExit) else e for e in definition.exits)
        return change(definition, exits=exits)

    spot = Spot(read, write, "Who has reached the goal", _to_rules, "Back to the rules")
    return _rule(Panel.of(request, workflow_id), address, spot)


@may(Action.WORKFLOWS_EDIT)
@require_http_methods(["GET", "POST"])
def only_rule(request: StaffRequest, workflow_id: UUID) -> HttpResponse:
    """Who may enter, besides what lets them in."""
    address = reverse("workflows:only_rule", args=[workflow_id])

    def write(definition: d.Definition, rule: Any) -> d.Definition:
        return change(definition, only=rule)

    spot = Spot(lambda found: found.only, write, "Who may enter", _to_rules, "Back to the rules", optional=True)
    return _rule(Panel.of(request, workflow_id), address, spot)


def _to_rules(panel: Panel) -> HttpResponse:
    return show_rules(rules_of(panel))


def _rule(panel: Panel, address: str, spot: Spot) -> HttpResponse:
    def part(definition: d.Definition) -> Any:
        try:
            return spot.read(definition)
        except LookupError:
            return None

    panel.part, panel.address = part, address
    try:
        rule = spot.read(panel.definition)
    except LookupError:
        return gone(panel.request, "What this rule belonged to is no longer on the journey.")
    post = panel.request.POST
    if panel.request.method != "POST":
        return _builder(panel, spot, rule)
    drawn = None if "remove" in post else _drawn(draft.from_post(post))
    if rule and drawn == draft.to_rule(draft.from_rule(rule), catalogs.load()):
        drawn = rule  # as it was, however it was written
    try:
        panel.keep(lambda definition: spot.write(definition, drawn))
    except DomainError as refusal:
        return panel.refused(refusal)
    if "back" in post or "force" in post:
        return spot.back(panel)
    return panel.answer("_rule_saved")


def _drawn(root: draft.Group) -> Any:
    """The rule as it stands, finished or not; None where nothing was chosen yet."""
    parts = [node for _, node in draft.walk(root) if isinstance(node, draft.Clause)]
    return draft.to_rule(root, catalogs.load()) if any(part.part("subject") for part in parts) else None


def _builder(panel: Panel, spot: Spot, rule: Any) -> HttpResponse:
    root = draft.from_rule(rule) if rule else draft.Group("all", [draft.Clause()])
    catalog = catalogs.load()
    view = Builder(catalog, _problems(rule), code_names(panel.request, root)).draw(root, "r-0" if not rule else "")
    return panel.answer("rule", spot=spot, title=spot.title, root=view, live=live(panel.request), has_rule=bool(rule))


def _problems(rule: Any) -> list[Any]:
    """What no longer makes sense of a rule, or was left unfinished."""
    if not rule:
        return []
    try:
        parse_rule(rule)
    except RuleError as refusal:
        return list(refusal.problems)
    return []
