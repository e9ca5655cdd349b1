"""A definition as the canvas reads it: what stands on each card, its ways out, what is wrong with it."""

from typing import Any

import msgspec

from core.icons import ICONS
from workflows.errors import Problem
from workflows.language import checks, words
from workflows.language.definition import (
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
from workflows.language.names import Names
from workflows.models import Workflow

#: What can be drawn, in groups: a new step of the kind, its icon, and what it is for.
KINDS: dict[str, tuple[tuple[AnyStep, str, str], ...]] = {
    "Messages": ((Mail(), "mailbox", "From a template"),),
    "Waits": (
        (Wait(span=Span(days=1)), "clock", "Minutes, hours, days or weeks"),
        (WaitUntil(moment=Moment(days=-1, at="10:00")), "calendar", "Or for some time before or after it"),
        (WaitWeekday(weekdays=(0, 1, 2, 3, 4)), "calendar", "And a time where the person is"),
        (WaitEvent(timeout=Span(days=2)), "hourglass", "Or for a change, at most so long"),
    ),
    "Decisions": (
        (Branch(cases=(Case(rule=None),)), "fork", "A way for each rule, and one for everybody else"),
        (BranchMail(), "click", "Clicked, opened, sent or refused"),
        (Split(shares=(Share(percent=50), Share(percent=50))), "percent", "To compare two ways"),
        (Goal(), "flag", "Whoever has reached it leaves here"),
    ),
    "People and data": (
        (SetAttribute(), "draft", "A value of the person"),
        (ChangeList(), "people", "Or take off one"),
        (Webhook(), "webhook", "Signed, and tried again"),
        (Tell(), "bell", "A note to a person or a role"),
        (Enter(), "workflow", "Besides this one"),
    ),
    "Ends": ((End(), "stop", "Whoever comes here has finished"),),
}


def palette() -> dict[str, Any]:
    """The kinds to choose from, and every icon the canvas draws."""
    groups = [
        {
            "label": group,
            "kinds": [
                {
                    "kind": str(step.__struct_config__.tag),
                    "icon": icon,
                    "label": _label(step),
                    "help": text,
                    "step": msgspec.to_builtins(step),
                }
                for step, icon, text in kinds
            ],
        }
        for group, kinds in KINDS.items()
    ]
    return {"groups": groups, "icons": ICONS}


def _label(step: AnyStep) -> str:
    # One without a value clears the attribute; that is not what somebody looks for who wants to set one.
    return words.kind_title(SetAttribute(value="…") if isinstance(step, SetAttribute) else step)


def drawn(
    definition: Definition, *, workflow: Workflow | None = None, problems: bool = True, texts: bool = True
) -> dict[str, Any]:
    """The definition with its words; `problems` False: what was published is not asked again. `texts` False: for who
    sees nobody, without what staff are to do about people."""
    names = Names.load(definition)
    found = checks.check(definition, workflow=workflow, names=names) if problems else []
    definition = definition if texts else _without_texts(definition)
    trigger = definition.trigger
    return {
        "definition": to_json(definition),
        "titles": {key: _card(step, names) for key, step in definition.steps.items()},
        "trigger": {"title": words.trigger_title(trigger), "summary": words.trigger_summary(trigger, names)},
        "rules": {"title": "Who may enter, what ends it", "summary": _rules(definition)},
        "problems": listed(found),
    }


def _without_texts(definition: Definition) -> Definition:
    bare = {
        k: msgspec.structs.replace(one, text="") if isinstance(one, Tell) else one
        for k, one in definition.steps.items()
    }
    return msgspec.structs.replace(definition, steps=bare)


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
