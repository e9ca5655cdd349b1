"""A definition as the canvas reads it: what stands on each card, its ways out, what is wrong with it."""

from typing import Any

import msgspec

from core.icons import ICONS
from workflows import checks, words
from workflows.definition import (
    AnyStep,
    Branch,
    BranchMail,
    Case,
    ChangeList,
    Definition,
    End,
    Enter,
    Goal,
    Mail,
    Moment,
    SetAttribute,
    Share,
    Span,
    Split,
    Tell,
    Wait,
    WaitEvent,
    WaitUntil,
    WaitWeekday,
    Webhook,
    to_json,
    ways_out,
)
from workflows.errors import Problem
from workflows.models import Workflow
from workflows.names import Names

#: What can be drawn, in groups: a new step of the kind, its icon, its name, and what it is for.
KINDS: dict[str, tuple[tuple[AnyStep, str, str, str], ...]] = {
    "Messages": ((Mail(), "mailbox", "Send a mail", "From a template, through the door all mails go through"),),
    "Waits": (
        (Wait(span=Span(days=1)), "clock", "Wait a while", "Minutes, hours, days or weeks"),
        (WaitUntil(moment=Moment(days=-1, at="10:00")), "calendar", "Wait until a date", "Before or after a date"),
        (WaitWeekday(weekdays=(0, 1, 2, 3, 4)), "calendar", "Wait for a weekday", "And a time where the person is"),
        (WaitEvent(timeout=Span(days=2)), "hourglass", "Wait for an event", "Or for a change, at most so long"),
    ),
    "Decisions": (
        (Branch(cases=(Case(rule=None),)), "fork", "Branch by a rule", "One way for each rule, and one for the others"),
        (BranchMail(), "click", "Branch by a mail", "Opened, clicked, sent or refused"),
        (Split(shares=(Share(percent=50), Share(percent=50))), "percent", "Split by chance", "To compare two ways"),
        (Goal(), "flag", "Goal", "Whoever fulfils it leaves here"),
    ),
    "People and data": (
        (SetAttribute(), "draft", "Set an attribute", "A value of the person"),
        (ChangeList(), "people", "Change a list", "Put into a list, or take out of it"),
        (Webhook(), "webhook", "Call a webhook", "Tell another system, signed and retried"),
        (Tell(), "bell", "Tell the staff", "A note to a person or a role"),
        (Enter(), "workflow", "Enter another journey", "Besides this one"),
    ),
    "Ends": ((End(), "stop", "End", "Whoever comes here has finished"),),
}


def palette() -> dict[str, Any]:
    """The kinds to choose from, and every icon the canvas draws."""
    groups = [
        {
            "label": group,
            "kinds": [
                {"kind": tag, "icon": icon, "label": label, "help": text, "step": msgspec.to_builtins(step)}
                for step, icon, label, text in kinds
                if (tag := str(step.__struct_config__.tag))
            ],
        }
        for group, kinds in KINDS.items()
    ]
    return {"groups": groups, "icons": ICONS}


def drawn(definition: Definition, *, workflow: Workflow | None = None, problems: bool = True) -> dict[str, Any]:
    """The definition with its words; `problems` False: what was published is not asked again."""
    names = Names.load(definition)
    found = checks.check(definition, workflow=workflow, names=names) if problems else []
    trigger = definition.trigger
    return {
        "definition": to_json(definition),
        "titles": {key: _card(step, names) for key, step in definition.steps.items()},
        "trigger": {"title": words.trigger_title(trigger), "summary": words.trigger_summary(trigger, names)},
        "rules": {"title": "Who may enter, what ends it", "summary": _rules(definition)},
        "problems": listed(found),
    }


def _rules(definition: Definition) -> str:
    exits = len(definition.exits)
    early = f"{exits} {'reason' if exits == 1 else 'reasons'} to leave early" if exits else "nobody leaves early"
    only = ("not everybody may enter",) if definition.only is not None else ()
    return " · ".join((words.reentry_label(definition.reentry), *only, early))


def _card(step: AnyStep, names: Names) -> dict[str, Any]:
    return {
        "title": words.step_title(step),
        "summary": words.step_summary(step, names),
        "kind": str(step.__struct_config__.tag),
        "ways": [
            {"way": way, "label": words.way_label(step, way), "to": step.exits.get(way)} for way in ways_out(step)
        ],
    }


def listed(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"step": p.step, "field": p.field, "text": p.text, "level": p.level} for p in problems]
